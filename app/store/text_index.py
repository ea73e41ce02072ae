"""Explanations by their words: by FTS5, in a SQLite store itself (migration 0003) and beside a PostgreSQL one (word_memory).

Ids come as one value, not as rows: of the 100,000 explanations that have a common word, reading rows would take
several times as long as finding them.
"""

import numpy as np
from numpy.typing import NDArray

from app.domain.text_query import Term, TextQuery
from app.errors import StoreError
from app.store import word_memory
from app.store.neuron_columns import Columns
from app.store.session import Session

_SQLITE = "SELECT group_concat(rowid) FROM explanation_words WHERE explanation_words MATCH ?"


def matching(s: Session, c: Columns, query: TextQuery) -> NDArray[np.int64]:
    """The ids of the model's explanations that a search finds, ascending, and perhaps of others. Token lookup is not searched."""
    wanted = _fts5(query)
    if s.dialect.name == "sqlite":
        raw = s.connection.driver_connection
        if raw is None:
            raise StoreError("the store's connection is gone: try again")
        found = raw.execute(_SQLITE, (wanted,)).fetchone()[0]
    else:
        found = word_memory.index(c).matching(s, c, wanted)
    return np.fromstring(found, np.int64, sep=",") if found else np.zeros(0, np.int64)


def _fts5(query: TextQuery) -> str:
    """In FTS5's language. Words are letters and digits, so that quoting them is all that is needed."""

    def term(each: Term) -> str:
        return f'"{" ".join(each.words)}"' + (" *" if each.prefix else "")

    wanted = " AND ".join(map(term, query.wanted))
    unwanted = " OR ".join(map(term, query.unwanted))
    return f"({wanted}) NOT ({unwanted})" if unwanted else wanted
