"""An explanation's scores on named records, from what was simulated and what the model did."""

import json
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain import metrics
from app.domain.bootstrap import (
    DRAWS,
    MIN_UNITS,
    correlation_sums,
    interval,
    poisson_weights,
    resample,
    residual_sums,
    statistic,
    units,
)
from app.domain.calibration import Calibration, calibrate
from app.domain.explanations import COMPUTED_METRICS, Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import (
    Bool,
    Float32,
    Float64,
    Int32,
    Polarity,
    Records,
    Statistics,
)
from app.domain.protocols import STRATA, STRATUM_RANDOM, STRATUM_STRONG, population_sizes

INDICATIVE_BELOW = 10  # documents in a stratum: records of one document say much the same

REASONS = {
    State.FAILED: "The activations hold a value that is not finite.",
    State.TOO_FEW_RECORDS: "A stratum has no record, or a split has fewer than 30 documents.",
    State.TOO_FEW_ACTIVE: "No token of the random records is above the 0.99 quantile of the explain split.",
    State.CONSTANT_ACTUAL: "The activations on these records are all the same.",
    State.CONSTANT_PREDICTION: "The simulation predicts the same value everywhere.",
}
_NO_DEV = "Calibration needs dev records, and there are none."
_FLAT_DEV = "Calibration needs a simulation that varies on the dev records."

_FUNCTIONS = {
    Metric.CORRELATION: metrics.correlation,
    Metric.R_SQUARED: metrics.r_squared,
    Metric.R_SQUARED_UNCENTRED: metrics.r_squared_uncentred,
    Metric.ABS_DEV_EXPLAINED: metrics.abs_dev_explained,
}


class _Table(NamedTuple):
    """One sample of one protocol: R records of T scored tokens, with the polarity's sign."""

    protocol: Protocol
    sample: Sample
    actual: Float64  # [R, T]
    expected: Float64  # [R, T]
    strata: Int32  # [R]
    needed: tuple[int, ...]  # strata that must hold a record
    weights: Float64  # [R] of each token of the record
    units: NDArray[np.int64]  # [R] what the bootstrap draws
    documents: int


def score(
    actual: Records,
    strata: Int32,
    expected: Float32,
    protocol: Protocol,
    polarity: Polarity,
    dev: tuple[Records, Float32] | None,
    stats: Statistics,
    seed: int,
) -> tuple[ScoreValue, ...]:
    """All metrics of all samples of the protocol: top-and-random and random-only, or population.

    `actual` and `strata` [R] are those of `protocols.score_records`; `expected` [R, T] on the 0-10 scale (any scale
    serves) predicts `polarity.sign * a`. `dev` are calibration records with their simulation, None without.
    Correlation is of uncalibrated values; the others come after linear calibration on `dev` and are NO_CALIBRATION
    where there is none. In `POPULATION` every token weighs excerpts / records of its stratum, after `stats.band_excerpts`.
    Where `stats.position0`, the first token of every record is left out. Interval: 95 %, bootstrap of documents, where
    every stratum has `MIN_UNITS` of them; indicative with fewer than `INDICATIVE_BELOW`. Imported records have no
    document and count one by one.
    Raises ValueError for shapes that do not fit or a simulation that is not finite; anything in the data itself
    that keeps a score from being computed is a state.
    """
    _check(actual, strata, expected)
    calibration = _calibration(dev, polarity, stats)
    threshold = stats.token_q99 if polarity is Polarity.POSITIVE else -stats.token_q01
    if not np.isfinite(threshold):
        threshold = 0.0  # imported statistics hold no quantile of tokens: active is what is above 0
    values: list[ScoreValue] = []
    for table in _tables(actual, strata, expected, protocol, polarity, stats):
        values += _score_table(table, calibration, 0 if dev is None else len(dev[0]), threshold, seed)
    return tuple(values)


def unscorable(
    actual: Records, strata: Int32, protocol: Protocol, polarity: Polarity, stats: Statistics
) -> tuple[ScoreValue, ...]:
    """What `score` will say of these records whatever is simulated: TOO_FEW_RECORDS everywhere. Empty where it may differ."""
    nothing = np.zeros_like(actual.activations)
    values = score(actual, strata, nothing, protocol, polarity, None, stats, 0)
    return values if all(value.state is State.TOO_FEW_RECORDS for value in values) else ()


def _check(records: Records, strata: Int32 | None, expected: Float32) -> None:
    if expected.shape != records.activations.shape:
        raise ValueError(f"simulated {expected.shape} does not fit the records {records.activations.shape}")
    if strata is not None and len(strata) != len(records):
        raise ValueError(f"{len(strata)} strata do not fit {len(records)} records")
    if not np.isfinite(expected).all():
        raise ValueError("a simulation holds a value that is not finite")


def _scored(values: Float32, stats: Statistics) -> Float64:
    """The tokens that count, float64 [R, T] or [R, T - 1]."""
    return values[:, int(stats.position0) :].astype(np.float64)


def _calibration(
    dev: tuple[Records, Float32] | None, polarity: Polarity, stats: Statistics
) -> Calibration | str:
    """The calibration, or why there is none."""
    if dev is None or not len(dev[0]):
        return _NO_DEV
    records, expected = dev
    _check(records, None, expected)
    if not np.isfinite(records.activations).all():
        return REASONS[State.FAILED]
    fitted = calibrate(_scored(expected, stats), polarity.sign * _scored(records.activations, stats))
    if isinstance(fitted, State):
        return _NO_DEV if fitted is State.NO_CALIBRATION else _FLAT_DEV
    return fitted


def _tables(
    records: Records,
    strata: Int32,
    expected: Float32,
    protocol: Protocol,
    polarity: Polarity,
    stats: Statistics,
) -> list[_Table]:
    a, s = polarity.sign * _scored(records.activations, stats), _scored(expected, stats)
    drawn = units(records.documents, records.excerpts)

    def table(sample: Sample, rows: Bool, needed: tuple[int, ...], weights: Float64) -> _Table:
        known = np.unique(records.documents[rows])
        return _Table(
            protocol, sample, a[rows], s[rows], strata[rows], needed, weights[rows], drawn[rows],
            int((known >= 0).sum()),
        )  # fmt: skip

    if protocol is Protocol.POPULATION:
        sizes = np.array(population_sizes(stats.band_excerpts, strata))  # [STRATA]
        weights = sizes[strata] / np.bincount(strata, minlength=STRATA)[strata]
        needed = tuple(np.flatnonzero(sizes).tolist())
        return [table(Sample.POPULATION, np.ones(len(records), bool), needed, weights)]
    even = np.ones(len(records))
    return [
        table(Sample.TOP_AND_RANDOM, np.ones(len(records), bool), (STRATUM_STRONG, STRATUM_RANDOM), even),
        table(Sample.RANDOM_ONLY, strata == STRATUM_RANDOM, (STRATUM_RANDOM,), even),
    ]


def _score_table(
    table: _Table, calibration: Calibration | str, dev_records: int, threshold: float, seed: int
) -> list[ScoreValue]:
    blocked = _blocked(table, threshold)
    drawn = min((len(np.unique(table.units[table.strata == stratum])) for stratum in table.needed), default=0)
    usable = isinstance(calibration, Calibration)
    calibrated = calibration.apply(table.expected) if isinstance(calibration, Calibration) else table.expected
    draws = None if blocked else _draws(table, calibrated, seed)
    values: list[ScoreValue] = []
    for metric in COMPUTED_METRICS:
        parameters: dict[str, object] = {"draws": DRAWS, "seed": seed}
        if table.sample is Sample.POPULATION:
            parameters["stratum_records"] = np.bincount(table.strata, minlength=STRATA).tolist()
            stands_for = np.bincount(table.strata, table.weights, STRATA)
            parameters["stratum_excerpts"] = np.rint(stands_for).astype(int).tolist()
        if metric is not Metric.CORRELATION and isinstance(calibration, Calibration):
            parameters |= {"slope": calibration.slope, "intercept": calibration.intercept}
            parameters["dev_records"] = dev_records
        value = ScoreValue(
            metric=metric,
            protocol=table.protocol,
            sample=table.sample,
            state=State.OK,
            n_records=len(table.strata),
            n_documents=table.documents,
            n_tokens=table.actual.size,
            indicative=drawn < INDICATIVE_BELOW,
            parameters_json=json.dumps(parameters, sort_keys=True),
        )
        if blocked or draws is None:
            state = blocked or State.FAILED
            values.append(value._replace(state=state, reason=REASONS[state]))
            continue
        if metric is not Metric.CORRELATION and not usable:
            values.append(value._replace(state=State.NO_CALIBRATION, reason=str(calibration)))
            continue
        compared = table.expected if metric is Metric.CORRELATION else calibrated
        weights = np.broadcast_to(table.weights[:, None], table.actual.shape)
        found = _FUNCTIONS[metric](table.actual, compared, weights)
        if isinstance(found, State):
            values.append(value._replace(state=found, reason=REASONS[found]))
            continue
        low, high = interval(statistic(metric, draws)) if drawn >= MIN_UNITS else (np.nan, np.nan)
        values.append(value._replace(value=found, low=_number(low), high=_number(high)))
    return values


def _blocked(table: _Table, threshold: float) -> State | None:
    """The state that keeps every metric of this sample from being computed, if there is one."""
    if not np.isfinite(table.actual).all():
        return State.FAILED
    if not table.actual.size or not all((table.strata == stratum).any() for stratum in table.needed):
        return State.TOO_FEW_RECORDS
    if table.sample is Sample.RANDOM_ONLY and not (table.actual > threshold).any():
        return State.TOO_FEW_ACTIVE
    return None


def _draws(table: _Table, calibrated: Float64, seed: int) -> Float64:
    """Totals of every draw, [K, B], from per-record sums; strata renormalised one by one."""
    tokens = table.weights[:, None] / table.weights.sum() / table.actual.shape[1]  # [R, 1]
    a = table.actual - (tokens * table.actual).sum()  # [R, T]
    s = table.expected - (tokens * table.expected).sum()  # [R, T]
    sums = np.concatenate([correlation_sums(a, s), residual_sums(table.actual, calibrated)])  # [K, R]
    sums *= table.weights
    drawn, place = np.unique(table.units, return_inverse=True)
    weights = poisson_weights(seed, drawn)[place]  # [R, B]
    totals = np.zeros((len(sums), weights.shape[1]))
    for stratum in table.needed:
        rows = table.strata == stratum
        totals += resample(sums[:, rows], weights[rows])
    return totals


def _number(value: float | np.floating | Float64) -> float | None:
    return None if np.isnan(value) else float(value)
