"""Collecting a model: prepare, one step a shard, write layer by layer, finish.

Everything that a shard needs is kept in the job's folder, so that a worker that takes the job up in the middle goes on
from the last finished shard; what it cannot find there it makes again, with the same result.
"""

import asyncio
import json
import logging
import shutil
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.domain.collection import Document, ExcerptTable
from app.domain.token_lookup import lookup_layer
from app.errors import NotFound, StoreError
from app.jobs import engine
from app.jobs.lifecycle import Progress, in_thread, run
from app.jobs.requests import CollectRequest, dumps, loads
from app.jobs.runtime import Runtime, current
from app.store import Store, collections, jobs, models
from app.store.rows import JobRow

if TYPE_CHECKING:
    from app.subject.collect import Collector

log = logging.getLogger(__name__)

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
                await run_shard(row.id, i)
            progress.report(prepared.excerpts, "writing")
            await write(row.id, prepared.collection)
            await finish(row.id, prepared.collection)
        except (Exception, engine.Stopped) as error:
            now = await runtime.db(lambda s: jobs.get(s, row.id))
            if isinstance(error, Exception) or now.state.ended:  # otherwise another worker goes on with it
                await asyncio.to_thread(clean, runtime.store, runtime.scratch(row.id), row)
            raise
        finally:
            _works.pop(row.id, None)
        await asyncio.to_thread(shutil.rmtree, runtime.scratch(row.id), ignore_errors=True)
    return {"model": prepared.slug, "collection": prepared.collection, "seed": request.seed}


@engine.step("collect.prepare")
async def prepare(job_id: str) -> dict[str, Any]:
    """Load the model, cut the corpus into excerpts, and open the collection in the store."""
    runtime = current()
    request = await _request(runtime, job_id)

    def work(stop: threading.Event) -> Prepared:
        opened = _open(runtime, job_id, request)
        card = opened.collector.subject.card
        with runtime.store.session() as session:
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
async def run_shard(job_id: str, shard: int) -> int:
    """Run the model over one part of the excerpts; its partial result lies in the job's folder afterwards."""
    runtime = current()
    request = await _request(runtime, job_id)

    def work(stop: threading.Event) -> int:
        opened = _open(runtime, job_id, request)
        total = len(opened.excerpts.tokens)
        before = sum(opened.collector.shard_size(i) for i in range(shard))
        progress = Progress(runtime, job_id, total, UNIT)
        opened.collector.run_shard(
            shard,
            _shards(runtime, job_id),
            lambda done: progress.report(before + done, "reading"),
            stop.is_set,
        )
        return shard

    return await in_thread(work)


@engine.step("collect.write")
async def write(job_id: str, collection: int) -> int:
    """Merge the shards and write layer by layer, each with its token lookup; layers already written are passed over."""
    runtime = current()
    request = await _request(runtime, job_id)

    def work(stop: threading.Event) -> int:
        opened = _open(runtime, job_id, request)
        total = len(opened.excerpts.tokens)
        progress = Progress(runtime, job_id, total, UNIT)
        with runtime.store.session() as session:
            there = set(collections.written(session, collection))
        count = 0
        for result in opened.collector.merge(_shards(runtime, job_id)):
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


def clean(store: Store, scratch: Path, row: JobRow) -> None:
    """Leave nothing half-written of a collection that ended without success."""
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with store.session() as session:
            for left in collections.of_model(session, row.model or ""):
                if left.job_id == row.id and left.finished_at is None:
                    collections.abandon(session, left.id)
    except NotFound:  # it never came so far as to store its model
        return
    except StoreError as error:
        log.warning("job %s: what it left in the store goes with the next collection (%s)", row.id, error)


def sweep(store: Store, folder: Path) -> None:
    """Clean up after jobs that ended while no worker could: cancelled ones whose worker had died."""
    for scratch in folder.iterdir() if folder.is_dir() else []:
        try:
            with store.session() as session:
                row = jobs.get(session, scratch.name)
        except NotFound:
            shutil.rmtree(scratch, ignore_errors=True)
            continue
        if row.state.ended:
            clean(store, scratch, row)


def _shards(runtime: Runtime, job_id: str) -> Path:
    folder = runtime.scratch(job_id) / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def corpus_name(sources: tuple[str, ...]) -> str:
    """Sources as people name them: a path by its last two parts, so that no page shows where somebody keeps files."""
    return ", ".join(
        source if source.startswith("hf:") else "/".join(Path(source).expanduser().resolve().parts[-2:])
        for source in sources
    )


async def _request(runtime: Runtime, job_id: str) -> CollectRequest:
    row = await runtime.db(lambda s: jobs.get(s, job_id))
    return loads(CollectRequest, row.parameters_json)


def _open(runtime: Runtime, job_id: str, request: CollectRequest) -> _Work:
    """The job's model and excerpts, loaded once in this process."""
    if job_id in _works:
        return _works[job_id]
    from app.subject.collect import Collector
    from app.subject.load import load

    settings = runtime.settings
    progress = Progress(runtime, job_id, request.excerpts, UNIT)
    with runtime.store.session() as session:
        done = jobs.get(session, job_id).done  # of a worker that died: progress does not go back
    progress.report(done, "loading the model")
    subject = load(request.model, settings.device, settings.threads, runtime.models_dir, request.name)
    layers = request.layers or range(subject.card.layers)
    file = runtime.scratch(job_id) / "excerpts.npz"
    kept = _load_excerpts(file)
    if kept is None:
        from app.subject.corpus import read_corpus
        from app.subject.excerpts import build_excerpts, check_explainable

        progress.report(done, "reading the corpus")
        documents_read = read_corpus(
            request.corpus,
            wanted=request.excerpts,
            on_read=lambda n: progress.report(done, f"reading the corpus: {n:,} documents"),
        )
        kept = build_excerpts(documents_read, subject.tokenizer, request.excerpts, request.seed)
        check_explainable(*kept)
        _save_excerpts(file, *kept)
    documents, excerpts = kept
    collector = Collector(subject, excerpts, request.profile, layers, request.seed)
    _works[job_id] = _Work(collector, documents, excerpts)
    return _works[job_id]


def _save_excerpts(file: Path, documents: list[Document], excerpts: ExcerptTable) -> None:
    """One file that is there as a whole or not at all. Raises StoreError when the disk is full."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".tmp")
        with partial.open("wb") as out:
            np.savez(
                out,
                tokens=excerpts.tokens,
                documents=excerpts.documents,
                splits=excerpts.splits,
                starts=excerpts.starts,
                names=np.frombuffer(json.dumps([asdict(d) for d in documents]).encode(), np.uint8),
            )
        partial.replace(file)
    except OSError as error:
        raise StoreError(
            f"Cannot write to {file.parent} ({error.strerror}): free some space, then retry."
        ) from error


def _load_excerpts(file: Path) -> tuple[list[Document], ExcerptTable] | None:
    if not file.exists():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        documents = [Document(**d) for d in json.loads(arrays["names"].tobytes().decode())]
        return documents, ExcerptTable(
            arrays["tokens"], arrays["documents"], arrays["splits"], arrays["starts"]
        )
