"""The trust checks of `trust` on one explanation's own simulation: would its scores notice if it were half as broad, or twice?

A token is predicted active above the cut that dev records gave. *Missing labels*: each such token of a record gets, with
probability 1/2, the prediction of some other token of the sample that is not predicted active. *Extra labels*: every other
token gets the prediction of one that is, with the probability that doubles them over ordinary text: their share there is
told by the random records, or by the weights of `population`. Calibration and cut stay those of the explanation as it is.
"""

from typing import NamedTuple

import numpy as np

from app.domain.binary_metrics import Activity, Cut, activity, average_precisions, confusion_sums
from app.domain.bootstrap import correlation_sums, cosine_sums, residual_sums, statistic
from app.domain.calibration import Calibration, DevFit
from app.domain.explanations import (
    CALIBRATED_METRICS,
    COMPUTED_METRICS,
    Metric,
    Protocol,
    Sample,
    State,
)
from app.domain.neurons import Bool, Float32, Float64, Int32, Polarity, Records, Statistics
from app.domain.protocols import STRATUM_RANDOM
from app.domain.scoring import REASONS, Table, blocked, fit_dev, tables
from app.domain.trust import EPSILON, Test, falls

DRAWS = 50


class OwnCheck(NamedTuple):
    """How far one metric falls on an explanation's own records."""

    sample: Sample
    metric: Metric
    test: Test
    score: float
    fall: float  # mean over draws, as a share of the metric's range
    spread: float  # standard deviation
    noticed: float  # share of draws in which it falls by more than `trust.EPSILON`


class OwnSample(NamedTuple):
    """One sample of the protocol; without checks, `reason` says why."""

    sample: Sample
    reason: str
    predicted: int  # tokens of the sample that are predicted active
    share: float  # of ordinary text, as far as the sample tells
    checks: tuple[OwnCheck, ...]


def check(
    actual: Records,
    strata: Int32,
    expected: Float32,
    protocol: Protocol,
    polarity: Polarity,
    dev: tuple[Records, Float32] | None,
    stats: Statistics,
    seed: int = 0,
) -> tuple[OwnSample, ...]:
    """Of every sample of the protocol. Arguments and errors are those of `scoring.score`."""
    when = activity(stats, polarity)
    fitted = fit_dev(dev, polarity, stats, when)
    found = tables(actual, strata, expected, protocol, polarity, stats)
    return tuple(_of_table(table, fitted, when, np.random.default_rng(seed)) for table in found)


def _of_table(table: Table, dev: DevFit, when: Activity, rng: np.random.Generator) -> OwnSample:
    without = blocked(table, when.threshold)
    if without is not None:
        return OwnSample(table.sample, REASONS[without], 0, 0.0, ())
    if not isinstance(dev.cut, Cut):
        return OwnSample(table.sample, dev.cut, 0, 0.0, ())
    predicted = table.expected > dev.cut.above  # [R, T]
    count = int(predicted.sum())
    if count in (0, predicted.size):
        which = "No token" if not count else "Every token"
        reason = f"{which} of these records is predicted active: there is nothing to drop, or nothing to add."
        return OwnSample(table.sample, reason, count, float(count > 0), ())
    share = _share(table, predicted)
    spoilt = {
        Test.MISSING: _replaced(table.expected, predicted, 0.5, rng),
        Test.EXTRA: _replaced(
            table.expected, ~predicted, min(share / (1 - share), 1.0) if share < 1 else 1.0, rng
        ),
    }
    right = _values(table, table.expected[None], dev, dev.cut, when)
    checks = []
    for test, each in spoilt.items():
        found = _values(table, each, dev, dev.cut, when)
        for metric in right:
            if np.isnan(right[metric][0]):
                continue
            fallen = falls(np.broadcast_to(right[metric], DRAWS), found[metric], metric)
            checks.append(
                OwnCheck(
                    table.sample, metric, test, float(right[metric][0]),
                    float(fallen.mean()), float(fallen.std()), float((fallen > EPSILON).mean()),
                )
            )  # fmt: skip
    return OwnSample(
        table.sample, "" if checks else REASONS[State.CONSTANT_ACTUAL], count, share, tuple(checks)
    )


def _share(table: Table, predicted: Bool) -> float:
    """Which share of ordinary text is predicted active: the strongest records are no ordinary text."""
    if table.sample is Sample.TOP_AND_RANDOM:
        return float(predicted[table.strata == STRATUM_RANDOM].mean())
    return float(np.average(predicted.mean(1), weights=table.weights))


def _replaced(expected: Float64, places: Bool, share: float, rng: np.random.Generator) -> Float64:
    """Draws [D, R, T] in which this share of the places has predictions of tokens that are none of them."""
    shape = (DRAWS, *expected.shape)
    others = rng.choice(expected[~places], shape)
    return np.where(places & (rng.random(shape) < share), others, expected)


def _values(table: Table, expected: Float64, dev: DevFit, cut: Cut, when: Activity) -> dict[Metric, Float64]:
    """Every metric in every draw: expected [D, R, T] -> [D] each, NaN where it is undefined."""
    actual = np.broadcast_to(table.actual, expected.shape)
    active = actual > when.threshold
    line = dev.line if isinstance(dev.line, Calibration) else Calibration(1.0, 0.0)
    mean_a, mean_s = (np.average(each.mean((0, 2)), weights=table.weights) for each in (actual, expected))
    sums = (
        correlation_sums(actual - mean_a, expected - mean_s),
        residual_sums(actual, line.apply(expected)),
        cosine_sums(actual, expected),
        confusion_sums(active, expected > cut.above),
    )
    totals = (np.concatenate(sums, axis=-2) @ table.weights)[..., None]  # [D, K, 1]
    weights = np.broadcast_to(table.weights[:, None], table.actual.shape).ravel()
    y, s = active.reshape(len(expected), -1), expected.reshape(len(expected), -1)
    found: dict[Metric, Float64] = {}
    for metric in COMPUTED_METRICS:
        if metric in CALIBRATED_METRICS and not isinstance(dev.line, Calibration):
            continue
        if metric is Metric.AUPRC:
            found[metric] = average_precisions(y, s, np.broadcast_to(weights, s.shape))
        else:
            found[metric] = statistic(metric, totals)[..., 0]
    return found
