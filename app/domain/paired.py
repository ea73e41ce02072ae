"""Two simulations of the same records, compared in pairs: how far apart their correlations are, and how sure that is.

Both are computed on the same tokens, and every bootstrap draw gives both the same documents, so that what makes all
explanations of a neuron score high or low on a record drops out of the difference.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain import metrics
from app.domain.bootstrap import MIN_UNITS, correlation_sums, interval, poisson_weights, resample, statistic
from app.domain.explanations import Metric, State
from app.domain.neurons import Float32, Float64, Int32
from app.domain.scoring import INDICATIVE_BELOW


class Paired(NamedTuple):
    """Correlation of the first simulation minus that of the second. Without a value, `state` says why."""

    state: State
    first: float | None = None
    second: float | None = None
    difference: float | None = None
    low: float | None = None  # 95 % bootstrap interval; none where a stratum has fewer than two documents
    high: float | None = None
    n_records: int = 0
    indicative: bool = False  # fewer than 10 documents in a stratum


def difference(
    actual: Float32,
    first: Float32,
    second: Float32,
    strata: Int32,
    units: NDArray[np.int64],
    seed: int = 0,
) -> Paired:
    """`actual` [R, T] with the polarity's sign, and two simulations of it on any scales.

    `strata` [R] and `units` [R] (what the bootstrap draws) are as for scores. Raises ValueError for shapes that differ.
    """
    if not actual.shape == first.shape == second.shape or len(strata) != len(actual):
        raise ValueError(f"{actual.shape}, {first.shape} and {second.shape} are not the same records")
    if not actual.size:
        return Paired(State.TOO_FEW_RECORDS)
    a = actual.astype(np.float64)
    values: list[float] = []
    draws: list[Float64] = []
    drawn, place = np.unique(units, return_inverse=True)
    weights = poisson_weights(seed, drawn)[place]  # [R, B]
    for expected in (first.astype(np.float64), second.astype(np.float64)):
        found = metrics.correlation(a, expected)
        if isinstance(found, State):
            return Paired(found, n_records=len(a))
        values.append(found)
        sums = correlation_sums(a - a.mean(), expected - expected.mean())  # [6, R]
        totals = np.zeros((len(sums), weights.shape[1]))
        for stratum in np.unique(strata).tolist():
            rows = strata == stratum
            totals += resample(sums[:, rows], weights[rows])
        draws.append(statistic(Metric.CORRELATION, totals))
    fewest = min(len(np.unique(units[strata == stratum])) for stratum in np.unique(strata).tolist())
    low, high = interval(draws[0] - draws[1]) if fewest >= MIN_UNITS else (np.nan, np.nan)
    return Paired(
        State.OK,
        values[0],
        values[1],
        values[0] - values[1],
        None if np.isnan(low) else float(low),
        None if np.isnan(high) else float(high),
        len(a),
        fewest < INDICATIVE_BELOW,
    )
