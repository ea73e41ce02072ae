"""The trust checks against closed forms, against the metrics themselves, and against what the paper found."""

import numpy as np
import pytest

from app.domain import ideal, trust
from app.domain.binary_metrics import average_precision, f1, iou
from app.domain.explanations import COMPUTED_METRICS, Metric, Protocol, Sample, State, measured
from app.domain.ideal import CUT, Scheme
from app.domain.metrics import abs_dev_explained, correlation, cosine, r_squared, r_squared_uncentred
from app.domain.trust import EPSILON, FREQUENCIES, PASS, Check, Test, of_scheme, scheme_of, values, verdict

FUNCTIONS = {
    Metric.CORRELATION: correlation,
    Metric.R_SQUARED: r_squared,
    Metric.R_SQUARED_UNCENTRED: r_squared_uncentred,
    Metric.ABS_DEV_EXPLAINED: abs_dev_explained,
    Metric.COSINE: cosine,
    Metric.AUPRC: lambda a, s, w: average_precision(a > 0, s, w),
    Metric.F1: lambda a, s, w: f1(a > 0, s, CUT, w),
    Metric.IOU: lambda a, s, w: iou(a > 0, s, CUT, w),
}
RELIABLE = (Metric.CORRELATION, Metric.COSINE, Metric.AUPRC, Metric.F1, Metric.IOU)


def found(scheme: Scheme, metric: Metric, frequency: float, test: Test) -> Check:
    (check,) = [c for c in of_scheme(scheme) if (c.metric, c.frequency, c.test) == (metric, frequency, test)]
    return check


@pytest.mark.parametrize("scheme", [Scheme.TOP_8_RANDOM_12, Scheme.RANDOM_5, Scheme.POPULATION])
@pytest.mark.parametrize("frequency", [0.1, 0.005])
def test_values_are_the_metrics_of_all_tokens(scheme: Scheme, frequency: float) -> None:
    rng = np.random.default_rng(6)
    drawn = ideal.sample(scheme, frequency, 25, rng)
    active = drawn.actual > 0
    for expected in (drawn.actual, ideal.too_narrow(drawn, rng), ideal.too_broad(drawn, rng)):
        at_once = values(COMPUTED_METRICS, drawn, expected, active, expected > CUT)
        for draw in range(25):
            named = np.broadcast_to(drawn.weights[:, None], active.shape[1:])
            a, s = (np.append(each[draw], 0.0) for each in (drawn.actual, expected))
            # A record's tokens that are named are fewer or more than it has: the rest is told by the sum of all.
            shown = (drawn.actual[draw] > 0) | (expected[draw] > 0)
            w = np.append(np.where(shown, named, 0.0), drawn.tokens - named[shown].sum())
            for metric, function in FUNCTIONS.items():
                direct = function(a, s, w)
                value = at_once[metric][draw]
                if isinstance(direct, State):  # F1 and IoU of nothing predicted are 0, and count so
                    assert np.isnan(value) or value == 0
                else:
                    assert value == pytest.approx(direct, abs=1e-9), metric


@pytest.mark.parametrize("frequency", FREQUENCIES[:3])
def test_over_all_text_falls_are_those_of_closed_forms(frequency: float) -> None:
    """With magnitude m, E m = 3/4 and E m^2 = 7/12: what half and twice as many positives come to."""
    mean, square = 3 / 4, 7 / 12
    spread = np.sqrt(square - frequency * mean**2)
    half = np.sqrt(square / 2 - frequency * mean**2 / 4)
    narrow = (square / 2 - frequency * mean**2 / 2) / spread / half
    broad = (square - 2 * frequency * mean**2) / spread / np.sqrt(2 * square - 4 * frequency * mean**2)
    expected = {
        (Metric.F1, Test.MISSING): 1 / 3, (Metric.F1, Test.EXTRA): 1 / 3,
        (Metric.IOU, Test.MISSING): 1 / 2, (Metric.IOU, Test.EXTRA): 1 / 2,
        (Metric.COSINE, Test.MISSING): (1 - np.sqrt(0.5)) / 2, (Metric.COSINE, Test.EXTRA): (1 - np.sqrt(0.5)) / 2,
        (Metric.CORRELATION, Test.MISSING): (1 - narrow) / 2, (Metric.CORRELATION, Test.EXTRA): (1 - broad) / 2,
        (Metric.DETECTION, Test.MISSING): 1 / 4,
        (Metric.DETECTION, Test.EXTRA): frequency / (1 - frequency) / 2,
        # half are found at once; the others only with all tokens, of which the base rate are active
        (Metric.AUPRC, Test.MISSING): (1 - frequency) / 2,
        (Metric.AUPRC, Test.EXTRA): 1 / 2,
    }  # fmt: skip
    for (metric, test), fall in expected.items():
        check = found(Scheme.ALL_TEXT, metric, frequency, test)
        error = 4 * check.spread / np.sqrt(check.draws) + 0.002 * (
            test is Test.MISSING or metric is not Metric.DETECTION
        )
        assert check.fall == pytest.approx(fall, abs=error), (metric, test)
        assert (check.score, check.defined) == (pytest.approx(1), 1)


def test_over_all_text_the_papers_verdicts_come_out() -> None:
    for metric in RELIABLE:
        assert verdict(metric, Scheme.ALL_TEXT) == (True, 0.0001, 0.0001)
    balanced = verdict(Metric.DETECTION, Scheme.ALL_TEXT)
    assert balanced == (False, 0.0001, 0.01)  # too broad goes unnoticed below 1 in 100


def test_top_and_random_does_not_notice_what_is_too_broad_of_rare_neurons() -> None:
    for scheme in (Scheme.TOP_5_RANDOM_5, Scheme.TOP_8_RANDOM_12):
        for metric in COMPUTED_METRICS:
            said = verdict(metric, scheme)
            assert said is not None and not said.passes and said.broad == 0.01
    rare = found(Scheme.TOP_5_RANDOM_5, Metric.CORRELATION, 0.0001, Test.EXTRA)
    # ten excerpts hold 640 tokens: of one in 10,000 too many, mostly none is among them
    assert rare.noticed == pytest.approx(1 - np.exp(-640e-4), abs=0.05)


def test_random_records_of_rare_neurons_have_no_score_and_so_no_verdict() -> None:
    rare = found(Scheme.RANDOM_5, Metric.CORRELATION, 0.0001, Test.EXTRA)
    assert rare.passes is None and rare.defined < 0.1


def test_the_suite_is_always_the_same_and_whole() -> None:
    assert tuple(trust.run(Scheme.POPULATION, trust.DRAWS, trust.SEED)) == of_scheme(Scheme.POPULATION)
    assert of_scheme(Scheme.POPULATION) != tuple(trust.run(Scheme.POPULATION, trust.DRAWS, trust.SEED + 1))
    suite = trust.suite()
    assert len({check[:4] for check in suite}) == len(suite)
    assert len(suite) == 8 * (5 * 8 + 2 + 9)
    for check in suite:
        assert 0 <= check.defined <= 1 and (check.defined == 0 or 0 <= check.noticed <= 1)


def test_a_mean_that_is_large_in_few_draws_is_no_pass() -> None:
    base = Check(Metric.F1, Scheme.POPULATION, 0.1, Test.EXTRA, 200, 1.0, 1.0, 0.2, 0.5, PASS - 0.01)
    assert base.fall > EPSILON and base.passes is False
    assert base._replace(noticed=PASS).passes is True
    assert base._replace(defined=0.4).passes is None


def test_every_protocol_that_samples_text_has_a_scheme() -> None:
    for protocol in Protocol:
        for sample, metric in measured(protocol):
            scheme = scheme_of(protocol, sample)
            known = protocol not in (Protocol.AS_IMPORTED, Protocol.REFERENCE)
            assert (scheme is not None) == known
            if scheme is not None:
                checked = metric not in (Metric.ABLATION, Metric.EMBEDDING)
                assert (verdict(metric, scheme) is not None) == checked
    assert scheme_of(Protocol.HELDOUT_FULL, Sample.RANDOM_ONLY) is Scheme.RANDOM_12
