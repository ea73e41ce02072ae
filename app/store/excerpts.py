"""Documents and excerpts: stored once per collection, held in memory as one array."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import delete, select

from app.domain.collection import Document, ExcerptTable
from app.domain.neurons import EXCERPT_TOKENS, Int32, Split
from app.errors import BadInput, NotFound
from app.store import bulk, names, packing
from app.store import tables as t
from app.store.rows import CollectionState, StoredExcerpts
from app.store.session import Session, Store
from app.store.types import clean

CHUNK = 4096  # excerpts a stored row: half a megabyte


class ExcerptCache:
    """The excerpts of every model, kept in memory by the store (7.7 MB for 60,000)."""

    @staticmethod
    def get(store: Store, slug: str) -> StoredExcerpts:
        """The excerpts of the model's complete collection; read again once a newer one, by whichever process, is complete."""
        with store.session() as s:
            c = t.collections.c
            query = select(c.id, c.revision).where(
                c.model_id == names.model_id(s, slug), c.state == CollectionState.COMPLETE
            )
            row = s.execute(query).first()
            if row is None:
                raise NotFound(f"model “{slug}” has no neurons yet: its collection has not ended")
            with store.lock:
                known = store.excerpts.get(slug)
            if known is not None and (known.collection_id, known.revision) == (row.id, row.revision):
                return known
            fresh = read(s, slug, row.id, row.revision)
        with store.lock:
            store.excerpts[slug] = fresh
        return fresh


def read(s: Session, slug: str, collection_id: int, revision: int = 0) -> StoredExcerpts:
    """The excerpts of one collection; none where only explanations were imported."""
    query = (
        select(t.excerpt_chunks.c.data)
        .where(t.excerpt_chunks.c.collection_id == collection_id)
        .order_by(t.excerpt_chunks.c.chunk)
    )
    runs = [packing.unpack_excerpts(data) for data in s.execute(query).scalars()]
    if not runs:
        none = np.zeros(0, np.int32)
        runs = [(np.zeros((0, EXCERPT_TOKENS), np.int32), none, none.astype(np.uint8), none)]
    tokens, documents_, splits, starts = (np.concatenate(arrays) for arrays in zip(*runs, strict=True))
    for array in (tokens, documents_, splits, starts):
        array.flags.writeable = False  # shared between threads
    return StoredExcerpts(tokens, documents_, splits, starts, collection_id, slug, revision)


def write(s: Session, collection_id: int, documents: Sequence[Document], excerpts: ExcerptTable) -> None:
    """Store a collection's documents and excerpts. BadInput where their splits contradict each other."""
    check(documents, excerpts)
    bulk.insert(
        s,
        t.documents,
        ("collection_id", "ordinal", "name", "source", "text_hash", "cluster", "split"),
        (
            (collection_id, d.ordinal, clean(d.name), clean(d.source), d.text_hash, d.cluster, int(d.split))
            for d in documents
        ),
    )
    n = len(excerpts.tokens)
    chunks = (
        (
            collection_id,
            chunk,
            packing.pack_excerpts(
                excerpts.tokens[at : at + CHUNK],
                excerpts.documents[at : at + CHUNK],
                excerpts.splits[at : at + CHUNK],
                excerpts.starts[at : at + CHUNK],
            ),
        )
        for chunk, at in enumerate(range(0, n, CHUNK))
    )
    bulk.insert(s, t.excerpt_chunks, ("collection_id", "chunk", "data"), chunks)


def append(s: Session, collection_id: int, before: int, tokens: Int32) -> None:
    """Add excerpts [E, T] without documents behind the `before` that a collection has."""
    c, first = t.excerpt_chunks.c, before // CHUNK
    if before % CHUNK:
        last = (c.collection_id == collection_id) & (c.chunk == first)
        data = s.execute(select(c.data).where(last)).scalar_one()
        tokens = np.concatenate([packing.unpack_excerpts(data)[0], tokens])
        s.execute(delete(t.excerpt_chunks).where(last))
    rows = []
    for chunk, at in enumerate(range(0, len(tokens), CHUNK), first):
        run = tokens[at : at + CHUNK]
        none, zero = np.full(len(run), -1, np.int32), np.zeros(len(run), np.int32)
        splits = np.full(len(run), int(Split.UNSPLIT), np.uint8)
        rows.append((collection_id, chunk, packing.pack_excerpts(run, none, splits, zero)))
    bulk.insert(s, t.excerpt_chunks, ("collection_id", "chunk", "data"), rows)


def check(documents: Sequence[Document], excerpts: ExcerptTable) -> None:
    """What the proof of held-out scores stands on: one split a cluster, and every excerpt in its document's split."""
    if not len(excerpts.tokens) or not documents:
        raise BadInput("a collection needs at least one document and one excerpt")
    if [d.ordinal for d in documents] != list(range(len(documents))):
        raise BadInput("documents must come in the order of their ordinals, from 0 without a gap")
    splits: dict[str, int] = {}
    for document in documents:
        if splits.setdefault(document.cluster, int(document.split)) != int(document.split):
            raise BadInput(
                f"near-duplicates of document “{document.name}” are in two splits: nothing would be held out"
            )
    if excerpts.documents.min() < 0 or excerpts.documents.max() >= len(documents):
        raise BadInput("an excerpt names a document that is not there")
    of_document = np.array([int(d.split) for d in documents], np.uint8)
    if (of_document[excerpts.documents] != excerpts.splits).any():
        raise BadInput("an excerpt is in another split than its document: nothing would be held out")


def documents(s: Session, slug: str) -> list[Document]:
    """The documents of the model's complete collection; a document's place in the list is its ordinal."""
    collection = names.current_collection(s, names.model_id(s, slug))
    query = (
        select(t.documents).where(t.documents.c.collection_id == collection).order_by(t.documents.c.ordinal)
    )
    return [
        Document(row.ordinal, row.name, row.source, row.text_hash, row.cluster, row.split)
        for row in s.execute(query)
    ]


def document_names(s: Session, collection_id: int) -> list[str]:
    """The names of a collection's documents; a document's place in the list is its ordinal."""
    d = t.documents.c
    query = select(d.name).where(d.collection_id == collection_id).order_by(d.ordinal)
    return list(s.execute(query).scalars())


def documents_of(s: Session, collection_id: int, ordinals: Sequence[int]) -> list[int]:
    """The document of each excerpt, reading no more of the collection than needed. BadInput for one that is not there."""
    c = t.excerpt_chunks.c
    runs: dict[int, Int32] = {}
    for chunk in sorted({ordinal // CHUNK for ordinal in ordinals}):
        data = s.execute(select(c.data).where(c.collection_id == collection_id, c.chunk == chunk)).scalar()
        runs[chunk] = packing.unpack_excerpts(data)[1] if data is not None else np.zeros(0, np.int32)
    found = []
    for ordinal in ordinals:
        run = runs[ordinal // CHUNK]
        if not 0 <= ordinal % CHUNK < len(run):
            raise BadInput(f"there is no excerpt {ordinal} in collection {collection_id}")
        found.append(int(run[ordinal % CHUNK]))
    return found
