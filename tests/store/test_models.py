"""Models, vocabularies and layers."""

from dataclasses import replace

import pytest

from app.errors import BadInput, Conflict, NotFound
from app.store import Store, models
from tests import factories
from tests.conftest import Full


def test_a_model_comes_back_with_every_byte_of_its_tokens(store: Store) -> None:
    with store.session() as s:
        made = models.add_model(s, factories.card(), factories.vocabulary())
        assert made.slug == "tiny-random"
    with store.session() as s:
        found = models.vocabulary(s, "tiny-random")
        assert found.pieces == factories.vocabulary().pieces
        assert found.special == factories.vocabulary().special
        assert models.model(s, "tiny-random").card == factories.card()


def test_adding_twice_gives_the_same_model(store: Store) -> None:
    with store.session() as s:
        first = models.add_model(s, factories.card(), factories.vocabulary())
        assert models.add_model(s, factories.card(), factories.vocabulary()) == first
        assert len(models.models(s)) == 1


def test_before_its_collection_ends_a_model_has_no_layers(store: Store) -> None:
    with store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        found = models.model(s, "tiny-random")
        assert (found.collection, found.collecting, found.layers, found.neurons) == (None, None, 0, 0)
        assert models.layers(s, "tiny-random") == []


def test_other_weights_under_a_name_in_use_are_refused(full: Full) -> None:
    other = replace(factories.card(), revision="f" * 64)
    with pytest.raises(Conflict, match="another “tiny-random”"), full.store.session() as s:
        models.add_model(s, other, factories.vocabulary())


def test_other_weights_replace_a_model_that_was_never_collected(store: Store) -> None:
    other = replace(factories.card(), revision="f" * 64)
    fewer = replace(factories.vocabulary(), pieces=(b"a", b"b"), special=frozenset())
    with store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
    assert models.cached_vocabulary(store, "tiny-random").pieces == factories.vocabulary().pieces
    with store.session() as s:
        models.add_model(s, other, fewer)
        assert models.model(s, "tiny-random").card.revision == "f" * 64
    assert models.cached_vocabulary(store, "tiny-random").pieces == (b"a", b"b")


def test_a_slug_must_fit_into_an_address(store: Store) -> None:
    with store.session() as s:
        for slug in ("", "a/b"):
            with pytest.raises(BadInput, match="part of an address"):
                models.add_model(s, factories.card(slug), factories.vocabulary())


def test_what_the_home_page_needs(full: Full) -> None:
    with full.store.session() as s:
        factories.collect(s, "another-one", gated=False)
        found = models.models(s)
    assert [m.slug for m in found] == ["tiny-random", "another-one"] or {m.slug for m in found} == {
        "tiny-random",
        "another-one",
    }
    tiny = next(m for m in found if m.slug == "tiny-random")
    assert (tiny.layers, tiny.neurons) == (2, 64)
    assert tiny.explanations == 3  # asked for and made; token lookup and failures are not counted
    assert tiny.collection is not None
    assert sum(tiny.collection.documents_per_split) == tiny.collection.documents == factories.DOCUMENTS


def test_layers_say_what_was_collected(shared: Full) -> None:
    with shared.store.session() as s:
        found = models.layers(s, "tiny-random")
        assert [layer.slug for layer in found] == ["0-mlp", "1-mlp"]
        assert models.layer(s, "tiny-random", "1-mlp") == found[1]
    expected = factories.layer_result(1, factories.corpus()[1])
    layer = found[1]
    assert (layer.neurons, layer.gated, layer.records) == (32, True, 64)
    assert layer.mean_density == pytest.approx(float(expected.density.mean()))
    assert layer.max_activation == float(expected.maximum.max())
    assert layer.position0_share == 1 / 32
    assert (layer.n_tokens, layer.n_sampled) == (expected.n_tokens, expected.n_sampled)


def test_unknown_names_say_what_exists(shared: Full) -> None:
    with shared.store.session() as s:
        with pytest.raises(NotFound, match="no model “gpt-9”; there is tiny-random"):
            models.model(s, "gpt-9")
        with pytest.raises(NotFound, match="no layer “9-mlp”; it has 0-mlp, 1-mlp"):
            models.layer(s, "tiny-random", "9-mlp")
    with pytest.raises(NotFound, match="tiny-random"):
        models.cached_vocabulary(shared.store, "gpt-9")


def test_an_empty_store_says_so(store: Store) -> None:
    with store.session() as s, pytest.raises(NotFound, match="no model is in the store yet"):
        models.model(s, "gpt-9")


def test_the_vocabulary_is_read_once(shared: Full) -> None:
    first = models.cached_vocabulary(shared.store, "tiny-random")
    assert models.cached_vocabulary(shared.store, "tiny-random") is first
