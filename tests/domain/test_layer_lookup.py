"""The whole-layer path says of every neuron exactly what the single-neuron path says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.collection import ExcerptTable, LayerResult
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Kind, Polarity, Profile, Quota, Split
from app.domain.protocols import score_records
from app.domain.scoring import score
from app.domain.splits import document_counts, enough_documents
from app.domain.token_lookup import LayerLookup, lookup_layer, lookup_records, token_means
from tests.domain.layers import layer, records_of, statistics_of, table

SEED = 7


def singly(result: LayerResult, excerpts: ExcerptTable, neuron: int, protocol: Protocol) -> list[ScoreValue]:
    """The neuron's correlations by the path that knows one neuron at a time."""
    records, stats = records_of(result, excerpts, neuron), statistics_of(result, neuron)
    source = lookup_records(records)
    means = token_means(source.tokens, source.activations, position0=stats.position0)
    chosen, strata = score_records(records, protocol, Polarity.POSITIVE)
    expected = means.predict(chosen.tokens)
    values = score(chosen, strata, expected, protocol, Polarity.POSITIVE, None, stats, SEED)
    return [value for value in values if value.metric is Metric.CORRELATION]


def assert_agree(lookup: LayerLookup, result: LayerResult, excerpts: ExcerptTable) -> set[State]:
    """Every neuron, protocol and sample; gives the states that were met."""
    met = set()
    for neuron in range(result.neurons):
        expected = [
            value
            for protocol in (Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5)
            for value in singly(result, excerpts, neuron, protocol)
        ]
        found = [scores.at(neuron) for scores in lookup.scores]
        for one, other in zip(found, expected, strict=True):
            numbers = ("value", "low", "high")
            bare = dict.fromkeys(numbers)
            assert one._replace(**bare) == other._replace(**bare)
            for number in numbers:
                assert getattr(one, number) == pytest.approx(getattr(other, number), abs=1e-10), (
                    neuron,
                    number,
                )
            met.add(one.state)
    return met


def awkward() -> tuple[LayerResult, ExcerptTable]:
    """A layer with a neuron for every way in which a score may not exist, and some that are merely odd."""
    rng = np.random.default_rng(5)
    excerpts = table(rng)
    result = layer(rng, excerpts, 70)
    activations, ordinals = result.activations.astype(np.float32), result.excerpts.copy()
    score_random = (result.splits == Split.SCORE) & (result.kinds == Kind.RANDOM)
    score_top = (result.splits == Split.SCORE) & (result.kinds == Kind.TOP)
    explain = result.splits == Split.EXPLAIN

    def unfill(neuron: int, slots: np.ndarray) -> None:
        ordinals[neuron, slots] = -1
        activations[neuron, slots] = 0.0

    activations[0] = 0.0  # dead
    activations[1, score_random] = -1.0  # nothing active at random
    activations[2, explain] = 0.5  # constant prediction
    activations[3] = 3.0  # constant, and above the quantile
    activations[4, np.flatnonzero(score_top)[0], 5] = np.nan
    activations[5, 63, 63] = np.inf
    unfill(6, np.flatnonzero(score_top))
    unfill(7, np.flatnonzero(score_random))
    unfill(8, np.flatnonzero(explain))
    unfill(9, np.flatnonzero(score_random)[3:])
    unfill(10, np.flatnonzero(explain)[4:])
    activations[11, :, 0] = 60.0
    result.position0[11] = True  # an outlier that must not count
    activations[12, :, 0] = 60.0  # the same one, counted
    ordinals[13, score_top | score_random] = ordinals[13, np.flatnonzero(score_top)[0]]  # one document only
    unfill(14, np.flatnonzero(score_top)[::2])  # holes between filled slots
    activations[15] += 3000.0  # mean far above the spread
    activations[16, explain] = np.round(activations[16, explain])  # ties
    result.position0[17:20] = True
    ordinals[20, score_top] = ordinals[20, np.flatnonzero(score_top)[0]]  # top from one document
    activations[22, score_random] = (
        rng.random((int(score_random.sum()), 64)) * 1e-6
    )  # beside top records of 2
    activations[22, score_top] = rng.random((int(score_top.sum()), 64)) * 2
    activations[23] = activations[22]
    activations[23, np.flatnonzero(score_random)[5:]] += 2.0  # only the first five random records are tiny
    result.token_q99[22:24] = 0.0
    few = ordinals[21, np.flatnonzero(score_random)[:3]]
    ordinals[21, score_random] = np.tile(few, 4)  # 12 random records of three documents
    return replace(result, activations=activations, excerpts=ordinals), excerpts


def test_agrees_with_the_single_neuron_path_in_every_state() -> None:
    result, excerpts = awkward()
    assert enough_documents(document_counts(excerpts.splits, excerpts.documents))
    lookup = lookup_layer(result, excerpts, SEED)
    met = assert_agree(lookup, result, excerpts)
    assert met == {
        State.OK, State.FAILED, State.TOO_FEW_RECORDS, State.TOO_FEW_ACTIVE,
        State.CONSTANT_ACTUAL, State.CONSTANT_PREDICTION,
    }  # fmt: skip
    states = [[scores.at(neuron).state for scores in lookup.scores] for neuron in range(14)]
    both_full, random_full = 0, 1
    assert states[0][both_full] is State.CONSTANT_ACTUAL
    assert states[0][random_full] is State.TOO_FEW_ACTIVE
    assert states[1][both_full] is State.OK
    assert states[1][random_full] is State.TOO_FEW_ACTIVE
    assert states[2][both_full] is State.CONSTANT_PREDICTION
    assert states[3][random_full] is State.CONSTANT_ACTUAL
    assert states[4] == [State.FAILED, State.OK, State.FAILED, State.OK]  # in a top record
    assert states[5] == [State.FAILED, State.FAILED, State.OK, State.OK]  # in the twelfth random record
    assert states[6][both_full] is State.TOO_FEW_RECORDS
    assert states[6][random_full] is State.OK
    assert states[7] == [State.TOO_FEW_RECORDS] * 4
    assert states[8][both_full] is State.CONSTANT_PREDICTION
    assert lookup.scores[0].at(13).low is None  # one document: nothing to resample
    full, random = (lookup.scores[which].at(20) for which in (both_full, random_full))
    assert full.low is None and full.n_documents > 2 and random.low is not None
    full, random = (lookup.scores[which].at(21) for which in (both_full, random_full))
    assert full.low is not None and random.low is not None and random.indicative
    assert lookup.scores[0].at(0).value is None
    for neuron in (22, 23):  # spread far below that of the records that are not scored
        assert [scores.at(neuron).state for scores in lookup.scores] == [State.OK] * 4


@given(st.integers(0, 2**32 - 1), st.floats(0, 9), st.floats(-3, 3))
@settings(max_examples=30)
def test_ok_always_has_a_value(seed: int, smaller: float, shift: float) -> None:
    """However small the spread of some records beside that of others, and however far from zero."""
    rng = np.random.default_rng(seed)
    excerpts = table(rng, tokens=16, documents=200)
    made = layer(rng, excerpts, 4, Profile(Quota(2, 0, 0, 2), Quota(1, 0, 0, 1), Quota(3, 0, 0, 7)))
    activations = made.activations.astype(np.float32)
    scale = rng.choice([1.0, 10.0**-smaller], activations.shape[:2])
    activations = (activations * scale[..., None] + np.float32(shift)).astype(np.float32)
    activations[rng.random(activations.shape[:2]) < 0.2] = 0.0
    result = replace(made, activations=activations, token_q99=np.zeros(4, np.float32))
    lookup = lookup_layer(result, excerpts, SEED)
    for neuron in range(4):
        alone = [
            v
            for p in (Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5)
            for v in singly(result, excerpts, neuron, p)
        ]
        for scores, other in zip(lookup.scores, alone, strict=True):
            value = scores.at(neuron)
            assert value.state is other.state
            assert (value.state is State.OK) == (value.value is not None)
            assert value.value == pytest.approx(other.value, abs=1e-9)


def test_a_position0_outlier_neither_teaches_nor_scores() -> None:
    result, excerpts = awkward()
    lookup = lookup_layer(result, excerpts, SEED)
    left_out, counted = lookup.scores[0].at(11), lookup.scores[0].at(12)
    assert left_out.n_tokens == 20 * 63
    assert counted.n_tokens == 20 * 64
    assert left_out.value is not None and counted.value is not None
    assert left_out.value > counted.value + 0.2
    assert lookup.token_means[11].max() < 10 < lookup.token_means[12].max()


def test_top_tokens_are_those_of_the_single_neuron_path() -> None:
    result, excerpts = awkward()
    lookup = lookup_layer(result, excerpts, SEED)
    for neuron in range(result.neurons):
        source = lookup_records(records_of(result, excerpts, neuron))
        means = token_means(source.tokens, source.activations, position0=bool(result.position0[neuron]))
        top = means.top()
        n = len(top.ids)
        assert n == 8 or neuron == 8
        assert lookup.token_ids[neuron].tolist() == top.ids.tolist() + [-1] * (8 - n)
        assert np.array_equal(lookup.token_means[neuron, :n], top.means)
        assert np.array_equal(lookup.token_counts[neuron, :n], top.counts)
        assert lookup.fallback[neuron] == np.float32(means.fallback)
        assert set(lookup.excerpts[neuron]) - {-1} == set(source.excerpts)


def test_a_value_that_is_not_finite_in_an_explain_record_fails_every_score() -> None:
    rng = np.random.default_rng(4)
    excerpts = table(rng)
    result = layer(rng, excerpts, 3)
    result.activations[1, 0, 7] = np.inf
    lookup = lookup_layer(result, excerpts, SEED)
    assert [scores.at(1).state for scores in lookup.scores] == [State.FAILED] * 4
    assert [scores.at(2).state for scores in lookup.scores] == [State.OK] * 4
    assert (lookup.token_means[1] == 0).all()


def test_a_corpus_of_few_documents_has_no_score() -> None:
    rng = np.random.default_rng(1)
    excerpts = table(rng, documents=100)  # 25 in dev
    lookup = lookup_layer(layer(rng, excerpts, 3), excerpts, SEED)
    for scores in lookup.scores:
        assert scores.at(2).state is State.TOO_FEW_RECORDS
        assert np.isnan(scores.values).all()
    assert (lookup.token_ids >= 0).all()


@pytest.mark.parametrize("neurons", [1, 31, 32, 33])
def test_blocks_do_not_show(neurons: int) -> None:
    rng = np.random.default_rng(2)
    excerpts = table(rng, tokens=16, documents=200)
    result = layer(rng, excerpts, neurons, Profile(Quota(2, 1, 0, 1), Quota(1, 0, 0, 1), Quota(3, 1, 1, 7)))
    assert assert_agree(lookup_layer(result, excerpts, SEED), result, excerpts) <= {
        State.OK,
        State.TOO_FEW_ACTIVE,
    }


def test_interval_and_value_are_sane_on_a_layer_with_signal() -> None:
    rng = np.random.default_rng(3)
    excerpts = table(rng)
    lookup = lookup_layer(layer(rng, excerpts, 40), excerpts, SEED)
    full, five = lookup.scores[0], lookup.scores[2]
    assert (full.protocol, full.sample) == (Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM)
    assert (five.protocol, five.sample) == (Protocol.HELDOUT_5_5, Sample.TOP_AND_RANDOM)
    assert (full.low < full.values).all() and (full.values < full.high).all()
    # signal and noise have variance 1 each, so the best possible correlation is sqrt(1/2)
    assert 0.55 < np.median(full.values) < 0.75
    assert (five.high - five.low).mean() > (full.high - full.low).mean()
    assert five.n_records.tolist() == [10] * 40
    assert full.indicative.all()  # 8 top records
    random = lookup.scores[1]
    assert np.array_equal(random.indicative, random.n_documents < 10) and not random.indicative.all()
