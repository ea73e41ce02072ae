"""Agreement on which tokens are active: average precision, F1, intersection over union (DESIGN section 6).

A token is *actually* active where `sign * a` is above a threshold, the quantile 1 - `ALPHA` of the tokens of the explain
split. `average_precision` asks how well predictions rank such tokens before others and needs no cut on them; `f1` and
`iou` compare with the tokens that are *predicted* active, above a cut that is chosen on other records (`best_cut`).

All take arrays of one shape [n] and optional `weights` [n] >= 0, and return a number from 0 to 1 or the State that says
why there is none: TOO_FEW_ACTIVE without an active token, CONSTANT_ACTUAL where all are, CONSTANT_PREDICTION where the
predictions are all the same. What has no weight is not there. Raises ValueError as `metrics` does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import State
from app.domain.metrics import Values, checked
from app.domain.neurons import Bool, Float64, Polarity, Statistics

ALPHA = 0.01  # share of the explain split's tokens that count as active; the store keeps the quantiles of this one


class Activity(NamedTuple):
    """When a token is active, and how that was found."""

    threshold: float  # active is strictly above it
    alpha: float | None  # None: imported statistics hold no quantile of tokens, and active is what is above 0


class Cut(NamedTuple):
    """When a token is predicted active."""

    above: float  # predicted active is strictly above it, on the simulation's own scale
    f1: float  # on the records that it was chosen on


def activity(stats: Statistics, polarity: Polarity) -> Activity:
    """The threshold for `polarity.sign * a`."""
    threshold = stats.token_q99 if polarity is Polarity.POSITIVE else -stats.token_q01
    return Activity(float(threshold), ALPHA) if np.isfinite(threshold) else Activity(0.0, None)


def average_precision(active: Bool, expected: Values, weights: Values | None = None) -> float | State:
    """Area under the precision-recall curve as `sum_k (R_k - R_{k-1}) P_k` over the distinct predictions, highest first.

    Equal predictions are one step, so that their order is of no consequence; nothing is interpolated. A prediction that
    knows nothing has the base rate, the share of active tokens, in expectation.
    """
    y, s, w = checked(active.astype(np.float64), expected, weights)
    state = _undefined(y, s, w)
    if state is not None:
        return state
    thresholds = steps(y[w > 0] > 0, s[w > 0])
    order = np.argsort(s)
    ranked, mass, hit = s[order], w[order], (w * y)[order]
    below = np.searchsorted(ranked, thresholds)  # [K]
    total, hits = (np.concatenate([[0.0], np.cumsum(each)]) for each in (mass, hit))  # [n + 1]
    return float(area(total[-1] - total[below], hits[-1] - hits[below]))


def average_precisions(active: Bool, expected: Float64, weights: Float64) -> Float64:
    """`average_precision` of many at once, [D, n] three times -> [D]; NaN where it has a state."""
    order = np.argsort(-expected, axis=1)
    s: Float64 = np.take_along_axis(expected, order, 1)
    y: Bool = np.take_along_axis(active, order, 1)
    w: Float64 = np.take_along_axis(weights, order, 1)
    mass, hits = np.cumsum(w, axis=1), np.cumsum(w * y, axis=1)
    last = np.ones(s.shape, np.bool_)  # of its step
    last[:, :-1] = s[:, :-1] != s[:, 1:]
    end = np.where(last, np.arange(s.shape[1]), s.shape[1] - 1)  # [D, n]
    end = np.minimum.accumulate(end[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.take_along_axis(hits, end, 1) / np.take_along_axis(mass, end, 1)
        found: Float64 = np.where(w > 0, w * y * precision, 0.0).sum(1) / hits[:, -1]
    there = w > 0
    highest = np.where(there, s, -np.inf).max(1)
    constant = highest == np.where(there, s, np.inf).min(1)
    found[constant | ~(y & there).any(1) | ~(~y & there).any(1)] = np.nan
    return found


def f1(active: Bool, expected: Values, cut: float, weights: Values | None = None) -> float | State:
    """`2 TP / (2 TP + FP + FN)`, the harmonic mean of precision and recall; predicted active is `expected > cut`."""
    found = _confusion(active, expected, cut, weights)
    if isinstance(found, State):
        return found
    both, only_predicted, missed = found
    return float(np.clip(2 * both / (2 * both + only_predicted + missed), 0.0, 1.0))


def iou(active: Bool, expected: Values, cut: float, weights: Values | None = None) -> float | State:
    """`TP / (TP + FP + FN)`, intersection over union (Jaccard)."""
    found = _confusion(active, expected, cut, weights)
    if isinstance(found, State):
        return found
    both, only_predicted, missed = found
    return float(np.clip(both / (both + only_predicted + missed), 0.0, 1.0))


def best_cut(active: Bool, expected: Values) -> Cut | State:
    """The cut with the highest F1 on these tokens [n], half-way between two predictions that occur; of equals the highest.

    CONSTANT_PREDICTION where they are all the same; TOO_FEW_ACTIVE without an active token. Predicting every token
    active is no cut: it would pass for agreement where most are.
    """
    y, s, _ = checked(active.astype(np.float64), expected, None)
    if not y.any():
        return State.TOO_FEW_ACTIVE
    values, place = np.unique(s, return_inverse=True)  # ascending
    if len(values) == 1:
        return State.CONSTANT_PREDICTION
    predicted = (
        np.bincount(place)[::-1].cumsum()[::-1][1:].astype(np.float64)
    )  # above each value but the last
    hits = np.bincount(place, y > 0)[::-1].cumsum()[::-1][1:]
    scores = 2 * hits / (predicted + (y > 0).sum())
    best = len(scores) - 1 - int(np.argmax(scores[::-1]))
    middle = values[best] + (values[best + 1] - values[best]) / 2
    return Cut(float(min(middle, np.nextafter(values[best + 1], -np.inf))), float(scores[best]))


def base_rate(active: Bool, weights: Values | None = None) -> float:
    """The share of active tokens, which is what average precision is to be held against."""
    return float(np.average(active.ravel(), weights=None if weights is None else weights.ravel()))


def steps(active: Bool, expected: Values) -> Float64:
    """The predictions at which recall grows, highest first [K]."""
    return np.unique(expected[active]).astype(np.float64)[::-1]


def area(predicted: Float64, hits: Float64) -> Float64:
    """Average precision from the mass predicted, and rightly predicted, at or above each step, [K, ...] twice -> [...].

    NaN where nothing is active.
    """
    grown = np.diff(hits, axis=0, prepend=np.zeros_like(hits[:1]))  # [K, ...]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(predicted > 0, hits / predicted, 0.0)
        found: Float64 = np.clip((grown * precision).sum(0) / hits[-1], 0.0, 1.0)
    return found


def step_sums(active: Bool, expected: Float64) -> Float64:
    """Tokens predicted, then rightly predicted, at or above each step, of each record: [R, T] twice -> [2 K, R]."""
    thresholds = steps(active, expected)  # [K]
    sums = np.empty((2, len(thresholds), len(expected)))
    for record, (values, own) in enumerate(zip(expected, active, strict=True)):
        for which, each in enumerate((values, values[own])):
            sums[which, :, record] = len(each) - np.searchsorted(np.sort(each), thresholds)
    return sums.reshape(-1, len(expected))


def confusion_sums(active: Bool, predicted: Bool) -> Float64:
    """Tokens both active and predicted, only predicted, only active, of each record: [..., R, T] twice -> [..., 3, R]."""
    counts = [(active & predicted).sum(-1), (~active & predicted).sum(-1), (active & ~predicted).sum(-1)]
    return np.stack(counts, axis=-2).astype(np.float64)


def _confusion(
    active: Bool, expected: Values, cut: float, weights: Values | None
) -> tuple[float, float, float] | State:
    """The weight of tokens that are both, only predicted, and only active."""
    y, s, w = checked(active.astype(np.float64), expected, weights)
    state = _undefined(y, s, w)
    if state is not None:
        return state
    predicted: NDArray[np.bool_] = s > cut
    return (
        float((w * y)[predicted].sum()),
        float((w * (1 - y))[predicted].sum()),
        float((w * y)[~predicted].sum()),
    )


def _undefined(active: Float64, expected: Float64, weights: Float64) -> State | None:
    there = weights > 0
    y, s = active[there], expected[there]
    if not y.any():
        return State.TOO_FEW_ACTIVE
    if y.all():
        return State.CONSTANT_ACTUAL
    return State.CONSTANT_PREDICTION if s.max() == s.min() else None
