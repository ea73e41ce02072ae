"""Paired differences, against the scores of each and against what pairing is for."""

import numpy as np
import pytest

from app.domain import paired
from app.domain.bootstrap import units
from app.domain.explanations import State
from app.domain.metrics import correlation

R, T = 24, 32


def world(noise: tuple[float, float], seed: int = 0) -> tuple[np.ndarray, ...]:
    """Actual values of documents that differ much, and two simulations with this much noise."""
    rng = np.random.default_rng(seed)
    actual = rng.gamma(0.4, 1.0, (R, T)) * rng.gamma(1.0, 2.0, (R, 1))
    first, second = (actual + rng.normal(size=actual.shape) * each for each in noise)
    strata = np.repeat([0, 1], R // 2).astype(np.int32)
    documents = np.arange(R, dtype=np.int32)
    return *(each.astype(np.float32) for each in (actual, first, second)), strata, units(documents, documents)


def test_it_is_the_difference_of_the_correlations() -> None:
    actual, first, second, strata, drawn = world((0.5, 2.0))
    found = paired.difference(actual, first, second, strata, drawn)
    one = correlation(actual.astype(np.float64), first.astype(np.float64))
    two = correlation(actual.astype(np.float64), second.astype(np.float64))
    assert isinstance(one, float) and isinstance(two, float)
    assert (found.state, found.n_records, found.indicative) == (State.OK, R, False)
    assert found.first == pytest.approx(one) and found.second == pytest.approx(two)
    assert found.difference == pytest.approx(one - two)
    assert found.low is not None and found.high is not None
    assert 0 < found.low < one - two < found.high


def test_it_turns_round_with_its_sides_and_is_nothing_between_equals() -> None:
    actual, first, second, strata, drawn = world((0.5, 2.0))
    there = paired.difference(actual, first, second, strata, drawn)
    back = paired.difference(actual, second, first, strata, drawn)
    assert there.difference == -back.difference  # type: ignore[operator]
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))  # type: ignore[operator]
    same = paired.difference(actual, first, first * 3 + 1, strata, drawn)
    assert same.difference == pytest.approx(0, abs=1e-6)
    assert same.low == pytest.approx(0, abs=1e-6) and same.high == pytest.approx(0, abs=1e-6)


def test_pairing_makes_the_interval_narrower_than_that_of_strangers() -> None:
    """Both draw the same documents: what makes a document easy for both drops out."""
    actual, first, second, strata, drawn = world((1.0, 1.1))
    found = paired.difference(actual, first, second, strata, drawn)
    apart = (
        paired.difference(actual, first, actual, strata, drawn),
        paired.difference(actual, second, actual, strata, drawn),
    )
    width = found.high - found.low  # type: ignore[operator]
    alone = [each.high - each.low for each in apart]  # type: ignore[operator]
    assert width < sum(alone)


def test_what_cannot_be_compared_is_a_state() -> None:
    actual, first, second, strata, drawn = world((0.5, 2.0))
    flat = np.ones_like(first)
    assert paired.difference(actual, first, flat, strata, drawn).state is State.CONSTANT_PREDICTION
    assert paired.difference(flat, first, second, strata, drawn).state is State.CONSTANT_ACTUAL
    assert (
        paired.difference(flat[:0], flat[:0], flat[:0], strata[:0], drawn[:0]).state is State.TOO_FEW_RECORDS
    )
    one = paired.difference(actual, first, second, strata, np.zeros_like(drawn))
    assert one.low is None and one.high is None and one.indicative and one.difference is not None
    with pytest.raises(ValueError, match="not the same records"):
        paired.difference(actual, first[1:], second, strata, drawn)
