"""Collecting a model: prepare, one step a shard, write layer by layer, finish.

Everything that a shard needs is kept in the job's folder, so that a worker that takes the job up in the middle goes on
from the last finished shard; what it cannot find there it makes again, with the same result.
"""

import asyncio
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.domain.collection import Document, ExcerptTable
from app.domain.token_lookup import lookup_layer
from app.errors import CorpusError, StoreError
from app.jobs import engine, scratch
from app.jobs.lifecycle import Progress, in_thread, run
from app.jobs.requests import CollectRequest, dumps, loads
from app.jobs.runtime import Runtime, current
from app.store import collections, jobs, models
from app.store import excerpts as stored_excerpts
from app.store.rows import JobRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.subject.collect import Collector
    from app.subject.corpus import RawDocument

UNIT = "excerpts"


@dataclass(frozen=True)
class Prepared:
    """What the first step found out, kept by the engine."""

    collection: int
    slug: str
    shards: int
    excerpts: int


class _Work:
    """One collection in this process: the loaded model and its excerpts."""

    def __init__(self, collector: "Collector", documents: list[Document], excerpts: ExcerptTable) -> None:
        self.collector = collector
        self.documents = documents
        self.excerpts = excerpts


_works: dict[str, _Work] = {}  # by job id; the lock `collecting` sees to it that there is one at a time


@engine.workflow("collect")
async def collect(job_id: str) -> None:
    """Collect a model as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _collect(runtime, row))


async def _collect(runtime: Runtime, row: JobRow) -> dict[str, object]:
    request = loads(CollectRequest, row.parameters_json)
    async with runtime.collecting:
        try:
            prepared = Prepared(**await prepare(row.id))
            progress = Progress(runtime, row.id, prepared.excerpts, UNIT)
            for i in range(prepared.shards):
                await run_shard(row.id, i, prepared.collection)
            progress.report(prepared.excerpts, "writing")
            await write(row.id, prepared.collection)
            await finish(row.id, prepared.collection)
        except StoreError:  # no fault of the collection's: what it has read is kept for a retry
            await asyncio.to_thread(scratch.abandon, runtime.store, row.id)
            raise
        except (Exception, engine.Stopped) as error:
            if isinstance(error, Exception) or await _ended(runtime, row.id):  # else another worker goes on
                await asyncio.to_thread(scratch.clean, runtime.store, runtime.scratch(row.id), row.id)
            raise
        finally:
            _works.pop(row.id, None)
        await asyncio.to_thread(scratch.finished, runtime.store, runtime.scratch(row.id))
    return {"model": prepared.slug, "collection": prepared.collection, "seed": request.seed}


@engine.step("collect.prepare")
async def prepare(job_id: str) -> dict[str, Any]:
    """Load the model, cut the corpus into excerpts, and open the collection in the store."""
    runtime = current()
    request = await _request(runtime, job_id)

    def work(stop: threading.Event) -> Prepared:
        folder = runtime.scratch(job_id)
        opened = _open(runtime, job_id, request, None, stop)
        scratch.adopt(runtime.store, folder, request)
        scratch.drop_unusable(folder, opened.collector.fingerprint())
        card = opened.collector.subject.card
        with runtime.store.session() as session:
            if stop.is_set() or jobs.get(session, job_id).state.ended:
                raise engine.Stopped
            if not request.replace:  # known for certain only now: a corpus may hold less than was asked for
                collections.refuse_loss(
                    session, card.slug, opened.collector.layers, len(opened.excerpts.tokens)
                )
            models.add_model(session, card, opened.collector.subject.vocabulary)
            collection = collections.begin(
                session,
                card.slug,
                request.corpus_name or corpus_name(request.corpus),
                opened.documents,
                opened.excerpts,
                request.profile,
                dumps(request),
                job_id,
            )
        return Prepared(collection, card.slug, opened.collector.shards(), len(opened.excerpts.tokens))

    return asdict(await in_thread(work))


@engine.step("collect.shard")
async def run_shard(job_id: str, shard: int, collection: int) -> int:
    """Run the model over one part of the excerpts; its partial result lies in the job's folder afterwards."""
    runtime = current()
    request = await _request(runtime, job_id)

    def work(stop: threading.Event) -> int:
        _read_shard(
            runtime, job_id, _open(runtime, job_id, request, collection, stop), shard, "reading", stop
        )
        return shard

    return await in_thread(work)


@engine.step("collect.write")
async def write(job_id: str, collection: int) -> int:
    """Merge the shards and write layer by layer, each with its token lookup; layers already written are passed over.

    The engine takes a finished shard as done wherever it goes on: those that this machine does not have are read again.
    """
    runtime = current()
    request = await _request(runtime, job_id)

    def work(stop: threading.Event) -> int:
        opened = _open(runtime, job_id, request, collection, stop)
        folder = scratch.shards(runtime.scratch(job_id))
        count = opened.collector.shards()
        for shard in sorted(set(range(count)) - set(opened.collector.done(folder))):
            note = f"reading part {shard + 1} of {count} again, which another worker had read"
            _read_shard(runtime, job_id, opened, shard, note, stop)
        total = len(opened.excerpts.tokens)
        progress = Progress(runtime, job_id, total, UNIT)
        with runtime.store.session() as session:
            there = set(collections.written(session, collection))
        count = 0
        for result in opened.collector.merge(folder):
            if stop.is_set():
                return count
            count += 1
            if result.slug in there:
                continue
            progress.report(total, f"writing layer {count} of {len(opened.collector.layers)}")
            lookup = lookup_layer(result, opened.excerpts, request.seed)
            with runtime.store.session() as session:  # both or neither, so that `written` means both
                collections.write_layer(session, collection, result)
                collections.write_lookup(session, collection, result.slug, lookup)
        return count

    return await in_thread(work)


@engine.step("collect.finish")
async def finish(job_id: str, collection: int) -> int:
    """Make the whole collection visible at once."""
    runtime = current()

    def work(stop: threading.Event) -> int:
        with runtime.store.session() as session:
            if collections.get(session, collection).finished_at is None:
                collections.finish(session, collection)
        return collection

    return await in_thread(work)


def corpus_name(sources: tuple[str, ...]) -> str:
    """Sources as people name them: a path by its last two parts, so that no page shows where somebody keeps files."""
    return ", ".join(
        source if source.startswith("hf:") else "/".join(Path(source).expanduser().resolve().parts[-2:])
        for source in sources
    )


async def _ended(runtime: Runtime, job_id: str) -> bool:
    return (await runtime.db(lambda s: jobs.get(s, job_id))).state.ended


async def _request(runtime: Runtime, job_id: str) -> CollectRequest:
    row = await runtime.db(lambda s: jobs.get(s, job_id))
    return loads(CollectRequest, row.parameters_json)


def _read_shard(
    runtime: Runtime, job_id: str, opened: _Work, shard: int, note: str, stop: threading.Event
) -> None:
    collector = opened.collector
    before = sum(collector.shard_size(i) for i in range(shard))
    progress = Progress(runtime, job_id, len(opened.excerpts.tokens), UNIT)
    collector.run_shard(
        shard,
        scratch.shards(runtime.scratch(job_id)),
        lambda done: progress.report(before + done, note),
        stop.is_set,
    )


def _open(
    runtime: Runtime, job_id: str, request: CollectRequest, collection: int | None, stop: threading.Event
) -> _Work:
    """The job's model and excerpts, loaded once in this process.

    Raises CorpusError when the corpus gives other excerpts now than those of the collection, if that was begun;
    Stopped at the next document when `stop` is set.
    """
    if job_id in _works:
        return _works[job_id]
    from app.subject.collect import Collector
    from app.subject.load import load

    settings = runtime.settings
    progress = Progress(runtime, job_id, request.excerpts, UNIT)
    progress.report(0, "loading the model")
    subject = load(request.model, settings.device, settings.threads, runtime.models_dir, request.name)
    layers = request.layers or range(subject.card.layers)
    folder = runtime.scratch(job_id)
    kept = scratch.load_excerpts(folder)
    if kept is None:
        from app.subject.corpus import read_corpus
        from app.subject.excerpts import build_excerpts, check_explainable

        progress.report(0, "reading the corpus")
        corpus = read_corpus(
            request.corpus,
            wanted=request.excerpts,
            on_read=lambda n: progress.report(0, f"reading the corpus: {n:,} documents"),
        )
        kept = build_excerpts(_until(stop, corpus), subject.tokenizer, request.excerpts, request.seed)
        check_explainable(*kept)
        if collection is not None:
            _check_same(runtime, request, collection, kept[1])
        scratch.save_excerpts(folder, *kept)
    documents, excerpts = kept
    collector = Collector(subject, excerpts, request.profile, layers, request.seed)
    _works[job_id] = _Work(collector, documents, excerpts)
    return _works[job_id]


def _until(stop: threading.Event, documents: "Iterator[RawDocument]") -> "Iterator[RawDocument]":
    for document in documents:
        if stop.is_set():
            raise engine.Stopped
        yield document


def _check_same(runtime: Runtime, request: CollectRequest, collection: int, excerpts: ExcerptTable) -> None:
    with runtime.store.session() as session:
        stored = stored_excerpts.read(session, request.slug, collection)
    for name in ("tokens", "documents", "splits", "starts"):
        if not np.array_equal(getattr(stored, name), getattr(excerpts, name)):
            raise CorpusError(
                "The corpus does not give the excerpts any more with which this collection began: a file was changed, "
                "or is another one on this worker's machine. Start the collection again."
            )
