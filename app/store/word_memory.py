"""The words of a model's explanations in this process's memory: for PostgreSQL, which has no index of the same words.

An FTS5 table in a SQLite database of the process, whose words are those of a SQLite store's own table (migration 0003), so that both
find the same. 300,000 explanations take about a second when words are searched for the first time, and 20 MB; what is added to the
store later is added here at the next search. A tsvector with a GIN index in the store took up to five times as long for common words,
whose every row it visits, 68 MB, and regular expressions that bring text to the same words.
"""

import sqlite3
from threading import Lock

import numpy as np

from app.store import sql
from app.store.neuron_columns import Columns, Explained
from app.store.session import Session

_AT_ONCE = 20_000  # texts that are read together
_MERGED = 50_000  # after so many new ones the index is brought into one piece
# Pictures that came after the Unicode version that FTS5 knows (6.1), which would take them for letters.
_PICTURES = (
    (0x1F321, 0x1F3FF), (0x1F43F, 0x1F441), (0x1F4F8, 0x1F4FF), (0x1F53E, 0x1F5FA), (0x1F641, 0x1F650),
    (0x1F6C6, 0x1F6FF), (0x1F7E0, 0x1F7FF), (0x1F900, 0x1F9FF), (0x1FA70, 0x1FAFF),
)  # fmt: skip
TOKENIZE = (
    "unicode61 remove_diacritics 2 categories 'L*' tokenchars '0123456789' separators '"
    + "".join(chr(code) for first, last in _PICTURES for code in range(first, last + 1))
    + "'"
)
_KEY = "words"


class WordIndex:
    """An index that grows with the columns. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: Explained | None = None
        self._ids = np.zeros(0, np.int64)
        self._words = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._words.execute(
            f"CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0, tokenize=\"{TOKENIZE}\")"
        )

    def matching(self, s: Session, c: Columns, wanted: str) -> str | None:
        """The ids of the columns' explanations that fit a query in FTS5's language, with commas; None for none."""
        with self._lock:
            if self._seen is not c.explained:
                self._add(s, c.explained)
                self._seen = c.explained
            found: str | None = self._words.execute(
                "SELECT group_concat(rowid) FROM words WHERE words MATCH ?", (wanted,)
            ).fetchone()[0]
        return found

    def _add(self, s: Session, explained: Explained) -> None:
        ids = np.sort(explained.ids[~explained.lookup])
        missing = np.setdiff1d(ids, self._ids, assume_unique=True) if len(self._ids) else ids
        for at in range(0, len(missing), _AT_ONCE):
            block = missing[at : at + _AT_ONCE]
            wanted = f"{{{','.join(map(str, block.tolist()))}}}"
            texts = sql.rows(s, "SELECT id, text FROM explanations WHERE id = ANY(?::int8[])", (wanted,))
            with self._words:  # all of them or none
                self._words.execute("BEGIN")
                self._words.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", texts)
            self._ids = np.concatenate([self._ids, block])
        if len(missing) > _MERGED:
            self._words.execute("INSERT INTO words(words) VALUES ('optimize')")


def index(c: Columns) -> WordIndex:
    """The model's; it stays when explanations are added, and goes when the neurons change."""
    found = c.derived.get(_KEY)
    if not isinstance(found, WordIndex):
        found = c.derived.setdefault(_KEY, WordIndex())  # that of a thread that was quicker
    return found
