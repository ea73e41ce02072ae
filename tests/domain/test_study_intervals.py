"""Intervals cover what they say they cover, in simulated studies whose means are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import study_intervals as si
from app.domain.neurons import Float64
from tests.domain.study_simulation import MEANS, Components, Studies, design, simulate


def coverage(found: tuple[si.Interval, ...], truth: Float64) -> float:
    low = np.array([np.nan if each.low is None else each.low for each in found])
    high = np.array([np.nan if each.high is None else each.high for each in found])
    return float(((low <= truth) & (truth <= high)).mean())


def covered(studies: Studies, truth: Float64, draws: int = 1_000, missing: float = 0.0) -> list[float]:
    """Shares of the intervals of the first method's mean and of its difference to the fourth that hold the truth [M, S]."""
    raters, neurons = studies.raters, studies.neurons
    kept = np.random.default_rng(8).random(len(raters)) >= missing
    values = studies.values[kept].astype(np.float64)
    shares = []
    for each, target in (
        (values[:, 0], truth[0]),
        (values[:, 3] - values[:, 0], truth[3] - truth[0]),
    ):
        shares.append(coverage(si.intervals(each, raters[kept], neurons[kept], 3, draws), target))
    return shares


@pytest.mark.parametrize(("rounded", "nested"), [(False, False), (True, False), (False, True), (True, True)])
def test_five_raters_and_48_neurons(rounded: bool, nested: bool) -> None:
    """LEE's study: 5 methods, 48 neurons, 5 raters; nested, 240 neurons. The target is the mean over these five raters."""
    studies = simulate(*design(5, 240 if nested else 48, nested), 2_000, seed=1, rounded=rounded)
    assert all(0.93 <= share <= 0.97 for share in covered(studies, studies.these)), "coverage"


def test_all_five_methods_and_ten_differences() -> None:
    studies = simulate(*design(5, 48), 1_000, seed=2)
    for first in range(5):
        for second in range(first):
            d = (studies.values[:, first] - studies.values[:, second]).astype(np.float64)
            found = si.intervals(d, studies.raters, studies.neurons, 3, 600)
            assert 0.93 <= coverage(found, studies.these[first] - studies.these[second]) <= 0.97
            assert found[0].these_raters and (found[0].blocks, found[0].neurons, found[0].raters) == (
                240,
                48,
                5,
            )


def test_few_neurons_and_blocks_that_were_never_answered() -> None:
    few = simulate(*design(5, 10), 1_500, seed=3)
    assert all(0.93 <= share <= 0.97 for share in covered(few, few.these))
    holes = simulate(*design(5, 48), 1_500, seed=4, sd=Components(rater=1.0))
    kept = np.random.default_rng(8).random(240) >= 0.3
    # Who answered more counts for more: the mean over these raters, each as often as there are blocks.
    share = np.bincount(holes.raters[kept]) / kept.sum()  # [R]
    by_rater = _rater_means(4, 1.0, 1_500)
    assert all(
        0.93 <= each <= 0.97 for each in covered(holes, np.einsum("r,rms->ms", share, by_rater), missing=0.3)
    )


def _rater_means(seed: int, sd: float, studies: int) -> Float64:
    """What `simulate` drew for each of five raters and methods, [R, M, S]: of a study of one neuron without any other spread."""
    alone = Components(rater=sd, neuron=0, method_neuron=0, residual=0)
    return simulate(*design(5, 1), studies, seed, sd=alone).values.astype(np.float64)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("sd", [Components(), Components(method_rater=0.0, method_neuron=0.0)])
def test_twelve_raters_stand_for_others(nested: bool, sd: Components) -> None:
    """From ten raters on the target is the mean over all raters there could be, and both are drawn."""
    studies = simulate(*design(12, 60 if nested else 24, nested), 1_000, seed=5, sd=sd)
    truth = np.broadcast_to(MEANS[:, None], (5, 1_000))
    shares = covered(studies, truth, draws=300)
    assert all(0.93 <= share <= 0.97 for share in shares), shares
    # Drawn neuron by neuron alone they would not hold it.
    only_neurons = si.spread(studies.values[:, 0].astype(np.float64), studies.raters, studies.neurons, True)
    error = np.abs(studies.values[:, 0].mean(0) - MEANS[0])
    assert (error <= 2 * only_neurons.se).mean() < 0.8


def test_by_hand_with_one_rater() -> None:
    """One rater, values 1, 2, 3 of three neurons: the mean's standard error is that of three independent numbers."""
    found = si.interval(np.array([1.0, 2.0, 3.0]), np.zeros(3, np.int32), np.arange(3, dtype=np.int32))
    assert (found.estimate, found.blocks, found.neurons, found.raters) == (2.0, 3, 3, 1)
    assert found.se == pytest.approx(1 / np.sqrt(3)) and found.these_raters and found.indicative
    assert found.low is not None and found.high is not None and found.low < 1 < 3 < found.high


def test_the_standard_error_both_ways_by_hand() -> None:
    """By neuron plus by rater minus by block (Cameron, Gelbach & Miller 2011), for two raters and two neurons."""
    values = np.array([[1.0], [2.0], [4.0], [9.0]])
    raters, neurons = np.array([0, 0, 1, 1], np.int32), np.array([0, 1, 0, 1], np.int32)
    # Deviations from 4: -3 -2 0 5. By neuron -3, 3; by rater -5, 5; by block 9, 4, 0, 25.
    expected = (2 * (9 + 9) + 2 * (25 + 25) - 4 / 3 * 38) / 16
    assert si.spread(values, raters, neurons, False).se[0] == pytest.approx(np.sqrt(expected))


def test_what_cannot_be_said_is_not_said() -> None:
    none = np.zeros(0, np.int32)
    assert si.interval(np.zeros(0), none, none) == si.Interval()
    one = si.interval(np.array([3.0, 4.0]), np.array([0, 1], np.int32), np.zeros(2, np.int32))
    assert one.estimate == 3.5 and (one.low, one.high, one.se) == (None, None, None)
    # Each rater saw one neuron of their own: raters and neurons cannot be told apart.
    apart = si.interval(np.arange(4.0), np.arange(4, dtype=np.int32), np.arange(4, dtype=np.int32))
    assert apart.estimate == 1.5 and apart.low is None
    same = si.interval(
        np.full(6, 4.0), np.repeat([0, 1], 3).astype(np.int32), np.tile([0, 1, 2], 2).astype(np.int32)
    )
    assert (same.low, same.estimate, same.high, same.se) == (4.0, 4.0, 4.0, 0.0)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.permutations(range(60)))
def test_names_and_order_of_rows_do_not_matter(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    raters, neurons = design(3, 20)
    values = rng.integers(1, 6, 60).astype(np.float64)
    values[rng.random(60) < 0.2] = np.nan
    found = si.interval(values, raters, neurons, draws=50)
    again = si.interval(values[order], (7 - raters)[order], (neurons + 5)[order], draws=50)
    assert again == pytest.approx(found)
    assert si.interval(-values, raters, neurons, draws=50).se == pytest.approx(found.se)


def test_a_column_does_not_depend_on_its_neighbours() -> None:
    raters, neurons = design(11, 9)
    values = np.random.default_rng(1).normal(size=(99, 3))
    values[:20, 1] = np.nan
    together = si.intervals(values, raters, neurons, draws=100)
    for column in range(3):
        assert si.interval(values[:, column], raters, neurons, draws=100) == pytest.approx(together[column])
    assert not together[0].these_raters
