"""Sentence embeddings of explanations: kept once for every text, only ever added, in packed runs ("chunks").

Vectors are numbered through all chunks of one embedder and model (together a "space"). A chunk brings new vectors,
each with the hash of its text, and says of explanations which vector is theirs: one of its own or of an earlier chunk. The next run of the job embeds
what no chunk names yet, so it goes on where a killed one stopped.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, func, select

from app.domain.embeddings import HASH_BYTES, Embedder, pack, unpack
from app.domain.explanations import Method, State
from app.domain.neurons import Float32
from app.errors import BadInput, Conflict
from app.store import names, sql
from app.store import tables as t
from app.store.rows import CollectionState
from app.store.session import Session, writing

Ids = NDArray[np.int64]
Numbers = NDArray[np.int32]
AT_ONCE = 64  # chunks read in one go


class Space(NamedTuple):
    """The vectors of one embedder for one model's explanations."""

    embedder_id: int
    model_id: int
    dimension: int


class Chunk(NamedTuple):
    """One packed run: N explanations, V new vectors."""

    number: int
    explanations: Ids  # [N]
    vector_numbers: Numbers  # [N]
    first_vector: int
    vectors: NDArray[np.float16]  # [V, D]


class Counts(NamedTuple):
    """How far embedding a model's explanations is."""

    embedded: int  # explanations that have a vector
    waiting: int  # explanations that have none yet
    vectors: int  # different texts among the former


def register(s: Session, embedder: Embedder, dimension: int) -> int:
    """The id of an embedder, added when it is new. Conflict where its vectors had another length so far."""
    digest = sql.digest(embedder.name, embedder.revision)
    query = select(t.embedders.c.id, t.embedders.c.dimension).where(t.embedders.c.digest == digest)
    found = s.execute(query).first()
    if found is None:
        writing(s)
        values = {
            "digest": digest,
            "name": embedder.name,
            "revision": embedder.revision,
            "dimension": dimension,
            "created_at": datetime.now(UTC),
        }
        sql.insert_new(s, t.embedders, values, ("digest",))
        found = s.execute(query).one()
    if found.dimension != dimension:
        raise Conflict(
            f"“{embedder.name}” gives vectors of {dimension} values, and those stored have {found.dimension}:"
            " its model has changed, so give its endpoint another name"
        )
    return int(found.id)


def space(s: Session, slug: str, embedder: Embedder) -> Space | None:
    """The vectors of a model's explanations; None where this embedder has made none for any model. NotFound for the model."""
    model = names.model_id(s, slug)
    digest = sql.digest(embedder.name, embedder.revision)
    query = select(t.embedders.c.id, t.embedders.c.dimension).where(t.embedders.c.digest == digest)
    found = s.execute(query).first()
    return None if found is None else Space(found.id, model, found.dimension)


def embedders(s: Session) -> list[Embedder]:
    """All that have ever embedded something."""
    return [
        Embedder(row.name, row.revision)
        for row in s.execute(select(t.embedders).order_by(t.embedders.c.id)).all()
    ]


def newest(s: Session, *, token_lookup: bool = False, slug: str) -> int:
    """The highest id among the model's explanations that can be embedded; 0 where there is none."""
    query = _embeddable(names.model_id(s, slug), token_lookup).subquery()
    return int(s.execute(select(func.max(query.c.id))).scalar() or 0)


def waiting(
    s: Session, slug: str, embedder: Embedder, through: int, *, token_lookup: bool = False
) -> list[tuple[int, str]]:
    """(id, text) of the model's explanations up to the id `through` that have no vector yet, oldest first.

    Those that came about and are in a collection that ended; what `token_lookup` made only where asked for.
    """
    there = space(s, slug, embedder)
    known = set() if there is None else set(named(s, there).tolist())
    query = _embeddable(names.model_id(s, slug), token_lookup)
    rows = s.execute(query.where(t.explanations.c.id <= through).order_by(t.explanations.c.id))
    return [(row.id, row.text) for row in rows if row.id not in known and row.text.strip()]


def counts(s: Session, slug: str, embedder: Embedder, *, token_lookup: bool = False) -> Counts:
    """How many explanations have a vector, and how many are left to the next run."""
    there = space(s, slug, embedder)
    known = np.zeros(0, np.int64) if there is None else named(s, there)
    ids = s.execute(_embeddable(names.model_id(s, slug), token_lookup)).scalars().all()
    left = np.setdiff1d(np.array(ids, np.int64), known, assume_unique=True)
    return Counts(len(known), len(left), 0 if there is None else _next(s, there)[1])


def named(s: Session, there: Space) -> Ids:
    """Ids of all explanations that have a vector, in the order of the chunks."""
    query = select(t.embedding_chunks.c.explanations).where(_of(there)).order_by(t.embedding_chunks.c.chunk)
    return np.frombuffer(b"".join(s.execute(query).scalars()), "<i8").astype(np.int64)


def known_texts(s: Session, there: Space) -> dict[bytes, int]:
    """The number of each text's vector, by the text's hash."""
    query = select(t.embedding_chunks.c.hashes).where(_of(there)).order_by(t.embedding_chunks.c.chunk)
    return {each: number for number, each in enumerate(_hashes(b"".join(s.execute(query).scalars())))}


def elsewhere(s: Session, there: Space, wanted: set[bytes]) -> dict[bytes, Float32]:
    """Vectors that the same embedder made of these texts for other models' explanations."""
    c = t.embedding_chunks.c
    found: dict[bytes, Float32] = {}
    query = select(c.id, c.hashes).where(c.embedder_id == there.embedder_id, c.model_id != there.model_id)
    for row in s.execute(query).all():
        here = [(at, one) for at, one in enumerate(_hashes(row.hashes)) if one in wanted and one not in found]
        if here:
            data = s.execute(select(c.vectors).where(c.id == row.id)).scalar_one()
            vectors = unpack(data, there.dimension).astype(np.float32)
            found |= {one: vectors[at] for at, one in here}
    return found


def known(s: Session, embedder: Embedder, wanted: set[bytes]) -> dict[bytes, Float32]:
    """The vectors of those of these texts, by hash, that the embedder has ever embedded, for whichever model."""
    e, c = t.embedders.c, t.embedding_chunks.c
    digest = sql.digest(embedder.name, embedder.revision)
    query = select(c.id, c.hashes, e.dimension).join(t.embedders, e.id == c.embedder_id)
    found: dict[bytes, Float32] = {}
    for row in s.execute(query.where(e.digest == digest)).all():
        here = [(at, one) for at, one in enumerate(_hashes(row.hashes)) if one in wanted and one not in found]
        if here:
            data = s.execute(select(c.vectors).where(c.id == row.id)).scalar_one()
            vectors = unpack(data, row.dimension).astype(np.float32)
            found |= {one: vectors[at] for at, one in here}
    return found


def append(
    s: Session,
    there: Space,
    explanations: Sequence[int],
    vector_numbers: Sequence[int],
    hashes: Sequence[bytes],
    vectors: Float32,
    job_id: str | None,
    number: int,
) -> None:
    """Add chunk `number`: V new vectors, and explanations with the numbers of theirs, where -1 - i stands for new vector i.

    Conflict where it is not the next one: another process has added to this space meanwhile.
    """
    n, v = len(explanations), len(hashes)
    if len(vector_numbers) != n or vectors.shape != (v, there.dimension) or not n:
        raise BadInput("a chunk needs explanations, a vector number for each and a hash for each new vector")
    writing(s)
    chunk, first = _next(s, there)
    if chunk != number:
        raise _not_alone()
    numbers = np.array([first - 1 - number if number < 0 else number for number in vector_numbers], np.int64)
    if numbers.min() < 0 or numbers.max() >= first + v:
        raise BadInput("a chunk names a vector that is not there")
    made = sql.insert_new(
        s,
        t.embedding_chunks,
        {
            "embedder_id": there.embedder_id,
            "model_id": there.model_id,
            "chunk": chunk,
            "first_vector": first,
            "n_vectors": v,
            "n_explanations": n,
            "job_id": job_id,
            "created_at": datetime.now(UTC),
            "explanations": np.array(explanations, "<i8").tobytes(),
            "vector_numbers": numbers.astype("<i4").tobytes(),
            "hashes": b"".join(hashes),
            "vectors": pack(vectors),
        },
        ("embedder_id", "model_id", "chunk"),
    )
    if made is None:  # PostgreSQL: another transaction was quicker
        raise _not_alone()


def model_of(s: Session, explanation_id: int) -> str | None:
    """The slug of the model that an explanation is about; None where there is no such explanation."""
    query = (
        select(t.models.c.slug)
        .join(t.layers, t.layers.c.model_id == t.models.c.id)
        .join(t.explanations, t.explanations.c.layer_id == t.layers.c.id)
        .where(t.explanations.c.id == explanation_id)
    )
    found: str | None = s.execute(query).scalar()
    return found


def dimension(s: Session, embedder: Embedder) -> int | None:
    """How many values an embedder's vectors have; None where it has made none yet."""
    digest = sql.digest(embedder.name, embedder.revision)
    found: int | None = s.execute(
        select(t.embedders.c.dimension).where(t.embedders.c.digest == digest)
    ).scalar()
    return found


def made_by(s: Session, job_id: str) -> tuple[int, int]:
    """(explanations, new vectors) that a job has stored."""
    c = t.embedding_chunks.c
    sums = [func.coalesce(func.sum(column), 0) for column in (c.n_explanations, c.n_vectors)]
    row = s.execute(select(*sums).where(c.job_id == job_id)).one()
    return int(row[0]), int(row[1])


def last_chunk(s: Session, there: Space) -> int:
    """The number of the newest chunk; -1 without any."""
    return _next(s, there)[0] - 1


def chunks(s: Session, there: Space, after: int) -> Iterator[Chunk]:
    """Chunks with a higher number than `after`, in order, some at a time in memory."""
    c = t.embedding_chunks.c
    columns = (c.chunk, c.explanations, c.vector_numbers, c.first_vector, c.vectors)
    while True:
        query = select(*columns).where(_of(there), c.chunk > after).order_by(c.chunk).limit(AT_ONCE)
        rows = s.execute(query).all()
        for row in rows:
            yield Chunk(
                row.chunk,
                np.frombuffer(row.explanations, "<i8").astype(np.int64),
                np.frombuffer(row.vector_numbers, "<i4").astype(np.int32),
                row.first_vector,
                unpack(row.vectors, there.dimension),
            )
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].chunk


def _next(s: Session, there: Space) -> tuple[int, int]:
    """(number of the next chunk, number of its first vector)."""
    c = t.embedding_chunks.c
    query = select(c.chunk, c.first_vector, c.n_vectors).where(_of(there)).order_by(c.chunk.desc()).limit(1)
    row = s.execute(query).first()
    return (0, 0) if row is None else (row.chunk + 1, row.first_vector + row.n_vectors)


def _of(there: Space) -> Any:
    c = t.embedding_chunks.c
    return (c.embedder_id == there.embedder_id) & (c.model_id == there.model_id)


def _embeddable(model: int, token_lookup: bool) -> Select[Any]:
    """(id, text) of explanations of a model that came about, in collections that ended."""
    e = t.explanations.c
    query = (
        select(e.id, e.text)
        .join(t.layers, t.layers.c.id == e.layer_id)
        .join(t.collections, t.collections.c.id == e.collection_id)
        .where(
            t.layers.c.model_id == model,
            t.collections.c.state != CollectionState.RUNNING,
            e.state == State.OK,
            func.trim(e.text) != "",
        )
    )
    if token_lookup:
        return query
    lists = select(t.origins.c.id).where(t.origins.c.method == Method.TOKEN_LOOKUP.value)
    return query.where(e.origin_id.not_in(lists))


def _not_alone() -> Conflict:
    return Conflict(
        "another process is embedding the explanations of this model: retry when it has ended, for what is left"
    )


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
