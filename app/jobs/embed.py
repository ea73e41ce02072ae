"""Embedding a model's explanations for search by meaning.

The store remembers what is done, chunk by chunk: a repeated step embeds what no chunk names yet. An endpoint's answer and its
ledger entry are stored in one transaction, so no call whose answer was recorded is made again, and vectors are kept once.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from app.domain.embeddings import Embedder, text_hash
from app.domain.ledger import LedgerEntry, Outcome
from app.domain.neurons import Float32
from app.errors import Conflict
from app.jobs import embedders, endpoints, engine
from app.jobs.lifecycle import Progress, in_thread, run
from app.jobs.requests import EmbedRequest, loads
from app.jobs.runtime import Runtime, current
from app.store import Session, Store, embeddings, jobs, ledger
from app.store.rows import JobRow

LOCAL_TEXTS = 512  # embedded between two writings: some seconds
COPIED = 4096  # vectors copied, or explanations named, in one chunk
STORED = '{"text": "", "finish_reason": "stored with the embeddings"}'


class Said(NamedTuple):
    """One text, and the explanations that say it."""

    hash: bytes
    text: str
    ids: list[int]


@engine.workflow("embed")
async def embed_explanations(job_id: str) -> None:
    """Embed what was there when the job began."""
    runtime = current()
    await run(runtime, job_id, lambda row: _embed(row))


async def _embed(row: JobRow) -> dict[str, object]:
    through = await newest(row.id)
    explanations, vectors = await embed(row.id, through)
    return {"explanations": explanations, "vectors": vectors}


@engine.step("embed.newest")
async def newest(job_id: str) -> int:
    """The id of the last explanation that this job embeds; the next one does the later ones."""
    runtime = current()
    request = await _request(runtime, job_id)
    return await runtime.db(
        lambda s: embeddings.newest(s, slug=request.model, token_lookup=request.token_lookup)
    )


@engine.step("embed.embed")
async def embed(job_id: str, through: int) -> tuple[int, int]:
    """Embed and store all that has no vector yet; (explanations, vectors) that this job has added."""
    runtime = current()
    request = await _request(runtime, job_id)
    by = embedders.embedder(runtime.settings)
    writer = await in_thread(lambda stop: Writer(runtime, job_id, request, by, through))
    todo = await in_thread(lambda stop: writer.without_asking())
    if runtime.settings.embedding_endpoint is None:
        await in_thread(lambda stop: _locally(writer, todo, stop))
    else:
        await _asked(runtime, runtime.settings.embedding_endpoint, job_id, writer, todo)
    writer.progress.flush()
    return await runtime.db(lambda s: embeddings.made_by(s, job_id))


async def _request(runtime: Runtime, job_id: str) -> EmbedRequest:
    return loads(EmbedRequest, (await runtime.db(lambda s: jobs.get(s, job_id))).parameters_json)


class Writer:
    """What is left to embed, and its way into the store. Chunks are numbered here: one writer of a model at a time."""

    def __init__(
        self, runtime: Runtime, job_id: str, request: EmbedRequest, by: Embedder, through: int
    ) -> None:
        self.store, self._job_id, self._by, self._slug = runtime.store, job_id, by, request.model
        with self.store.session() as s:
            rows = embeddings.waiting(s, self._slug, by, through, token_lookup=request.token_lookup)
            if request.only:
                only = set(request.only)
                rows = [row for row in rows if row[0] in only]
            self._space = embeddings.space(s, self._slug, by)
            self._known = {} if self._space is None else embeddings.known_texts(s, self._space)
            self._number = 0 if self._space is None else embeddings.last_chunk(s, self._space) + 1
            self._done, _ = embeddings.made_by(s, job_id)
        self.said: dict[bytes, Said] = {}
        for id_, text in rows:
            hashed = text_hash(text)
            self.said.setdefault(hashed, Said(hashed, text.strip(), [])).ids.append(id_)
        self.progress = Progress(runtime, job_id, self._done + len(rows), "explanations")
        self.progress.report(self._done, f"embedding by {by.name}")

    @property
    def dimension(self) -> int | None:
        """How many values each vector must have; None before the first of this embedder."""
        return None if self._space is None else self._space.dimension

    def without_asking(self) -> list[Said]:
        """Store the vectors of texts that were embedded before, for this model or another; what is left to embed."""
        if self._space is None:
            return list(self.said.values())
        there = self._space
        again = [one for one in self.said.values() if one.hash in self._known]
        pairs = [(id_, self._known[one.hash]) for one in again for id_ in one.ids]
        nothing = np.zeros((0, there.dimension), np.float32)
        for at in range(0, len(pairs), COPIED):
            ids, numbers = zip(*pairs[at : at + COPIED], strict=True)
            with self.store.session() as s:
                self._append(s, ids, numbers, (), nothing)
            self._advance(len(ids))
        fresh = [one for one in self.said.values() if one.hash not in self._known]
        with self.store.session() as s:
            copies = embeddings.elsewhere(s, there, {one.hash for one in fresh})
        copied = [one for one in fresh if one.hash in copies]
        for at in range(0, len(copied), COPIED):
            part = copied[at : at + COPIED]
            with self.store.session() as s:
                self.keep(s, part, np.stack([copies[one.hash] for one in part]))
            self.advance(part)
        return [one for one in fresh if one.hash not in copies]

    def keep(self, s: Session, said: Sequence[Said], vectors: Float32) -> None:
        """Store the vectors [V, D] of V texts as one chunk. Conflict where this is not the only writer."""
        if self._space is None:
            embedder_id = embeddings.register(s, self._by, vectors.shape[1])
            there = embeddings.space(s, self._slug, self._by)
            assert there is not None and there.embedder_id == embedder_id
            self._space = there
        ids = [id_ for one in said for id_ in one.ids]
        numbers = [-1 - at for at, one in enumerate(said) for _ in one.ids]
        self._append(s, ids, numbers, [one.hash for one in said], vectors)

    def advance(self, said: Sequence[Said]) -> None:
        """Report that these are stored."""
        self._advance(sum(len(one.ids) for one in said))

    def _append(
        self,
        s: Session,
        ids: Sequence[int],
        numbers: Sequence[int],
        hashes: Sequence[bytes],
        vectors: Float32,
    ) -> None:
        assert self._space is not None
        embeddings.append(s, self._space, ids, numbers, hashes, vectors, self._job_id, self._number)
        self._number += 1

    def _advance(self, n: int) -> None:
        self._done += n
        self.progress.report(self._done)


def _locally(writer: Writer, todo: Sequence[Said], stop: threading.Event) -> None:
    if not todo:
        return
    from app.embed import local

    model = local.load()
    for at in range(0, len(todo), LOCAL_TEXTS):
        part = todo[at : at + LOCAL_TEXTS]
        try:
            vectors = model.embed([one.text for one in part], stop.is_set)
        except InterruptedError:
            return  # cancelled: what is stored stays
        with writer.store.session() as s:
            writer.keep(s, part, vectors)
        writer.advance(part)


async def _asked(runtime: Runtime, name: str, job_id: str, writer: Writer, todo: Sequence[Said]) -> None:
    """Ask the endpoint for all, as many requests at once as it takes. The first that fails for good ends the job."""
    from app.llm.client import Client
    from app.llm.embeddings import EmbeddingRequest
    from app.simulate.parallel import all_or_nothing

    asked = endpoints.endpoint(runtime.settings, name)
    kept = KeepingLedger(runtime.store, writer)
    size = runtime.settings.embedding_batch
    parts = [todo[at : at + size] for at in range(0, len(todo), size)]

    async with Client(asked, kept, runtime.caps) as client:

        async def one(index: int) -> None:
            part = parts[index]
            texts = tuple(said.text for said in part)
            request = EmbeddingRequest(name, texts, writer.dimension, job_id)
            kept.expect(client.embedding_key(request), part)
            await client.embed(request, "embed", job_id)

        if parts and writer.dimension is None:  # the first says how long vectors are
            await one(0)
            parts = parts[1:]
        await all_or_nothing(len(parts), one)


class KeepingLedger:
    """`app.llm.ledger.Ledger` that stores the vectors of an answer with its entry, and not within it."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store, self._writer = store, writer
        self._expected: dict[str, Sequence[Said]] = {}

    def expect(self, key: str, said: Sequence[Said]) -> None:
        """Which texts the request of this key asks for."""
        self._expected[key] = said

    def lookup(self, key: str) -> LedgerEntry | None:
        """None: what has been answered is stored, and no longer asked for."""
        return None

    def record(self, entry: LedgerEntry) -> LedgerEntry:
        if entry.outcome is not Outcome.OK:
            with self._store.session() as s:
                return ledger.record(s, entry)
        from app.llm.embeddings import vectors_of
        from app.llm.wire import Parsed

        said = self._expected.pop(entry.request_key)
        vectors = vectors_of(Parsed.model_validate_json(entry.answer_json), len(said))
        slim = replace(entry, answer_json=STORED)
        try:
            with self._store.session() as s:
                ledger.record(s, slim)
                self._writer.keep(s, said, vectors)
        except Conflict as error:  # paid for all the same
            lost = replace(entry, outcome=Outcome.REJECTED, reason=str(error), answer_json="")
            with self._store.session() as s:
                ledger.record(s, lost)
            raise
        self._writer.advance(said)
        return entry

    def spent(self, *, since: datetime | None = None, job_id: str | None = None) -> float:
        with self._store.session() as s:
            return ledger.spent(s, since=since, job_id=job_id)

    def served(self, entry: LedgerEntry, job_id: str) -> None:
        """Never: nothing is looked up here."""
