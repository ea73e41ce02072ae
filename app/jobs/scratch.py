"""The folder in which a collection keeps its excerpts and finished shards, and who clears what away when.

A folder has its job's name, in a folder of its store's. It goes with its job, except that the one of a job that failed stays for a while: the store
was out of reach or the disk full, and hours of reading would be lost. The next collection that asks for the same
takes its shards over.
"""

import hashlib
import json
import logging
import shutil
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np

from app.domain.collection import Document, ExcerptTable
from app.errors import BadInput, Conflict, NotFound, StoreError
from app.jobs.requests import CollectRequest, Kind, loads
from app.store import Session, Store, collections, jobs
from app.store.rows import JobRow, JobState
from app.subject import partials

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)  # how long a failed collection may wait for its retry
EXCERPTS = "excerpts.npz"


def home(data_dir: Path, store_url: str) -> Path:
    """The folder of one store's jobs, so that stores with one data folder do not clear away each other's.

    A store is known by where it lies, and by its place in the data folder where that may move.
    """
    address = urlsplit(store_url)
    if address.scheme.startswith("sqlite"):
        file, data = Path(store_url.partition(":///")[2].partition("?")[0]).resolve(), data_dir.resolve()
        place = str(file.relative_to(data) if file.is_relative_to(data) else file)
    else:
        hosts = parse_qs(address.query).get("host", [address.hostname or ""])
        place = f"{','.join(hosts)}:{address.port or ''}{address.path}"
    return data_dir / "jobs" / hashlib.sha256(place.encode()).hexdigest()[:12]


def shards(scratch: Path) -> Path:
    """Where a job's partials are. Raises StoreError when the disk is full."""
    folder = scratch / "shards"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(scratch, error) from error
    return folder


def adopt(store: Store, scratch: Path, request: CollectRequest) -> None:
    """Take over the shards of the last job that failed at this very work, if it left any.

    Its excerpts are not: the corpus may have changed since, and then `drop_unusable` finds shards of other excerpts.
    """
    mine = shards(scratch)
    if any(mine.iterdir()):
        return
    left: list[JobRow] = []
    with store.session() as session:
        for folder in _folders(scratch.parent):
            row = _job(session, folder.name)
            if row is not None and _may_be_retried(session, row) and _same_work(row, request):
                left.append(row)
    if left:
        newest = scratch.with_name(max(left, key=lambda row: row.created_at).id)
        log.info("job %s: goes on from what job %s has read", scratch.name, newest.name)
        shards(newest).replace(mine)
        shutil.rmtree(newest, ignore_errors=True)


def drop_unusable(scratch: Path, fingerprint: str) -> None:
    """Remove partials that are damaged or of other excerpts, of another model or version: they are made again."""
    for path in (scratch / "shards").glob("*.safetensors"):
        if not _usable(path, fingerprint):
            log.warning("%s is damaged or of another collection: it is made again", path)
            path.unlink()


def abandon(store: Store, job_id: str) -> None:
    """Leave nothing half-written in the store of a collection that ended without success."""
    try:
        with store.session() as session:
            for left in collections.under_way(session):
                if left.job_id == job_id:
                    collections.abandon(session, left.id)
    except NotFound:  # another process was quicker
        return
    except StoreError as error:
        log.warning("job %s: what it left in the store goes when a worker starts (%s)", job_id, error)


def clean(store: Store, scratch: Path, job_id: str) -> None:
    """Leave nothing at all of it, on disk or in the store."""
    shutil.rmtree(scratch, ignore_errors=True)
    abandon(store, job_id)


def finished(store: Store, scratch: Path) -> None:
    """Its collection is complete: neither its folder nor what failed before at the same model is needed any more."""
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        sweep(store, scratch.parent)
    except StoreError as error:
        log.warning("folders of failed collections go when a worker starts (%s)", error)


def sweep(store: Store, home: Path) -> None:
    """Clean up after jobs that ended while no worker or no store could, and after failed ones that nobody retries."""
    with store.session() as session:
        rows = [_job(session, left.job_id) for left in collections.under_way(session) if left.job_id]
    for row in rows:
        if row is not None and row.state.ended:
            abandon(store, row.id)
    for folder in _folders(home):
        with store.session() as session:
            row = _job(session, folder.name)
            over = row is None or (row.state.ended and not _may_be_retried(session, row))
        if over:
            shutil.rmtree(folder, ignore_errors=True)


def save_excerpts(scratch: Path, documents: list[Document], excerpts: ExcerptTable) -> None:
    """One file that is there as a whole or not at all. Raises StoreError when the disk is full."""
    file = scratch / EXCERPTS
    try:
        scratch.mkdir(parents=True, exist_ok=True)
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
        raise _cannot_write(scratch, error) from error


def load_excerpts(scratch: Path) -> tuple[list[Document], ExcerptTable] | None:
    """What `save_excerpts` wrote; None when it is not there."""
    file = scratch / EXCERPTS
    if not file.exists():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        documents = [Document(**d) for d in json.loads(arrays["names"].tobytes().decode())]
        return documents, ExcerptTable(
            arrays["tokens"], arrays["documents"], arrays["splits"], arrays["starts"]
        )


def _cannot_write(scratch: Path, error: OSError) -> StoreError:
    return StoreError(f"Cannot write to {scratch} ({error.strerror}): free some space, then retry.")


def _folders(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.is_dir()] if home.is_dir() else []


def _job(session: Session, job_id: str) -> JobRow | None:
    try:
        return jobs.get(session, job_id)
    except NotFound:
        return None


def _may_be_retried(session: Session, row: JobRow) -> bool:
    """Whether it failed lately and its model has not been collected since."""
    if row.kind != Kind.COLLECT or row.state is not JobState.FAILED or row.ended_at is None:
        return False
    if row.ended_at < datetime.now(UTC) - KEPT:
        return False
    try:
        found = collections.of_model(session, row.model or "")
    except NotFound:
        return True
    return not any(c.finished_at is not None and c.finished_at > row.ended_at for c in found)


def _same_work(row: JobRow, request: CollectRequest) -> bool:
    try:
        return loads(CollectRequest, row.parameters_json).same_work(request)
    except BadInput:
        return False


def _usable(path: Path, fingerprint: str) -> bool:
    try:
        partials.check(path, fingerprint)
    except (Conflict, StoreError):
        return False
    return True
