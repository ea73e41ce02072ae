"""Scores on the augmented set (BILLS, "Revising explanations"): held-out records and sentences made to test a statement.

Records and sentences differ in length, so that this is no table: metrics go over all tokens of all of them, one after
another, each token counting once. The bootstrap draws documents within the two strata of records and sentences within
the stratum of sentences; nobody knows how sentences of one explainer hang together, so that an interval says how far the
score would move with other sentences of its kind.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Float32, Float64, Int32, Polarity, Records, Statistics
from app.domain.protocols import STRATUM_RANDOM, STRATUM_STRONG
from app.domain.scoring import INDICATIVE_BELOW, REASONS

STRATUM_GENERATED = 2
_FIRST_UNIT = -(
    1 << 40
)  # sentences as units of the bootstrap, far from documents and from excerpts without one
_FUNCTIONS = {
    Metric.CORRELATION: metrics.correlation,
    Metric.R_SQUARED: metrics.r_squared,
    Metric.R_SQUARED_UNCENTRED: metrics.r_squared_uncentred,
    Metric.ABS_DEV_EXPLAINED: metrics.abs_dev_explained,
}
_NO_DEV = "Calibration needs dev records, and there are none."
_FLAT_DEV = "Calibration needs a simulation that varies on the dev records."


class Predicted(NamedTuple):
    """A sentence with what the neuron did and what was predicted. T tokens."""

    actual: Float32  # [T] signed, as the model gave it
    expected: Float32  # [T] on the 0-10 scale


class _Unit(NamedTuple):
    """One record or sentence: its scored tokens, of the polarity's sign."""

    actual: Float64  # [T]
    expected: Float64  # [T]
    stratum: int
    drawn: int


def score_augmented(
    actual: Records,
    strata: Int32,
    expected: Float32,
    sentences: Sequence[Predicted],
    revision: int,
    polarity: Polarity,
    dev: tuple[Records, Float32] | None,
    stats: Statistics,
    seed: int,
) -> tuple[ScoreValue, ...]:
    """Every computed metric on `heldout-5+5` records (`score_records` with `GENERATED`) and the sentences of a revision.

    `expected` [R, T] predicts the records. As in `scoring.score` correlation is of uncalibrated values, the others come
    after calibration on `dev`, the first token is left out where `stats.position0`, and anything in the data that keeps
    a score from being computed is a state.
    """
    if expected.shape != actual.activations.shape or len(strata) != len(actual):
        raise ValueError(f"simulated {expected.shape} does not fit the records {actual.activations.shape}")
    if any(len(each.actual) != len(each.expected) for each in sentences):
        raise ValueError("a sentence was predicted with another number of tokens than it has")
    skip = int(stats.position0)
    drawn = units(actual.documents, actual.excerpts)
    each = [
        _unit(actual.activations[r], expected[r], polarity, skip, int(strata[r]), int(drawn[r]))
        for r in range(len(actual))
    ] + [
        _unit(one.actual, one.expected, polarity, skip, STRATUM_GENERATED, _FIRST_UNIT - i)
        for i, one in enumerate(sentences)
    ]
    known = np.unique(actual.documents)
    calibration = _calibration(dev, polarity, skip)
    base = ScoreValue(
        Metric.CORRELATION,
        Protocol.GENERATED,
        Sample.GENERATED,
        State.OK,
        n_records=len(each),
        n_documents=int((known >= 0).sum()),
        n_tokens=sum(len(unit.actual) for unit in each),
        indicative=_fewest(each) < INDICATIVE_BELOW,
    )
    parameters: dict[str, object] = {
        "draws": DRAWS,
        "seed": seed,
        "revision": revision,
        "sentences": len(sentences),
    }
    blocked = _blocked(each)
    if blocked is not None:
        words = REASONS[blocked]
        return tuple(
            base._replace(metric=metric, state=blocked, reason=words, parameters_json=_json(parameters))
            for metric in _FUNCTIONS
        )
    return tuple(_value(metric, base, each, calibration, parameters, dev, seed) for metric in _FUNCTIONS)


def _unit(
    actual: Float32, expected: Float32, polarity: Polarity, skip: int, stratum: int, drawn: int
) -> _Unit:
    a = polarity.sign * actual[skip:].astype(np.float64)
    return _Unit(a, expected[skip:].astype(np.float64), stratum, drawn)


def _value(
    metric: Metric,
    base: ScoreValue,
    each: Sequence[_Unit],
    calibration: Calibration | str,
    parameters: dict[str, object],
    dev: tuple[Records, Float32] | None,
    seed: int,
) -> ScoreValue:
    if metric is not Metric.CORRELATION and isinstance(calibration, Calibration):
        fitted = {"slope": calibration.slope, "intercept": calibration.intercept}
        parameters = parameters | fitted | {"dev_records": 0 if dev is None else len(dev[0])}
    value = base._replace(metric=metric, parameters_json=_json(parameters))
    if metric is not Metric.CORRELATION and not isinstance(calibration, Calibration):
        return value._replace(state=State.NO_CALIBRATION, reason=calibration)
    line = calibration if isinstance(calibration, Calibration) else Calibration(1.0, 0.0)
    compared = [u.expected if metric is Metric.CORRELATION else line.apply(u.expected) for u in each]
    found = _FUNCTIONS[metric](np.concatenate([u.actual for u in each]), np.concatenate(compared))
    if isinstance(found, State):
        return value._replace(state=found, reason=REASONS[found])
    if _fewest(each) < MIN_UNITS:
        return value._replace(value=found)
    low, high = interval(statistic(metric, _draws(each, line, seed)))
    return value._replace(value=found, low=_number(low), high=_number(high))


def _draws(each: Sequence[_Unit], line: Calibration, seed: int) -> Float64:
    """Totals of every draw, [K, B]; each stratum renormalised to its own tokens."""
    a_mean = np.concatenate([u.actual for u in each]).mean()
    s_mean = np.concatenate([u.expected for u in each]).mean()
    rows = [(u.actual[None], u.expected[None]) for u in each]  # each [1, T]
    sums = np.concatenate(
        [
            np.concatenate([correlation_sums(a - a_mean, s - s_mean), residual_sums(a, line.apply(s))])
            for a, s in rows
        ],
        axis=-1,
    )  # [K, R]
    drawn, place = np.unique([u.drawn for u in each], return_inverse=True)
    weights = poisson_weights(seed, drawn)[place]  # [R, B]
    strata = np.array([u.stratum for u in each])
    totals = np.zeros((len(sums), weights.shape[1]))
    for stratum in np.unique(strata):
        mine = strata == stratum
        totals += resample(sums[:, mine], weights[mine])
    return totals


def _calibration(dev: tuple[Records, Float32] | None, polarity: Polarity, skip: int) -> Calibration | str:
    """The calibration, or why there is none."""
    if dev is None or not len(dev[0]):
        return _NO_DEV
    records, expected = dev
    if not np.isfinite(records.activations).all():
        return REASONS[State.FAILED]
    fitted = calibrate(expected[:, skip:], polarity.sign * records.activations[:, skip:].astype(np.float64))
    if isinstance(fitted, State):
        return _NO_DEV if fitted is State.NO_CALIBRATION else _FLAT_DEV
    return fitted


def _blocked(each: Sequence[_Unit]) -> State | None:
    there = {unit.stratum for unit in each if len(unit.actual)}
    if {STRATUM_STRONG, STRATUM_RANDOM, STRATUM_GENERATED} - there:
        return State.TOO_FEW_RECORDS
    if not all(np.isfinite(unit.actual).all() for unit in each):
        return State.FAILED
    return None


def _fewest(each: Sequence[_Unit]) -> int:
    """Units of the stratum that has fewest."""
    strata = (STRATUM_STRONG, STRATUM_RANDOM, STRATUM_GENERATED)
    return min(len({unit.drawn for unit in each if unit.stratum == stratum}) for stratum in strata)


def _json(parameters: dict[str, object]) -> str:
    return json.dumps(parameters, sort_keys=True)


def _number(value: Float64) -> float | None:
    return None if np.isnan(value) else float(value)
