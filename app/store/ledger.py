"""The ledger of calls to language models: every try, only ever added."""

from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.explanations import Usage
from app.domain.ledger import LedgerEntry, Outcome, answered_already, now
from app.store import tables as t
from app.store.session import Session, writing

_FIELDS = tuple(field.name for field in fields(LedgerEntry))
_ANSWER = text("outcome = 0")
_LOOKUP = select(t.llm_calls).where(
    t.llm_calls.c.request_key == bindparam("key"), t.llm_calls.c.outcome == Outcome.OK
)


class Pace(NamedTuple):
    """Means over some calls."""

    seconds: float
    tokens_out: float
    calls: int


def lookup(s: Session, request_key: str) -> LedgerEntry | None:
    """The answered try of a request, if there is one."""
    row = s.execute(_LOOKUP, {"key": request_key}).first()
    return None if row is None else _entry(row)


def record(s: Session, entry: LedgerEntry) -> LedgerEntry:
    """Add a try; the entry that its caller is to go by: this one, or the first answer where this is a second one.

    A second answer to the same request is kept as rejected, with what it cost.
    """
    writing(s)
    if _insert(s, entry):
        return entry
    _insert(s, answered_already(entry))
    first = lookup(s, entry.request_key)
    assert first is not None, "the answer that was in the way is there for good"
    return first


def spent(s: Session, *, since: datetime | None = None, job_id: str | None = None) -> float:
    """US dollars of all calls so far, or of those sent since a moment, or for one job."""
    c = t.llm_calls.c
    query = select(func.sum(c.cost_usd)).where(text("cost_usd > 0"))
    if since is not None:
        query = query.where(c.created_at >= since)
    if job_id is not None:
        query = query.where(c.job_id == job_id)
    return float(s.execute(query).scalar() or 0.0)


def served(s: Session, entry: LedgerEntry, job_id: str) -> None:
    """Note that the answer of one job's call was given to another job, for nothing."""
    writing(s)
    c = t.llm_calls.c
    query = select(c.id).where(c.request_key == entry.request_key, c.outcome == Outcome.OK)
    call = s.execute(query).scalar_one()
    s.execute(insert(t.llm_served).values(call_id=call, job_id=job_id, created_at=now()))


def usage(s: Session, job_id: str, purpose: str) -> Usage:
    """What all tries for one purpose of a job took, those that failed included."""
    c = t.llm_calls.c
    sums = [
        func.coalesce(func.sum(c[name]), 0) for name in ("tokens_in", "tokens_out", "cost_usd", "seconds")
    ]
    query = select(*sums, func.count()).where(c.job_id == job_id, c.purpose == purpose)
    row = s.execute(query).one()
    return Usage(int(row[0]), int(row[1]), float(row[2]), float(row[3]), int(row[4]))


def pace(s: Session, endpoint: str, purpose: str, calls: int = 200) -> Pace | None:
    """What the newest answered calls of one purpose took on average at an endpoint; None where none was answered yet."""
    c = t.llm_calls.c
    newest = (
        select(c.seconds, c.tokens_out)
        .where(c.endpoint == endpoint, c.purpose == purpose, c.outcome == Outcome.OK)
        .order_by(c.id.desc())
        .limit(calls)
        .subquery()
    )
    query = select(func.avg(newest.c.seconds), func.avg(newest.c.tokens_out), func.count()).select_from(
        newest
    )
    row = s.execute(query).one()
    return Pace(float(row[0]), float(row[1]), int(row[2])) if row[2] else None


def of_job(s: Session, job_id: str, newest: int | None = None) -> list[LedgerEntry]:
    """All tries for a job, or so many of the newest, oldest first."""
    query = select(t.llm_calls).where(t.llm_calls.c.job_id == job_id).order_by(t.llm_calls.c.id.desc())
    return [_entry(row) for row in s.execute(query.limit(newest))][::-1]


def count_of_job(s: Session, job_id: str) -> int:
    """How many tries a job has made."""
    query = select(func.count()).select_from(t.llm_calls).where(t.llm_calls.c.job_id == job_id)
    return int(s.execute(query).scalar_one())


def _insert(s: Session, entry: LedgerEntry) -> bool:
    values = {name: getattr(entry, name) for name in _FIELDS}
    return s.execute(_insertion(s.dialect.name), values).scalar() is not None


@cache  # every call comes here twice: making the statement takes longer than running it
def _insertion(dialect: str) -> Any:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    new = make(t.llm_calls).values({name: bindparam(name) for name in _FIELDS})
    ours = new.on_conflict_do_nothing(index_elements=["request_key"], index_where=_ANSWER)
    return ours.returning(t.llm_calls.c.id)


def _entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(**{name: getattr(row, name) for name in _FIELDS})
