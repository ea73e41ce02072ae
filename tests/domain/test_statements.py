"""Statements put together from data."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.statements import LONGEST_PIECE, token_lookup_text


def test_by_hand() -> None:
    assert token_lookup_text([" substit", " impose"]) == "the tokens “ substit”, “ impose”"
    assert token_lookup_text([" substit"]) == "the token “ substit”"
    assert token_lookup_text([]) == "no token in particular"
    assert token_lookup_text(["\n", "\t\t", "‹E2›"]) == "the tokens “⏎”, “⇥⇥”, “‹E2›”"


def test_tokens_that_do_not_make_it_fire_are_left_out() -> None:
    assert token_lookup_text(["a", "b", "c"], [2.0, 0.0, -1.0]) == "the token “a”"
    assert token_lookup_text(["a"], [-0.5]) == "no token in particular"


def test_a_very_long_token_is_cut() -> None:
    text = token_lookup_text(["x" * 10_000])
    assert text == f"the token “{'x' * (LONGEST_PIECE - 1)}…”"


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t")), max_size=8)
)
def test_one_line_of_bounded_length(pieces: list[str]) -> None:
    text = token_lookup_text(pieces)
    assert "\n" not in text and "\t" not in text
    assert len(text) <= 20 + 8 * (LONGEST_PIECE + 4)
