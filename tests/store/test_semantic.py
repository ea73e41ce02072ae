"""Search by meaning through the store, against brute force over what is stored."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.domain.embeddings import Embedder, text_hash, unit
from app.errors import BadInput, NotFound, StoreError
from app.store import Session, Store, embeddings, semantic
from app.store.semantic import Match
from tests import factories
from tests.conftest import Full
from tests.store.test_embeddings import BY, D, add, embed, space, vector_of, waiting


def brute(s: Session, query: np.ndarray, k: int, among: set[int] | None = None) -> list[Match]:
    """Every explanation with a vector, by (similarity in float64 of the stored float16 values, id)."""
    vectors: list[np.ndarray] = []
    found: list[Match] = []
    for chunk in embeddings.chunks(s, space(s), -1):
        vectors += list(chunk.vectors.astype(np.float64))
        for id_, number in zip(chunk.explanations.tolist(), chunk.vector_numbers.tolist(), strict=True):
            if among is None or id_ in among:
                found.append(Match(id_, float((vectors[number] * query.astype(np.float64)).sum())))
    return sorted(found, key=lambda match: (-match.similarity, match.explanation_id))[:k]


@pytest.fixture
def said(full: Full) -> Full:
    """Thirty explanations, several of them in the same words, in four chunks."""
    with full.store.session() as s:
        rows = waiting(s)
        embed(s, rows)
        for start in (0, 10, 20):
            new = [(add(s, f"statement {i}", i), f"statement {i}") for i in range(start, start + 10)]
            embed(s, new)
            there = space(s)
            known = embeddings.known_texts(s, there)
            again = [(add(s, words, 31, f"again {words}"), words) for _, words in new[:4]]
            embeddings.append(
                s, there, [id_ for id_, _ in again], [known[text_hash(words)] for _, words in again], [],
                np.zeros((0, D), np.float32), None, embeddings.last_chunk(s, there) + 1,
            )  # fmt: skip
    return full


def test_it_finds_what_brute_force_finds(said: Full) -> None:
    rng = np.random.default_rng(0)
    with said.store.session() as s:
        for query in [*unit(rng.standard_normal((5, D))), vector_of("statement 3")]:
            for k in (1, 2, 7, 1000):
                assert semantic.search(said.store, factories.SLUG, query, k, BY) == brute(s, query, k)
            among = {match.explanation_id for match in brute(s, query, 1000)[::3]}
            ids = np.array(sorted(among))
            assert semantic.search(said.store, factories.SLUG, query, 5, BY, ids) == brute(s, query, 5, among)
    best = semantic.search(said.store, factories.SLUG, vector_of("statement 3"), 2, BY)
    assert [round(match.similarity, 3) for match in best] == [1.0, 1.0]
    assert best[0].similarity == best[1].similarity and best[0].explanation_id < best[1].explanation_id


@pytest.mark.parametrize("seed", range(5))
def test_ties_come_by_id(store: Store, seed: int) -> None:
    """Different texts of equal vectors, and one text of many neurons."""
    rng = np.random.default_rng(seed)
    directions = unit(rng.standard_normal((4, D)))
    ids = rng.permutation(60) + 1000
    with store.session() as s:
        factories.collect(s)
        there = space(s)
        for at in range(0, 60, 20):
            numbers = [-1 - int(n) for n in rng.integers(0, 8, 20)]
            vectors = directions[rng.integers(0, 4, 8)]
            hashes = [text_hash(f"{at} {i}") for i in range(8)]
            number = embeddings.last_chunk(s, there) + 1
            embeddings.append(s, there, ids[at : at + 20].tolist(), numbers, hashes, vectors, None, number)
    among = np.sort(ids[:30])
    for k in (1, 3, 10, 40, 60, 100):
        with store.session() as s:
            everything = brute(s, directions[0], k)
            some = brute(s, directions[0], k, set(among.tolist()))
        assert semantic.search(store, factories.SLUG, directions[0], k, BY) == everything
        assert semantic.search(store, factories.SLUG, directions[0], k, BY, among) == some


def test_new_chunks_are_found_without_being_asked_for(said: Full) -> None:
    query = vector_of("something new")
    before = semantic.search(said.store, factories.SLUG, query, 3, BY)
    other = Store.open(said.store.engine.url.render_as_string(hide_password=False))  # as a worker has it
    with other.session() as s:
        id_ = add(s, "something new")
        embed(s, [(id_, "something new")])
    other.close()
    after = semantic.search(said.store, factories.SLUG, query, 3, BY)
    assert after[0].explanation_id == id_ and after[1:] == before[:2]


def test_a_loading_that_failed_half_way_is_taken_up_again(
    said: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = vector_of("statement 13")
    whole = embeddings.chunks

    def breaks(s: Session, there: embeddings.Space, after: int):  # type: ignore[no-untyped-def]
        for chunk in whole(s, there, after):
            if chunk.number == 3:
                raise StoreError("the disk went away")
            yield chunk

    monkeypatch.setattr(embeddings, "chunks", breaks)
    with pytest.raises(StoreError, match="the disk went away"):
        semantic.search(said.store, factories.SLUG, query, 5, BY)
    monkeypatch.undo()
    with said.store.session() as s:
        assert semantic.search(said.store, factories.SLUG, query, 5, BY) == brute(s, query, 5)


def test_several_threads_load_it_once_and_find_the_same(said: Full) -> None:
    query = vector_of("statement 5")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: semantic.search(said.store, factories.SLUG, query, 9, BY), range(12)))
    assert all(each == found[0] and len(each) == 9 for each in found)
    assert semantic.loaded(said.store) > 0


def test_similar_explanations_are_found_from_the_stored_vector(said: Full) -> None:
    with said.store.session() as s:
        everything = brute(s, vector_of("statement 12"), 1000)
    twice = [match.explanation_id for match in everything[:2]]  # two explanations of these words
    for one, other in (twice, twice[::-1]):
        similar = semantic.similar(said.store, one, 4, BY)
        assert similar[0].explanation_id == other and len(similar) == 4
        assert one not in {match.explanation_id for match in similar}
        assert {m.explanation_id for m in similar[1:]} == {m.explanation_id for m in everything[2:5]}


def test_what_has_no_vector_says_how_to_get_one(full: Full) -> None:
    query = vector_of("x")
    assert semantic.search(full.store, factories.SLUG, query, 3, BY) == []
    with pytest.raises(
        BadInput, match="no embedding by “tests / random” yet: run `neuronarium embed tiny-random`"
    ):
        semantic.similar(full.store, full.tiny.explanation, 3, BY)
    with pytest.raises(NotFound, match="no explanation 987654"):
        semantic.similar(full.store, 987654, 3, BY)
    with pytest.raises(NotFound, match="no model “nobody”"):
        semantic.search(full.store, "nobody", query, 3, BY)


@pytest.mark.parametrize("wrong", [np.ones(D + 1, np.float32), np.full(D, np.nan, np.float32)])
def test_a_vector_that_does_not_fit_is_refused(said: Full, wrong: np.ndarray) -> None:
    with pytest.raises(BadInput, match="vectors of 8 values: this one does not fit"):
        semantic.search(said.store, factories.SLUG, wrong, 3, BY)


def test_embedders_are_kept_apart(said: Full) -> None:
    other = Embedder(BY.name, "other weights")
    with said.store.session() as s:
        id_, words = waiting(s, token_lookup=True)[0]
        embed(s, [(id_, words)], other)
    query = vector_of("statement 1")
    assert [m.explanation_id for m in semantic.search(said.store, factories.SLUG, query, 9, other)] == [id_]
    assert len(semantic.search(said.store, factories.SLUG, query, 9, BY)) == 9
