"""How well expected activations agree with actual ones: pure functions on flattened arrays (DESIGN section 6).

All take `actual` and `expected` of one shape [n] and optional `weights` [n] >= 0, and return a number or the State
that says why there is none: CONSTANT_ACTUAL (nothing to explain) before CONSTANT_PREDICTION. The sign of the
polarity and the calibration are the caller's: `correlation` and `cosine` go before any calibration (whose slope may be
negative), the others after it. Raises ValueError for what is not finite, of unequal shape, or empty.
"""

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import State
from app.domain.neurons import Float64

Values = NDArray[np.floating]


def correlation(actual: Values, expected: Values, weights: Values | None = None) -> float | State:
    """Pearson's correlation, each token counted by its weight."""
    a, s, w = checked(actual, expected, weights)
    if _constant(a, w):
        return State.CONSTANT_ACTUAL
    if _constant(s, w):
        return State.CONSTANT_PREDICTION
    a, s = _centred(a, w), _centred(s, w)
    return float(np.clip((w * a * s).sum() / np.sqrt((w * a * a).sum() * (w * s * s).sum()), -1.0, 1.0))


def r_squared(actual: Values, expected: Values, weights: Values | None = None) -> float | State:
    """`1 - sum((a-s)^2) / sum((a-mean a)^2)`; negative where the mean of a would have been the better guess."""
    a, s, w = checked(actual, expected, weights)
    if _constant(a, w):
        return State.CONSTANT_ACTUAL
    scale = np.abs(a).max()  # keeps squares of tiny values from vanishing
    spread = (a - (w * a).sum()) / scale
    return float(1.0 - (w * ((a - s) / scale) ** 2).sum() / (w * spread**2).sum())


def r_squared_uncentred(actual: Values, expected: Values, weights: Values | None = None) -> float | State:
    """`1 - mean((a-s)^2) / mean(a^2)`, the published `rsquared_score`."""
    a, s, w = checked(actual, expected, weights)
    scale = np.abs(a[w > 0]).max()
    if scale == 0:
        return State.CONSTANT_ACTUAL
    return float(1.0 - (w * ((a - s) / scale) ** 2).sum() / (w * (a / scale) ** 2).sum())


def abs_dev_explained(actual: Values, expected: Values, weights: Values | None = None) -> float | State:
    """`1 - mean|a-s| / mean|a|`."""
    a, s, w = checked(actual, expected, weights)
    total = (w * np.abs(a)).sum()
    if total == 0:
        return State.CONSTANT_ACTUAL
    return float(1.0 - (w * np.abs(a - s)).sum() / total)


def cosine(actual: Values, expected: Values, weights: Values | None = None) -> float | State:
    """`sum(a s) / sqrt(sum(a^2) sum(s^2))`: like correlation, but about zero, so that a constant prediction has a value.

    Undefined only where one of them is zero everywhere.
    """
    a, s, w = checked(actual, expected, weights)
    sizes = [float(np.abs(each[w > 0]).max()) for each in (a, s)]
    if not sizes[0]:
        return State.CONSTANT_ACTUAL
    if not sizes[1]:
        return State.CONSTANT_PREDICTION
    a, s = a / sizes[0], s / sizes[1]  # squares of tiny values would vanish
    return float(np.clip((w * a * s).sum() / np.sqrt((w * a * a).sum() * (w * s * s).sum()), -1.0, 1.0))


def checked(actual: Values, expected: Values, weights: Values | None) -> tuple[Float64, Float64, Float64]:
    """The three as float64 [n], weights summing to 1. Raises ValueError where they are no such thing."""
    a, s = np.asarray(actual, np.float64).ravel(), np.asarray(expected, np.float64).ravel()
    w = np.ones(len(a)) if weights is None else np.asarray(weights, np.float64).ravel()
    if not len(a) == len(s) == len(w):
        raise ValueError(f"a metric needs arrays of one length, not {len(a)}, {len(s)} and {len(w)}")
    if not (np.isfinite(a).all() and np.isfinite(s).all() and np.isfinite(w).all()):
        raise ValueError("a metric of a value that is not finite")
    total = w.sum()
    if total <= 0 or w.min() < 0:
        raise ValueError("a metric needs weights of which none is negative and one is above 0")
    return a, s, w / total


def _constant(values: Float64, weights: Float64) -> bool:
    counted = values[weights > 0]
    return bool(counted.max() == counted.min())


def _centred(values: Float64, weights: Float64) -> Float64:
    """Deviations from the weighted mean, divided by the largest so that their squares neither vanish nor overflow."""
    deviations: Float64 = values - (weights * values).sum()
    deviations /= np.abs(deviations).max()
    return deviations
