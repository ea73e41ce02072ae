"""Cosine, average precision, F1 and IoU by hand, against scikit-learn, and by what must hold of them."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sk

from app.domain.binary_metrics import (
    ALPHA,
    Cut,
    activity,
    area,
    average_precision,
    base_rate,
    best_cut,
    confusion_sums,
    f1,
    iou,
    step_sums,
)
from app.domain.explanations import State
from app.domain.metrics import cosine
from app.domain.neurons import Polarity
from tests.domain.layers import layer, statistics_of, table

ACTIVE = np.array([True, False, True, False, False, True])
GUESS = np.array([9.0, 8.0, 7.0, 7.0, 1.0, 0.0])

# Few distinct predictions, so that ties are common; weights of which some are 0.
tokens = st.tuples(st.booleans(), st.integers(-3, 3).map(float), st.sampled_from([0.0, 0.25, 1.0, 3.0]))
samples = st.lists(tokens, min_size=2, max_size=40).map(
    lambda rows: tuple(map(np.array, zip(*rows, strict=True)))
)
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def test_by_hand() -> None:
    # highest first: hit, miss, then a hit and a miss at once, a miss, and at last the third hit
    assert average_precision(ACTIVE, GUESS) == pytest.approx((1 / 1 + 2 / 4 + 3 / 6) / 3)
    assert f1(ACTIVE, GUESS, 6.5) == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert iou(ACTIVE, GUESS, 6.5) == pytest.approx(2 / 5)
    assert cosine(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(24 / 25)
    assert base_rate(ACTIVE) == 0.5
    assert f1(ACTIVE, GUESS, 9.0) == iou(ACTIVE, GUESS, 9.0) == 0.0  # predicted is strictly above the cut


def test_weights_by_hand() -> None:
    weights = np.array([2.0, 1.0, 0.0, 1.0, 3.0, 1.0])
    twice = np.repeat(np.arange(6), weights.astype(int))
    assert average_precision(ACTIVE, GUESS, weights) == pytest.approx(
        average_precision(ACTIVE[twice], GUESS[twice])
    )
    # 2 of weight 3 active at the first step; all of 8 at the last
    assert average_precision(ACTIVE, GUESS, weights) == pytest.approx(2 / 3 * 1 + 1 / 3 * 3 / 8)
    assert f1(ACTIVE, GUESS, 6.5, weights) == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert iou(ACTIVE, GUESS, 6.5, weights) == pytest.approx(2 / 5)
    assert base_rate(ACTIVE, weights) == pytest.approx(3 / 8)
    assert cosine(GUESS, GUESS + 1, weights) == pytest.approx(cosine(GUESS[twice], GUESS[twice] + 1))


def test_states() -> None:
    none, all_, flat = np.zeros(6, bool), np.ones(6, bool), np.full(6, 2.0)
    for metric in (
        average_precision,
        lambda a, s, w=None: f1(a, s, 1.0, w),
        lambda a, s, w=None: iou(a, s, 1.0, w),
    ):
        assert metric(none, GUESS) is State.TOO_FEW_ACTIVE
        assert metric(all_, GUESS) is State.CONSTANT_ACTUAL
        assert metric(ACTIVE, flat) is State.CONSTANT_PREDICTION
        assert metric(none, flat) is State.TOO_FEW_ACTIVE
        # what has no weight is not there
        assert metric(ACTIVE, GUESS, np.where(ACTIVE, 0.0, 1.0)) is State.TOO_FEW_ACTIVE
        assert metric(ACTIVE, GUESS, np.where(ACTIVE, 1.0, 0.0)) is State.CONSTANT_ACTUAL
        assert metric(ACTIVE, GUESS, np.array([0, 0, 1.0, 1, 0, 0])) is State.CONSTANT_PREDICTION
        for bad in (np.full(6, np.nan), GUESS[1:]):
            with pytest.raises(ValueError):
                metric(ACTIVE, bad)
    assert cosine(np.zeros(6), GUESS) is State.CONSTANT_ACTUAL
    assert cosine(GUESS, np.zeros(6)) is State.CONSTANT_PREDICTION
    assert cosine(GUESS, flat) == pytest.approx(
        32 / np.sqrt(244 * 6)
    )  # about zero, a constant has a direction


@given(samples)
def test_they_are_scikit_learns(given_: Sample) -> None:
    active, expected, weights = given_
    there = weights > 0
    assume(there.any())
    found = average_precision(active, expected, weights)
    if isinstance(found, State):
        few = len(set(active[there].tolist())) < 2 or len(set(expected[there].tolist())) < 2
        assert few
        return
    assert found == pytest.approx(sk.average_precision_score(active, expected, sample_weight=weights))
    predicted = expected > 0.5
    assert f1(active, expected, 0.5, weights) == pytest.approx(
        sk.f1_score(active, predicted, sample_weight=weights, zero_division=0)
    )
    assert iou(active, expected, 0.5, weights) == pytest.approx(
        sk.jaccard_score(active, predicted, sample_weight=weights, zero_division=0)
    )


@given(samples)
def test_cosine_is_scikit_learns(given_: Sample) -> None:
    _, expected, weights = given_
    actual = expected[::-1] + 0.5
    root = np.sqrt(weights)
    found = cosine(actual, expected, weights) if weights.any() else State.FAILED
    if not isinstance(found, State):
        both = sk.pairwise.cosine_similarity((root * actual)[None], (root * expected)[None])
        assert found == pytest.approx(float(both[0, 0]), abs=1e-12)
        assert cosine(actual, 7 * expected, weights) == pytest.approx(found)
        assert cosine(-actual, expected, weights) == pytest.approx(-found)


@given(samples, st.randoms(use_true_random=False))
def test_only_the_order_of_predictions_counts(given_: Sample, random) -> None:  # type: ignore[no-untyped-def]
    active, expected, weights = given_
    assume(weights.any())
    found = average_precision(active, expected, weights)
    stretched = np.exp(expected) * 3 - 40
    shuffled = np.array(random.sample(range(len(active)), len(active)))
    if isinstance(found, State):
        assert average_precision(active, stretched, weights) is found
        return
    assert 0 < found <= 1 + 1e-12
    assert average_precision(active, stretched, weights) == pytest.approx(found)
    assert average_precision(active[shuffled], expected[shuffled], weights[shuffled]) == pytest.approx(found)
    assert average_precision(active, active.astype(float), weights) == pytest.approx(1.0)
    both = f1(active, expected, 0.5, weights), iou(active, expected, 0.5, weights)
    assert not isinstance(both[0], State) and not isinstance(both[1], State)
    assert 0 <= both[1] <= both[0] <= 1
    assert both[0] == pytest.approx(2 * both[1] / (1 + both[1]))


@given(samples)
def test_the_cut_is_the_best_there_is(given_: Sample) -> None:
    active, expected, _ = given_
    found = best_cut(active, expected)
    values = np.unique(expected)
    if not active.any():
        assert found is State.TOO_FEW_ACTIVE
        return
    if len(values) == 1:
        assert found is State.CONSTANT_PREDICTION
        return
    assert isinstance(found, Cut)
    # every way of cutting in two, none of which predicts all tokens active
    all_cuts = [sk.f1_score(active, expected > value, zero_division=0) for value in values[:-1]]
    assert found.f1 == pytest.approx(max(all_cuts))
    assert sk.f1_score(active, expected > found.above, zero_division=0) == pytest.approx(found.f1)
    assert found.above not in values and values[0] < found.above < values[-1]


def test_of_equal_cuts_it_is_the_highest_and_neighbouring_floats_can_be_cut() -> None:
    found = best_cut(np.array([True, False, True]), np.array([3.0, 2.0, 1.0]))
    assert isinstance(found, Cut) and (found.above, found.f1) == (2.5, pytest.approx(2 / 3))
    close = np.array([1.0, np.nextafter(1.0, 2)])
    found = best_cut(np.array([False, True]), close)
    assert isinstance(found, Cut)
    assert (close > found.above).tolist() == [False, True]


@given(samples, st.integers(1, 3))
def test_sums_of_records_give_the_same(given_: Sample, length: int) -> None:
    active, expected, _ = given_
    keep = len(active) // length * length
    rows = [each[:keep].reshape(-1, length) for each in (active, expected)]
    direct = average_precision(rows[0], rows[1]) if keep else State.FAILED
    if isinstance(direct, State):
        return
    steps = step_sums(*rows)
    predicted, hits = np.split(steps.sum(1)[:, None], 2)
    assert area(predicted, hits)[0] == pytest.approx(direct)
    both, only_predicted, only_active = confusion_sums(rows[0], rows[1] > 0.5).sum(1)
    assert 2 * both / (2 * both + only_predicted + only_active) == pytest.approx(f1(rows[0], rows[1], 0.5))


def test_the_threshold_is_the_quantile_of_the_explain_split() -> None:
    rng = np.random.default_rng(0)
    stats = statistics_of(layer(rng, table(rng), 1), 0)
    assert activity(stats, Polarity.POSITIVE) == (stats.token_q99, ALPHA)
    assert activity(stats, Polarity.NEGATIVE) == (-stats.token_q01, ALPHA)
