"""Following a job: how it is whenever that changed, and the rate and time left that follow from the rows."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import NamedTuple, TypeVar

from app.jobs.alive import left_alone
from app.store import Store, jobs
from app.store.rows import JobRow

T = TypeVar("T")

POLL_SECONDS = 0.25
RATE_WINDOW_SECONDS = 30.0


async def changes(
    read: Callable[[], T], ended: Callable[[T], bool], poll_seconds: float = POLL_SECONDS
) -> AsyncIterator[T]:
    """What `read` gives now and whenever that changes, ending with the first that has `ended`."""
    last: T | None = None
    while True:
        found = await asyncio.to_thread(read)
        if found != last:
            yield found
            last = found
        if ended(found):
            return
        await asyncio.sleep(poll_seconds)


class Followed(NamedTuple):
    """A job as it is."""

    row: JobRow
    nobody: bool  # it has not ended, and no worker is alive to see to that


def look(store: Store, job_id: str) -> Followed:
    """The job now. Raises NotFound."""
    with store.session() as session:
        row = jobs.get(session, job_id)
    return Followed(row, not row.state.ended and left_alone(store, [row]))


def watch(store: Store, job_id: str, poll_seconds: float = POLL_SECONDS) -> AsyncIterator[Followed]:
    """The job now and after every change, of it or of who is there to do it, ending with its end. Raises NotFound."""
    return changes(lambda: look(store, job_id), lambda seen: seen.row.state.ended, poll_seconds)


class Rate:
    """Units a second over the last half minute, from rows as they come, without the time before the first was done."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, row: JobRow, at: float | None = None) -> None:
        """Take note of a row's progress. Going back, as a job that is taken up again does, starts anew."""
        at = monotonic() if at is None else at
        if self._seen and (row.done < self._seen[-1][1] or self._seen[-1][1] == row.done == 0):
            self._seen.clear()
        self._seen.append((at, row.done))
        while at - self._seen[0][0] > RATE_WINDOW_SECONDS and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def per_second(self) -> float | None:
        """None until something has been done."""
        if len(self._seen) < 2:
            return None
        (t0, d0), (t1, d1) = self._seen[0], self._seen[-1]
        return (d1 - d0) / (t1 - t0) if t1 > t0 and d1 > d0 else None

    def seconds_left(self, row: JobRow) -> float | None:
        """None where the total or the rate is unknown."""
        rate = self.per_second
        return (row.total - row.done) / rate if rate and row.total else None
