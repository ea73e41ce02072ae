"""Statements that both databases know but spell through modules of their own."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Table, TextClause, select
from sqlalchemy.dialects import postgresql, sqlite

from app.errors import StoreError
from app.store.session import Session, writing


def insert_new(
    s: Session,
    table: Table,
    values: Mapping[str, Any],
    unique: Sequence[str],
    where: TextClause | None = None,
) -> int | None:
    """Insert a row and give its id; None, and nothing written, where one with the same unique columns is there.

    `where` is the condition of a partial unique index.
    """
    make = sqlite.insert if s.dialect.name == "sqlite" else postgresql.insert
    query = (
        make(table).values(**values).on_conflict_do_nothing(index_elements=list(unique), index_where=where)
    )
    made: int | None = s.execute(query.returning(table.c.id)).scalar()
    return made


def interned(s: Session, table: Table, column: str, value: str, **rest: str) -> int:
    """The id of the row whose unique `column` has this value; made with `rest` where it is not there yet."""
    query = select(table.c.id).where(table.c[column] == value)
    found: int | None = s.execute(query).scalar()
    if found is None:
        writing(s)
        found = insert_new(s, table, {column: value, **rest}, (column,))
        if found is None:  # another transaction was quicker
            found = s.execute(query).scalar_one()
    return found


def rows(s: Session, query: str, values: Sequence[Any]) -> Sequence[Any]:
    """The rows of a statement written with `?`, on either database, by the driver alone: for very many, or very often."""
    cursor = s.connection.cursor()
    try:
        cursor.execute(query if s.dialect.name == "sqlite" else query.replace("?", "%s"), tuple(values))
        return cursor.fetchall()
    finally:
        cursor.close()


def together(s: Session, *asked: tuple[str, Sequence[Any]]) -> list[Sequence[Any]]:
    """The rows of several statements that do not need one another, as `rows`: sent to PostgreSQL at once, so that they take one round trip."""
    if s.dialect.name == "sqlite":
        return [rows(s, query, values) for query, values in asked]
    raw = s.connection.driver_connection
    if raw is None:
        raise StoreError("the store's connection is gone: try again")
    with ExitStack() as opened:
        cursors = [opened.enter_context(raw.cursor()) for _ in asked]
        with raw.pipeline():
            for cursor, (query, values) in zip(cursors, asked, strict=True):
                cursor.execute(query.replace("?", "%s"), tuple(values))
        return [cursor.fetchall() for cursor in cursors]


def digest(*words: str) -> str:
    """One hash for several words; no two lists of words share it by the way they are joined."""
    joined = "".join(f"{len(word)}:{word}" for word in words)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()
