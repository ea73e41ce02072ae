"""Messages as people meet them."""

import pytest

from app.errors import NotFound


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("there is no explanation 12", "There is no explanation 12."),
        ("There is no model folder at x.", "There is no model folder at x."),
        ("smollm2-135m has not been collected yet", "smollm2-135m has not been collected yet."),
        ("sqlite:///x is damaged: restore a copy", "sqlite:///x is damaged: restore a copy."),
        ("Which language model? Say --explainer (a or b)", "Which language model? Say --explainer (a or b)"),
        ("", ""),
    ],
)
def test_a_message_alone_is_a_sentence(message: str, shown: str) -> None:
    assert NotFound(message).sentence == shown
