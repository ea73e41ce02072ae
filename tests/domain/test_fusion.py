"""Reciprocal rank fusion against its formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.fusion import K, reciprocal_rank


def test_what_both_lists_have_comes_first() -> None:
    fused = reciprocal_rank([["a", "b", "c"], ["c", "d"]])
    assert [thing for thing, _ in fused] == ["c", "a", "b", "d"]
    assert fused[0][1] == 1 / (K + 3) + 1 / (K + 1)


def test_nothing_gives_nothing() -> None:
    assert reciprocal_rank([]) == reciprocal_rank([[], []]) == []


def test_a_negative_k_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        reciprocal_rank([["a"]], -1)


lists = st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=4)


@given(lists, st.integers(0, 100))
def test_every_thing_once_with_the_sum_of_its_first_ranks(ranked: list[list[int]], k: int) -> None:
    fused = dict(reciprocal_rank(ranked, k))
    assert fused.keys() == {thing for each in ranked for thing in each}
    for thing, weight in fused.items():
        assert weight == pytest.approx(
            sum(1 / (k + each.index(thing) + 1) for each in ranked if thing in each)
        )
    weights = [weight for _, weight in reciprocal_rank(ranked, k)]
    assert weights == sorted(weights, reverse=True)


@given(st.lists(st.integers(), unique=True, max_size=20))
def test_one_list_keeps_its_order(ranked: list[int]) -> None:
    assert [thing for thing, _ in reciprocal_rank([ranked])] == ranked
