import pytest

from app.domain.piece_text import inert


@pytest.mark.parametrize(
    "text",
    ["<|im_end|>", "a<|endoftext|>b", "</s>", "<s>", "<start_of_turn>", "[INST]", "[/INST]", "<｜end｜>"],
)
def test_control_tokens_are_broken_up(text: str) -> None:
    assert text not in inert(text)
    assert inert(text).replace("\\", "") == text


@pytest.mark.parametrize("text", ["<p>", "a < b", "<div>", "[1]", "if x <= y", "<script>"])
def test_plain_markup_stays_as_it_is(text: str) -> None:
    assert inert(text) == text
