"""Distributions of values over many neurons, and means of scores, as charts and tables need them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import State

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_MEDIAN = QUANTILES.index(0.5)


class Distribution(NamedTuple):
    """A value array in short. NaN counts as undefined; where nothing is defined, the tuples are empty."""

    n: int  # defined values
    n_undefined: int
    mean: float | None
    quantiles: tuple[float, ...]  # at QUANTILES
    edges: tuple[float, ...]  # B + 1 edges of the histogram
    counts: tuple[int, ...]  # B

    @property
    def median(self) -> float | None:
        return self.quantiles[_MEDIAN] if self.n else None


class ScoreMean(NamedTuple):
    """The mean over defined scores, and again with constant predictions counted as 0 (DESIGN section 6)."""

    mean: float | None
    n: int
    mean_with_constants: float | None
    n_with_constants: int


class PairedDifference(NamedTuple):
    """How much higher the first of two scores is, over the neurons where both are defined."""

    mean: float | None
    n: int
    higher: int  # neurons on which the first is higher
    lower: int


def distribution(
    values: NDArray[np.floating], bins: int = 20, low: float | None = None, high: float | None = None
) -> Distribution:
    """Mean, quantiles (linear) and a histogram of equal bins of `values` of any shape.

    The histogram goes from `low` to `high`, by default the least and the greatest value; values beyond are counted in
    the outermost bins, so that the counts always add up to n. Raises ValueError for infinities, which no bin holds.
    """
    flat = np.asarray(values, np.float64).ravel()
    defined = flat[~np.isnan(flat)]
    if not len(defined):
        return Distribution(0, len(flat), None, (), (), ())
    if not np.isfinite(defined).all():
        raise ValueError("a distribution of a value that is infinite")
    start = float(defined.min()) if low is None else low
    stop = float(defined.max()) if high is None else high
    if stop <= start:
        # All values alike: one unit around them, or as much as floating point needs to tell the edges apart.
        half = max(0.5, abs(start) * 1e-6)
        start, stop = start - half, start + half
    counts, edges = np.histogram(np.clip(defined, start, stop), bins=bins, range=(start, stop))
    return Distribution(
        n=len(defined),
        n_undefined=len(flat) - len(defined),
        mean=float(defined.mean()),
        quantiles=tuple(np.quantile(defined, QUANTILES).tolist()),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def by_layer(
    values: NDArray[np.floating],
    layers: NDArray[np.integer],
    bins: int = 20,
    low: float | None = None,
    high: float | None = None,
) -> tuple[tuple[int, Distribution], ...]:
    """(layer, distribution) in ascending order of layer; `values` [n] and the `layers` [n] that they are from.

    All layers share their histogram's edges: `low` to `high`, by default of all values together.
    """
    if len(values) != len(layers):
        raise ValueError(f"{len(values)} values do not fit {len(layers)} layers")
    known = values[~np.isnan(values)]
    if len(known):
        low = float(known.min()) if low is None else low
        high = float(known.max()) if high is None else high
    return tuple((int(n), distribution(values[layers == n], bins, low, high)) for n in np.unique(layers))


def score_mean(values: NDArray[np.floating], states: Sequence[State]) -> ScoreMean:
    """Means over the scores that are OK, and over those and the constant predictions, which count as 0.

    `values` [n] belong to `states` [n]; what stands beside any state but OK is not looked at.
    """
    ok = np.array([state is State.OK for state in states], np.bool_)
    constant = sum(state is State.CONSTANT_PREDICTION for state in states)
    if len(values) != len(ok):
        raise ValueError(f"{len(values)} values do not fit {len(ok)} states")
    total, n = float(values[ok].sum()), int(ok.sum())
    return ScoreMean(
        total / n if n else None, n, total / (n + constant) if n + constant else None, n + constant
    )


def paired_difference(first: NDArray[np.floating], second: NDArray[np.floating]) -> PairedDifference:
    """Two scores of the same neurons [n] in the same order, NaN where undefined."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} scores are not of the same neurons")
    difference = first - second
    difference = difference[~np.isnan(difference)]
    return PairedDifference(
        mean=float(difference.mean()) if len(difference) else None,
        n=len(difference),
        higher=int((difference > 0).sum()),
        lower=int((difference < 0).sum()),
    )
