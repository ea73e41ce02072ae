"""The ledger as the client sees it, and one in memory for tries and tests of other parts.

The durable one is kept by `store`; `jobs` hands it over.
"""

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

    def spent(self) -> float:
        """US dollars of all entries."""


class MemoryLedger:
    """A ledger that lives as long as its process."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []

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

    def spent(self) -> float:
        """US dollars of all entries."""
        return sum(entry.cost_usd for entry in self.entries)
