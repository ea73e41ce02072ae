"""Embeddings in the store: what waits, what is kept once, what a repeated writer meets."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.embeddings import Embedder, text_hash, unit
from app.domain.explanations import Method, Provenance, State, Usage
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput, Conflict, NotFound, StoreError
from app.store import Session, Store, embeddings, explanations, jobs
from app.store.embeddings import Counts
from app.store.rows import JobState
from tests import factories
from tests.conftest import Full

BY = Embedder("tests / random", "r1")
D = 8


def vector_of(said: str) -> np.ndarray:
    """A unit vector that depends on the text alone."""
    seed = int.from_bytes(text_hash(said)[:8], "little")
    return unit(np.random.default_rng(seed).standard_normal((1, D)))[0]


def add(s: Session, said: str | None, index: int = 0, key: str = "", method: Method = Method.SUMMARY) -> int:
    """An explanation of a neuron, or a failure to make one."""
    ref = NeuronRef(factories.SLUG, factories.LAYERS[0], index)
    return explanations.add(
        s, ref, said, Polarity.POSITIVE, Provenance(method.value, 'tests', '', '', '', '{}', 0, (), 'test', Usage(), 'tests'),
        State.OK if said else State.FAILED, "" if said else "no answer", None, key or f"{said}-{index}",
    )  # fmt: skip


def space(s: Session, by: Embedder = BY) -> embeddings.Space:
    embeddings.register(s, by, D)
    there = embeddings.space(s, factories.SLUG, by)
    assert there is not None
    return there


def embed(s: Session, rows: Sequence[tuple[int, str]], by: Embedder = BY, job_id: str | None = None) -> None:
    """One chunk of these explanations, each with a new vector."""
    there = space(s, by)
    embeddings.append(
        s, there, [id_ for id_, _ in rows], [-1 - i for i in range(len(rows))], [text_hash(said) for _, said in rows],
        np.stack([vector_of(said) for _, said in rows]), job_id, embeddings.last_chunk(s, there) + 1,
    )  # fmt: skip


def waiting(s: Session, **more: bool) -> list[tuple[int, str]]:
    newest = embeddings.newest(s, slug=factories.SLUG, **more)
    return embeddings.waiting(s, factories.SLUG, BY, newest, **more)


def test_what_came_about_waits_and_token_lists_only_when_asked_for(full: Full) -> None:
    with full.store.session() as s:
        failed = add(s, None, key="failed")
        made = add(s, " words about the sea ")
        found = dict(waiting(s))
        everything = dict(waiting(s, token_lookup=True))
    assert found[made] == " words about the sea " and failed not in found
    assert full.tiny.explanation in found and full.tiny.failed_explanation not in found
    assert len(everything) == len(found) + 2 * factories.NEURONS
    assert found.items() <= everything.items()


def test_what_is_embedded_waits_no_more_and_a_bound_leaves_later_ones(full: Full) -> None:
    with full.store.session() as s:
        before = waiting(s)
        embed(s, before[:1])
        assert waiting(s) == before[1:]
        newest = embeddings.newest(s, slug=factories.SLUG)
        late = add(s, "later")
        assert late not in dict(embeddings.waiting(s, factories.SLUG, BY, newest))
        assert (late, "later") in waiting(s)
        other = embeddings.waiting(s, factories.SLUG, Embedder("another", "r1"), newest)
        assert other == before  # each embedder for itself
        counts = embeddings.counts(s, factories.SLUG, BY)
    assert counts == Counts(embedded=1, waiting=len(before), vectors=1)


def test_collections_under_way_are_left_alone(store: Store) -> None:
    factories.fill(store)
    with store.session() as s:
        assert waiting(s, token_lookup=True)
        s.execute(text("UPDATE collections SET state = 0"))
        assert waiting(s, token_lookup=True) == []


def test_chunks_come_back_as_written(full: Full) -> None:
    with full.store.session() as s:
        rows = waiting(s)
        more = [(add(s, f"statement {i}", i), f"statement {i}") for i in range(5)]
        embed(s, rows, job_id="job-1")
        there = space(s)
        # An explanation of known words, and a new one, in one chunk.
        embeddings.append(
            s, there, [more[0][0], more[1][0], more[2][0]], [0, -1, -1], [text_hash("statement 1")],
            vector_of("statement 1")[None], "job-1", 1,
        )  # fmt: skip
        assert embeddings.made_by(s, "job-1") == (len(rows) + 3, len(rows) + 1)
        assert embeddings.made_by(s, "job-2") == (0, 0)
    with full.store.session() as s:
        first, second = embeddings.chunks(s, there, -1)
        assert [c.number for c in embeddings.chunks(s, there, 0)] == [1]
        assert embeddings.last_chunk(s, there) == 1
        known = embeddings.known_texts(s, there)
    assert first.explanations.tolist() == [id_ for id_, _ in rows]
    assert first.vector_numbers.tolist() == list(range(len(rows)))
    assert np.array_equal(first.vectors, np.stack([vector_of(said) for _, said in rows]).astype(np.float16))
    assert second.vector_numbers.tolist() == [0, len(rows), len(rows)]
    assert (second.first_vector, second.vectors.shape) == (len(rows), (1, D))
    assert known == {text_hash(said): i for i, (_, said) in enumerate([*rows, more[1]])}


def test_many_chunks_are_read_some_at_a_time(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "AT_ONCE", 2)
    with full.store.session() as s:
        rows = [(add(s, f"statement {i}", i), f"statement {i}") for i in range(5)]
        for row in rows:
            embed(s, [row])
        there = space(s)
        for after in range(-1, 5):
            assert [c.number for c in embeddings.chunks(s, there, after)] == list(range(after + 1, 5))


def test_a_second_writer_is_told_so_and_writes_nothing(full: Full) -> None:
    with full.store.session() as s:
        rows = waiting(s)[:2]
        embed(s, rows[:1])
    with pytest.raises(Conflict, match="another process"), full.store.session() as s:
        embeddings.append(s, space(s), [rows[1][0]], [-1], [text_hash("x")], vector_of("x")[None], None, 0)
    with full.store.session() as s:
        assert embeddings.last_chunk(s, space(s)) == 0


@pytest.mark.parametrize(
    ("ids", "numbers", "hashes"),
    [([], [], 0), ([1], [0], 0), ([1], [-2], 1), ([1, 2], [-1], 1)],
)
def test_a_chunk_that_makes_no_sense_is_refused(
    full: Full, ids: list[int], numbers: list[int], hashes: int
) -> None:
    with pytest.raises(BadInput), full.store.session() as s:
        vectors = np.ones((hashes, D), np.float32)
        embeddings.append(s, space(s), ids, numbers, [b"x" * 16] * hashes, vectors, None, 0)


def test_an_embedder_keeps_its_dimension(store: Store) -> None:
    with store.session() as s:
        assert embeddings.dimension(s, BY) is None
        made = embeddings.register(s, BY, D)
        assert embeddings.register(s, BY, D) == made and embeddings.dimension(s, BY) == D
        assert embeddings.register(s, Embedder(BY.name, "r2"), D + 1) != made  # other weights
        assert embeddings.embedders(s) == [BY, Embedder(BY.name, "r2")]
        with pytest.raises(Conflict, match="vectors of 9 values, and those stored have 8"):
            embeddings.register(s, BY, D + 1)


def test_texts_of_another_model_are_found_there(full: Full) -> None:
    with full.store.session() as s:
        factories.collect(s, "other")
        rows = waiting(s)
        embed(s, rows)
        there = embeddings.space(s, "other", BY)
        assert there is not None
        wanted = {text_hash(rows[0][1]), text_hash("nobody said this")}
        [(hashed, vector)] = embeddings.elsewhere(s, there, wanted).items()
        assert embeddings.elsewhere(s, space(s), wanted) == {}  # its own are not elsewhere
    assert hashed == text_hash(rows[0][1])
    assert np.array_equal(vector, vector_of(rows[0][1]).astype(np.float16).astype(np.float32))


def test_unknown_models_are_named(store: Store) -> None:
    with store.session() as s, pytest.raises(NotFound, match="no model “nobody”"):
        embeddings.waiting(s, "nobody", BY, 1)


def test_embeddings_are_only_ever_added(full: Full) -> None:
    with full.store.session() as s:
        embed(s, waiting(s))
    for statement in (
        "UPDATE embedding_chunks SET n_vectors = 0",
        "DELETE FROM embedding_chunks",
        "UPDATE embedders SET name = 'x'",
        "DELETE FROM embedders",
    ):
        with pytest.raises((StoreError, DBAPIError), match="append-only"), full.store.session() as s:
            s.execute(text(statement))


def test_a_model_is_embedded_by_one_job_at_a_time(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "embed-1", "embed", "Embed", "{}", model="m")
        jobs.add(s, "embed-2", "embed", "Embed", "{}", model="other")
        with pytest.raises(Conflict, match="embedded already by job embed-1: wait for it"):
            jobs.add(s, "embed-3", "embed", "Embed", "{}", model="m")
        jobs.set_state(s, "embed-1", JobState.FAILED, reason="x")
        jobs.add(s, "embed-3", "embed", "Embed", "{}", model="m")
