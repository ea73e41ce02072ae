"""Reading many rows of numbers as one array, past rows of Python objects where the driver allows it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import StoreError
from app.store.session import Session

# What an array's column is to PostgreSQL, and its size there.
_SENT = {"i8": ("int8", ">i8"), "i4": ("int4", ">i4"), "f8": ("float8", ">f8")}
_MISSING = {"sqlite": "9e999", "postgresql": "'NaN'"}  # SQLite knows infinity and no NaN

Column = tuple[str, str, str]  # name, SQL, kind: i8, i4, f8


def read(s: Session, columns: Sequence[Column], rest: str) -> NDArray[Any]:
    """The rows of `SELECT columns rest` as a structured array. A float that is NULL is NaN; an integer must not be NULL.

    `rest` holds no foreign text: it is not escaped.
    """
    raw = s.connection.driver_connection
    if raw is None:
        raise StoreError("the store's connection is gone: try again")
    dtype = np.dtype([(name, kind) for name, _, kind in columns])
    if s.dialect.name == "sqlite":
        asked = ", ".join(_filled(sql, kind, "sqlite") for _, sql, kind in columns)
        found = np.fromiter(raw.execute(f"SELECT {asked} {rest}"), dtype)
        for name, _, kind in columns:
            if kind == "f8":
                values = found[name]
                values[np.isinf(values)] = np.nan
        return found
    asked = ", ".join(f"({_filled(sql, kind, 'postgresql')})::{_SENT[kind][0]}" for _, sql, kind in columns)
    with (
        raw.cursor() as cursor,
        cursor.copy(f"COPY (SELECT {asked} {rest}) TO STDOUT (FORMAT BINARY)") as copy,
    ):
        data = b"".join(copy)
    # Head of 19 bytes; then for each row the number of fields, and for each field its length and value; then -1.
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, _, kind in columns:
        fields += [(f"{name} length", ">i4"), (name, _SENT[kind][1])]
    packed = np.frombuffer(
        data, np.dtype(fields), offset=19, count=(len(data) - 21) // np.dtype(fields).itemsize
    )
    found = np.empty(len(packed), dtype)
    for name, _, _ in columns:
        found[name] = packed[name]
    return found


def _filled(sql: str, kind: str, dialect: str) -> str:
    return f"coalesce({sql}, {_MISSING[dialect]})" if kind == "f8" else sql
