"""Reading many rows of numbers as one array, past rows of Python objects where the driver allows it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import StoreError
from app.store.session import Session

# What an array's column is to PostgreSQL, and its size there.
_SENT = {"i8": ("int8", ">i8"), "i4": ("int4", ">i4"), "f8": ("float8", ">f8")}
_HEAD = 20
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
    # One value a column: the driver takes a microsecond for every row that it is sent.
    asked = ", ".join(
        f"({_filled(sql, kind, 'postgresql')})::{_SENT[kind][0]} AS c{i}"
        for i, (_, sql, kind) in enumerate(columns)
    )
    every = ", ".join(f"array_agg(c{i})" for i in range(len(columns)))
    with raw.cursor(binary=True) as cursor:
        cursor.execute(f"SELECT {every} FROM (SELECT {asked} {rest}) q")  # noqa: S608
        sent = [cursor.pgresult.get_value(0, i) for i in range(len(columns))]
    # 20 bytes about the array, then each element's length and value; nothing at all for no rows.
    arrays = [
        np.frombuffer(
            data or bytes(_HEAD), np.dtype([("length", ">i4"), ("value", _SENT[kind][1])]), offset=_HEAD
        )
        for data, (_, _, kind) in zip(sent, columns, strict=True)
    ]
    found = np.empty(len(arrays[0]), dtype)
    for (name, _, _), array in zip(columns, arrays, strict=True):
        found[name] = array["value"]
    return found


def _filled(sql: str, kind: str, dialect: str) -> str:
    return f"coalesce({sql}, {_MISSING[dialect]})" if kind == "f8" else sql
