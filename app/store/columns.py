"""What all tables share: names of constraints, and columns that recur."""

from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, text

from app.store import types as t

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def required(name: str, kind: Any, *args: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *args, nullable=False, **options)


def id_() -> Column[Any]:
    return Column("id", t.Id, primary_key=True)


def usage() -> list[Column[Any]]:
    return [
        required("tokens_in", Integer),
        required("tokens_out", Integer),
        required("cost_usd", t.Number),
        required("seconds", t.Number),
        required("calls", Integer),
    ]


def partial(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """An index of the rows that meet a condition, on either database."""
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
