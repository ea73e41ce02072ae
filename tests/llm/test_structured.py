import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.explanations import Usage
from app.errors import AnswerError
from app.llm.messages import Completion
from app.llm.structured import json_answer, schema_format

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def answer(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(text, finish_reason, Usage())


@given(VALUES, st.sampled_from(["{}", " {}\n", "```json\n{}\n```", "```\n{}\n```  "]))
def test_json_is_read_fenced_or_bare(value, around):
    assert json_answer(answer(around.format("{}").replace("{}", json.dumps(value)))) == value


@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        ("", "stop", "empty"),
        ("  ", "stop", "empty"),
        ('{"a": [1, 2', "length", "cut off"),
        ('{"a": [1, 2', "stop", "no JSON"),
        ("Here it is: {}", "stop", "no JSON"),
        ("{} and more", "stop", "no JSON"),
        ("[NaN]", "stop", "no JSON"),
        ("[Infinity]", "stop", "no JSON"),
        ("```python\n{}\n```", "stop", "no JSON"),
    ],
)
def test_what_is_no_json_is_said(text, finish_reason, reason):
    with pytest.raises(AnswerError, match=reason):
        json_answer(answer(text, finish_reason))


def test_the_schema_is_asked_for_strictly():
    asked = schema_format('{"type": "object"}')
    assert asked == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
    }
