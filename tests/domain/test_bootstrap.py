"""The bootstrap against its definition, written out slowly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import binary_metrics, metrics
from app.domain.binary_metrics import area, confusion_sums, step_sums
from app.domain.bootstrap import (
    DRAWS,
    MIN_DEFINED,
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
from app.domain.explanations import COMPUTED_METRICS, Metric

FUNCTIONS = {
    Metric.CORRELATION: metrics.correlation,
    Metric.R_SQUARED: metrics.r_squared,
    Metric.R_SQUARED_UNCENTRED: metrics.r_squared_uncentred,
    Metric.ABS_DEV_EXPLAINED: metrics.abs_dev_explained,
    Metric.COSINE: metrics.cosine,
    Metric.AUPRC: lambda a, s, w: binary_metrics.average_precision(a > ACTIVE, s, w),
    Metric.F1: lambda a, s, w: binary_metrics.f1(a > ACTIVE, s, CUT, w),
    Metric.IOU: lambda a, s, w: binary_metrics.iou(a > ACTIVE, s, CUT, w),
}
ACTIVE, CUT = 5.5, 3.0


def test_weights_are_poisson_with_mean_one() -> None:
    weights = poisson_weights(0, np.arange(1000), 200)
    assert weights.shape == (1000, 200)
    shares = np.bincount(weights.astype(int).ravel(), minlength=9)[:5] / weights.size
    expected = np.exp(-1) / np.array([1, 1, 2, 6, 24])
    assert np.abs(shares - expected).max() < 5 * np.sqrt(0.25 / weights.size)
    assert weights.mean() == pytest.approx(1, abs=5 / np.sqrt(weights.size))
    assert np.abs(np.corrcoef(weights[:, :8].T) - np.eye(8)).max() < 5 / np.sqrt(1000)
    assert np.abs(np.corrcoef(weights[:8]) - np.eye(8)).max() < 5 / np.sqrt(200)


def test_a_document_weighs_the_same_whatever_stands_beside_it() -> None:
    some, all_ = poisson_weights(3, np.array([17, 4])), poisson_weights(3, np.arange(30))
    assert np.array_equal(some, all_[[17, 4]])
    assert not np.array_equal(poisson_weights(4, np.array([17])), some[:1])
    assert np.array_equal(poisson_weights(3, np.array([17]), 10), some[:1, :10])


def test_imported_records_are_drawn_by_excerpt() -> None:
    drawn = units(np.array([3, -1, -1, 0], np.int32), np.array([9, 9, 0, 1], np.int32))
    assert len(set(drawn.tolist())) == 4
    assert drawn[0] == 3 and drawn[3] == 0


@pytest.mark.parametrize("metric", COMPUTED_METRICS)
def test_draws_are_the_metric_on_reweighted_tokens(metric: Metric) -> None:
    """Two strata of 3 and 5 records of 4 tokens: renormalised weights, every token of the record."""
    rng = np.random.default_rng(0)
    actual, expected = rng.normal(5, 1, (8, 4)), rng.normal(2, 3, (8, 4))
    strata, own = np.array([0] * 3 + [1] * 5), np.array([0.5] * 3 + [0.01] * 5)
    weights = poisson_weights(1, np.array([0, 1, 2, 2, 3, 4, 5, 5]), 40)
    centred_a, centred_s = actual - 5, expected - 2
    active = actual > ACTIVE
    parts = (
        correlation_sums(centred_a, centred_s),
        residual_sums(actual, expected),
        cosine_sums(actual, expected),
        confusion_sums(active, expected > CUT),
        step_sums(active, expected),
    )
    sums = np.concatenate(parts) * own
    totals = sum(resample(sums[:, strata == h], weights[strata == h]) for h in (0, 1))
    found = area(*np.split(totals[len(Column) :], 2)) if metric is Metric.AUPRC else statistic(metric, totals)
    for draw in range(40):
        drawn = weights[:, draw] * own
        mass = [drawn[strata == h].sum() for h in (0, 1)]
        if not all(mass):
            assert np.isnan(found[draw])
            continue
        for h in (0, 1):
            drawn[strata == h] *= own[strata == h].sum() / mass[h]
        by_token = np.repeat(drawn, 4)
        assert found[draw] == pytest.approx(FUNCTIONS[metric](actual.ravel(), expected.ravel(), by_token))
    assert np.count_nonzero(~np.isnan(found)) > 20


def test_a_draw_without_spread_defines_nothing() -> None:
    actual = np.array([[1.0, 1.0], [2.0, 5.0]]) - 2.25
    expected = np.array([[0.1, 0.1], [0.7, 0.2]]) - 0.275
    sums = correlation_sums(actual, expected)
    only_first, only_second = np.array([[3.0], [0.0]]), np.array([[0.0], [1.0]])
    assert np.isnan(statistic(Metric.CORRELATION, resample(sums, only_first))[0])
    assert statistic(Metric.CORRELATION, resample(sums, only_second))[0] == pytest.approx(-1)


@given(st.lists(st.one_of(st.floats(-1, 1), st.just(float("nan"))), min_size=DRAWS, max_size=DRAWS))
def test_interval_is_numpys_quantile_of_the_defined(values: list[float]) -> None:
    array = np.array(values)
    defined = array[~np.isnan(array)]
    low, high = interval(array)
    if len(defined) < MIN_DEFINED:
        assert np.isnan(low) and np.isnan(high)
    else:
        assert [float(low), float(high)] == pytest.approx(
            np.quantile(defined, [0.025, 0.975]).tolist(), abs=1e-12
        )


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Correlation of 40 documents of 4 tokens, truth 0.6, over 300 corpora."""
    rng = np.random.default_rng(8)
    inside = 0
    for corpus in range(300):
        actual = rng.normal(size=(40, 4))
        expected = 0.6 * actual + 0.8 * rng.normal(size=(40, 4))
        sums = correlation_sums(actual, expected)
        weights = poisson_weights(corpus, np.arange(40))
        low, high = interval(statistic(Metric.CORRELATION, resample(sums, weights)))
        inside += bool(low <= 0.6 <= high)
    assert 0.88 < inside / 300 < 0.98
