"""What statistics of studies take: columns that fit, and the credit of shared texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from app.domain.study_answers import ABSENT, Choices, Pairs, Ratings, blocks, ranked_blocks, without
from app.domain.study_tables import table

NAMES = ("a", "b", "c")


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def ratings(**changed: np.ndarray) -> Ratings:
    columns = {
        "raters": ints(7, 7, 3, 3), "neurons": ints(1, 1, 1, 1), "methods": ints(0, 2, 0, 1),
        "values": np.array([4.0, 2.0, 5.0, 1.0]), "positions": ints(0, 1, 1, 0), "texts": ints(0, 1, 0, 2),
    }  # fmt: skip
    return Ratings(NAMES, **{**columns, **changed})


def test_ratings_become_blocks_in_the_order_they_came() -> None:
    found = blocks(ratings())
    assert found.raters.tolist() == [7, 3] and found.neurons.tolist() == [1, 1]
    np.testing.assert_array_equal(found.values, [[4, np.nan, 2], [5, 1, np.nan]])
    assert blocks(without(ratings(), [7])).raters.tolist() == [3]
    assert len(blocks(without(ratings(), [7, 3])).raters) == 0


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"values": np.array([4.0, np.nan, 5.0, 1.0])}, "finite"),
        ({"methods": ints(0, 3, 0, 1)}, "from 0 to 2"),
        ({"methods": ints(0, -1, 0, 1)}, "from 0 to 2"),
        ({"methods": ints(0, 0, 0, 1)}, "once"),
        ({"raters": ints(7, 7, 3)}, "differ in length"),
    ],
)
def test_ratings_that_do_not_fit(changed: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ratings(**changed)


def test_methods_behind_one_text_share_a_choice() -> None:
    groups = np.array([[0, 0, 1], [5, 4, 3], [2, ABSENT, 2]], np.int32)
    found = Choices(NAMES, ints(1, 1, 2), ints(1, 2, 1), groups, ints(0, 4, 2))
    np.testing.assert_array_equal(found.credit, [[0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5]])
    assert found.offered.tolist() == [[True] * 3, [True] * 3, [True, False, True]]
    assert found.keep(found.raters == 2).credit.tolist() == [[0.5, 0, 0.5]]
    for chosen in (ints(2, 4, 2), ints(0, 4, ABSENT)):
        with pytest.raises(ValueError, match="not in its block"):
            Choices(NAMES, ints(1, 1, 2), ints(1, 2, 1), groups, chosen)
    with pytest.raises(ValueError, match="one block"):
        Choices(NAMES, ints(1, 1, 1), ints(1, 2, 1), groups, ints(0, 4, 2))


def test_pairs_that_do_not_fit() -> None:
    sides = np.array([True])
    for first, second, outcome, says in (
        (0, 0, 1, "two methods"),
        (0, 1, 2, "ends"),
        (0, 3, 1, "from 0 to 2"),
    ):
        with pytest.raises(ValueError, match=says):
            Pairs(NAMES, ints(1), ints(1), ints(first), ints(second), ints(outcome), sides)


@given(st.lists(st.lists(st.integers(1, 5), min_size=4, max_size=4), min_size=1, max_size=6))
def test_places_are_the_means_of_those_they_cover(places: list[list[int]]) -> None:
    given_ = np.array(places, np.float64)
    every = np.arange(len(given_), dtype=np.int32)
    found = ranked_blocks(("a", "b", "c", "d"), every, every, given_)
    np.testing.assert_array_equal(-found.values, rankdata(given_, axis=1))


def test_who_is_not_ranked_has_no_place() -> None:
    found = ranked_blocks(NAMES, ints(1), ints(1), np.array([[2.0, np.nan, 1.0]]))
    np.testing.assert_array_equal(found.values, [[-2, np.nan, -1]])


def test_the_table_by_hand() -> None:
    groups = np.array([[0, 0, 1], [0, 1, ABSENT], [2, 1, 0], [2, 1, 0]], np.int32)
    choices = Choices(NAMES, ints(1, 1, 2, 2), ints(1, 2, 1, 2), groups, ints(0, 0, 0, 2))
    a, b, c = table(NAMES, blocks(ratings()), choices)
    assert a.rating == (4.5, pytest.approx(0.5), 2) and b.rating == (1.0, None, 1)
    # a: 50, 100, 0, 100 per cent; c was offered three times and chosen once.
    assert a.chosen == (62.5, pytest.approx(np.std([50, 100, 0, 100], ddof=1) / 2), 4)
    assert b.chosen.mean == 12.5
    assert c.chosen == (pytest.approx(100 / 3), pytest.approx(np.std([0, 100, 0], ddof=1) / np.sqrt(3)), 3)
    assert [row.rating.n for row in table(NAMES, None, choices)] == [0, 0, 0]
    assert sum(row.chosen.mean for row in table(NAMES[:2], None, Choices(NAMES[:2], ints(1), ints(1), ints(0, 0)[None], ints(0)))) == 100.0  # fmt: skip
