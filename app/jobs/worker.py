"""A worker: takes queued jobs to the engine, runs them, keeps its heartbeat, and takes over what dead workers held."""

import asyncio
import logging
import os
import secrets
import socket
from time import monotonic

from app.errors import StoreError
from app.jobs import engine, kinds, scratch
from app.jobs.alive import SILENT_SECONDS, gone
from app.jobs.requests import Kind
from app.jobs.runtime import Runtime, use
from app.settings import Settings
from app.store import Session, Store, jobs, workers
from app.store.rows import JobRow, JobState, WorkerRow

log = logging.getLogger(__name__)

TICK_SECONDS = 0.2
BEAT_SECONDS = 2.0
MAX_RESUMPTIONS = 3  # a job that takes more workers down than this without getting further is given up
MAX_STORE_FAILURES = 60  # seconds, roughly, that the store may be out of reach
IDLE_SECONDS = 2.0
AT_ONCE = 1000  # jobs that are looked at; those that wait behind them have their turn later


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.store = store
        self.runtime = Runtime(settings, store, self.name)
        self.engine = engine.Engine(settings.jobs_url, self.name)
        self._handed_over: set[str] = set()  # queued jobs that the engine has been given
        self._suspects: set[str] = (
            set()
        )  # jobs under way of which the engine knew nothing when last looked at

    async def run(self, stop: asyncio.Event, *, until_idle: bool = False) -> None:
        """Work until `stop` is set or, if asked so, until nothing is left to do.

        Jobs under way are then abandoned as they are: to end the process is as good as to kill it. Raises
        StoreError when the store stays out of reach.
        """
        use(self.runtime)
        await self._beat()
        await self.engine.start()
        await asyncio.to_thread(scratch.sweep, self.store, self.runtime.jobs_dir)
        log.info("worker %s: ready", self.name)
        failures = 0
        beat_at = idle_since = monotonic()
        looked_at = float("-inf")
        try:
            while not stop.is_set():
                try:
                    if monotonic() - beat_at >= BEAT_SECONDS:
                        beat_at = monotonic()
                        await self._beat()
                    if monotonic() - looked_at >= BEAT_SECONDS:
                        looked_at = monotonic()
                        await self._look_after_jobs()
                    if await self._tick():
                        idle_since = monotonic()
                    failures = 0
                except StoreError as error:
                    failures += 1
                    log.warning("worker %s: %s", self.name, error)
                    if failures >= MAX_STORE_FAILURES:
                        raise
                if until_idle and monotonic() - idle_since > IDLE_SECONDS:
                    return
                await _wait(stop, TICK_SECONDS if not failures else 1.0)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        try:
            await self.runtime.db(self._sign_off)
        except StoreError as error:
            log.warning("worker %s: could not sign off: %s", self.name, error)
        await self.runtime.close()
        log.info("worker %s: stopped", self.name)

    def _sign_off(self, session: Session) -> None:
        jobs.left(session, self.name)
        workers.forget(session, self.name)

    async def _beat(self) -> None:
        await self.runtime.db(lambda s: workers.beat(s, self.name, socket.gethostname(), os.getpid()))

    async def _tick(self) -> bool:
        """Hand queued jobs to the engine and stop cancelled ones; whether there is anything to do at all."""
        unended = (await self.runtime.db(lambda s: jobs.active(s, AT_ONCE))).rows
        for row in unended:
            if row.state is JobState.QUEUED and row.id not in self._handed_over:
                await self._hand_over(row)
        here = {row.id for row in unended}
        self._handed_over &= here
        for job_id in list(self.runtime.running - here):
            row = await self.runtime.db(lambda s, i=job_id: jobs.get(s, i))  # type: ignore[misc]
            if row.state is JobState.CANCELLED and job_id in self.runtime.running:
                log.info("job %s: cancelled", job_id)
                self.runtime.running.discard(job_id)
                await self.engine.cancel(job_id)
        return bool(unended)

    async def _hand_over(self, row: JobRow) -> None:
        kind = kinds.KINDS.get(row.kind)
        if kind is None:
            reason = f"This version knows no job of kind “{row.kind}”: update it, or cancel the job."
            await self._fail(row.id, reason)
            return
        await self.engine.enqueue(kind.queue, kind.workflow, row.id)
        self._handed_over.add(row.id)

    async def _fail(self, job_id: str, reason: str) -> None:
        log.warning("job %s: failed: %s", job_id, reason)
        row = await self.runtime.db(lambda s: jobs.set_state(s, job_id, JobState.FAILED, reason=reason))
        if row.kind == Kind.COLLECT:
            await asyncio.to_thread(scratch.abandon, self.store, job_id)

    async def _look_after_jobs(self) -> None:
        """Take over what dead workers held, within bounds, and end what the engine has lost."""
        unfinished = await self.engine.unfinished()  # first: who holds one of these has beaten before
        alive, known = await self.runtime.db(_workers)
        alive_names = {w.name for w in alive if not gone(w)} | {self.name}
        dead = {w.name for w in [*alive, *known]} - alive_names
        for item in unfinished:
            if item.version != engine.VERSION:
                await self._fail(item.job_id, "It was begun by another version of Neuronarium: retry it.")
                await self.engine.cancel(item.job_id)
            elif item.pending and item.worker not in alive_names:
                await self._take_over(item, died=item.worker in dead)
        held = {item.worker for item in unfinished if item.pending}
        for worker in known:
            if worker.name not in alive_names and worker.name not in held:
                await self.runtime.db(lambda s, n=worker.name: workers.forget(s, n))  # type: ignore[misc]
        await self._end_lost({item.job_id for item in unfinished})

    async def _take_over(self, item: engine.Unfinished, *, died: bool) -> None:
        """Put a job back into the queue. A worker that signed off was stopped, as often as people like, and did not die."""
        row = await self.runtime.db(lambda s: jobs.get(s, item.job_id))
        if row.state.ended:
            await self.engine.cancel(item.job_id)
        elif died and row.resumptions >= MAX_RESUMPTIONS:
            await self._fail(
                item.job_id,
                f"{row.resumptions + 1} workers died while doing this: look into the worker's log, then retry it.",
            )
            await self.engine.cancel(item.job_id)
        elif not await self.engine.take_over(item.job_id, item.worker):
            return  # another worker was first
        elif not died:
            log.info("job %s: taken over from %s, which was stopped", item.job_id, item.worker)
        else:
            count = await self.runtime.db(lambda s: jobs.resumed(s, item.job_id, self.name))
            log.warning("job %s: taken over from %s, which died (%d)", item.job_id, item.worker, count)

    async def _end_lost(self, unfinished: set[str]) -> None:
        """Jobs that look under way while the engine is done with them or has never heard of them.

        It takes two looks, since a job may start or end between reading one database and the other.
        """
        rows = (await self.runtime.db(lambda s: jobs.active(s, AT_ONCE))).rows
        lost = {
            row.id
            for row in rows
            if row.id not in unfinished
            and row.id not in self.runtime.running
            and (row.state is JobState.RUNNING or row.id in self._handed_over)
        }
        for job_id in lost & self._suspects:
            if await self.engine.known(job_id):
                await self._fail(
                    job_id, "It ended without saying how: look into the worker's log, then retry it."
                )
            else:  # the engine's database was lost: do it again from the start
                await self.runtime.db(lambda s, i=job_id: jobs.resumed(s, i, self.name))  # type: ignore[misc]
                self._handed_over.discard(job_id)
        self._suspects = lost


def _workers(session: Session) -> tuple[list[WorkerRow], list[WorkerRow]]:
    """(heard of lately, all the others)."""
    return workers.alive(session, SILENT_SECONDS), workers.dead(session, SILENT_SECONDS)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
