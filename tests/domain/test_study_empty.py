"""A study that nobody has answered yet, or one rater alone, has results without numbers, and no errors."""

import numpy as np
import pytest

from app.domain import study_agreement, study_permutation, study_tables
from app.domain.neurons import Int32
from app.domain.study_answers import Choices, Pairs, Ratings, blocks, ranked_blocks
from app.domain.study_choice import luce
from app.domain.study_friedman import friedman, positions
from app.domain.study_intervals import Interval, intervals
from app.domain.study_pairs import davidson
from app.domain.study_quality import Exclusions, Work, qualities
from app.domain.study_scores import compared

NAMES = ("a", "b", "c")


def none() -> Int32:
    return np.zeros(0, np.int32)


def ratings(n: int) -> Ratings:
    """One rater's block of three texts, or nothing."""
    three = np.arange(3, dtype=np.int32)[: 3 * n]
    same = np.zeros(3 * n, np.int32)
    return Ratings(NAMES, same, same, three, np.array([4.0, 2.0, 5.0])[: 3 * n], three, three)


@pytest.mark.parametrize("n", [0, 1])
def test_ratings(n: int) -> None:
    rated = blocks(ratings(n))
    assert [row.rating.n for row in study_tables.table(NAMES, rated, None)] == [n] * 3
    found = study_permutation.contrasts(rated, [(0, 1), (1, 2)])
    assert [(each.p, each.p_holm, each.difference.low) for each in found] == [(None, None, None)] * 2
    every = intervals(rated.values, rated.raters, rated.neurons)
    assert [each.blocks for each in every] == [n] * 3 and (n or every == (Interval(),) * 3)
    assert friedman(rated).p_permuted is None
    assert [each.n for each in positions(ratings(n)).means] == [1] * 3 * n
    assert study_agreement.of_ratings(ratings(n)).reason == study_agreement.NO_OVERLAP
    assert compared(ratings(n), np.linspace(0, 1, 3 * n)).overall.score.n == 3 * n


def test_choices_pairs_and_ranks() -> None:
    choices = Choices(NAMES, none(), none(), np.zeros((0, 3), np.int32), none())
    assert [row.chosen.n for row in study_tables.table(NAMES, None, choices)] == [0] * 3
    assert luce(choices).choices == 0
    assert study_agreement.of_choices(choices).alpha is None
    assert davidson(Pairs(NAMES, none(), none(), none(), none(), none(), np.zeros(0, bool))).pairs == 0
    assert len(ranked_blocks(NAMES, none(), none(), np.zeros((0, 3))).values) == 0
    assert choices.credit.shape == (0, 3)


def test_quality() -> None:
    nothing = np.zeros(0)
    work = Work(none(), nothing, none(), np.zeros(0, bool), none(), nothing, nothing, ratings(0))
    found = qualities(work, [4])
    assert found[0].answers == found[0].rated == 0
    assert Exclusions(1.0, 0.0, 100.0, 1.0).excluded(found) == {}
