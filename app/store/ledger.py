"""Signatures; bodies follow."""

from app.domain.ledger import LedgerEntry
from app.store.rows import *
from app.store.session import Session


def lookup(s: Session, request_key: str) -> LedgerEntry | None:
    raise NotImplementedError


def record(s: Session, entry: LedgerEntry) -> None:
    raise NotImplementedError


def spent(s: Session) -> float:
    raise NotImplementedError


def of_job(s: Session, job_id: str) -> list[LedgerEntry]:
    raise NotImplementedError
