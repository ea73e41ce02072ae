"""The trust checks on a simulation of one's own."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain import trust_own
from app.domain.explanations import COMPUTED_METRICS, Metric, Protocol, Sample, State
from app.domain.neurons import Kind, Polarity, Records, Statistics
from app.domain.protocols import dev_records, score_records
from app.domain.scoring import score
from app.domain.trust import Test
from app.domain.trust_own import OwnSample
from tests.domain.layers import layer, records_of, statistics_of, table

rng = np.random.default_rng(21)
EXCERPTS = table(rng)
RESULT = layer(rng, EXCERPTS, 1)
RECORDS = records_of(RESULT, EXCERPTS, 0)
STATS = replace(statistics_of(RESULT, 0), token_q99=2.0, token_q01=-2.0)


def simulate(records: Records, sign: int = 1) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=EXCERPTS.tokens.shape).astype(np.float32)[records.excerpts]
    return (sign * records.activations + noise / 2 + 5).astype(np.float32)


def checked(
    protocol: Protocol = Protocol.HELDOUT_FULL,
    polarity: Polarity = Polarity.POSITIVE,
    stats: Statistics = STATS,
    with_dev: bool = True,
) -> tuple[OwnSample, ...]:
    chosen, strata = score_records(RECORDS, protocol, polarity, bands=stats.band_excerpts)
    dev = dev_records(RECORDS, polarity)
    calibration = (dev, simulate(dev, polarity.sign)) if with_dev else None
    expected = simulate(chosen, polarity.sign)
    return trust_own.check(chosen, strata, expected, protocol, polarity, calibration, stats)


@pytest.mark.parametrize("protocol", [Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5, Protocol.POPULATION])
@pytest.mark.parametrize("polarity", Polarity)
def test_the_scores_that_fall_are_the_scores(protocol: Protocol, polarity: Polarity) -> None:
    chosen, strata = score_records(RECORDS, protocol, polarity, bands=STATS.band_excerpts)
    dev = dev_records(RECORDS, polarity)
    expected, expected_dev = simulate(chosen, polarity.sign), simulate(dev, polarity.sign)
    values = score(chosen, strata, expected, protocol, polarity, (dev, expected_dev), STATS, 0)
    by = {(value.sample, value.metric): value.value for value in values if value.state is State.OK}
    found = {
        (each.sample, check.metric): check.score
        for each in checked(protocol, polarity)
        for check in each.checks
    }
    assert found and set(found) <= set(by)
    for key, value in found.items():
        assert value == pytest.approx(by[key]), key


def test_what_is_right_falls_when_it_is_spoilt() -> None:
    both, random = checked()
    assert [each.sample for each in (both, random)] == [Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY]
    assert both.predicted > random.predicted > 0 and both.share == pytest.approx(
        random.share
    ) == random.predicted / (12 * 64)
    assert {(check.metric, check.test) for check in both.checks} == {
        (m, t) for m in COMPUTED_METRICS for t in Test
    }
    for each in (both, random):
        for check in each.checks:
            assert check.fall > 0 and 0 <= check.noticed <= 1 and check.spread >= 0
            if check.metric in (Metric.CORRELATION, Metric.F1):
                assert check.noticed > 0.9
    assert both == checked()[0]  # seeded


def test_a_random_sample_without_a_predicted_token_cannot_notice_what_is_too_broad() -> None:
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_FULL, Polarity.POSITIVE)
    expected = simulate(chosen)
    expected[chosen.kinds == Kind.RANDOM] = 0.0
    dev = dev_records(RECORDS, Polarity.POSITIVE)
    both, random = trust_own.check(
        chosen, strata, expected, Protocol.HELDOUT_FULL, Polarity.POSITIVE, (dev, simulate(dev)), STATS
    )
    assert both.share == 0 and {check.fall for check in both.checks if check.test is Test.EXTRA} == {0.0}
    assert random.checks == () and random.reason.startswith("No token of these records is predicted active")


def test_what_cannot_be_checked_says_why() -> None:
    for each in checked(with_dev=False):
        assert each.checks == () and each.reason.startswith("Calibration needs dev records")
    silent = replace(STATS, token_q99=1000.0)
    both, random = checked(stats=silent)
    assert both.reason.startswith("The cut on predictions needs an active token among the dev records")
    assert random.reason.startswith("No token of these records is above")
