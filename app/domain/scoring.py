"""An explanation's scores on named records, from what was simulated and what the model did."""

import json
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain import binary_metrics, metrics
from app.domain.binary_metrics import Activity, Cut
from app.domain.bootstrap import (
    DRAWS,
    MIN_UNITS,
    Column,
    correlation_sums,
    cosine_sums,
    interval,
    poisson_weights,
    resample,
    residual_sums,
    statistic,
    units,
)
from app.domain.calibration import Calibration, DevFit, fit
from app.domain.explanations import (
    BINARY_METRICS,
    CALIBRATED_METRICS,
    COMPUTED_METRICS,
    CUT_METRICS,
    Metric,
    Protocol,
    Sample,
    ScoreValue,
    State,
)
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
    State.TOO_FEW_ACTIVE: "No token of these records is above the 0.99 quantile of the explain split.",
    State.CONSTANT_ACTUAL: "The activations on these records are all the same.",
    State.CONSTANT_PREDICTION: "The simulation predicts the same value everywhere.",
}
_ALL_ACTIVE = "Every token of these records is active: there is nothing to tell apart."
_NONE_ABOVE_0 = "No token of these records is above 0."

_FUNCTIONS = {
    Metric.CORRELATION: metrics.correlation,
    Metric.R_SQUARED: metrics.r_squared,
    Metric.R_SQUARED_UNCENTRED: metrics.r_squared_uncentred,
    Metric.ABS_DEV_EXPLAINED: metrics.abs_dev_explained,
    Metric.COSINE: metrics.cosine,
}


class Table(NamedTuple):
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
    `CALIBRATED_METRICS` come after a linear calibration on `dev`, `CUT_METRICS` cut predictions in two where F1 is best
    on `dev`, and both are NO_CALIBRATION where that cannot be; the others are of predictions as they are. In
    `POPULATION` every token weighs excerpts / records of its stratum, after `stats.band_excerpts`.
    Where `stats.position0`, the first token of every record is left out. Interval: 95 %, bootstrap of documents, where
    every stratum has `MIN_UNITS` of them; indicative with fewer than `INDICATIVE_BELOW`. Imported records have no
    document and count one by one.
    Raises ValueError for shapes that do not fit or a simulation that is not finite; anything in the data itself
    that keeps a score from being computed is a state.
    """
    _check(actual, strata, expected)
    activity = binary_metrics.activity(stats, polarity)
    fitted = fit_dev(dev, polarity, stats, activity)
    values: list[ScoreValue] = []
    for table in tables(actual, strata, expected, protocol, polarity, stats):
        values += score_table(table, fitted, activity, seed)
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


def fit_dev(
    dev: tuple[Records, Float32] | None, polarity: Polarity, stats: Statistics, activity: Activity
) -> DevFit:
    """What is fitted on the dev records, or why there is none."""
    if dev is None or not len(dev[0]):
        return fit(np.zeros((0, 1)), np.zeros((0, 1)), activity)
    records, expected = dev
    _check(records, None, expected)
    if not np.isfinite(records.activations).all():
        return DevFit(len(records), REASONS[State.FAILED], REASONS[State.FAILED])
    return fit(_scored(expected, stats), polarity.sign * _scored(records.activations, stats), activity)


def tables(
    records: Records,
    strata: Int32,
    expected: Float32,
    protocol: Protocol,
    polarity: Polarity,
    stats: Statistics,
) -> list[Table]:
    """The protocol's samples, as `score` takes them. Raises as it does."""
    _check(records, strata, expected)
    a, s = polarity.sign * _scored(records.activations, stats), _scored(expected, stats)
    drawn = units(records.documents, records.excerpts)

    def table(sample: Sample, rows: Bool, needed: tuple[int, ...], weights: Float64) -> Table:
        known = np.unique(records.documents[rows])
        return Table(
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


def score_table(table: Table, dev: DevFit, activity: Activity, seed: int) -> list[ScoreValue]:
    """Every computed metric of one sample, or the state that says why there is none."""
    without = blocked(table, activity.threshold)
    drawn = min((len(np.unique(table.units[table.strata == stratum])) for stratum in table.needed), default=0)
    calibrated = dev.line.apply(table.expected) if isinstance(dev.line, Calibration) else table.expected
    active = table.actual > activity.threshold
    predicted = table.expected > (dev.cut.above if isinstance(dev.cut, Cut) else np.inf)
    draws = None if without else _draws(table, calibrated, active, predicted, seed)
    values: list[ScoreValue] = []
    for metric in COMPUTED_METRICS:
        value = ScoreValue(
            metric=metric,
            protocol=table.protocol,
            sample=table.sample,
            state=State.OK,
            n_records=len(table.strata),
            n_documents=table.documents,
            n_tokens=table.actual.size,
            indicative=drawn < INDICATIVE_BELOW,
            parameters_json=json.dumps(_parameters(metric, table, dev, activity, seed), sort_keys=True),
        )
        if without or draws is None:
            state = without or State.FAILED
            values.append(value._replace(state=state, reason=_reason(state, metric, activity)))
            continue
        fitted = dev.line if metric in CALIBRATED_METRICS else dev.cut if metric in CUT_METRICS else None
        if isinstance(fitted, str):
            values.append(value._replace(state=State.NO_CALIBRATION, reason=fitted))
            continue
        found = _measured(metric, table, calibrated, active, fitted)
        if isinstance(found, State):
            values.append(value._replace(state=found, reason=_reason(found, metric, activity)))
            continue
        low, high = interval(_statistic(metric, draws)) if drawn >= MIN_UNITS else (np.nan, np.nan)
        values.append(value._replace(value=found, low=_number(low), high=_number(high)))
    return values


def _parameters(
    metric: Metric, table: Table, dev: DevFit, activity: Activity, seed: int
) -> dict[str, object]:
    """What a value cannot be understood without."""
    said: dict[str, object] = {"draws": DRAWS, "seed": seed}
    if table.sample is Sample.POPULATION:
        said["stratum_records"] = np.bincount(table.strata, minlength=STRATA).tolist()
        stands_for = np.bincount(table.strata, table.weights, STRATA)
        said["stratum_excerpts"] = np.rint(stands_for).astype(int).tolist()
    if metric in CALIBRATED_METRICS and isinstance(dev.line, Calibration):
        said |= {"slope": dev.line.slope, "intercept": dev.line.intercept, "dev_records": dev.records}
    if metric in CUT_METRICS and isinstance(dev.cut, Cut):
        said |= {"cut": dev.cut.above, "dev_f1": dev.cut.f1, "dev_records": dev.records}
    if metric in BINARY_METRICS:
        active = table.actual > activity.threshold
        said |= {"alpha": activity.alpha, "threshold": activity.threshold, "active": int(active.sum())}
        if active.size:
            said["base_rate"] = binary_metrics.base_rate(active, _by_token(table))
    return said


def _measured(
    metric: Metric, table: Table, calibrated: Float64, active: Bool, fitted: Calibration | Cut | None
) -> float | State:
    weights = _by_token(table)
    if metric is Metric.AUPRC:
        return binary_metrics.average_precision(active, table.expected, weights)
    if isinstance(fitted, Cut):
        by_cut = binary_metrics.f1 if metric is Metric.F1 else binary_metrics.iou
        return by_cut(active, table.expected, fitted.above, weights)
    return _FUNCTIONS[metric](table.actual, table.expected if fitted is None else calibrated, weights)


def _by_token(table: Table) -> Float64:
    return np.broadcast_to(table.weights[:, None], table.actual.shape)  # [R, T]


def _reason(state: State, metric: Metric, activity: Activity) -> str:
    if state is State.CONSTANT_ACTUAL and metric in BINARY_METRICS:
        return _ALL_ACTIVE
    if state is State.TOO_FEW_ACTIVE and activity.alpha is None:
        return _NONE_ABOVE_0
    return REASONS[state]


def blocked(table: Table, threshold: float) -> State | None:
    """The state that keeps every metric of this sample from being computed, if there is one."""
    if not np.isfinite(table.actual).all():
        return State.FAILED
    if not table.actual.size or not all((table.strata == stratum).any() for stratum in table.needed):
        return State.TOO_FEW_RECORDS
    if table.sample is Sample.RANDOM_ONLY and not (table.actual > threshold).any():
        return State.TOO_FEW_ACTIVE
    return None


def _draws(table: Table, calibrated: Float64, active: Bool, predicted: Bool, seed: int) -> Float64:
    """Totals of every draw, [K, B], from per-record sums; strata renormalised one by one.

    The columns of `Column`, and behind them what `binary_metrics.area` needs.
    """
    tokens = table.weights[:, None] / table.weights.sum() / table.actual.shape[1]  # [R, 1]
    a = table.actual - (tokens * table.actual).sum()  # [R, T]
    s = table.expected - (tokens * table.expected).sum()  # [R, T]
    parts = (
        correlation_sums(a, s),
        residual_sums(table.actual, calibrated),
        cosine_sums(table.actual, table.expected),
        binary_metrics.confusion_sums(active, predicted),
        binary_metrics.step_sums(active, table.expected),
    )
    sums = np.concatenate(parts)  # [K, R]
    sums *= table.weights
    drawn, place = np.unique(table.units, return_inverse=True)
    weights = poisson_weights(seed, drawn)[place]  # [R, B]
    totals = np.zeros((len(sums), weights.shape[1]))
    for stratum in table.needed:
        rows = table.strata == stratum
        totals += resample(sums[:, rows], weights[rows])
    return totals


def _statistic(metric: Metric, draws: Float64) -> Float64:
    """The metric in every draw, [B]."""
    if metric is Metric.AUPRC:
        predicted, hits = np.split(draws[len(Column) :], 2)  # [steps, B] each
        return binary_metrics.area(predicted, hits)
    return statistic(metric, draws)


def _number(value: float | np.floating | Float64) -> float | None:
    return None if np.isnan(value) else float(value)
