"""What the units of an experiment are done with: the worker's means, but calls, money and results are the experiment's."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from app.domain.explanations import Usage
from app.domain.ledger import LedgerEntry
from app.domain.spending import Caps
from app.errors import AppError
from app.jobs import runtime
from app.jobs.caps import caps
from app.jobs.ledger import StoreLedger
from app.jobs.requests import Request
from app.jobs.runtime import SHARED, R, Runtime
from app.llm.client import Client
from app.llm.embeddings import Embedded, EmbeddingRequest
from app.llm.messages import ChatRequest, Completion, CompletionRequest, TokenLogprobs
from app.store import Session

if TYPE_CHECKING:
    from app.gpu.protocol import SubjectService

ASK_AGAIN_SECONDS = 2.0  # how long what other processes spent is taken for what it was


@dataclass
class Piece:
    """One unit as the code of jobs sees it: a job of its own, with what it asks and what its calls took so far."""

    key: str
    asked: Request | None = None
    sample: str = SHARED  # whose answers serve it: see `Client`
    took: dict[str, Usage] = field(default_factory=dict)  # by purpose

    def total(self) -> Usage:
        found = Usage()
        for usage in self.took.values():
            found = found.plus(usage)
        return found


_piece: ContextVar[Piece] = ContextVar("piece")


class UnitLedger(StoreLedger):
    """The store's ledger, in which every unit's calls are the experiment's job's, and their usage is known by unit."""

    def __init__(self, outer: Runtime, job_id: str, spent: float) -> None:
        """`spent`: what the experiment's jobs have cost so far, this one included."""
        super().__init__(outer.store)
        self._job_id = job_id
        self._mine = spent
        self._known: dict[
            datetime | None, tuple[float, float]
        ] = {}  # (asked at, sum), by the moment it counts from

    def lookup(self, key: str) -> LedgerEntry | None:
        found = super().lookup(key)
        if found is not None:  # what a served answer took is what its call took
            self._count(found)
        return found

    def record(self, entry: LedgerEntry) -> LedgerEntry:
        kept = super().record(entry)
        self._mine += entry.cost_usd
        self._known = {since: (at, sum_ + entry.cost_usd) for since, (at, sum_) in self._known.items()}
        self._count(entry)
        return kept

    def spent(self, *, since: datetime | None = None, job_id: str | None = None) -> float:
        if job_id is not None:
            return self._mine
        at, found = self._known.get(since, (float("-inf"), 0.0))
        if monotonic() - at > ASK_AGAIN_SECONDS:
            found = super().spent(since=since)
            self._known[since] = (monotonic(), found)
        return found

    def _count(self, entry: LedgerEntry) -> None:
        piece = _piece.get(None)
        if piece is not None:
            took = Usage(entry.tokens_in, entry.tokens_out, entry.cost_usd, entry.seconds, 1)
            piece.took[entry.purpose] = piece.took.get(entry.purpose, Usage()).plus(took)


class UnitClient(Client):
    """A client whose every call is the experiment's job's, whichever unit makes it."""

    job_id = ""

    async def chat(self, request: ChatRequest, purpose: str, job_id: str) -> Completion:
        return await super().chat(request, purpose, self.job_id)

    async def complete(self, request: CompletionRequest, purpose: str, job_id: str) -> TokenLogprobs:
        return await super().complete(request, purpose, self.job_id)

    async def embed(self, request: EmbeddingRequest, purpose: str, job_id: str) -> Embedded:
        return await super().embed(request, purpose, self.job_id)


class UnitRuntime(Runtime):
    """The runtime within which an experiment's units are done. Models and the demo's server are the worker's own."""

    follows = False  # how far the experiment is, is counted in units
    keeps_refused = False  # the unit stays open, and goes on from the ledger within a larger budget

    def __init__(self, outer: Runtime, job_id: str, budget_usd: float | None, spent: float) -> None:
        super().__init__(outer.settings, outer.store, outer.worker)
        self._outer = outer
        self._job_id = job_id
        self._budget_usd = budget_usd
        self._own = UnitLedger(outer, job_id, spent)
        self._own_clients: dict[str, UnitClient] = {}
        self._opening = asyncio.Lock()

    @contextmanager
    def doing(self, piece: Piece) -> Iterator[None]:
        """Whatever this task, and tasks that it starts, asks and spends, is for this unit."""
        token = _piece.set(piece)
        try:
            with runtime.within(self):
                yield
        finally:
            _piece.reset(token)

    async def asked(self, kind: type[R], job_id: str) -> R:
        found = _piece.get().asked
        if not isinstance(found, kind):
            raise AppError(f"Unit {job_id} is no {kind.__name__}.")
        return found

    def job_of(self, job_id: str) -> str:
        return self._job_id

    def abandoned(self, s: Session, job_id: str) -> bool:
        return False  # a cancelled experiment's tasks are cancelled

    def usage(self, s: Session, job_id: str, purpose: str) -> Usage:
        return _piece.get().took.get(purpose, Usage())

    def report(self, job_id: str, done: int, *, total: int, unit: str, note: str) -> None:
        """Nothing: how far the experiment is, is counted in units."""

    def caps(self, job_id: str) -> Caps:
        return caps(self.settings, self._budget_usd)

    def sample_of(self, job_id: str) -> str:
        return _piece.get().sample

    async def client(self, name: str) -> "Client":
        async with self._opening:
            endpoint = (await self._outer.client(name)).endpoint
            client = self._own_clients.get(name)
            if client is None or client.endpoint != endpoint:
                client = UnitClient(endpoint, self._own, self.caps, self.sample_of)
                client.job_id = self._job_id
                self._own_clients[name] = client
            return client

    async def service(self, slug: str) -> "SubjectService":
        return await self._outer.service(slug)

    async def subject(self, slug: str) -> "SubjectService":
        return await self._outer.subject(slug)

    async def close(self) -> None:
        """Close the connections; what the worker lent stays."""
        for client in self._own_clients.values():
            await client.aclose()
        self._own_clients.clear()
