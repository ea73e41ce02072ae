"""Collections: out of sight until they end, replaceable until then, and only one of a model at a time."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from app.domain.collection import Document
from app.domain.neurons import NeuronRef, Profile
from app.domain.token_lookup import lookup_layer
from app.errors import BadInput, Conflict, NotFound, StoreError
from app.store import Session, Store, collections, excerpts, explanations, jobs, models, neurons, scores
from app.store.excerpts import ExcerptCache
from app.store.rows import CollectionState, JobState
from tests import factories
from tests.conftest import Full

SLUG = factories.SLUG


def begin(s: Session, job_id: str | None = None) -> int:
    models.add_model(s, factories.card(), factories.vocabulary())
    documents, table = factories.corpus()
    return collections.begin(s, SLUG, "Chapters", documents, table, Profile(), "{}", job_id)


def write(s: Session, collection: int, layer: int = 0, seed: int = 0) -> None:
    _, table = factories.corpus()
    result = factories.layer_result(layer, table, seed=seed)
    collections.write_layer(s, collection, result)
    collections.write_lookup(s, collection, result.slug, lookup_layer(result, table, seed=0))


def count(s: Session, table: str) -> int:
    return int(s.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_collection_under_way_is_invisible_until_it_ends(store: Store) -> None:
    with store.session() as s:
        id_ = begin(s)
    for layer in (0, 1):
        with store.session() as s:
            write(s, id_, layer)
        with store.session() as s:
            summary = models.model(s, SLUG)
            assert summary.collection is None
            assert summary.collecting is not None and summary.collecting.id == id_
            assert models.layers(s, SLUG) == []
            with pytest.raises(NotFound, match="its collection has not ended"):
                neurons.statistics(s, NeuronRef(SLUG, "0-mlp", 0))
            with pytest.raises(NotFound, match="its collection has not ended"):
                neurons.page(s, SLUG, "0-mlp")
        with pytest.raises(NotFound, match="its collection has not ended"):
            ExcerptCache.get(store, SLUG)
    with store.session() as s:
        collections.finish(s, id_)
    with store.session() as s:
        summary = models.model(s, SLUG)
        assert summary.collection is not None and summary.collection.state is CollectionState.COMPLETE
        assert summary.collecting is None
        assert [layer.slug for layer in models.layers(s, SLUG)] == ["0-mlp", "1-mlp"]
        collections.finish(s, id_)  # a repeated step


def test_a_leftover_of_the_same_job_is_replaced(store: Store) -> None:
    with store.session() as s:
        first = begin(s, "job-1")
        write(s, first)
    with store.session() as s:
        second = begin(s, "job-1")
        assert collections.written(s, second) == []
        for table in (
            "exemplars",
            "neurons",
            "neuron_tokens",
            "explanations",
            "scores",
            "best_scores",
            "parts",
        ):
            assert count(s, table) == 0, table
        assert count(s, "collections") == 1
        assert count(s, "documents") == factories.DOCUMENTS


def test_a_leftover_of_a_job_that_ended_is_replaced(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "job-1", "collect", "Collect", "{}", model=SLUG)
        begin(s, "job-1")
        jobs.set_state(s, "job-1", JobState.FAILED, reason="killed")
        jobs.add(s, "job-2", "collect", "Collect", "{}", model=SLUG)
        begin(s, "job-2")
        assert [row.job_id for row in collections.of_model(s, SLUG)] == ["job-2"]


def test_a_collection_by_a_living_job_is_left_alone(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "job-1", "collect", "Collect", "{}", model=SLUG)
        begin(s, "job-1")
    with pytest.raises(Conflict, match="job-1"), store.session() as s:
        begin(s, "job-2")
    with store.session() as s:
        assert [row.job_id for row in collections.of_model(s, SLUG)] == ["job-1"]


def test_the_database_itself_keeps_one_collection_of_a_model(store: Store) -> None:
    with store.session() as s:
        begin(s)
    with pytest.raises(StoreError, match=r"(?i)unique"), store.session() as s:
        columns = [c.name for c in collections.t.collections.columns if c.name != "id"]
        names = ", ".join(columns)
        s.execute(text(f"INSERT INTO collections ({names}) SELECT {names} FROM collections"))


def test_a_layer_written_again_replaces_what_was_there(store: Store) -> None:
    with store.session() as s:
        id_ = begin(s)
        write(s, id_, 0, seed=1)
        write(s, id_, 0, seed=0)
        assert collections.written(s, id_) == ["0-mlp"]
        assert count(s, "exemplars") == factories.NEURONS
        assert count(s, "explanations") == factories.NEURONS
        collections.finish(s, id_)
    with store.session() as s:
        expected = factories.layer_result(0, factories.corpus()[1], seed=0)
        found = neurons.statistics(s, NeuronRef(SLUG, "0-mlp", 2))
        assert found.maximum == float(expected.maximum[2])


def test_token_lookup_written_twice_is_there_once(store: Store) -> None:
    _, table = factories.corpus()
    result = factories.layer_result(0, table)
    lookup = lookup_layer(result, table, seed=0)
    with store.session() as s:
        id_ = begin(s)
        collections.write_layer(s, id_, result)
        collections.write_lookup(s, id_, "0-mlp", lookup)
        collections.write_lookup(s, id_, "0-mlp", lookup)
        assert count(s, "explanations") == factories.NEURONS
        assert count(s, "scores") == 4 * factories.NEURONS


def test_token_lookup_needs_its_layer(store: Store) -> None:
    _, table = factories.corpus()
    lookup = lookup_layer(factories.layer_result(0, table), table, seed=0)
    with store.session() as s:
        id_ = begin(s)
        with pytest.raises(BadInput, match="write the layer first"):
            collections.write_lookup(s, id_, "0-mlp", lookup)
        collections.write_layer(s, id_, factories.layer_result(0, table, neurons=3))
        with pytest.raises(BadInput, match="has 3 neurons, its token lookup 32"):
            collections.write_lookup(s, id_, "0-mlp", lookup)


def test_abandoning_leaves_nothing(store: Store) -> None:
    with store.session() as s:
        id_ = begin(s)
        write(s, id_)
        collections.abandon(s, id_)
        for table in (
            "collections",
            "documents",
            "excerpt_chunks",
            "parts",
            "neurons",
            "exemplars",
            "explanations",
        ):
            assert count(s, table) == 0, table


def test_what_has_ended_can_neither_grow_nor_go(full: Full) -> None:
    with full.store.session() as s:
        id_ = collections.of_model(s, SLUG)[0].id
        with pytest.raises(BadInput, match="has ended"):
            collections.abandon(s, id_)
        with pytest.raises(BadInput, match="has ended"):
            write(s, id_)


def test_a_newer_collection_takes_the_place_of_the_older(full: Full) -> None:
    store, tiny = full
    before = ExcerptCache.get(store, SLUG)
    assert ExcerptCache.get(store, SLUG) is before
    documents, table = factories.corpus(200, seed=5)
    with store.session() as s:
        id_ = collections.begin(s, SLUG, "Other", documents, table, Profile(), "{}", None)
        result = factories.layer_result(1, table, seed=9)
        collections.write_layer(s, id_, result)
    assert ExcerptCache.get(store, SLUG) is before
    with store.session() as s:
        collections.write_lookup(s, id_, "1-mlp", lookup_layer(result, table, seed=0))
        collections.finish(s, id_)
    after = ExcerptCache.get(store, SLUG)
    assert after.collection_id == id_ and len(after.tokens) == len(table.tokens)
    with store.session() as s:
        states = [row.state for row in collections.of_model(s, SLUG)]
        assert states == [CollectionState.COMPLETE, CollectionState.SUPERSEDED]
        assert [layer.slug for layer in models.layers(s, SLUG)] == ["1-mlp"]
        # Records always fit the excerpts they are asked with: a page under way is not torn.
        old, new = (neurons.records(s, excerpts_, tiny.explained) for excerpts_ in (before, after))
        np.testing.assert_array_equal(old.tokens, before.tokens[old.excerpts])
        np.testing.assert_array_equal(new.tokens, after.tokens[new.excerpts])
        assert old.tokens.shape != new.tokens.shape or (old.tokens != new.tokens).any()
        with pytest.raises(NotFound, match="no records in collection"):
            neurons.records(s, replace(after, model="other"), tiny.explained)
        # What was explained on the older one is still there, and still says what it saw.
        rows = explanations.of_neuron(s, tiny.explained)
        assert {row.id for row in rows} >= {tiny.explanation, tiny.negative}
        assert {row.collection_id for row in rows} == {before.collection_id, after.collection_id}
        assert scores.seen_documents(s, tiny.explanation).collection_id == before.collection_id


def test_activations_that_are_not_numbers_are_refused_whole(store: Store) -> None:
    _, table = factories.corpus()
    result = factories.layer_result(0, table)
    result.activations[3, 0, 0] = np.nan
    with store.session() as s:
        id_ = begin(s)
    with pytest.raises(BadInput, match="not a finite number"), store.session() as s:
        collections.write_layer(s, id_, result)
    with store.session() as s:
        assert collections.written(s, id_) == []


def test_a_layer_of_nothing_and_excerpts_that_are_not_there(store: Store) -> None:
    _, table = factories.corpus()
    result = factories.layer_result(0, table, neurons=2)
    with store.session() as s:
        id_ = begin(s)
        with pytest.raises(BadInput, match="without a single layer"):
            collections.finish(s, id_)
        with pytest.raises(BadInput, match="names excerpt"):
            collections.write_layer(s, id_, replace(result, excerpts=result.excerpts + 1000))
        with pytest.raises(NotFound, match="no collection 999"):
            collections.get(s, 999)


def test_documents_that_would_not_be_held_out_are_refused() -> None:
    documents, table = factories.corpus()
    first = documents[0]
    other_split = next(d for d in documents if d.split != first.split)
    twins = [replace(d, cluster=first.cluster) if d is other_split else d for d in documents]
    with pytest.raises(BadInput, match="near-duplicates of document"):
        excerpts.check(twins, table)
    moved = replace(table, splits=np.roll(table.splits, 2))
    with pytest.raises(BadInput, match="another split than its document"):
        excerpts.check(documents, moved)
    with pytest.raises(BadInput, match="without a gap"):
        excerpts.check(documents[1:], table)
    with pytest.raises(BadInput, match="document that is not there"):
        excerpts.check(documents, replace(table, documents=table.documents + 1))
    with pytest.raises(BadInput, match="at least one"):
        excerpts.check([], table)


def test_documents_and_excerpts_come_back(full: Full) -> None:
    documents, table = factories.corpus()
    with full.store.session() as s:
        found = excerpts.documents(s, SLUG)
    assert found == list(documents)
    assert isinstance(found[0], Document)
    stored = ExcerptCache.get(full.store, SLUG)
    np.testing.assert_array_equal(stored.tokens, table.tokens)
    np.testing.assert_array_equal(stored.documents, table.documents)
    np.testing.assert_array_equal(stored.splits, table.splits)
    np.testing.assert_array_equal(stored.starts, table.starts)
    with pytest.raises(ValueError, match="read-only"):
        stored.tokens[0, 0] = 1


def test_excerpts_over_several_stored_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpts, "CHUNK", 7)
    _, table = factories.corpus()
    with store.session() as s:
        id_ = begin(s)
        found = excerpts.read(s, SLUG, id_)
        np.testing.assert_array_equal(found.tokens, table.tokens)
        wanted = [0, 6, 7, 479, 13, 0]
        assert excerpts.documents_of(s, id_, wanted) == [int(table.documents[i]) for i in wanted]
        with pytest.raises(BadInput, match="no excerpt 480"):
            excerpts.documents_of(s, id_, [480])


@pytest.mark.parametrize(
    ("layers", "excerpts", "words"),
    [
        ((), 480, ""),
        ((0, 1), 1000, ""),
        ((0, 1, 2), 480, ""),
        ((), 479, "480 excerpts in 2 layers.*with only 479 excerpts:"),
        ((1,), 480, "with no 0-mlp:"),
        ((2, 3), 1000, "with no 0-mlp, 1-mlp:"),
        ((0,), 60, "only 60 excerpts and no 1-mlp: ask for as much, or .*--replace"),
    ],
)
def test_a_collection_that_would_take_something_away_is_refused(
    shared: Full, layers: tuple[int, ...], excerpts: int, words: str
) -> None:
    with shared.store.session() as s:
        collections.refuse_loss(s, "nobody", layers, excerpts)
        if not words:
            collections.refuse_loss(s, SLUG, layers, excerpts)
            return
        with pytest.raises(Conflict, match=words):
            collections.refuse_loss(s, SLUG, layers, excerpts)
