"""Which neurons resemble one, on both databases, against brute force over what the store keeps."""

import numpy as np
import pytest

from app.domain.embeddings import Embedder
from app.domain.neurons import Kind, NeuronRef
from app.errors import BadInput, NotFound
from app.store import Store, codec, excerpt_index, neurons, similar
from app.store.excerpts import ExcerptCache
from app.web.measures import DEFAULT
from tests import factories
from tests.conftest import Full
from tests.store.test_embeddings import BY, add, embed, waiting

ALL = [NeuronRef(factories.SLUG, layer, i) for layer in factories.LAYERS for i in range(factories.NEURONS)]
PATIENCE = 60.0


def tops(store: Store) -> dict[NeuronRef, set[int]]:
    table = ExcerptCache.get(store, factories.SLUG)
    with store.session() as s:
        return {ref: set(neurons.records(s, table, ref).where((Kind.TOP,)).excerpts.tolist()) for ref in ALL}


def test_the_index_has_every_neuron_of_every_excerpt(shared: Full) -> None:
    kept = tops(shared.store)
    with shared.store.session() as s:
        index = excerpt_index.build(s, factories.SLUG)
    assert len(index.ids) == len(ALL) and (np.diff(index.ids) > 0).all()
    by_place = dict(zip(range(len(ALL)), ALL, strict=True))  # ids ascend with layers and indices
    for excerpt in range(factories.EXCERPTS):
        here = index.of(excerpt).tolist()
        assert here == sorted(set(here))
        assert {by_place[at] for at in here} == {ref for ref, held in kept.items() if excerpt in held}
    assert index.sizes.tolist() == [len(kept[ref]) for ref in ALL]
    for at in (0, 17, 63):
        assert index.sharing(at).tolist() == [len(kept[ALL[at]] & kept[ref]) for ref in ALL]
    assert len(index.of(-1)) == len(index.of(factories.EXCERPTS + 9)) == 0
    assert index.place(-5) == -1


def test_blocks_of_any_size_join(shared: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    with shared.store.session() as s:
        whole = excerpt_index.build(s, factories.SLUG)
        monkeypatch.setattr(excerpt_index, "AT_ONCE", 5)
        again = excerpt_index.build(s, factories.SLUG)
    for name in ("ids", "sizes", "offsets", "neurons"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))


@pytest.mark.parametrize("shift", [0, 70_000])
def test_excerpts_of_many_rows_are_those_of_each(shift: int) -> None:
    """Narrow and wide ordinals, rows with empty slots, heads cut off as the database gives them."""
    result = factories.layer_result(0, factories.corpus()[1])
    rng = np.random.default_rng(1)
    result.excerpts[rng.random(result.excerpts.shape) < 0.3] = -1
    result.excerpts[16:][result.excerpts[16:] >= 0] += shift
    rows = list(codec.encode_layer(result))
    wanted = result.kinds == int(Kind.TOP)
    head = codec.head_bytes(len(wanted))
    owners, found = codec.kept_excerpts([row[:head] for row in rows], wanted)
    for i, row in enumerate(rows):
        held = codec.decode_records(row)
        assert found[owners == i].tolist() == held.excerpts[wanted[held.slots]].tolist()
    assert owners.tolist() == sorted(owners.tolist())


def test_by_excerpts_it_is_jaccard_over_top_records(shared: Full) -> None:
    kept = tops(shared.store)
    me = shared.tiny.explained
    with shared.store.session() as s:
        here = similar.place(shared.store, s, me)
        found = similar.by_excerpts(shared.store, s, here, DEFAULT, 10, PATIENCE)
    mine = kept[me]
    scores = sorted(
        (-len(mine & kept[ref]) / len(mine | kept[ref]), i) for i, ref in enumerate(ALL) if ref != me
    )
    assert [each.found.ref for each in found.items] == [ALL[i] for value, i in scores[:10] if value < 0]
    assert [each.value for each in found.items] == pytest.approx([-value for value, _ in scores[:10]])
    assert [each.shared for each in found.items] == [len(mine & kept[e.found.ref]) for e in found.items]
    assert found.own == len(mine) and not found.preparing and not found.why_none


def test_by_tokens_it_is_the_cosine_over_top_tokens(shared: Full) -> None:
    me = shared.tiny.plain
    vectors: dict[NeuronRef, dict[int, float]] = {}
    with shared.store.session() as s:
        for ref in ALL:
            stored = neurons.top_tokens(s, ref)
            pairs = zip(stored.ids.tolist(), stored.means.tolist(), strict=True)
            vectors[ref] = {token: mean for token, mean in pairs if mean > 0}
        here = similar.place(shared.store, s, me)
        found = similar.by_tokens(s, here, DEFAULT, 64)

    def cosine(a: dict[int, float], b: dict[int, float]) -> float:
        both = sum(a[token] * b[token] for token in a.keys() & b.keys())
        return both / np.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))

    values = {ref: cosine(vectors[me], vectors[ref]) for ref in ALL if ref != me}
    assert {each.found.ref for each in found.items} == {ref for ref, value in values.items() if value > 0}
    for each in found.items:
        assert each.value == pytest.approx(values[each.found.ref], abs=1e-5)
        assert each.shared == len(vectors[me].keys() & vectors[each.found.ref].keys())
    listed = [each.value for each in found.items]
    assert listed == sorted(listed, reverse=True) and found.own == len(vectors[me])


def test_by_explanation_it_is_the_nearest_of_other_neurons(full: Full) -> None:
    with full.store.session() as s:
        add(s, "same words", 1)
        add(s, "same words", 2, "second")
        add(s, "same words", 2, "third")
        add(s, "quite another thing", 4)
        embed(s, waiting(s))
    me = NeuronRef(factories.SLUG, factories.LAYERS[0], 1)
    with full.store.session() as s:
        here = similar.place(full.store, s, me)
        found = similar.by_explanation(full.store, s, here, DEFAULT, 3, lambda: BY)
    refs = [each.found.ref for each in found.items]
    assert refs[0] == NeuronRef(me.model, me.layer, 2)
    assert len(refs) == len(set(refs)) == 3 and me not in refs
    assert found.items[0].value == pytest.approx(1, abs=2e-3)
    assert found.items[0].found.said is not None and found.items[0].found.said.text == "same words"


def test_what_is_missing_is_said(shared: Full) -> None:
    def nobody() -> Embedder:
        raise BadInput("Search by meaning is not set up: do this")

    with shared.store.session() as s:
        here = similar.place(shared.store, s, shared.tiny.plain)
        said = similar.by_explanation(shared.store, s, here, DEFAULT, 5, nobody)
        assert said.why_none.startswith("Nobody has said") and not said.items
        here = similar.place(shared.store, s, shared.tiny.explained)
        assert "not set up" in similar.by_explanation(shared.store, s, here, DEFAULT, 5, nobody).why_none
        embedder = similar.by_explanation(shared.store, s, here, DEFAULT, 5, lambda: BY)
        assert "neuronarium embed tiny-random" in embedder.why_none
        for ref in (NeuronRef("none", "0-mlp", 0), NeuronRef(factories.SLUG, "9-mlp", 0)):
            with pytest.raises(NotFound):
                similar.place(shared.store, s, ref)
        with pytest.raises(NotFound):
            similar.place(shared.store, s, NeuronRef(factories.SLUG, "0-mlp", 10**30))


def test_it_is_made_once_and_anew_when_the_collection_changed(full: Full) -> None:
    first = excerpt_index.index(full.store, factories.SLUG, PATIENCE)
    assert first is not None and excerpt_index.index(full.store, factories.SLUG, PATIENCE) is first
    with full.store.session() as s:
        s.exec_driver_sql("UPDATE collections SET revision = revision + 1")
    second = excerpt_index.index(full.store, factories.SLUG, PATIENCE)
    assert second is not None and second is not first
    with pytest.raises(NotFound):
        excerpt_index.index(full.store, "none", PATIENCE)


def test_whoever_comes_too_early_is_told(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    go, build = Event(), excerpt_index.build

    def slow(s, slug):  # type: ignore[no-untyped-def]
        go.wait(PATIENCE)
        return build(s, slug)

    monkeypatch.setattr(excerpt_index, "build", slow)
    with full.store.session() as s:
        here = similar.place(full.store, s, full.tiny.plain)
        found = similar.by_excerpts(full.store, s, here, DEFAULT, 5, 0.01)
        assert found.preparing and not found.items
    go.set()
    assert excerpt_index.index(full.store, factories.SLUG, PATIENCE) is not None


def test_a_making_that_fails_says_so_and_can_be_tried_again(
    full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.errors import StoreError

    with monkeypatch.context() as patch:
        patch.setattr(excerpt_index, "build", lambda s, slug: 1 // 0)
        with pytest.raises(StoreError, match="try again"):
            excerpt_index.index(full.store, factories.SLUG, PATIENCE)
    assert excerpt_index.index(full.store, factories.SLUG, PATIENCE) is not None
