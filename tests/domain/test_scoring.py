"""Scores of one neuron: values by hand, samples, calibration, polarity and every state."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.bootstrap import poisson_weights
from app.domain.calibration import calibrate
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.metrics import abs_dev_explained, correlation, r_squared
from app.domain.neurons import BAND_PROBABILITIES, Kind, Polarity, Records, Split, Statistics
from app.domain.protocols import dev_records, score_records
from app.domain.scoring import score
from tests.domain.layers import layer, records_of, statistics_of, table

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
rng = np.random.default_rng(11)
EXCERPTS = table(rng)
RESULT = layer(rng, EXCERPTS, 2)
RECORDS = records_of(RESULT, EXCERPTS, 0)
STATS = statistics_of(RESULT, 0)
NOISE = rng.normal(size=RECORDS.activations.shape).astype(np.float32)


def simulate(records: Records, slope: float = 1.0, shift: float = 5.0) -> np.ndarray:
    """A simulation that is right but for noise of its own, by excerpt."""
    noise = np.random.default_rng(3).normal(size=(EXCERPTS.tokens.shape)).astype(np.float32)[records.excerpts]
    return (slope * (records.activations + noise) + shift).astype(np.float32)


def found(values: tuple[ScoreValue, ...], metric: Metric, sample: Sample) -> ScoreValue:
    (value,) = [value for value in values if (value.metric, value.sample) == (metric, sample)]
    return value


def scored(
    protocol: Protocol = Protocol.HELDOUT_FULL,
    polarity: Polarity = POSITIVE,
    records: Records = RECORDS,
    stats: Statistics = STATS,
    slope: float = 1.0,
    with_dev: bool = True,
) -> tuple[ScoreValue, ...]:
    chosen, strata = score_records(records, protocol, polarity)
    dev = dev_records(records, polarity)
    calibration = (dev, simulate(dev, slope)) if with_dev else None
    return score(chosen, strata, simulate(chosen, slope), protocol, polarity, calibration, stats, 1)


def test_values_are_the_metrics_of_all_tokens_after_calibration_on_dev() -> None:
    values = scored()
    assert len(values) == 8
    assert len({(value.metric, value.sample) for value in values}) == 8
    chosen, _ = score_records(RECORDS, Protocol.HELDOUT_FULL, POSITIVE)
    dev = dev_records(RECORDS, POSITIVE)
    line = calibrate(simulate(dev), dev.activations)
    assert not isinstance(line, State)
    a, s = chosen.activations.ravel(), simulate(chosen).ravel()
    both, only = found(values, Metric.CORRELATION, Sample.TOP_AND_RANDOM), chosen.kinds == Kind.RANDOM
    assert both.state is State.OK
    assert both.value == pytest.approx(correlation(a, s))
    assert (both.n_records, both.n_tokens) == (20, 20 * 64)
    assert both.n_documents == len(set(chosen.documents.tolist()))
    assert both.low is not None and both.value is not None and both.high is not None
    assert both.low < both.value < both.high
    random = found(values, Metric.R_SQUARED, Sample.RANDOM_ONLY)
    calibrated = line.apply(simulate(chosen))
    assert random.value == pytest.approx(
        r_squared(chosen.activations[only].ravel(), calibrated[only].ravel())
    )
    assert random.n_records == 12
    deviation = found(values, Metric.ABS_DEV_EXPLAINED, Sample.TOP_AND_RANDOM)
    assert deviation.value == pytest.approx(abs_dev_explained(a, calibrated.ravel()))
    assert json.loads(deviation.parameters_json)["slope"] == pytest.approx(line.slope)
    assert json.loads(deviation.parameters_json)["dev_records"] == 10
    assert "slope" not in json.loads(both.parameters_json)


def test_correlation_comes_before_calibration() -> None:
    """A simulation that is upside down keeps its negative correlation, though calibration would turn it round."""
    upright, upside_down = scored(), scored(slope=-1.0)
    for sample in (Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY):
        up, down = (found(values, Metric.CORRELATION, sample).value for values in (upright, upside_down))
        assert up is not None and down == pytest.approx(-up)
        up, down = (found(values, Metric.R_SQUARED, sample).value for values in (upright, upside_down))
        assert down == pytest.approx(up, abs=1e-5)


def test_fewer_than_ten_documents_in_a_stratum_is_indicative() -> None:
    apart = replace(RECORDS, documents=np.arange(len(RECORDS), dtype=np.int32))
    values = scored(records=apart)
    assert found(values, Metric.CORRELATION, Sample.TOP_AND_RANDOM).indicative  # 8 top records
    assert not found(
        values, Metric.CORRELATION, Sample.RANDOM_ONLY
    ).indicative  # 12, each of its own document
    assert all(value.indicative for value in scored(Protocol.HELDOUT_5_5, records=apart))


def from_documents(top: list[int], random: list[int]) -> tuple[ScoreValue, ScoreValue]:
    """Both correlations of records of these documents, top and random."""
    documents = np.array(top + random, np.int32)
    n = len(documents)
    world = np.random.default_rng(2)
    actual = world.gamma(1, 1, (n, 8)).astype(np.float32)
    strata = np.repeat(np.arange(2, dtype=np.int32), [len(top), len(random)])
    kinds = np.array([Kind.TOP, Kind.RANDOM], np.uint8)[strata]
    rows = Records(
        np.arange(n, dtype=np.int32), documents, kinds, np.full(n, Split.SCORE, np.uint8),
        np.zeros((n, 8), np.int32), actual, None,
    )  # fmt: skip
    guess = (actual + world.normal(size=actual.shape)).astype(np.float32)
    stats = replace(STATS, token_q99=0.0)
    values = score(rows, strata, guess, Protocol.HELDOUT_FULL, POSITIVE, None, stats, 1)
    return (
        found(values, Metric.CORRELATION, Sample.TOP_AND_RANDOM),
        found(values, Metric.CORRELATION, Sample.RANDOM_ONLY),
    )


def test_a_stratum_of_one_document_has_no_interval() -> None:
    """Its weights are renormalised to its own total: it would not vary, and the interval would be too narrow."""
    both, random = from_documents([0] * 20, list(range(1, 13)))
    assert both.value is not None and both.low is both.high is None and both.indicative
    assert random.low is not None and random.high is not None and not random.indicative
    both, random = from_documents([0, 1] * 10, [2] * 12)
    assert (both.low, random.low) == (None, None) and both.indicative and random.indicative
    both, _ = from_documents([0, 1] * 10, list(range(2, 14)))
    assert both.low is not None and both.high is not None and both.low < both.high
    assert both.indicative  # 20 top records, but of two documents
    both, _ = from_documents(list(range(12)), list(range(12)))
    assert both.low is not None and not both.indicative


def test_without_dev_there_is_no_calibration_but_a_correlation() -> None:
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_5_5, POSITIVE)
    nothing = RECORDS.take(np.array([], np.intp))
    flat = (dev_records(RECORDS, POSITIVE), np.ones((10, 64), np.float32))
    for dev in (None, (nothing, np.zeros((0, 64), np.float32)), flat):
        values = score(chosen, strata, simulate(chosen), Protocol.HELDOUT_5_5, POSITIVE, dev, STATS, 1)
        for value in values:
            if value.metric is Metric.CORRELATION:
                assert value.state is State.OK
            else:
                assert value.state is State.NO_CALIBRATION
                assert value.value is value.low is None
                assert value.reason.startswith("Calibration needs")


def test_negative_polarity_is_the_positive_one_of_minus_a() -> None:
    mirrored = replace(
        RECORDS,
        activations=-RECORDS.activations,
        kinds=np.select(
            [RECORDS.kinds == Kind.TOP, RECORDS.kinds == Kind.BOTTOM], [Kind.BOTTOM, Kind.TOP], RECORDS.kinds
        ).astype(np.uint8),
    )
    turned = replace(STATS, token_q99=-STATS.token_q01, token_q01=-STATS.token_q99)
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_FULL, NEGATIVE)
    assert np.bincount(strata).tolist() == [2, 12]
    dev = dev_records(RECORDS, NEGATIVE)
    guess, dev_guess = -simulate(chosen), -simulate(dev)
    values = score(chosen, strata, guess, Protocol.HELDOUT_FULL, NEGATIVE, (dev, dev_guess), STATS, 1)
    other, other_strata = score_records(mirrored, Protocol.HELDOUT_FULL, POSITIVE)
    assert np.array_equal(other.excerpts, chosen.excerpts)
    other_dev = dev_records(mirrored, POSITIVE)  # the random ones, as above
    same = score(
        other, other_strata, guess, Protocol.HELDOUT_FULL, POSITIVE, (other_dev, dev_guess), turned, 1
    )
    assert values == same
    assert all(value.state is State.OK and value.indicative for value in values[:4])
    correlated = found(values, Metric.CORRELATION, Sample.TOP_AND_RANDOM).value
    assert correlated is not None and correlated > 0.5


def test_population_weighs_each_token_by_probability_over_n() -> None:
    values = scored(Protocol.POPULATION)
    assert [value.sample for value in values] == [Sample.POPULATION] * 4
    chosen, strata = score_records(RECORDS, Protocol.POPULATION, POSITIVE)
    by_record = [BAND_PROBABILITIES[h] / (2 if h < 4 else 8) for h in strata.tolist()]
    weights = np.repeat(by_record, 64)
    value = found(values, Metric.CORRELATION, Sample.POPULATION)
    assert value.value == pytest.approx(
        correlation(chosen.activations.ravel(), simulate(chosen).ravel(), weights)
    )
    assert value.value != pytest.approx(correlation(chosen.activations.ravel(), simulate(chosen).ravel()))
    assert json.loads(value.parameters_json)["band_records"] == [2, 2, 2, 2, 8]


def test_population_interval_by_the_slow_way() -> None:
    chosen, strata = score_records(RECORDS, Protocol.POPULATION, POSITIVE)
    guess = simulate(chosen)
    value = score(chosen, strata, guess, Protocol.POPULATION, POSITIVE, None, STATS, 1)[0]
    weights = poisson_weights(1, chosen.documents)
    own = np.array([BAND_PROBABILITIES[h] / (2 if h < 4 else 8) for h in strata.tolist()])
    draws = []
    for draw in weights.T:
        drawn = draw * own
        mass = np.bincount(strata, drawn, 5)
        if mass.all():
            drawn *= (np.array(BAND_PROBABILITIES) / mass)[strata]
            draws.append(correlation(chosen.activations.ravel(), guess.ravel(), np.repeat(drawn, 64)))
    assert 50 < len(draws) < 200
    assert [value.low, value.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist())


def test_population_needs_every_band() -> None:
    gone = (RECORDS.kinds == Kind.Q3) & (RECORDS.splits == Split.SCORE)
    values = scored(Protocol.POPULATION, records=RECORDS.take(np.flatnonzero(~gone)))
    assert {value.state for value in values} == {State.TOO_FEW_RECORDS}


def test_population_estimates_what_all_text_would_give() -> None:
    """20,000 excerpts scored in full, against many samples of 2 records a band and the strongest 20."""
    world = np.random.default_rng(0)
    n, length = 20_000, 8
    actual = world.normal(size=(n, length)).astype(np.float32) + world.gamma(0.3, 2, (n, 1)).astype(
        np.float32
    )
    expected = (actual + world.normal(size=actual.shape)).astype(np.float32)
    truth = correlation(actual.ravel(), expected.ravel())
    rank = np.empty(n, int)
    rank[np.argsort(actual.max(1))] = np.arange(n)
    edges = (np.array([0, 0.5, 0.9, 0.99, 0.999, 1]) * n).astype(int)
    strata = np.repeat(np.arange(5, dtype=np.int32), [4, 4, 4, 4, 20])
    estimates, plain = [], []
    for _ in range(200):
        rows = np.concatenate([
            world.choice(np.flatnonzero((rank >= edges[h]) & (rank < edges[h + 1])), 4 if h < 4 else 20, False)
            for h in range(5)
        ])  # fmt: skip
        chosen = Records(
            rows.astype(np.int32), rows.astype(np.int32), np.zeros(len(rows), np.uint8),
            np.full(len(rows), Split.SCORE, np.uint8), np.zeros((len(rows), length), np.int32), actual[rows], None,
        )  # fmt: skip
        values = score(chosen, strata, expected[rows], Protocol.POPULATION, POSITIVE, None, STATS, 0)
        estimates.append(values[0].value)
        plain.append(correlation(chosen.activations.ravel(), expected[rows].ravel()))
    assert np.mean(estimates) == pytest.approx(truth, abs=0.03)
    assert abs(np.mean(plain) - truth) > 0.1  # type: ignore[arg-type]


def test_random_records_without_an_active_token_have_no_score() -> None:
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_FULL, POSITIVE)
    highest = float(chosen.activations[strata == 1].max())
    for polarity_stats, state in (
        (replace(STATS, token_q99=highest), State.TOO_FEW_ACTIVE),  # active is strictly above
        (replace(STATS, token_q99=np.nextafter(highest, 0)), State.OK),
        (replace(STATS, token_q99=float("nan")), State.OK),  # imported: active is above 0
    ):
        values = scored(stats=polarity_stats)
        random = [value for value in values if value.sample is Sample.RANDOM_ONLY]
        assert {value.state for value in random} == {state}
        both = [value for value in values if value.sample is Sample.TOP_AND_RANDOM]
        assert {value.state for value in both} == {State.OK}


def test_states_of_the_data() -> None:
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_FULL, POSITIVE)
    guess = simulate(chosen)

    def correlations(records: Records, expected: np.ndarray) -> list[State]:
        values = score(records, strata, expected, Protocol.HELDOUT_FULL, POSITIVE, None, STATS, 1)
        for value in values:
            assert (value.state is State.OK) == (value.value is not None) == (not value.reason)
        return [value.state for value in values if value.metric is Metric.CORRELATION]

    flat = np.full_like(guess, 3)
    assert correlations(chosen, flat) == [State.CONSTANT_PREDICTION] * 2
    assert correlations(replace(chosen, activations=flat), guess) == [State.CONSTANT_ACTUAL] * 2
    broken = chosen.activations.copy()
    broken[0, 0] = np.nan  # a top record
    assert correlations(replace(chosen, activations=broken), guess) == [State.FAILED, State.OK]


def test_a_stratum_without_records_is_a_state() -> None:
    for kind, states in (
        (Kind.TOP, [State.TOO_FEW_RECORDS, State.OK]),
        (Kind.RANDOM, [State.TOO_FEW_RECORDS, State.TOO_FEW_RECORDS]),
    ):
        left = RECORDS.take(np.flatnonzero((RECORDS.kinds != kind) | (RECORDS.splits != Split.SCORE)))
        values = scored(records=left)
        assert [found(values, Metric.R_SQUARED, sample).state for sample in _BOTH] == states
    none = RECORDS.take(np.array([], np.intp))
    assert {value.state for value in scored(records=none, with_dev=False)} == {State.TOO_FEW_RECORDS}
    assert {value.state for value in scored(Protocol.POPULATION, records=none)} == {State.TOO_FEW_RECORDS}


_BOTH = (Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY)


def test_one_document_gives_a_value_but_no_interval() -> None:
    values = scored(records=replace(RECORDS, documents=np.zeros(len(RECORDS), np.int32)))
    assert all(value.state is State.OK and value.low is value.high is None for value in values)
    assert values[0].n_documents == 1


def test_imported_records_have_no_documents_but_an_interval() -> None:
    kinds = np.array([Kind.TOP] * 20 + [Kind.RANDOM] * 20, np.uint8)
    rows = RECORDS.take(np.arange(40))
    data = replace(
        rows,
        kinds=kinds,
        splits=np.full(40, Split.UNSPLIT, np.uint8),
        documents=np.full(40, -1, np.int32),
        excerpts=np.arange(40, dtype=np.int32),
    )
    values = scored(Protocol.BILLS_5_5, records=data)
    assert all(value.state is State.OK for value in values if value.sample is Sample.TOP_AND_RANDOM)
    assert (values[0].n_records, values[0].n_documents) == (10, 0)
    assert values[0].low is not None


def test_position0_is_left_out_everywhere() -> None:
    spiked = RECORDS.activations.copy()
    spiked[:, 0] = 500.0
    data = replace(RECORDS, activations=spiked)
    chosen, strata = score_records(data, Protocol.HELDOUT_FULL, POSITIVE)
    dev = dev_records(data, POSITIVE)
    guesses = simulate(chosen), simulate(dev)
    for guess in guesses:
        guess[:, 0] = -3.0
    stats = replace(STATS, position0=True)
    values = score(chosen, strata, guesses[0], Protocol.HELDOUT_FULL, POSITIVE, (dev, guesses[1]), stats, 1)
    assert values[0].n_tokens == 20 * 63
    assert values[0].value == pytest.approx(correlation(chosen.activations[:, 1:], guesses[0][:, 1:]))
    r = found(values, Metric.R_SQUARED, Sample.TOP_AND_RANDOM).value
    assert r is not None and r > 0.2


def test_the_seed_moves_the_interval_alone() -> None:
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_FULL, POSITIVE)
    one, again, other = (
        score(chosen, strata, simulate(chosen), Protocol.HELDOUT_FULL, POSITIVE, None, STATS, seed)[0]
        for seed in (1, 1, 2)
    )
    assert one == again
    assert one.value == other.value
    assert one.low != other.low


def test_misfits_are_refused() -> None:
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_FULL, POSITIVE)
    guess = simulate(chosen)
    for bad_strata, bad_guess in ((strata[1:], guess), (strata, guess[:, 1:]), (strata, guess[1:])):
        with pytest.raises(ValueError, match="fit"):
            score(chosen, bad_strata, bad_guess, Protocol.HELDOUT_FULL, POSITIVE, None, STATS, 1)
    guess[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        score(chosen, strata, guess, Protocol.HELDOUT_FULL, POSITIVE, None, STATS, 1)
