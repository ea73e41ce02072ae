"""Metrics by hand, against scipy, and by what must hold of them."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from app.domain.explanations import State
from app.domain.metrics import abs_dev_explained, correlation, r_squared, r_squared_uncentred

ALL = (correlation, r_squared, r_squared_uncentred, abs_dev_explained)
A = np.array([1.0, 2.0, 3.0, 6.0])
S = np.array([1.0, 1.0, 4.0, 6.0])

floats = st.floats(-1e6, 1e6, width=32)
pairs = st.lists(st.tuples(floats, floats), min_size=2, max_size=40).map(lambda rows: np.array(rows).T)


def test_by_hand() -> None:
    # deviations of A: -2 -1 0 3 (14), of S: -2 -2 1 3 (18), products 4 + 2 + 0 + 9 = 15
    assert correlation(A, S) == pytest.approx(15 / np.sqrt(14 * 18))
    # residuals 0 1 -1 0
    assert r_squared(A, S) == pytest.approx(1 - 2 / 14)
    assert r_squared_uncentred(A, S) == pytest.approx(1 - 2 / 50)
    assert abs_dev_explained(A, S) == pytest.approx(1 - 2 / 12)


def test_weights_by_hand() -> None:
    # weight 2 is the same as saying it twice
    weights = np.array([2.0, 1.0, 1.0, 3.0])
    twice = np.repeat(np.arange(4), weights.astype(int))
    for metric in ALL:
        assert metric(A, S, weights) == pytest.approx(metric(A[twice], S[twice]))
        assert metric(A, S, 0.25 * weights) == pytest.approx(metric(A, S, weights))
        assert metric(A, S, np.array([1.0, 1, 1, 0])) == pytest.approx(metric(A[:3], S[:3]))


def test_perfect_and_no_better_than_the_mean() -> None:
    for metric in ALL:
        assert metric(A, A) == pytest.approx(1.0)
    assert r_squared(A, np.full(4, 3.0)) == pytest.approx(0.0)
    assert r_squared(A, -A) < 0  # type: ignore[operator]
    assert correlation(A, -A) == pytest.approx(-1.0)


def test_states() -> None:
    flat, zero = np.full(4, 2.5), np.zeros(4)
    assert correlation(flat, S) is State.CONSTANT_ACTUAL
    assert correlation(A, flat) is State.CONSTANT_PREDICTION
    assert correlation(flat, flat) is State.CONSTANT_ACTUAL
    assert r_squared(flat, S) is State.CONSTANT_ACTUAL
    assert r_squared_uncentred(zero, S) is State.CONSTANT_ACTUAL
    assert abs_dev_explained(zero, S) is State.CONSTANT_ACTUAL
    # a constant prediction has a squared error, and a constant that is not 0 has a square
    assert isinstance(r_squared(A, flat), float)
    assert isinstance(r_squared_uncentred(flat, S), float)
    # what has no weight does not vary
    assert correlation(A, np.array([1.0, 1, 1, 9]), np.array([1.0, 1, 1, 0])) is State.CONSTANT_PREDICTION


@pytest.mark.parametrize("metric", ALL)
def test_nonsense_is_refused(metric) -> None:  # type: ignore[no-untyped-def]
    for bad in (np.array([1.0, np.nan, 0, 0]), np.array([1.0, np.inf, 0, 0]), np.ones(3)):
        with pytest.raises(ValueError):
            metric(A, bad)
        with pytest.raises(ValueError):
            metric(bad, S)
    for weights in (np.zeros(4), np.array([1.0, -1, 1, 1])):
        with pytest.raises(ValueError):
            metric(A, S, weights)
    with pytest.raises(ValueError):
        metric(np.array([]), np.array([]))


@given(pairs)
def test_correlation_is_scipys(rows: np.ndarray) -> None:
    actual, expected = rows
    assume(np.ptp(actual) > 1e-3 and np.ptp(expected) > 1e-3)
    assert correlation(actual, expected) == pytest.approx(
        scipy_stats.pearsonr(actual, expected).statistic, abs=1e-6
    )


@given(pairs, st.floats(0.01, 100), st.floats(-100, 100))
def test_correlation_knows_no_scale_and_both_polarities_agree(
    rows: np.ndarray, factor: float, shift: float
) -> None:
    actual, expected = rows
    assume(np.ptp(actual) > 1e-3 and np.ptp(expected) > 1e-3)
    found = correlation(actual, expected)
    assert correlation(actual, expected * factor + shift) == pytest.approx(found, abs=1e-6)
    assert correlation(-actual, -expected) == pytest.approx(found, abs=1e-9)
    assert correlation(actual, -expected) == pytest.approx(-found, abs=1e-9)
    assert -1 <= found <= 1


@given(
    st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20).map(lambda rows: np.array(rows).T)
)
def test_any_floats_give_a_finite_number_a_state_or_a_refusal(rows: np.ndarray) -> None:
    actual, expected = rows
    if not np.isfinite(rows).all():
        with pytest.raises(ValueError):
            correlation(actual, expected)
        return
    assume(np.abs(rows).max() < 1e150)
    found = correlation(actual, expected)
    assert isinstance(found, State) or -1 <= found <= 1


@given(pairs)
def test_no_prediction_explains_more_than_all(rows: np.ndarray) -> None:
    actual, expected = rows
    for metric in (r_squared, r_squared_uncentred, abs_dev_explained):
        found = metric(actual, expected)
        assert isinstance(found, State) or found <= 1
