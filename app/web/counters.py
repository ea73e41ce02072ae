"""Small counts for the frame around every page, held for a moment so that a page does not pay for them."""

import time
from collections.abc import Callable

from app.store import Store
from app.store import jobs as stored_jobs
from app.store.rows import JobState

HOLD_S = 1.0


class RunningJobs:
    """How many jobs are queued or running, at most a second old."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.clock = clock
        self._until = float("-inf")
        self._count = 0

    def __call__(self) -> int:
        now = self.clock()
        if now >= self._until:
            with self.store.reading() as session:
                self._count = stored_jobs.count(session, JobState.QUEUED, JobState.RUNNING)
            self._until = now + HOLD_S
        return self._count
