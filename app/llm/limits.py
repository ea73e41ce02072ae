"""How many requests run at once and how many start in a minute, per endpoint and process.

Workers run several event loops in one process, so nothing here belongs to a loop: a waiter is woken in its own.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from app.settings import Endpoint

MINUTE_S = 60.0
Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]  # seconds


class Gate:
    """Lets at most `concurrency` through at once and at most `per_minute` in any minute, first come first served."""

    def __init__(self, concurrency: int, per_minute: int | None) -> None:
        self.concurrency = concurrency
        self.per_minute = per_minute
        self._inside = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._starts: deque[float] = deque()
        self._not_before = float("-inf")
        self._lock = threading.Lock()

    @asynccontextmanager
    async def entered(
        self, sleep: Sleep = asyncio.sleep, clock: Clock = time.monotonic
    ) -> AsyncIterator[None]:
        """Hold one place. Waits for a free one, then for the end of a pause and for the minute's bound."""
        await self._enter()
        try:
            wait = self._book(clock())
            if wait > 0:
                await sleep(wait)
            yield
        finally:
            self._leave()

    def pause(self, seconds: float, clock: Clock = time.monotonic) -> None:
        """Let nobody start for so long: a server that sends one request away for being one too many sends all away."""
        with self._lock:
            self._not_before = max(self._not_before, clock() + seconds)

    async def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._inside < self.concurrency and not self._waiting:
                self._inside += 1
                return
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting.append((loop, turn))
        try:
            await turn
        except asyncio.CancelledError:
            with self._lock:
                given = (loop, turn) not in self._waiting
                if not given:
                    self._waiting.remove((loop, turn))
            if given:  # the place was ours already: pass it on
                self._leave()
            raise

    def _leave(self) -> None:
        """Free a place; whoever waits longest has it before anybody new can ask."""
        with self._lock:
            self._inside -= 1
            while self._waiting and self._inside < self.concurrency:
                loop, turn = self._waiting.popleft()
                try:
                    loop.call_soon_threadsafe(_wake, turn)
                except RuntimeError:  # that loop is closed: its waiter is gone
                    continue
                self._inside += 1

    def _book(self, now: float) -> float:
        """Seconds until the next start that keeps to pause and minute's bound; the start is booked."""
        with self._lock:
            start = max(now, self._not_before)
            if self.per_minute is not None:
                if len(self._starts) >= self.per_minute:
                    start = max(start, self._starts[-self.per_minute] + MINUTE_S)
                self._starts.append(start)
                while len(self._starts) > self.per_minute:
                    self._starts.popleft()
            return start - now


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


_gates: dict[tuple[str, str], Gate] = {}
_gates_lock = threading.Lock()


def gate_of(endpoint: Endpoint) -> Gate:
    """The one gate of this endpoint in this process; its bounds follow the settings last given."""
    with _gates_lock:
        key = (endpoint.name, endpoint.base_url)
        gate = _gates.setdefault(key, Gate(endpoint.concurrency, endpoint.requests_per_minute))
        gate.concurrency = endpoint.concurrency
        gate.per_minute = endpoint.requests_per_minute
        return gate
