"""Signatures; bodies follow."""

from app.store.rows import *
from app.store.session import Session


def add(
    s: Session,
    id: str,
    kind: str,
    title: str,
    parameters_json: str,
    *,
    total: int = 0,
    unit: str = "",
    model: str | None = None,
) -> JobRow:
    raise NotImplementedError


def get(s: Session, id: str) -> JobRow:
    raise NotImplementedError


def list_jobs(s: Session, *states: JobState, limit: int = 100) -> list[JobRow]:
    raise NotImplementedError


def claim(s: Session, id: str, worker: str) -> JobRow:
    raise NotImplementedError


def update_progress(
    s: Session,
    id: str,
    done: int,
    *,
    total: int | None = None,
    unit: str | None = None,
    note: str | None = None,
) -> None:
    raise NotImplementedError


def set_state(
    s: Session, id: str, state: JobState, *, reason: str = "", result_json: str | None = None
) -> JobRow:
    raise NotImplementedError


def resumed(s: Session, id: str, worker: str = "") -> int:
    raise NotImplementedError


def running_collection_of(s: Session, slug: str) -> JobRow | None:
    raise NotImplementedError
