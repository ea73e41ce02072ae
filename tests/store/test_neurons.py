"""One neuron's evidence is what the collection gave, rounded to float16 and no further."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.neurons import Kind, NeuronRef, Profile, Split
from app.domain.token_lookup import lookup_layer
from app.errors import BadInput, NotFound
from app.store import Store, collections, models, neurons
from app.store.excerpts import ExcerptCache
from app.store.rows import QUANTILES, NeuronSort
from tests import factories
from tests.conftest import Full

SLUG = factories.SLUG


@pytest.mark.parametrize("gated", [True, False])
def test_records_are_those_that_were_collected(store: Store, gated: bool) -> None:
    _, table = factories.corpus()
    with store.session() as s:
        factories.collect(s, gated=gated)
    excerpts = ExcerptCache.get(store, SLUG)
    result = factories.layer_result(1, table, gated=gated)
    with store.session() as s:
        for index in (0, 5, 31):
            found = neurons.records(s, excerpts, NeuronRef(SLUG, "1-mlp", index))
            kept = np.flatnonzero(result.excerpts[index] >= 0)
            ordinals = result.excerpts[index, kept]
            np.testing.assert_array_equal(found.excerpts, ordinals)
            np.testing.assert_array_equal(found.documents, table.documents[ordinals])
            np.testing.assert_array_equal(found.tokens, table.tokens[ordinals])
            np.testing.assert_array_equal(found.kinds, result.kinds[kept])
            np.testing.assert_array_equal(found.splits, result.splits[kept])
            np.testing.assert_array_equal(
                found.activations, result.activations[index, kept].astype(np.float16).astype(np.float32)
            )
            assert found.activations.dtype == np.float32
            if gated:
                assert found.gates is not None and result.gates is not None
                np.testing.assert_array_equal(np.packbits(found.gates, axis=1), result.gates[index, kept])
            else:
                assert found.gates is None
            top = found.where((Kind.TOP,), (Split.EXPLAIN,))
            assert top.activations.max(1).tolist() == sorted(top.activations.max(1).tolist(), reverse=True)


def test_slots_that_were_not_filled_are_not_there(store: Store) -> None:
    documents, table = factories.corpus()
    result = factories.layer_result(0, table)
    excerpts = result.excerpts.copy()
    excerpts[2, [0, 40]] = -1
    excerpts[3, :] = -1
    with store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        id_ = collections.begin(s, SLUG, "Chapters", documents, table, Profile(), "{}", None)
        collections.write_layer(s, id_, replace(result, excerpts=excerpts))
        collections.finish(s, id_)
    cached = ExcerptCache.get(store, SLUG)
    with store.session() as s:
        found = neurons.records(s, cached, NeuronRef(SLUG, "0-mlp", 2))
        assert len(found) == int((excerpts[2] >= 0).sum())
        assert found.kinds.tolist() == result.kinds[excerpts[2] >= 0].tolist()
        assert len(neurons.records(s, cached, NeuronRef(SLUG, "0-mlp", 3))) == 0


def test_statistics_and_histogram(shared: Full) -> None:
    result = factories.layer_result(1, factories.corpus()[1])
    with shared.store.session() as s:
        for index in (0, 5):
            ref = NeuronRef(SLUG, "1-mlp", index)
            found = neurons.statistics(s, ref)
            for name in ("mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density"):
                assert getattr(found, name) == float(getattr(result, name)[index]), name
            for name in ("explain_maximum", "explain_minimum", "token_q99", "token_q01", "excerpt_max_q99"):
                assert getattr(found, name) == float(getattr(result, name)[index]), name
            assert (found.n_tokens, found.n_sampled) == (result.n_tokens, result.n_sampled)
            assert result.sign_shares is not None and found.sign_shares is not None
            assert list(found.sign_shares) == result.sign_shares[index].tolist()
            assert found.position0 is neurons.position0(s, ref) is (index == 5)
            assert list(found.band_excerpts) == result.band_excerpts[index].tolist()
            histogram = neurons.histogram(s, ref)
            np.testing.assert_array_equal(histogram.counts, result.histogram[index])
            assert (histogram.low, histogram.high) == (
                float(result.histogram_low[index]),
                float(result.histogram_high[index]),
            )


def test_moments_that_are_not_defined_come_back_as_nan(store: Store) -> None:
    documents, table = factories.corpus()
    result = factories.layer_result(0, table, neurons=3)
    result.skewness[1] = np.nan
    result.kurtosis[1] = np.inf
    with store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        id_ = collections.begin(s, SLUG, "Chapters", documents, table, Profile(), "{}", None)
        collections.write_layer(s, id_, result)
        collections.finish(s, id_)
        found = neurons.statistics(s, NeuronRef(SLUG, "0-mlp", 1))
        assert np.isnan(found.skewness) and np.isnan(found.kurtosis)
        rows = neurons.page(s, SLUG, "0-mlp", NeuronSort.SKEWNESS).items
        assert [row.index for row in rows][-1] == 1
        assert np.isnan(rows[-1].skewness)


def test_top_tokens_are_those_of_the_token_lookup(shared: Full) -> None:
    _, table = factories.corpus()
    lookup = lookup_layer(factories.layer_result(1, table), table, seed=0)
    with shared.store.session() as s:
        found = neurons.top_tokens(s, NeuronRef(SLUG, "1-mlp", 4))
    keep = lookup.token_ids[4] >= 0
    np.testing.assert_array_equal(found.ids, lookup.token_ids[4][keep])
    np.testing.assert_array_equal(found.means, lookup.token_means[4][keep])
    np.testing.assert_array_equal(found.counts, lookup.token_counts[4][keep])


def test_without_a_token_lookup_there_are_no_top_tokens(store: Store) -> None:
    documents, table = factories.corpus()
    with store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        id_ = collections.begin(s, SLUG, "Chapters", documents, table, Profile(), "{}", None)
        collections.write_layer(s, id_, factories.layer_result(0, table))
        collections.finish(s, id_)
        assert len(neurons.top_tokens(s, NeuronRef(SLUG, "0-mlp", 0)).ids) == 0
        assert neurons.page(s, SLUG, "0-mlp").items[0].top_tokens == ()
        assert neurons.page(s, SLUG, "0-mlp").items[0].best is None


def test_neurons_that_do_not_exist(shared: Full) -> None:
    excerpts = ExcerptCache.get(shared.store, SLUG)
    with shared.store.session() as s:
        for index in (32, -1, 1 << 24):
            ref = NeuronRef(SLUG, "1-mlp", index)
            for ask in (
                lambda ref=ref: neurons.records(s, excerpts, ref),
                lambda ref=ref: neurons.statistics(s, ref),
                lambda ref=ref: neurons.top_tokens(s, ref),
            ):
                with pytest.raises(NotFound, match=f"no neuron {index}; it has 0 to 31"):
                    ask()
        with pytest.raises(NotFound, match="no layer “7-mlp”"):
            neurons.records(s, excerpts, NeuronRef(SLUG, "7-mlp", 0))
        with pytest.raises(NotFound, match="no model “other”"):
            neurons.records(s, excerpts, NeuronRef("other", "1-mlp", 0))


def test_any_neuron_may_come_up(shared: Full) -> None:
    with shared.store.session() as s:
        found = {neurons.random_ref(s, SLUG) for _ in range(120)}
        assert {ref.layer for ref in found} == {"0-mlp", "1-mlp"}
        assert all(0 <= ref.index < 32 for ref in found) and len({ref.index for ref in found}) > 16
        assert {neurons.random_ref(s, SLUG, "1-mlp").layer for _ in range(9)} == {"1-mlp"}
        with pytest.raises(NotFound):
            neurons.random_ref(s, SLUG, "7-mlp")


def test_distributions_over_layers(shared: Full) -> None:
    results = [factories.layer_result(i, factories.corpus()[1]) for i in (0, 1)]
    with shared.store.session() as s:
        found = neurons.distribution(s, SLUG, NeuronSort.DENSITY)
        with pytest.raises(BadInput, match="no statistic"):
            neurons.distribution(s, SLUG, NeuronSort.SCORE)
    assert [row.layer for row in found] == ["0-mlp", "1-mlp"]
    for row, result in zip(found, results, strict=True):
        values = result.density.astype(np.float64)
        assert row.neurons == 32
        assert row.mean == pytest.approx(values.mean())
        assert row.quantiles == pytest.approx(tuple(np.quantile(values, QUANTILES)))
