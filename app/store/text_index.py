"""Explanations by their words: FTS5 on SQLite, tsvector on PostgreSQL, with the same result (migrations 0003).

Ids come as one value from the database, not as rows: of the 100,000 explanations that have a common word, reading rows would take
several times as long as finding them.
"""

import numpy as np
from numpy.typing import NDArray

from app.domain.text_query import Term, TextQuery
from app.errors import StoreError
from app.store.session import Session

_SQLITE = "SELECT group_concat(rowid) FROM explanation_words WHERE explanation_words MATCH ?"
_POSTGRES = "SELECT explanations_with(to_tsquery('simple', %s))"
# How PostgreSQL sends an array of int8: 20 bytes about the array, then for each element its length and value.
_SENT = np.dtype([("length", ">i4"), ("id", ">i8")])
_HEAD = 20


def matching(s: Session, query: TextQuery) -> NDArray[np.int64]:
    """The ids of all explanations, of whatever model, that a search finds, ascending. Token lookup is not searched."""
    raw = s.connection.driver_connection
    if raw is None:
        raise StoreError("the store's connection is gone: try again")
    if s.dialect.name == "sqlite":
        found = raw.execute(_SQLITE, (_fts5(query),)).fetchone()[0]
        if not found:
            return np.zeros(0, np.int64)
        return np.fromstring(found, np.int64, sep=",")
    with raw.cursor(binary=True) as cursor:
        cursor.execute(_POSTGRES, (_tsquery(query),))
        sent = cursor.pgresult.get_value(0, 0)
    if not sent:
        return np.zeros(0, np.int64)
    return np.sort(np.frombuffer(sent, _SENT, offset=_HEAD)["id"].astype(np.int64))


def _fts5(query: TextQuery) -> str:
    """In FTS5's language. Words are letters and digits, so that quoting them is all that is needed."""

    def term(each: Term) -> str:
        return f'"{" ".join(each.words)}"' + (" *" if each.prefix else "")

    wanted = " AND ".join(map(term, query.wanted))
    unwanted = " OR ".join(map(term, query.unwanted))
    return f"({wanted}) NOT ({unwanted})" if unwanted else wanted


def _tsquery(query: TextQuery) -> str:
    """In PostgreSQL's language."""

    def term(each: Term) -> str:
        words = [f"'{word}'" for word in each.words]
        return "(" + " <-> ".join(words) + (":*" if each.prefix else "") + ")"

    return " & ".join([*map(term, query.wanted), *(f"!{term(each)}" for each in query.unwanted)])
