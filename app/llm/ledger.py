"""The ledger as the client sees it, and one in memory for tries and tests of other parts.

The durable one is kept by `store`; `jobs` hands it over.
"""

from datetime import datetime
from typing import Protocol

from app.domain.ledger import LedgerEntry, Outcome, answered_already


class Ledger(Protocol):
    """Where every try of every call is written down."""

    def lookup(self, key: str) -> LedgerEntry | None:
        """The OK entry of this request key, or None."""

    def record(self, entry: LedgerEntry) -> LedgerEntry:
        """Write one try down, durably, before returning; the entry to go by.

        That is the one given, or the first answer where it is a second one to the same request, which is kept as rejected.
        """

    def spent(self, *, since: datetime | None = None, job_id: str | None = None) -> float:
        """US dollars of all entries, or of those sent since a moment, or for one job."""

    def served(self, entry: LedgerEntry, job_id: str) -> None:
        """Note that another job's answer was given to this one, for nothing."""


class MemoryLedger:
    """A ledger that lives as long as its process."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []
        self.given: list[tuple[str, str]] = []  # (request key, job that was served)

    def lookup(self, key: str) -> LedgerEntry | None:
        """The OK entry of this request key, or None."""
        for entry in self.entries:
            if entry.request_key == key and entry.outcome is Outcome.OK:
                return entry
        return None

    def record(self, entry: LedgerEntry) -> LedgerEntry:
        """Keep one try; the entry to go by."""
        first = self.lookup(entry.request_key) if entry.outcome is Outcome.OK else None
        self.entries.append(entry if first is None else answered_already(entry))
        return first or entry

    def spent(self, *, since: datetime | None = None, job_id: str | None = None) -> float:
        """US dollars of all entries, or of those sent since a moment, or for one job."""
        return sum(
            entry.cost_usd
            for entry in self.entries
            if (since is None or entry.created_at >= since) and job_id in (None, entry.job_id)
        )

    def served(self, entry: LedgerEntry, job_id: str) -> None:
        """Keep who was served."""
        self.given.append((entry.request_key, job_id))
