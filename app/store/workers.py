"""Signatures; bodies follow."""

from app.store.rows import *
from app.store.session import Session


def beat(s: Session, name: str, host: str, pid: int) -> None:
    raise NotImplementedError


def alive(s: Session, within_s: float = 15.0) -> list[WorkerRow]:
    raise NotImplementedError


def dead(s: Session, after_s: float = 15.0) -> list[WorkerRow]:
    raise NotImplementedError


def forget(s: Session, name: str) -> None:
    raise NotImplementedError
