"""Money that requests under way may still cost, so that caps hold however many are sent at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.ledger import now
from app.domain.spending import Caps, day_begins
from app.errors import OverBudget, Refused
from app.llm.ledger import Ledger


class Promises:
    """Money that requests under way may still cost, so that many at once cannot pass the cap together."""

    def __init__(self) -> None:
        self._promised: dict[str, list[float]] = {}  # by job, a sum for each request under way
        self._lock = threading.Lock()

    @contextmanager
    def held(self, worst: float, job_id: str, caps: Caps, ledger: Ledger) -> Iterator[None]:
        """Hold `worst` dollars while a request is under way; raises Refused where one of the caps could be passed."""
        if worst <= 0:
            yield
            return
        with self._lock:
            self._demand(worst, job_id, caps, ledger)
            self._promised.setdefault(job_id, []).append(worst)
        try:
            yield
        finally:
            with self._lock:
                self._promised[job_id].remove(worst)
                if not self._promised[job_id]:
                    del self._promised[job_id]

    def _demand(self, worst: float, job_id: str, caps: Caps, ledger: Ledger) -> None:
        everything, mine = sum(map(sum, self._promised.values())), sum(self._promised.get(job_id, ()))
        if caps.total_usd is not None:
            way = "Raise spending_cap_usd to go on."
            _within(worst, ledger.spent() + everything, caps.total_usd, "the spending cap", way)
        if caps.day_usd is not None:
            today = ledger.spent(since=day_begins(now()))
            way = "Raise daily_cap_usd, or go on after midnight (UTC)."
            _within(worst, today + everything, caps.day_usd, "today's cap", way)
        if caps.job_usd is not None and job_id:
            way = "Raise the job's cap (job_cap_usd, or the experiment's budget) to go on."
            spent = ledger.spent(job_id=job_id) + mine
            _within(worst, spent, caps.job_usd, "this job's cap", way, OverBudget)


def _within(
    worst: float, already: float, cap: float, what: str, way: str, error: type[Refused] = Refused
) -> None:
    if already + worst > cap:
        raise error(
            f"Refused before sending: this request could cost ${worst:.4f}, and ${already:.4f} of "
            f"{what} of ${cap:.2f} is spent or under way. {way}"
        )


promises = Promises()
