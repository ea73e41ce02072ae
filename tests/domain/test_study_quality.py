"""How raters worked, by hand, and whom rules exclude."""

import numpy as np
import pytest

from app.domain.studies import StudyContrast, StudyDefinition
from app.domain.study_answers import Ratings
from app.domain.study_checks import problems
from app.domain.study_quality import Exclusions, Work, qualities


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def work() -> Work:
    # Rater 1: neuron 5 (two methods share a text) 4 4 4, neuron 6: 4 4 2. Rater 2: neuron 5: 1 2 3.
    ratings = Ratings(
        ("a", "b", "c"), ints(1, 1, 1, 1, 1, 1, 2, 2, 2), ints(5, 5, 5, 6, 6, 6, 5, 5, 5), ints(0, 1, 2, 0, 1, 2, 0, 1, 2),
        np.array([4, 4, 4, 4, 4, 2, 1, 1, 3.0]), ints(0, 0, 1, 0, 1, 2, 1, 1, 0), ints(0, 0, 1, 0, 1, 2, 0, 0, 1),
    )  # fmt: skip
    return Work(
        ints(1, 1, 1, 2, 2), np.array([1.0, 2.0, 9.0, 10.0, 20.0]), ints(1, 1, 2), np.array([False, True, True]),
        ints(1, 1, 1), np.array([4.0, 2.0, 5.0]), np.array([4.0, 3.0, 1.0]), ratings,
    )  # fmt: skip


def test_by_hand() -> None:
    one, two, nobody = qualities(work(), [1, 2, 3])
    assert (one.answers, one.median_seconds, two.median_seconds) == (3, 2.0, 15.0)
    assert (one.gold, one.gold_right, one.gold_share, two.gold_share) == (2, 1, 0.5, 1.0)
    # The shared text was rated once: 4 4 | 4 4 2 is a run of four among five ratings, and one of two blocks is flat.
    assert (one.longest_run, one.rated, one.blocks, one.flat_blocks, one.flat_share) == (4, 5, 2, 1, 0.5)
    assert (two.longest_run, two.rated, two.flat_share) == (1, 2, 0.0)
    assert (one.repeats, one.repeats_exact, one.repeats_within_1) == (3, 1, 2)
    assert one.within_1_share == pytest.approx(2 / 3) and one.exact_share == pytest.approx(1 / 3)
    assert nobody.answers == 0 and nobody.median_seconds is None
    shares = (nobody.gold_share, nobody.flat_share, nobody.exact_share, nobody.within_1_share)
    assert shares == (None, None, None, None)
    without = qualities(Work(*[*work().__dict__.values()][:-1]), [1])[0]
    assert (without.blocks, without.longest_run, without.rated) == (0, 0, 0)


def test_rules_say_why_and_judge_nobody_by_nothing() -> None:
    found = qualities(work(), [1, 2, 3])
    every = Exclusions(min_gold=0.8, max_straight=0.4, min_seconds=3, min_consistency=0.7)
    assert every.excluded(found) == {
        1: (
            "1 of 2 gold items right, at least 80% asked for",
            "one value on all texts in 1 of 2 blocks, at most 40% allowed",
            "2 s for an item (median), at least 3 s asked for",
            "2 of 3 repeated items within 1 of the first answer, at least 70% asked for",
        )
    }
    assert Exclusions().excluded(found) == {}
    at_the_edge = Exclusions(min_gold=0.5, max_straight=0.5, min_seconds=2, min_consistency=2 / 3)
    assert at_the_edge.excluded(found) == {}


@pytest.mark.parametrize("rule", [{"min_gold": 1.2}, {"max_straight": -0.1}, {"min_consistency": float("nan")}, {"min_seconds": -1}, {"min_seconds": float("nan")}])  # fmt: skip
def test_rules_that_make_no_sense(rule: dict[str, float]) -> None:
    (problem,) = Exclusions(**rule).problems()
    assert problem.startswith(f"exclusions: {next(iter(rule))} is a")
    assert problem in problems(StudyDefinition("s", (), exclusions=Exclusions(**rule)))


def test_a_contrast_is_registered_once_whichever_way_round() -> None:
    found = problems(StudyDefinition("s", (), contrasts=(StudyContrast("a", "b"), StudyContrast("b", "a"))))
    assert "contrasts: “a - b” is there twice." in found
    assert not [each for each in problems(StudyDefinition("s", ())) if each.startswith("exclusions")]
