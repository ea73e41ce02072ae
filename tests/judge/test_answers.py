"""What counts as a verdict, and what never does."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from app.domain.explanations import Usage
from app.errors import AnswerError
from app.judge.answers import probabilities, read
from app.judge.prompts import answer
from app.llm.messages import REFUSED, Completion, TokenLogprob


def completion(text: str, finish: str = "stop") -> Completion:
    return Completion(text, finish, Usage())


@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_an_answer_as_it_should_look_is_read(verdicts: list[bool]) -> None:
    assert read(completion(answer(verdicts)), len(verdicts)) == verdicts
    assert read(completion(f"```json\n{answer(verdicts)}\n```"), len(verdicts)) == verdicts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("I'm sorry, but I can't help with that.", "no JSON"),
        ("yes", "no JSON"),
        ('{"answers":[true', "no JSON"),
        ("true", "no list"),
        ("[true]", "no list"),
        ('{"answers":true}', "no list"),
        ('{"answers":[true],"why":"because"}', "no list"),
        ('{"answers":[]}', "0 verdicts for 1"),
        ('{"answers":[true,false]}', "2 verdicts for 1"),
        ('{"answers":[1]}', "neither true nor false"),
        ('{"answers":["true"]}', "neither true nor false"),
        ('{"answers":[null]}', "neither true nor false"),
        ("[" * 100_000, "nested"),
    ],
)
def test_nothing_else_is(text: str, said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        read(completion(text), 1)


def test_nor_is_what_was_cut_off_or_refused() -> None:
    with pytest.raises(AnswerError, match="cut off"):
        read(completion('{"answers":[true]}', "length"), 1)
    with pytest.raises(AnswerError, match="refused"):
        read(completion('{"answers":[true]}', REFUSED), 1)


@given(st.text())
def test_whatever_comes_is_a_verdict_or_an_error_in_words(text: str) -> None:
    try:
        assert len(read(completion(text), 2)) == 2
    except AnswerError as error:
        assert str(error)


def token(text: str, p: float, **rivals: float) -> TokenLogprob:
    top = tuple((name.replace("_", " "), math.log(q)) for name, q in rivals.items())
    return TokenLogprob(text, 0, math.log(p), top)


def test_probabilities_are_read_where_verdicts_stand() -> None:
    answered = [
        token('{"answers":', 0.99),
        token("[", 0.99),
        token("true", 0.6, true=0.6, false=0.2, maybe=0.2),
        token(",", 0.9),
        token(" false", 0.9, _false=0.9, _true=0.05, false=0.04, TRUE=0.01),
        token("]}", 0.99),
    ]
    first, second = probabilities(answered, 2)
    assert first == pytest.approx(0.75) and second == pytest.approx(0.06)


def test_without_a_token_for_every_verdict_there_is_no_probability() -> None:
    assert probabilities([], 2) == [None, None]
    assert probabilities([token("true", 0.9)], 2) == [None, None]  # the other verdict was cut into pieces
    assert probabilities([TokenLogprob("true", 0, None, ())], 1) == [None]
    assert probabilities([TokenLogprob("true", 0, -math.inf, ())], 1) == [None]
    assert probabilities([token("true", 0.9)], 1) == [1.0]  # the rival is not among those given
