"""Opening the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection as Session


class Store:
    @classmethod
    def open(cls, url: str, *, create: bool = True) -> "Store":
        raise NotImplementedError

    @contextmanager
    def session(self) -> Iterator[Session]:
        raise NotImplementedError
        yield

    def close(self) -> None:
        raise NotImplementedError

    @property
    def dialect(self) -> str:
        raise NotImplementedError
