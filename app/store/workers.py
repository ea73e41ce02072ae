"""Worker processes and their heartbeats."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update

from app.store import tables as t
from app.store.rows import WorkerRow
from app.store.session import Session, writing


def beat(s: Session, name: str, host: str, pid: int) -> None:
    """A worker lives: the first beat makes it known. A name used by a new process starts anew."""
    writing(s)
    now = datetime.now(UTC)
    w = t.workers.c
    same = update(t.workers).where(w.name == name, w.host == host, w.pid == pid).values(beat_at=now)
    if s.execute(same).rowcount:
        return
    s.execute(delete(t.workers).where(w.name == name))
    s.execute(insert(t.workers).values(name=name, host=host, pid=pid, started_at=now, beat_at=now))


def alive(s: Session, within_s: float = 15.0) -> list[WorkerRow]:
    """Workers whose last beat is not older than this, by name."""
    return _rows(s, t.workers.c.beat_at >= _ago(within_s))


def dead(s: Session, after_s: float = 15.0) -> list[WorkerRow]:
    """Workers whose last beat is older than this, by name."""
    return _rows(s, t.workers.c.beat_at < _ago(after_s))


def forget(s: Session, name: str) -> None:
    """A worker has gone for good, and what it held was taken over."""
    writing(s)
    s.execute(delete(t.workers).where(t.workers.c.name == name))


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _rows(s: Session, where: ColumnElement[bool]) -> list[WorkerRow]:
    query = select(t.workers).where(where).order_by(t.workers.c.name)
    return [WorkerRow(row.name, row.host, row.pid, row.started_at, row.beat_at) for row in s.execute(query)]
