"""The ablation score against values worked out by hand and by scipy, and what keeps it from being computed."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]

from app.domain import ablation
from app.domain.calibration import Calibration
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Float32, Kind, Polarity, Records, Split, Statistics
from app.domain.protocols import STRATUM_RANDOM, STRATUM_STRONG

T = 4
STATS = Statistics(
    mean=0.25, variance=1, skewness=0, kurtosis=3, maximum=9, minimum=-3, density=0.1, explain_maximum=9,
    explain_minimum=-3, token_q99=2.0, token_q01=-2.0, excerpt_max_q99=5, n_tokens=100, n_sampled=100,
    sign_shares=None,
)  # fmt: skip


def records(activations: list[list[float]], documents: list[int] | None = None) -> Records:
    n = len(activations)
    return Records(
        np.arange(n, dtype=np.int32),
        np.array(documents or range(n), np.int32),
        np.full(n, Kind.TOP, np.uint8),
        np.full(n, Split.SCORE, np.uint8),
        np.zeros((n, T), np.int32),
        np.array(activations, np.float32),
        None,
    )


def same(values: list[float]) -> Float32:
    """Divergences [R, T], those of a record all alike."""
    return np.repeat(np.array(values, np.float32)[:, None], T, 1)


def by_sample(values: tuple[ScoreValue, ...]) -> dict[Sample, ScoreValue]:
    assert {value.metric for value in values} == {Metric.ABLATION}
    return {value.sample: value for value in values}


def scored(
    held: Records, strata: list[int], simulated: Float32, mean: Float32, stats: Statistics = STATS
) -> dict[Sample, ScoreValue]:
    protocol, polarity = Protocol.HELDOUT_5_5, Polarity.POSITIVE
    found = ablation.score(
        held, np.array(strata, np.int32), simulated, mean, protocol, polarity, stats, 3, {}
    )
    return by_sample(found)


# scipy's own overflows where a share is denormal.
SHARES = st.lists(st.just(0.0) | st.floats(1e-9, 1.0), min_size=4, max_size=4)


@given(SHARES, SHARES)
def test_jsd_is_the_square_of_scipy_s_distance(one: list[float], other: list[float]) -> None:
    if sum(one) < 1e-3 or sum(other) < 1e-3:
        return
    p, q = np.array(one) / sum(one), np.array(other) / sum(other)
    assert ablation.jsd(p, q) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)
    assert ablation.jsd(p, q) + 1e-12 >= 0 and ablation.jsd(p, q) <= math.log(2) + 1e-12


def test_jsd_by_hand() -> None:
    assert ablation.jsd(np.array([1.0, 0.0]), np.array([1.0, 5e-324])) == 0
    assert ablation.jsd(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(math.log(2))
    half = 0.5 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25) + math.log(1 / 0.75))
    assert ablation.jsd(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(half)


def test_a_ratio_of_expectations_and_not_a_mean_of_ratios() -> None:
    """Records (to s, to the mean) of (1, 2), (1, 8), (1, 1), (1, 1): 1 - 4/12, where ratios would give 1 - 2.625/4."""
    held = records([[9, 0, 0, 0]] * 4)
    found = scored(held, [0, 0, 1, 1], same([1, 1, 1, 1]), same([2, 8, 1, 1]))
    both = found[Sample.TOP_AND_RANDOM]
    assert both.value == pytest.approx(1 - 4 / 12) and both.state is State.OK
    assert both.n_records == 4 and both.n_documents == 4 and both.n_tokens == 16 and both.indicative
    assert both.low is not None and both.high is not None and both.low <= both.value <= both.high
    assert found[Sample.RANDOM_ONLY].value == pytest.approx(0.0)
    said = json.loads(both.parameters_json)
    assert (said["jsd_simulated"], said["jsd_mean"], said["seed"]) == (1.0, 3.0, 3)


def test_of_tokens_the_average_and_of_position_0_nothing() -> None:
    held = records([[9, 0, 0, 9], [9, 0, 0, 9]])
    simulated = np.array([[50, 1, 1, 1], [50, 0, 0, 3]], np.float32)
    mean = np.array([[0, 2, 2, 2], [0, 6, 0, 0]], np.float32)
    outlier = Statistics(**{**STATS.__dict__, "position0": True})
    assert scored(held, [0, 1], simulated, mean, outlier)[Sample.TOP_AND_RANDOM].value == pytest.approx(
        1 - 2 / 4
    )


def test_population_weighs_records_by_what_they_stand_for() -> None:
    stats = Statistics(**{**STATS.__dict__, "band_excerpts": (10, 2, 0, 1)})
    held = records([[0] * T] * 3)
    strata = np.array([0, 1, 4], np.int32)
    found = ablation.score(
        held, strata, same([1, 1, 1]), same([2, 4, 8]), Protocol.POPULATION, Polarity.POSITIVE, stats, 0, {}
    )
    assert by_sample(found)[Sample.POPULATION].value == pytest.approx(1 - 13 / (20 + 8 + 8))


def test_what_has_no_value_says_why() -> None:
    silent = records([[9, 0, 0, 0], [0, 0, 0, 0]])
    found = scored(silent, [0, 1], same([1, 1]), same([2, 2]))
    assert found[Sample.RANDOM_ONLY].state is State.TOO_FEW_ACTIVE and found[Sample.RANDOM_ONLY].value is None
    nothing = scored(records([[9] * T] * 2), [0, 1], same([0, 0]), same([0, 0]))[Sample.TOP_AND_RANDOM]
    assert nothing.state is State.CONSTANT_ACTUAL and "moves none" in nothing.reason
    no_top = scored(records([[9] * T]), [STRATUM_RANDOM], same([1]), same([2]))
    assert no_top[Sample.TOP_AND_RANDOM].state is State.TOO_FEW_RECORDS
    no_random = scored(records([[9] * T]), [STRATUM_STRONG], same([1]), same([2]))
    assert no_random[Sample.RANDOM_ONLY].state is State.TOO_FEW_RECORDS
    with pytest.raises(ValueError, match="do not fit"):
        scored(records([[9] * T]), [0], same([1, 1]), same([2, 2]))


def test_what_is_put_back_has_the_neuron_s_own_sign() -> None:
    line = Calibration(2.0, -1.0)
    expected = np.array([[0, 3, 5, 1]], np.float32)
    simulated, mean = ablation.replacements(expected, line, Polarity.NEGATIVE, STATS)
    assert simulated.tolist() == [[1, -5, -9, -1]] and mean.tolist() == [[0.25] * T]
    simulated, _ = ablation.replacements(expected, line, Polarity.POSITIVE, STATS)
    assert simulated.tolist() == [[-1, 5, 9, 1]] and simulated.dtype == np.float32
    outlier = Statistics(**{**STATS.__dict__, "position0": True})
    for values in ablation.replacements(expected, line, Polarity.POSITIVE, outlier):
        assert np.isnan(values[:, 0]).all() and np.isfinite(values[:, 1:]).all()


def test_calibration_is_of_the_explained_sign_or_says_why_there_is_none() -> None:
    dev = records([[0, -2, -4, 0]])
    fitted = ablation.calibration_of(dev, np.array([[0, 1, 2, 0]], np.float32), Polarity.NEGATIVE, STATS)
    assert fitted == pytest.approx(Calibration(2.0, 0.0))
    flat = ablation.calibration_of(dev, np.zeros((1, T), np.float32), Polarity.POSITIVE, STATS)
    none = dev.take(np.zeros(0, np.intp))
    without = ablation.calibration_of(none, np.zeros((0, T), np.float32), Polarity.POSITIVE, STATS)
    assert "varies on the dev records" in str(flat) and "there are none" in str(without)
