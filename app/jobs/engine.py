"""The durable engine under the jobs: DBOS on a database of its own. The only module that imports dbos.

Our own `jobs` table says what a job is and how it stands; DBOS remembers which of its steps are done. A job's id
is its workflow's id, and a workflow takes that id alone, so nothing but ids and small step results is kept here.
"""

import asyncio
import functools
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_error

from app import errors
from app.errors import AppError, StoreError
from app.settings import sqlite_file

log = logging.getLogger(__name__)

# Raised only when the steps of a workflow change: unfinished jobs of an older one are then failed, with retry.
VERSION = "1"
COLLECT = "collect"
LLM = "llm"
EXPERIMENT = "experiment"
# How many workflows of each queue one worker runs at once. Several queues: what takes hours blocks no explanation.
CONCURRENCY = {COLLECT: 1, LLM: 4, EXPERIMENT: 2}
POLL_SECONDS = 0.1
UNFINISHED = ["ENQUEUED", "PENDING", "DELAYED"]

P = ParamSpec("P")
R = TypeVar("R")
_under_way: dict[str, asyncio.Task[Any]] = {}  # the step that each job has under way in this process
Workflow = Callable[[str], Coroutine[Any, Any, None]]


_cancelled: set[str] = set()  # jobs whose step was aborted here

# How DBOS says that a job was cancelled or taken from this worker.
_STOPS = (dbos_error.DBOSWorkflowCancelledError, dbos_error.DBOSWorkflowConflictIDError)


class Stopped(BaseException):
    """What a step raises when its job was cancelled, or taken over by another worker: our own row says which.

    No Exception, so that nothing takes it for a failure of the job.
    """


def workflow(name: str) -> Callable[[Workflow], Workflow]:
    """Make an async function of a job id durable under a name that must never change."""

    def decorate(function: Workflow) -> Workflow:
        return cast(Workflow, DBOS.workflow(name=name, max_recovery_attempts=None)(function))

    return decorate


def step(name: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Make an async function a step: run at least once, its JSON result kept, aborted when its job is cancelled.

    The job's id is its first argument. An AppError is kept as its name and words and raised again as itself, also when the workflow is replayed: the
    engine would bring it back as something else.
    """

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        async def kept(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
            job_id, task = str(args[0]), asyncio.current_task()
            assert task is not None
            _under_way[job_id] = task
            try:
                return {"value": await function(*args, **kwargs)}
            except AppError as error:
                return {"error": type(error).__name__, "reason": str(error)}
            finally:
                _under_way.pop(job_id, None)

        durable = DBOS.step(name=name, retries_allowed=False, preemptible=True)(kept)

        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                outcome: dict[str, Any] = await durable(*args, **kwargs)
            except _STOPS as stop:
                raise Stopped from stop
            except asyncio.CancelledError as stop:
                if str(args[0]) in _cancelled:
                    raise Stopped from stop
                raise
            if "error" in outcome:
                raise getattr(errors, outcome["error"], AppError)(outcome["reason"])
            return cast(R, outcome["value"])

        return call

    return decorate


class Unfinished(NamedTuple):
    """A workflow that the engine has not brought to an end."""

    job_id: str
    pending: bool  # True: started by `worker`; False: waiting in its queue
    worker: str
    version: str


class _Quiet(logging.Filter):
    """Lets through what DBOS says, but not that a cancelled workflow was cancelled."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, (Stopped, *_STOPS, dbos_error.DBOSAwaitedWorkflowCancelledError))


def _use_our_log() -> None:
    """DBOS brings a handler and a form of its own."""
    theirs = logging.getLogger("dbos")
    theirs.handlers[:] = []
    theirs.propagate = True
    if not any(isinstance(f, _Quiet) for f in theirs.filters):
        theirs.addFilter(_Quiet())


def prepare(url: str) -> None:
    """Make the engine's SQLite file ready for several processes (WAL); nothing to do on PostgreSQL.

    Raises StoreError when the file cannot be made.
    """
    path = sqlite_file(url)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"The job database {path} cannot be opened ({error}): free some space or mend its permissions."
        ) from error


class Engine:
    """One process's share of the work. Start and stop it on the event loop that is to run the workflows."""

    def __init__(self, url: str, worker: str) -> None:
        """`worker` names this process and no other, ever: two with one name steal each other's jobs."""
        self.worker = worker
        self._url = url

    async def start(self) -> None:
        """Migrate the engine's database, and begin taking jobs from the queues."""
        await asyncio.to_thread(prepare, self._url)
        DBOS(
            config=DBOSConfig(
                name="neuronarium",
                system_database_url=self._url,
                executor_id=self.worker,
                application_version=VERSION,
                serializer=DBOSPortableJSONSerializer(),
                enable_otlp=False,
                log_level="ERROR",
            )
        )
        _use_our_log()
        DBOS.listen_queues(list(CONCURRENCY))
        try:
            DBOS.launch()
        except (dbos_error.DBOSException, sqlite3.Error) as error:
            raise StoreError(
                f"The job database cannot be used ({error}). Run `neuronarium doctor`."
            ) from error
        for name, concurrency in CONCURRENCY.items():
            await DBOS.register_queue_async(
                name,
                worker_concurrency=concurrency,
                polling_interval_sec=POLL_SECONDS,
                on_conflict="always_update",
            )

    async def stop(self, wait_seconds: int = 0) -> None:
        """Stop taking jobs; those under way stay unfinished and are taken up again later."""
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=wait_seconds)

    async def enqueue(self, queue: str, function: Workflow, job_id: str) -> None:
        """Put a job into its queue. Idempotent: an id that is known already is left as it is."""
        with SetWorkflowID(job_id):
            await DBOS.enqueue_workflow_async(queue, function, job_id)

    async def cancel(self, job_id: str) -> None:
        """Make a job stop: the step under way here at once, one elsewhere within about a second."""
        try:
            await DBOS.cancel_workflow_async(job_id)
        except dbos_error.DBOSNonExistentWorkflowError:
            log.debug("job %s was not in the engine yet", job_id)
        step_under_way = _under_way.get(job_id)
        if step_under_way is not None:
            _cancelled.add(job_id)
            step_under_way.cancel()

    async def known(self, job_id: str) -> bool:
        """Whether the engine has ever been given this job."""
        rows = await DBOS.list_workflows_async(workflow_ids=[job_id], load_input=False, load_output=False)
        return bool(rows)

    async def unfinished(self) -> list[Unfinished]:
        """All workflows that wait or run, anywhere."""
        rows = await DBOS.list_workflows_async(status=UNFINISHED, load_input=False, load_output=False)
        return [
            Unfinished(row.workflow_id, row.status == "PENDING", row.executor_id or "", row.app_version or "")
            for row in rows
        ]

    async def take_over(self, job_id: str, dead: str) -> bool:
        """Put a job that a dead worker held back into its own queue; False when another worker was first.

        Not `resume_workflow_async`: that one resets a workflow whoever holds it, so that two workers finding the
        same dead one could both run its job. This call, which DBOS's own recovery makes, depends on the holder.
        """
        from dbos._dbos import _get_dbos_instance

        system = _get_dbos_instance()._sys_db
        # The queue named here is for a workflow that has none, which ours are not unless cancelled.
        return bool(await asyncio.to_thread(system.reenqueue_for_recovery, job_id, [dead], LLM))
