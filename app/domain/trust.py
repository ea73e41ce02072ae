"""Trust checks: would a metric notice an explanation that is too narrow, or too broad? (Oikarinen et al. 2025)

On ideal neurons the right explanation is changed in two ways: *missing labels*, every positive dropped with probability
1/2, and *extra labels*, as many negatives turned positive as there are positives, in expectation and over all text. A draw
notices where the score falls by more than `EPSILON` of the metric's range. A metric passes under a sampling scheme and at a
frequency where `PASS` of the draws notice; those in which the spoilt explanation scores higher by as much count against
them. A mean fall alone would pass for one that is large in few draws and nothing in most, while a researcher has one score.
A draw in which the right explanation has no score is left out; where it has none in most, nothing is said. A perturbed
explanation whose prediction has become constant counts as 0, as in means.

Metrics after calibration are of predictions by a simulator that errs, calibrated as in a score: a line fitted on five
strong and five random records of their own, for each draw and explanation anew. Without errors a calibration would have
nothing to do, and what it does to scores would stay hidden. Embedding similarity and ablation are not checked: the one
looks at no text, the other needs a model.
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import numpy as np

from app.domain import ideal
from app.domain.binary_metrics import average_precisions, confusion_sums
from app.domain.bootstrap import Column, correlation_sums, cosine_sums, residual_sums, statistic
from app.domain.explanations import CALIBRATED_METRICS, COMPUTED_METRICS, Metric, Protocol, Sample
from app.domain.ideal import Sampled, Scheme
from app.domain.neurons import Bool, Float64

VERSION = "1"  # of the suite: raised when any number of it may change
SEED = 2025
DRAWS = 200
EPSILON = 0.001  # of the metric's range
PASS = 0.975  # of the draws of each test, so that what is right beats both in 95 %
FREQUENCIES = (0.1, 0.01, 0.001, 0.0001)
DRAWS_OF_ALL_TEXT = 20  # large samples vary little

JUDGED = (Metric.DETECTION, Metric.FUZZING)  # balanced accuracy of an ideal judge over windows
_RANGES = {Metric.CORRELATION: 2.0, Metric.COSINE: 2.0}  # the others: 1, from as good as nothing to perfect


class Test(StrEnum):
    """How the right explanation is spoilt."""

    __test__ = False  # nothing for pytest

    MISSING = "missing-labels"
    EXTRA = "extra-labels"


class Check(NamedTuple):
    """One metric under one scheme on neurons of one frequency, against one test."""

    metric: Metric
    scheme: Scheme
    frequency: float
    test: Test
    draws: int
    defined: float  # share of draws in which the right explanation has a score
    score: float  # mean of the right explanation; NaN where nothing is defined, as below
    fall: float  # mean, as a share of the metric's range
    spread: float  # standard deviation of the fall over draws
    noticed: float  # share of the defined draws that notice, less those in which the score rises by as much

    @property
    def passes(self) -> bool | None:
        """None where most draws have no score."""
        return None if self.defined < 0.5 else self.noticed >= PASS


class Verdict(NamedTuple):
    """One metric under one scheme: down to which frequency it notices; None where not even at the highest."""

    passes: bool  # nothing that has a score fails
    narrow: float | None
    broad: float | None


def suite() -> tuple[Check, ...]:
    """All checks, by scheme, frequency, metric and test. About a second, once a process."""
    return tuple(check for scheme in Scheme for check in of_scheme(scheme))


@cache
def of_scheme(scheme: Scheme) -> tuple[Check, ...]:
    """Those of one scheme, some 40 ms where it is a protocol's. Always the same: they are computed from `SEED`."""
    return tuple(run(scheme, DRAWS, SEED))


@cache
def verdict(metric: Metric, scheme: Scheme) -> Verdict | None:
    """None where the metric is not checked under this scheme."""
    mine = tuple(check for check in of_scheme(scheme) if check.metric is metric)
    if not mine:
        return None
    narrow, broad = (_lowest(tuple(each for each in mine if each.test is test)) for test in Test)
    return Verdict(all(check.passes is not False for check in mine), narrow, broad)


def scheme_of(protocol: Protocol, which: Sample) -> Scheme | None:
    """The scheme that stands for a protocol's sample; None where nobody knows the records, or there are none.

    Sentences that were written for a revision add to its 5 + 5 records and are not counted here.
    """
    if protocol is Protocol.POPULATION:
        return Scheme.POPULATION
    if protocol is Protocol.WINDOWS:
        return Scheme.WINDOWS
    five = protocol in (Protocol.HELDOUT_5_5, Protocol.BILLS_5_5, Protocol.GENERATED)
    if not five and protocol is not Protocol.HELDOUT_FULL:
        return None
    if which is Sample.RANDOM_ONLY:
        return Scheme.RANDOM_5 if five else Scheme.RANDOM_12
    return Scheme.TOP_5_RANDOM_5 if five else Scheme.TOP_8_RANDOM_12


def metrics_of(scheme: Scheme) -> tuple[Metric, ...]:
    """What is checked under a scheme: judges see windows, all else sees tokens."""
    if scheme is Scheme.WINDOWS:
        return JUDGED
    return (*COMPUTED_METRICS, Metric.DETECTION) if scheme is Scheme.ALL_TEXT else COMPUTED_METRICS


def range_of(metric: Metric) -> float:
    """How far apart a metric's values are: -1 to 1, or 0 (no better than nothing) to 1."""
    return _RANGES.get(metric, 1.0)


def _lowest(checks: tuple[Check, ...]) -> float | None:
    """The lowest frequency down to which all of these pass. What is undefined neither passes nor fails."""
    reached = None
    for frequency in FREQUENCIES:
        verdicts = [check.passes for check in checks if check.frequency == frequency]
        if False in verdicts:
            return reached
        if True in verdicts:
            reached = frequency
    return reached


def falls(right: Float64, spoilt: Float64, metric: Metric) -> Float64:
    """Falls of the score as shares of its range, [D] twice -> of the draws in which it was defined.

    A score that is gone counts as 0.
    """
    defined = ~np.isnan(right)
    return (right[defined] - np.nan_to_num(spoilt[defined])) / range_of(metric)


def values(
    wanted: tuple[Metric, ...],
    sampled: Sampled,
    expected: Float64,
    active: Bool,
    predicted: Bool,
    elsewhere: Float64 | None = None,
) -> dict[Metric, Float64]:
    """Metrics in every draw, [D] each, NaN where one has a state instead.

    `expected` [D, R, K] is as calibrated as it need be; `active` and `predicted` [D, R, K] are the tokens on which the
    neuron fires and is predicted to. `elsewhere` [D] is what is predicted of tokens that are not named; 0 if not told.
    """
    found: dict[Metric, Float64] = {}
    if set(wanted) & set(COMPUTED_METRICS):
        actual = sampled.actual
        sums = (
            correlation_sums(actual, expected),  # about 0, which values between 0 and 1 are near enough to
            residual_sums(actual, expected),
            cosine_sums(actual, expected),
            confusion_sums(active, predicted),
        )
        totals = np.concatenate(sums, axis=-2) @ sampled.weights  # [D, K]
        totals[:, Column.TOKENS] = sampled.tokens
        if elsewhere is not None:  # of CALIBRATED_METRICS alone
            rest = (
                sampled.tokens - sampled.weights.sum() * actual.shape[2]
            )  # below 0 where padding counted as tokens
            totals[:, Column.RESIDUAL_SQUARED] += rest * elsewhere**2
            totals[:, Column.RESIDUAL_ABS] += rest * np.abs(elsewhere)
    for metric in wanted:
        if metric in JUDGED:
            found[metric] = _judged(metric, sampled, active, predicted)
        elif metric is Metric.AUPRC:
            found[metric] = _areas(sampled, expected, active)
        else:
            found[metric] = statistic(metric, totals[..., None])[..., 0]
    return found


def _calibrated(
    sampled: Sampled, expected: Float64, dev: Sampled, expected_dev: Float64, rng: np.random.Generator
) -> dict[Metric, Float64]:
    """`CALIBRATED_METRICS` in every draw [D], of a simulator that errs; NaN where dev predictions are constant."""
    s, fitted = ideal.simulated(sampled, expected, rng), ideal.simulated(dev, expected_dev, rng)
    a = dev.actual
    sum_a, sum_s = a.sum((1, 2)), fitted.sum((1, 2))
    spread = (fitted**2).sum((1, 2)) - sum_s**2 / dev.tokens
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = ((a * fitted).sum((1, 2)) - sum_a * sum_s / dev.tokens) / spread  # [D]
    intercept = (sum_a - slope * sum_s) / dev.tokens
    line = slope[:, None, None] * s + intercept[:, None, None]
    active = sampled.actual > 0
    return values(CALIBRATED_METRICS, sampled, line, active, active, intercept)


def _areas(sampled: Sampled, expected: Float64, active: Bool) -> Float64:
    """Average precision of every draw [D]. Tokens on which nothing fires and is predicted to are one step: the last."""
    draws = len(active)
    weights = np.broadcast_to(sampled.weights[:, None], active.shape[1:]).ravel()  # [R K]
    y, s = active.reshape(draws, -1), expected.reshape(draws, -1)
    draw, token = np.nonzero(y | (s > 0))
    counts = np.bincount(draw, minlength=draws)
    place = np.arange(len(draw)) - (counts.cumsum() - counts)[draw]
    kept = np.zeros(
        (3, draws, int(counts.max(initial=0)) + 1)
    )  # the last column is the rest; others may be empty
    kept[:, draw, place] = y[draw, token], s[draw, token], weights[token]
    kept[2, :, -1] = sampled.tokens - kept[2].sum(1)
    return average_precisions(kept[0] > 0, kept[1], kept[2])


def _judged(metric: Metric, sampled: Sampled, active: Bool, predicted: Bool) -> Float64:
    """Balanced accuracy of a judge who knows what is predicted, in every draw.

    Detection: a window is called active where any token is predicted to fire; over all text every token is a window of
    its own. Fuzzing: the marks in a window are called right where at least half of them are predicted to fire.
    """
    if sampled.marked is None:
        fires = active.sum((1, 2))  # [D]
        right = (active & predicted).sum((1, 2)) / np.where(fires > 0, fires, np.nan)
        wrong = (~active & predicted).sum((1, 2)) / (sampled.tokens - fires)
    else:
        called: Bool = predicted.sum(-1) > 0  # [D, R]
        if metric is Metric.FUZZING:
            called = (predicted & sampled.marked).sum(-1) * 2 >= sampled.marked.sum(-1)
        half = called.shape[1] // 2
        right, wrong = called[:, :half].mean(1), called[:, half:].mean(1)
    found: Float64 = (right + 1 - wrong) / 2
    return found


def run(scheme: Scheme, draws: int, seed: int) -> Iterator[Check]:
    """The checks of one scheme, anew."""
    for place, frequency in enumerate(FREQUENCIES):
        rng = np.random.default_rng([seed, list(Scheme).index(scheme), place])
        many = min(draws, DRAWS_OF_ALL_TEXT) if scheme is Scheme.ALL_TEXT else draws
        sampled = ideal.sample(scheme, frequency, many, rng)
        active = sampled.actual > 0
        spoilt = {
            Test.MISSING: ideal.too_narrow(sampled, rng),
            Test.EXTRA: ideal.too_broad(sampled, rng),
        }
        wanted = metrics_of(scheme)
        raw = tuple(metric for metric in wanted if metric not in CALIBRATED_METRICS)
        right = values(raw, sampled, sampled.actual, active, active)
        found = {
            test: values(raw, sampled, expected, active, expected > ideal.CUT)
            for test, expected in spoilt.items()
        }
        if len(raw) < len(wanted):
            dev = ideal.sample(Scheme.TOP_5_RANDOM_5, frequency, many, rng)
            right |= _calibrated(sampled, sampled.actual, dev, dev.actual, rng)
            spoilt_dev = {Test.MISSING: ideal.too_narrow(dev, rng), Test.EXTRA: ideal.too_broad(dev, rng)}
            for test, expected in spoilt.items():
                found[test] |= _calibrated(sampled, expected, dev, spoilt_dev[test], rng)
        for metric in wanted:
            for test in Test:
                fallen = falls(right[metric], found[test][metric], metric)
                yield _check(metric, scheme, frequency, test, right[metric], fallen)


def _check(
    metric: Metric, scheme: Scheme, frequency: float, test: Test, right: Float64, fallen: Float64
) -> Check:
    """One check from the right explanation's scores [D] and the falls of the draws that have one."""
    draws = len(right)
    if not len(fallen):
        return Check(metric, scheme, frequency, test, draws, 0.0, np.nan, np.nan, np.nan, np.nan)
    noticed = (fallen > EPSILON).mean() - (fallen < -EPSILON).mean()
    return Check(
        metric, scheme, frequency, test, draws, len(fallen) / draws, float(np.nanmean(right)),
        float(fallen.mean()), float(fallen.std()), float(max(noticed, 0.0)),
    )  # fmt: skip
