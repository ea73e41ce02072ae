"""What every workflow does around its own work: claim the row, report progress, and say how it ended."""

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from app.errors import AppError, Conflict, StoreError
from app.jobs.requests import is_fresh
from app.jobs.runtime import Runtime
from app.store import Session, jobs
from app.store.rows import JobRow, JobState

log = logging.getLogger(__name__)

T = TypeVar("T")
REPORT_SECONDS = 0.5
PATIENCE_SECONDS = 60.0  # how long the beginning and the end of a job wait for a store that fails
AGAIN_SECONDS = 1.0


async def run(runtime: Runtime, job_id: str, work: Callable[[JobRow], Awaitable[dict[str, object]]]) -> None:
    """Do a job's work, from the row as claimed to a result for the row's `result_json`.

    An expected error fails the job with its message; any other one fails it too, and is logged with its origin.
    A job cancelled in the meantime stays as the canceller marked it: what the engine then raises is no Exception.
    """
    row = await _insist(runtime, lambda s: jobs.claim(s, job_id, runtime.worker))
    if row.state.ended:
        return
    log.info("job %s: started (%s)", job_id, row.title)
    runtime.running.add(job_id)
    if is_fresh(row.parameters_json):
        runtime.fresh.add(job_id)
    try:
        result = await work(row)
    except AppError as error:
        log.warning("job %s: failed: %s", job_id, error)
        reason = str(error)
        await _insist(runtime, lambda s: jobs.set_state(s, job_id, JobState.FAILED, reason=reason))
    except Exception as error:  # the last line of defence of a job
        log.exception("job %s: failed for a reason that is ours", job_id)
        reason = f"Something unexpected went wrong ({type(error).__name__}: {error}). The worker's log has the rest."
        await _insist(runtime, lambda s: jobs.set_state(s, job_id, JobState.FAILED, reason=reason))
    else:
        text = json.dumps(result)
        ended = await _insist(runtime, lambda s: jobs.set_state(s, job_id, JobState.DONE, result_json=text))
        log.info("job %s: %s", job_id, ended.state)
    finally:
        runtime.running.discard(job_id)
        runtime.fresh.discard(job_id)


async def _insist(runtime: Runtime, write: Callable[[Session], T]) -> T:
    """Write what must not be lost, such as how a job ended, as soon as the store lets it. Raises StoreError at last."""
    end = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await runtime.db(write)
        except StoreError as error:
            if monotonic() >= end:
                raise
            log.warning("the state of a job could not be written yet: %s", error)
            await asyncio.sleep(AGAIN_SECONDS)


async def keep(runtime: Runtime, job_id: str, write: Callable[[Session], T]) -> T:
    """Store something that a job made, unless the job was cancelled meanwhile. Raises Conflict then."""

    def call(session: Session) -> T:
        if runtime.abandoned(session, job_id):
            raise Conflict("The job was cancelled: what it made is not kept.")
        return write(session)

    return await runtime.db(call)


class Progress:
    """Writes a job's progress to its row, at most every half second. Thread-safe; call `flush` for the last word.

    Progress that cannot be written fails no job: the next report says it too.
    """

    def __init__(self, runtime: Runtime, job_id: str, total: int, unit: str) -> None:
        self._runtime = runtime
        self._job_id = job_id
        self._lock = threading.Lock()
        self._at = float("-inf")
        self.followed = runtime.follows
        self.done = 0
        self.total = total
        self.unit = unit
        self.note = ""

    def report(self, done: int, note: str | None = None) -> None:
        """`done` units of the total so far; writes when the last writing was long enough ago or the note changed."""
        with self._lock:
            changed = note is not None and note != self.note
            self.done = done
            self.note = self.note if note is None else note
            due = changed or monotonic() - self._at >= REPORT_SECONDS
            if due:
                self._at = monotonic()
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what was reported last, if the store lets it."""
        try:
            self._runtime.report(self._job_id, self.done, total=self.total, unit=self.unit, note=self.note)
        except StoreError as error:
            self._at = monotonic()  # waiting for a lock took its time: work has its turn before the next try
            log.warning("job %s: its progress was not written: %s", self._job_id, error)


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Run blocking work in a thread. Cancelled, it sets the event that the work looks at, and waits for its end.

    Waiting matters: files, memory and the store are still in use until it has ended. So it waits however often it is
    cancelled: a job is by the engine and by ourselves.
    """
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            log.debug("cancelled work ended with %r", task.exception())
        raise
