"""The ledger that `llm` writes, kept in the store."""

from datetime import datetime

from app.domain.ledger import LedgerEntry
from app.store import Store, ledger


class StoreLedger:
    """`app.llm.ledger.Ledger` over the store. Every call is one short session of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lookup(self, key: str) -> LedgerEntry | None:
        with self._store.session() as session:
            return ledger.lookup(session, key)

    def record(self, entry: LedgerEntry) -> LedgerEntry:
        with self._store.session() as session:
            return ledger.record(session, entry)

    def spent(self, *, since: datetime | None = None, job_id: str | None = None) -> float:
        with self._store.session() as session:
            return ledger.spent(session, since=since, job_id=job_id)

    def served(self, entry: LedgerEntry, job_id: str) -> None:
        with self._store.session() as session:
            ledger.served(session, entry, job_id)
