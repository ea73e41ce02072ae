"""95 % intervals of means over blocks, by bootstrap over the neurons and, with ten or more of them, the raters of a study.

Means are over blocks, so that who answered more counts for more. With fewer raters than `RATERS`, nothing can be said of others: neurons
are drawn and the raters stay, and the target is the mean over *these raters*, each with as many blocks as there are.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from app.domain.neurons import Float64, Int32
from app.domain.report_statistics import CONFIDENCE, INDICATIVE_BELOW
from app.domain.study_distributions import t_quantile

RATERS = 10  # fewer are not drawn from
DRAWS = 2_000
_NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_HELD = 20_000_000  # numbers held at once
_ROUNDING = 1e-9
_FLAT = 1e-12  # a standard error, as a share of the values, that is rounding and no spread


class Interval(NamedTuple):
    """A mean over blocks, or a difference of two within them, and how far it would move with other neurons (and raters)."""

    estimate: float | None = None  # None: there are no blocks
    low: float | None = (
        None  # None: fewer than two neurons, or none beyond what the raters' own means take up
    )
    high: float | None = None
    se: float | None = None  # standard error, clustered by neuron (and rater)
    blocks: int = 0
    neurons: int = 0
    raters: int = 0
    these_raters: bool = True  # says nothing of other raters

    @property
    def indicative(self) -> bool:
        return self.neurons < INDICATIVE_BELOW


def interval(values: Float64, raters: Int32, neurons: Int32, seed: int = 0, draws: int = DRAWS) -> Interval:
    """Of one number a block, [B] three times; NaN where there is none."""
    return intervals(values[:, None], raters, neurons, seed, draws)[0]


def intervals(
    values: Float64, raters: Int32, neurons: Int32, seed: int = 0, draws: int = DRAWS
) -> tuple[Interval, ...]:
    """Of the mean of each of K columns of numbers, `values` [B, K], `raters`, `neurons` [B]; NaN where a block has none.

    Draws: a neuron (and a rater) weighs as often as it is drawn with replacement, a block the product of both: the pigeonhole
    bootstrap (Owen 2007, Annals of Applied Statistics 1(2)). Fewer raters than `RATERS`: neurons alone, each rater's own mean taken out
    beforehand, since it stays. A draw's mean is taken to the first order, sum of weight times deviation over B, which is the plain
    weighted mean wherever every rater has every neuron, and is always defined.

    Ends: the draws' quantiles, their distance from the estimate multiplied by t * se / (z * sd of the draws). se is the standard error
    clustered by neuron, or both ways: by neuron plus by rater minus by block (Cameron, Gelbach & Miller 2011, Journal of Business &
    Economic Statistics 29(2), section 2). Without that factor product weights count the noise of single answers about three times (Owen
    2007), and few neurons or raters vary too little in draws (Hesterberg 2015, The American Statistician 69(4), on the percentile
    interval's narrowness). t has as many degrees of freedom as neurons are left after the raters' means, or one less than the fewer
    of neurons and raters. Coverage is held to 93-97 % by simulated studies in the tests.
    """
    found: list[Interval | None] = [None] * values.shape[1]
    patterns, which = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    for number, there in enumerate(patterns.T):
        columns = np.flatnonzero(which.reshape(-1) == number)
        # A mean and its own interval must not depend on which others were asked for: each pattern draws anew from the seed.
        made = _of_full(values[there][:, columns], raters[there], neurons[there], seed, draws)
        for column, each in zip(columns.tolist(), made, strict=True):
            found[column] = each
    return tuple(each for each in found if each is not None)


class Spread(NamedTuple):
    """Standard errors of K means of the same B blocks."""

    se: Float64  # [K] NaN where there is none
    df: float  # degrees of freedom


def spread(values: Float64, raters: Int32, neurons: Int32, these_raters: bool) -> Spread:
    """Clustered standard errors of the mean of each column of `values` [B, K], none NaN."""
    b = len(values)
    if these_raters:
        deviations = _without_rater_means(values, raters)  # [B, K]
        n = len(np.unique(neurons))
        df = n - _taken_up(raters, neurons)
        if df < 1 - _ROUNDING:
            return Spread(np.full(values.shape[1], np.nan), df)
        variance = (sums_by(deviations, neurons) ** 2).sum(0) * n / df / b**2  # [K]
        return Spread(np.sqrt(variance), df)
    deviations = values - values.mean(0)  # [B, K]
    by_neuron, by_rater, by_block = (
        _clustered(deviations, each) for each in (neurons, raters, np.arange(b, dtype=np.int32))
    )
    # What is left may by chance be less than either part alone, even nothing: never below the smaller of the two.
    variance = np.maximum(by_neuron + by_rater - by_block, np.minimum(by_neuron, by_rater))  # [K]
    fewest = min(len(np.unique(neurons)), len(np.unique(raters)))
    return Spread(np.sqrt(variance), fewest - 1)


def _clustered(deviations: Float64, clusters: Int32) -> Float64:
    """Variance of the means, [K], of independent clusters: n / (n - 1) sum over clusters of (sum of deviations)^2 / B^2."""
    summed = sums_by(deviations, clusters)  # [C, K]
    n = len(summed)
    if n < 2:
        return np.full(deviations.shape[1], np.nan)
    squares: Float64 = (summed**2).sum(0) * n / (n - 1) / len(deviations) ** 2
    return squares


def sums_by(values: Float64, clusters: Int32) -> Float64:
    """Of `values` [B, K] by cluster, [C, K], clusters in ascending order."""
    order = np.argsort(clusters, kind="stable")
    firsts = np.flatnonzero(np.diff(clusters[order], prepend=clusters[order[:1]] - 1))
    summed: Float64 = np.add.reduceat(values[order], firsts, axis=0)
    return summed


def _without_rater_means(values: Float64, raters: Int32) -> Float64:
    """Each block's distance from its rater's mean, [B, K]."""
    _, place, counts = np.unique(raters, return_inverse=True, return_counts=True)
    return values - (sums_by(values, raters) / counts[:, None])[place]


def _taken_up(raters: Int32, neurons: Int32) -> float:
    """How many neurons' worth of freedom the raters' means take: 1 where all have all neurons, R where none share one.

    The sum over neurons of their leverage in those means: sum over raters of n_ir^2 / (n_i n_r), n_ir blocks of neuron i by rater r.
    With one block a rater and neuron, n_ir is 1.
    """
    _, neuron, of_neuron = np.unique(neurons, return_inverse=True, return_counts=True)
    _, rater, of_rater = np.unique(raters, return_inverse=True, return_counts=True)
    return float((1 / (of_neuron[neuron] * of_rater[rater])).sum())


def _of_full(values: Float64, raters: Int32, neurons: Int32, seed: int, draws: int) -> list[Interval]:
    """Intervals of columns without holes."""
    b, k = values.shape
    if not b:
        return [Interval()] * k
    n, r = len(np.unique(neurons)), len(np.unique(raters))
    these = r < RATERS
    estimates = values.mean(0)  # [K]
    found = spread(values, raters, neurons, these)
    flat = found.se <= _FLAT * np.abs(values).max(0)  # [K]
    low, high = _ends(values, raters, neurons, these, found, seed, draws)
    return [
        Interval(float(e), float(e), float(e), 0.0, b, n, r, these)
        if even
        else Interval(float(e), _number(lo), _number(hi), _number(se), b, n, r, these)
        for e, lo, hi, se, even in zip(estimates, low, high, found.se, flat, strict=True)
    ]


def _ends(
    values: Float64, raters: Int32, neurons: Int32, these: bool, found: Spread, seed: int, draws: int
) -> tuple[Float64, Float64]:
    """Lower and upper ends, [K] twice, NaN where there is no standard error."""
    b, k = values.shape
    if np.isnan(found.se).all():
        return found.se, found.se
    rng = np.random.default_rng(seed)
    unique, column = np.unique(neurons, return_inverse=True)
    g = len(unique)
    by_neuron = rng.multinomial(g, np.full(g, 1 / g), draws).astype(np.float64)  # [D, G]
    low, high = np.empty(k), np.empty(k)
    factor = t_quantile((1 + CONFIDENCE) / 2, found.df) / _NORMAL
    tail = (1 - CONFIDENCE) / 2
    if these:
        deviations = sums_by(_without_rater_means(values, raters), neurons) / b  # [G, K]
    else:
        _, row = np.unique(raters, return_inverse=True)
        r = int(row.max()) + 1
        by_rater = rng.multinomial(r, np.full(r, 1 / r), draws).astype(np.float64)  # [D, R]
    step = max(1, _HELD // draws)
    for start in range(0, k, step):
        chosen = slice(start, min(start + step, k))
        if these:
            moved = by_neuron @ deviations[:, chosen]  # [D, K]
        else:
            moved = np.empty((draws, chosen.stop - start))
            for place in range(start, chosen.stop):
                cells = np.zeros((r, g))
                cells[row, column] = (values[:, place] - values[:, place].mean()) / b
                moved[:, place - start] = ((by_rater @ cells) * by_neuron).sum(1)
        below, above = np.quantile(moved, (tail, 1 - tail), axis=0)  # [K] twice
        with np.errstate(invalid="ignore", divide="ignore"):
            stretch = factor * found.se[chosen] / moved.std(0)  # [K]
        low[chosen], high[chosen] = below * stretch, above * stretch
    estimates = values.mean(0)
    return estimates + low, estimates + high


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
