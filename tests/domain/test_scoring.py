"""Scores of one neuron: values by hand, samples, calibration, polarity and every state."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.binary_metrics import average_precision, best_cut, f1, iou
from app.domain.bootstrap import poisson_weights
from app.domain.calibration import calibrate
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
from app.domain.metrics import abs_dev_explained, correlation, cosine, r_squared
from app.domain.neurons import BAND_EDGES, BANDS, Kind, Polarity, Records, Split, Statistics
from app.domain.protocols import dev_records, score_records
from app.domain.scoring import score, unscorable
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
    chosen, strata = score_records(records, protocol, polarity, bands=stats.band_excerpts)
    dev = dev_records(records, polarity)
    calibration = (dev, simulate(dev, slope)) if with_dev else None
    return score(chosen, strata, simulate(chosen, slope), protocol, polarity, calibration, stats, 1)


def test_values_are_the_metrics_of_all_tokens_after_calibration_on_dev() -> None:
    values = scored()
    assert len(values) == len({(value.metric, value.sample) for value in values}) == 2 * len(COMPUTED_METRICS)
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


@pytest.mark.parametrize("polarity", [POSITIVE, NEGATIVE])
def test_active_is_above_the_quantile_and_predictions_are_cut_where_it_is_best_on_dev(
    polarity: Polarity,
) -> None:
    stats = replace(STATS, token_q99=1.2, token_q01=-1.2)
    threshold, sign = 1.2, polarity.sign
    chosen, _ = score_records(RECORDS, Protocol.HELDOUT_FULL, polarity)
    dev = dev_records(RECORDS, polarity)
    values = scored(polarity=polarity, stats=stats, slope=sign)
    active, guess = sign * chosen.activations > threshold, simulate(chosen, sign)
    cut = best_cut(sign * dev.activations > threshold, simulate(dev, sign))
    assert not isinstance(cut, State)
    for sample, rows in (
        (Sample.TOP_AND_RANDOM, np.ones(len(chosen), bool)),
        (Sample.RANDOM_ONLY, chosen.kinds == Kind.RANDOM),
    ):
        area = found(values, Metric.AUPRC, sample)
        assert area.value == pytest.approx(average_precision(active[rows], guess[rows]))
        assert json.loads(area.parameters_json) == {
            "active": int(active[rows].sum()), "alpha": 0.01, "base_rate": pytest.approx(active[rows].mean()),
            "draws": 200, "seed": 1, "threshold": threshold,
        }  # fmt: skip
        for metric, function in ((Metric.F1, f1), (Metric.IOU, iou)):
            value = found(values, metric, sample)
            assert value.value == pytest.approx(function(active[rows], guess[rows], cut.above))
            said = json.loads(value.parameters_json)
            assert (said["cut"], said["dev_f1"]) == (cut.above, pytest.approx(cut.f1))
            assert (said["threshold"], said["alpha"], said["dev_records"]) == (threshold, 0.01, len(dev))
        cosine_ = found(values, Metric.COSINE, sample)
        assert cosine_.value == pytest.approx(cosine(sign * chosen.activations[rows], guess[rows]))
        for value in (area, cosine_, found(values, Metric.F1, sample), found(values, Metric.IOU, sample)):
            assert value.low is not None and value.value is not None and value.high is not None
            assert value.low < value.value < value.high


def test_where_nothing_or_all_is_active_only_the_binary_metrics_are_undefined() -> None:
    everywhere = replace(STATS, token_q99=-100.0)
    for value in scored(stats=everywhere):
        binary = value.metric in (Metric.AUPRC, Metric.F1, Metric.IOU)
        assert value.state is (State.CONSTANT_ACTUAL if binary else State.OK)
        assert value.reason == (
            "Every token of these records is active: there is nothing to tell apart." if binary else ""
        )
    nowhere = replace(STATS, token_q99=100.0)
    for value in scored(stats=nowhere):
        if value.sample is Sample.TOP_AND_RANDOM:
            states = {
                Metric.AUPRC: State.TOO_FEW_ACTIVE,
                Metric.F1: State.NO_CALIBRATION,
                Metric.IOU: State.NO_CALIBRATION,
            }
            assert value.state is states.get(value.metric, State.OK)
    silent = found(scored(stats=nowhere), Metric.F1, Sample.TOP_AND_RANDOM)
    assert silent.reason.startswith("The cut on predictions needs an active token")


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
            if value.metric not in (*CALIBRATED_METRICS, *CUT_METRICS):
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
    fitted_on_dev = [value for value in values if value.metric in CUT_METRICS]
    assert all(value.indicative for value in values if value.sample is Sample.TOP_AND_RANDOM)
    assert {value.state for value in values if value not in fitted_on_dev} == {State.OK}
    correlated = found(values, Metric.CORRELATION, Sample.TOP_AND_RANDOM).value
    assert correlated is not None and correlated > 0.5


SIZES = (50, 40, 9, 4, 8)  # excerpts behind each stratum, of `layers.layer`'s bands (50, 40, 9, 12)


def test_population_weighs_each_token_by_the_excerpts_it_stands_for() -> None:
    values = scored(Protocol.POPULATION)
    assert [value.sample for value in values] == [Sample.POPULATION] * len(COMPUTED_METRICS)
    chosen, strata = score_records(RECORDS, Protocol.POPULATION, POSITIVE, bands=STATS.band_excerpts)
    held = np.bincount(strata)
    by_record = [SIZES[h] / held[h] for h in strata.tolist()]
    weights = np.repeat(by_record, 64)
    value = found(values, Metric.CORRELATION, Sample.POPULATION)
    assert value.value == pytest.approx(
        correlation(chosen.activations.ravel(), simulate(chosen).ravel(), weights)
    )
    assert value.value != pytest.approx(correlation(chosen.activations.ravel(), simulate(chosen).ravel()))
    assert json.loads(value.parameters_json)["stratum_records"] == [2, 2, 2, 2, 8]
    assert json.loads(value.parameters_json)["stratum_excerpts"] == list(SIZES)
    assert all(value.indicative for value in values)


def test_population_interval_by_the_slow_way() -> None:
    chosen, strata = score_records(RECORDS, Protocol.POPULATION, POSITIVE, bands=STATS.band_excerpts)
    guess = simulate(chosen)
    stats = replace(STATS, token_q99=1.2)
    values = score(chosen, strata, guess, Protocol.POPULATION, POSITIVE, None, stats, 1)
    weights = poisson_weights(1, chosen.documents)
    own = np.array([SIZES[h] / (2 if h < 4 else 8) for h in strata.tolist()])
    a, s = chosen.activations.ravel(), guess.ravel()
    for metric, function in (
        (Metric.CORRELATION, lambda w: correlation(a, s, w)),
        (Metric.COSINE, lambda w: cosine(a, s, w)),
        (Metric.AUPRC, lambda w: average_precision(a > 1.2, s, w)),
    ):
        value = found(values, metric, Sample.POPULATION)
        assert value.value == pytest.approx(function(np.repeat(own, 64)))
        draws = []
        for draw in weights.T:
            drawn = draw * own
            mass = np.bincount(strata, drawn, 5)
            if mass.all():
                drawn *= (np.array(SIZES) / mass)[strata]
                draws.append(function(np.repeat(drawn, 64)))
        assert 50 < len(draws) < 200
        assert [value.low, value.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist())


def test_population_needs_every_band_that_holds_an_excerpt() -> None:
    gone = (RECORDS.kinds == Kind.Q3) & (RECORDS.splits == Split.SCORE)
    left = RECORDS.take(np.flatnonzero(~gone))
    values = scored(Protocol.POPULATION, records=left)
    assert {value.state for value in values} == {State.TOO_FEW_RECORDS}
    empty = replace(STATS, band_excerpts=(50, 40, 0, 12))
    assert {value.state for value in scored(Protocol.POPULATION, records=left, stats=empty)} == {State.OK}


def test_records_that_allow_no_score_are_known_before_anything_is_simulated() -> None:
    def known(records: Records, protocol: Protocol) -> tuple[ScoreValue, ...]:
        chosen, strata = score_records(records, protocol, POSITIVE, bands=STATS.band_excerpts)
        return unscorable(chosen, strata, protocol, POSITIVE, STATS)

    in_score = RECORDS.splits == Split.SCORE
    for kind, protocol, samples in (
        (Kind.Q3, Protocol.POPULATION, 1),
        (Kind.RANDOM, Protocol.HELDOUT_FULL, 2),
        (Kind.RANDOM, Protocol.HELDOUT_5_5, 2),
    ):
        assert known(RECORDS, protocol) == ()
        values = known(RECORDS.take(np.flatnonzero(~(in_score & (RECORDS.kinds == kind)))), protocol)
        assert len(values) == len(COMPUTED_METRICS) * samples
        assert {value.state for value in values} == {State.TOO_FEW_RECORDS}
    no_top = RECORDS.take(np.flatnonzero(~(in_score & (RECORDS.kinds == Kind.TOP))))
    assert known(no_top, Protocol.HELDOUT_FULL) == ()  # the random ones alone have a score


def test_population_has_no_interval_while_a_stratum_is_one_document() -> None:
    few = replace(STATS, band_excerpts=(50, 40, 9, 1))  # the strongest record stands for the last band
    for value in scored(Protocol.POPULATION, stats=few):
        assert value.value is not None and value.low is value.high is None and value.indicative


@pytest.mark.parametrize("pilot", [256, 20_000])
def test_population_estimates_what_all_text_would_give(pilot: int) -> None:
    """20,000 excerpts scored in full, against many samples of 30 records a band and the strongest 8.

    However far off the edges are that a small pilot gave: where an excerpt falls is counted, not presumed. (With the
    2 records a band that are kept, a correlation leans to lower values by some 0.03, as ratios of small samples do.)
    """
    world = np.random.default_rng(0)
    n, length = 20_000, 8
    strong = np.where(world.random((n, 1)) < 0.005, world.gamma(4, 4, (n, 1)), 0)
    actual = (world.normal(size=(n, length)) + world.gamma(0.3, 2, (n, 1)) + strong).astype(np.float32)
    good = world.normal(size=actual.shape) + np.where(strong > 0, actual, 0.2 * actual)
    expected = good.astype(np.float32)
    truth = correlation(actual.ravel(), expected.ravel())
    peaks = actual.max(1)
    top = np.argsort(-peaks)[:8]
    estimates = []
    for _ in range(200):
        edges = np.quantile(world.choice(peaks, pilot, False), BAND_EDGES[1:])
        band = (peaks[:, None] > edges).sum(1)
        counts = tuple(np.bincount(band, minlength=4).tolist())
        members = [np.setdiff1d(np.flatnonzero(band == h), top) for h in range(4)]
        picked = [world.choice(mine, min(30, len(mine)), False) for mine in members]
        rows = np.concatenate([*picked, top])
        kinds = np.repeat([*BANDS, Kind.TOP], [*map(len, picked), 8]).astype(np.uint8)
        records = Records(
            rows.astype(np.int32), rows.astype(np.int32), kinds, np.full(len(rows), Split.SCORE, np.uint8),
            np.zeros((len(rows), length), np.int32), actual[rows], None,
        )  # fmt: skip
        stats = replace(STATS, band_excerpts=counts)
        chosen, strata = score_records(records, Protocol.POPULATION, POSITIVE, bands=counts)
        values = score(
            chosen, strata, expected[chosen.excerpts], Protocol.POPULATION, POSITIVE, None, stats, 0
        )
        estimates.append(values[0].value)
    assert np.mean(estimates) == pytest.approx(truth, abs=0.02)


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
        # the dev records have no active token either: no cut
        silent = CUT_METRICS if state is State.OK and np.isfinite(polarity_stats.token_q99) else ()
        assert {value.state for value in random if value.metric not in silent} == {state}
        both = [value for value in values if value.sample is Sample.TOP_AND_RANDOM]
        assert {value.state for value in both if value.metric not in BINARY_METRICS} == {State.OK}


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
