"""Keeping every endpoint busy: a lane for each, whose workers take its next units while others do theirs.

Units are read from the store a few at a time and their ends written down in batches, so that nothing grows with the
experiment and a call seldom waits for the database.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.errors import AppError, EndpointError, ModelError, Refused, StoreError
from app.store.experiment_rows import Ended, Unit

log = logging.getLogger(__name__)

AHEAD = 2  # units that a lane holds for each of its workers
SPARE = 2  # workers of an endpoint beyond its bound: while one reads or writes the store, another's call is under way
DEAD_AFTER = 8  # failures in a row, of three neurons at least, after which an endpoint is taken for dead
DEAD_NEURONS = 3
PATIENCE = 30  # times that a store which fails is asked again, a second apart

Take = Callable[
    [int, int], Awaitable[Sequence[Unit]]
]  # (lane, how many at most) -> units, under way from now on
Do = Callable[[Unit], Awaitable[tuple[Ended, AppError | None]]]


Write = Callable[[Sequence[Ended]], Awaitable[int]]  # how many units are over for good by it


class Dead(Exception):
    """An endpoint, or the local model, failed too often in a row."""

    def __init__(self, lane: int, units: Sequence[int], reason: str) -> None:
        super().__init__(reason)
        self.lane = lane
        self.units = tuple(units)  # that failed by it
        self.reason = reason


@dataclass
class _Lane:
    index: int
    workers: int
    held: deque[Unit] = field(default_factory=deque)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    failed: list[Unit] = field(default_factory=list)  # in a row


class Lanes:
    """One run over the units that are open."""

    def __init__(self, workers: Mapping[int, int], neurons: int, take: Take, do: Do, write: Write) -> None:
        """`workers`: how many each lane has. `neurons`: how many the sample has."""
        self._lanes = [_Lane(index, n) for index, n in workers.items()]
        self._take, self._do, self._write = take, do, write
        self._neurons = min(DEAD_NEURONS, neurons)
        self._open = 0
        self._ended: list[Ended] = []
        self._something_ended = asyncio.Event()
        self._changed = asyncio.Condition()
        self._version = 0  # raised whenever something may have become ready
        self._stopping = False
        self._gone = False  # all workers

    def stop(self) -> None:
        """End what is under way, and begin nothing more."""
        self._stopping = True

    async def run(self, open_units: int) -> int:
        """Do all that is open, or until stopped; how many are open still.

        Raises what ended the run early, when all that was under way has ended and is written down: Refused, Dead, StoreError.
        """
        self._open = open_units
        failure: Exception | None = None
        if open_units:
            writer = asyncio.create_task(self._writing())
            workers = [
                asyncio.create_task(self._working(lane)) for lane in self._lanes for _ in range(lane.workers)
            ]
            try:
                for task in asyncio.as_completed(workers):
                    try:
                        await task
                    except (Refused, Dead, StoreError) as error:
                        failure = failure or error
                        self.stop()
                        await self.wake()
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                self._gone = True
                self._something_ended.set()
                await writer
        if failure is not None:
            raise failure
        return self._open

    async def _working(self, lane: _Lane) -> None:
        while (unit := await self._next(lane)) is not None:
            try:
                ended, error = await self._do(unit)
            except (
                StoreError
            ) as lost:  # the unit stays under way and is put back when the experiment runs again
                raise StoreError(f"The store failed while {unit.ref} was under way: {lost}") from lost
            self._ended.append(ended)
            self._something_ended.set()
            self._judge(lane, unit, error)

    def _judge(self, lane: _Lane, unit: Unit, error: AppError | None) -> None:
        """Raises Dead where this failure is one too many."""
        if not isinstance(error, EndpointError | ModelError):
            lane.failed.clear()
            return
        lane.failed.append(unit)
        neurons = {each.ordinal for each in lane.failed}
        if len(lane.failed) >= max(DEAD_AFTER, lane.workers) and len(neurons) >= self._neurons:
            raise Dead(lane.index, [each.id for each in lane.failed], str(error))

    async def _next(self, lane: _Lane) -> Unit | None:
        """The lane's next unit, when there is one; None when the run is over."""
        while True:
            seen = self._version
            async with lane.reading:
                if self._stopping or not self._open:
                    return None
                if not lane.held:
                    lane.held.extend(await self._take(lane.index, AHEAD * lane.workers))
                if lane.held:
                    return lane.held.popleft()
            async with self._changed:  # what this lane does may depend on what another one has under way
                await self._changed.wait_for(lambda: self._version != seen)  # noqa: B023

    async def wake(self) -> None:
        """Let every worker look again."""
        async with self._changed:
            self._version += 1
            self._changed.notify_all()

    async def _writing(self) -> None:
        """Write ends down as they come, all that came meanwhile at once, until all workers have gone."""
        while not self._gone or self._ended:
            await self._something_ended.wait()
            self._something_ended.clear()
            some, self._ended = self._ended, []
            if not some:
                continue
            try:
                self._open -= await self._insist(some)
            except StoreError:
                self.stop()
                raise
            finally:
                await self.wake()

    async def _insist(self, some: Sequence[Ended]) -> int:
        for tries in range(PATIENCE):
            try:
                return await self._write(some)
            except StoreError as error:
                if tries == PATIENCE - 1:
                    raise
                log.warning("the ends of %d units could not be written yet: %s", len(some), error)
                await asyncio.sleep(1)
        raise AssertionError("not reached")
