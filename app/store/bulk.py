"""Loading many rows past SQLAlchemy's own executemany: SQLite's driver and PostgreSQL's binary COPY."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Dialect, Table, select
from sqlalchemy.dialects import postgresql

from app.errors import StoreError
from app.store.session import Session, writing
from app.store.types import plain

_POSTGRES: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_COPY_NAMES = {
    "BIGINT": "int8",
    "INTEGER": "int4",
    "SMALLINT": "int2",
    "TEXT": "text",
    "BYTEA": "bytea",
    "DOUBLE PRECISION": "float8",
    "FLOAT(53)": "float8",
    "BOOLEAN": "bool",
}


def insert(s: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of plain driver values (codes as numbers, moments as microseconds, clean text) in column order."""
    writing(s)
    names = ", ".join(columns)
    raw = s.connection.driver_connection
    if raw is None:
        raise StoreError("the store's connection is gone: try again")
    if s.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        raw.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608
        return
    with (
        raw.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([_copy_name(table, column) for column in columns])
        for row in rows:
            copy.write_row(row)


def reserve(s: Session, table: Table, n: int) -> list[int]:
    """`n` fresh ids of a table, ascending. On SQLite they are ours until the transaction ends."""
    writing(s)
    if s.dialect.name == "sqlite":
        top = s.execute(select(table.c.id).order_by(table.c.id.desc()).limit(1)).scalar() or 0
        return list(range(top + 1, top + 1 + n))
    sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return sorted(row[0] for row in s.exec_driver_sql(sql, (table.name, n)))


def _copy_name(table: Table, column: str) -> str:
    kind = plain(table.c[column].type)
    return _COPY_NAMES[kind.compile(_POSTGRES).upper()]
