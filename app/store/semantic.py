"""Search by meaning: the explanations whose embeddings are nearest to a query's, exactly, by cosine.

A space's vectors are loaded with the first search, kept in memory by the store (see domain/nearest.py for what of them) and shared between threads; chunks that
came since are added before each search. The same on both databases: pgvector's exact scan would read every vector from
disk blocks for each query, and its indexes are approximate.
"""

from threading import Lock
from typing import NamedTuple

import numpy as np

from app.domain.embeddings import Embedder
from app.domain.nearest import Float64, Matrix, Rows
from app.domain.neurons import Bool, Float32
from app.errors import BadInput
from app.store import embeddings, explanations
from app.store.embeddings import Ids, Space
from app.store.session import Session, Store


class Match(NamedTuple):
    """One explanation and how near it is."""

    explanation_id: int
    similarity: float  # cosine; 1 for the same direction


class _Owners(NamedTuple):
    """Which explanations each vector belongs to: sorted by vector, then by explanation."""

    size: int  # how many vectors there were then
    vectors: Rows  # [N]
    explanations: Ids  # [N]


class Vectors:
    """One space in memory."""

    def __init__(self, there: Space) -> None:
        self.matrix = Matrix(there.dimension)
        self._space = there
        self._last = -1
        self._owners = _Owners(0, np.zeros(0, np.intp), np.zeros(0, np.int64))
        self._lock = Lock()

    def refresh(self, s: Session) -> _Owners:
        """Take in the chunks that were added since; who owns what now. Others wait for a first loading."""
        newest = embeddings.last_chunk(s, self._space)
        with self._lock:
            if newest <= self._last:
                return self._owners
            last, arrays = self._last, [(self._owners.vectors, self._owners.explanations)]
            for chunk in embeddings.chunks(s, self._space, last):
                # What a loading that failed half-way took in already is not taken in again.
                self.matrix.append(chunk.vectors[max(0, len(self.matrix) - chunk.first_vector) :])
                arrays.append((chunk.vector_numbers.astype(np.intp), chunk.explanations))
                last = chunk.number
            vectors, ids = (np.concatenate(parts) for parts in zip(*arrays, strict=True))
            order = np.lexsort((ids, vectors))
            self._owners = _Owners(len(self.matrix), vectors[order], ids[order])
            self._last = last
            return self._owners

    def close(self) -> None:
        """Give memory and file back."""
        self.matrix.close()


def search(
    store: Store,
    slug: str,
    query: Float32,
    k: int,
    embedder: Embedder,
    among: Ids | None = None,
) -> list[Match]:
    """The k explanations of a model that are nearest to a unit vector [D], nearest first, equal ones by id.

    `among` are ids of the only explanations to look at. Empty where nothing is embedded yet. BadInput for a
    vector of another length; NotFound for the model.
    """
    found = _vectors(store, slug, embedder)
    if found is None:
        return []
    vectors, owners = found
    if query.shape != (vectors.matrix.dimension,) or not np.isfinite(query).all():
        raise BadInput(
            f"“{embedder.name}” compares finite vectors of {vectors.matrix.dimension} values: this one does not fit"
        )
    return _nearest(vectors.matrix, owners, query, k, among)


def similar(
    store: Store, explanation_id: int, k: int, embedder: Embedder, among: Ids | None = None
) -> list[Match]:
    """The k explanations of the same model that are nearest to a stored one, without itself; those of the same words come first.

    Nothing is embedded for it. BadInput where it has no vector; NotFound where it does not exist.
    """
    with store.session() as s:
        slug = embeddings.model_of(s, explanation_id) or explanations.get(s, explanation_id).ref.model
    found = _vectors(store, slug, embedder)
    at = np.zeros(0, np.intp) if found is None else np.flatnonzero(found[1].explanations == explanation_id)
    if found is None or not len(at):
        raise BadInput(
            f"this explanation ({explanation_id}) has no embedding by “{embedder.name}” yet: run `neuronarium embed {slug}`"
        )
    vectors, owners = found
    query = vectors.matrix.read(owners.vectors[at[:1]])[0].astype(np.float32)
    matches = _nearest(vectors.matrix, owners, query, k + 1, among)
    return [match for match in matches if match.explanation_id != explanation_id][:k]


def embedded(store: Store, slug: str, embedder: Embedder) -> Ids:
    """Ids of the model's explanations that search by meaning knows; none where nothing is embedded. NotFound for the model."""
    found = _vectors(store, slug, embedder)
    return np.zeros(0, np.int64) if found is None else found[1].explanations


def vectors_for(store: Store, slug: str, embedder: Embedder, ids: Ids) -> tuple[Bool, Float32]:
    """(which of these explanations of a model have a vector [N], the vectors [M, D] of those that have, in their order)."""
    found = _vectors(store, slug, embedder)
    if found is None or not len(found[1].explanations):
        return np.zeros(len(ids), np.bool_), np.zeros((0, 0), np.float32)
    vectors, owners = found
    order = np.argsort(owners.explanations, kind="stable")
    explanations = owners.explanations[order]
    at = np.minimum(np.searchsorted(explanations, ids), len(explanations) - 1)  # [N]
    there = explanations[at] == ids
    return there, vectors.matrix.read(owners.vectors[order[at[there]]]).astype(np.float32)


def loaded(store: Store) -> int:
    """Bytes that embeddings take in this process."""
    with store.lock:
        return sum(each.matrix.nbytes for each in store.vectors.values())


def _vectors(store: Store, slug: str, embedder: Embedder) -> tuple[Vectors, _Owners] | None:
    with store.session() as s:
        there = embeddings.space(s, slug, embedder)
        if there is None:
            return None
        key = there.embedder_id, there.model_id
        with store.lock:
            vectors = store.vectors.get(key)
            if vectors is None:
                vectors = store.vectors[key] = Vectors(there)
        return vectors, vectors.refresh(s)


def _nearest(matrix: Matrix, owners: _Owners, query: Float32, k: int, among: Ids | None) -> list[Match]:
    allowed: Bool | None = None
    if among is not None:
        mine = np.isin(owners.explanations, among)
        owners = _Owners(owners.size, owners.vectors[mine], owners.explanations[mine])
        allowed = np.zeros(owners.size, np.bool_)
        allowed[owners.vectors] = True
    near = matrix.nearest(query, k, owners.size, allowed)
    return _expanded(near.rows, near.similarities, owners, k)


def _expanded(rows: Rows, similarities: Float64, owners: _Owners, k: int) -> list[Match]:
    """The explanations of these vectors, nearest first, equal ones by id; no more than k."""
    first = np.searchsorted(owners.vectors, rows, "left")
    last = np.searchsorted(owners.vectors, rows, "right")
    matches: list[Match] = []
    at = 0
    while at < len(rows) and len(matches) < k:
        same = at + 1
        while same < len(rows) and similarities[same] == similarities[at]:
            same += 1
        ids = np.concatenate([owners.explanations[first[i] : last[i]] for i in range(at, same)])
        ids.sort()
        matches += [Match(each, float(similarities[at])) for each in ids[: k - len(matches)].tolist()]
        at = same
    return matches
