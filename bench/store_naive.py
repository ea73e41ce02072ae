"""The rival: a JSON row a record, tokens as text, in a SQLite file with our settings."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.domain.collection import LayerResult
from app.store import session
from app.store.rows import StoredExcerpts

_STATISTICS = ("mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density")
_MORE = ("explain_maximum", "explain_minimum", "token_q99", "token_q01", "excerpt_max_q99")
_MORE += ("histogram_low", "histogram_high")


def open_rows(file: Path) -> sqlite3.Connection:
    """The rival's file, with our settings."""
    rows = sqlite3.connect(file, isolation_level=None)
    for pragma in (
        f"page_size={session.PAGE_BYTES}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"cache_size=-{session.CACHE_KIB}",
        f"wal_autocheckpoint={session.CHECKPOINT_BYTES // session.PAGE_BYTES}",
    ):
        rows.execute(f"PRAGMA {pragma}")
    rows.execute("CREATE TABLE neurons (id INTEGER PRIMARY KEY, statistics TEXT)")
    rows.execute(
        "CREATE TABLE records (id INTEGER PRIMARY KEY, neuron INTEGER, kind INTEGER, split INTEGER, excerpt INTEGER, "
        "document INTEGER, tokens TEXT, activations TEXT, gates TEXT)"
    )
    rows.execute("CREATE INDEX ix_records_neuron ON records (neuron)")
    return rows


def write_rows(
    rows: sqlite3.Connection, chunk: LayerResult, first: int, table: StoredExcerpts, words: Sequence[str]
) -> None:
    """The rival's way: every record as JSON, tokens as text. `words` are all tokens by id."""
    rows.execute("BEGIN IMMEDIATE")
    rows.executemany("INSERT INTO neurons VALUES (?, ?)", _about(chunk, first))
    rows.executemany(
        "INSERT INTO records (neuron, kind, split, excerpt, document, tokens, activations, gates) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _records(chunk, first, table, words),
    )
    rows.execute("COMMIT")


def _about(chunk: LayerResult, first: int) -> Iterator[tuple[int, str]]:
    for i in range(chunk.neurons):
        about = {name: float(getattr(chunk, name)[i]) for name in (*_STATISTICS, *_MORE)}
        about |= {"histogram": chunk.histogram[i].tolist(), "position0": bool(chunk.position0[i])}
        if chunk.sign_shares is not None:
            about["sign_shares"] = chunk.sign_shares[i].tolist()
        yield first + i, json.dumps(about)


def _records(
    chunk: LayerResult, first: int, table: StoredExcerpts, words: Sequence[str]
) -> Iterator[tuple[object, ...]]:
    for i in range(chunk.neurons):
        for slot in np.flatnonzero(chunk.excerpts[i] >= 0).tolist():
            excerpt = int(chunk.excerpts[i, slot])
            yield (
                first + i,
                int(chunk.kinds[slot]),
                int(chunk.splits[slot]),
                excerpt,
                int(table.documents[excerpt]),
                json.dumps([words[token] for token in table.tokens[excerpt].tolist()]),
                json.dumps(chunk.activations[i, slot].tolist()),
                None if chunk.gates is None else json.dumps(np.unpackbits(chunk.gates[i, slot]).tolist()),
            )


@dataclass(frozen=True, eq=False)
class Rows:
    """One neuron as the rival gives it."""

    tokens: list[list[str]]
    activations: np.ndarray  # [R, T]
    gates: np.ndarray | None  # [R, T]


def fetch_rows(rows: sqlite3.Connection, neuron: int) -> Rows:
    """The rival's way to read one neuron."""
    found = rows.execute(
        "SELECT kind, split, excerpt, document, tokens, activations, gates FROM records WHERE neuron = ? ORDER BY id",
        (neuron,),
    ).fetchall()
    return Rows(
        [json.loads(row[4]) for row in found],
        np.array([json.loads(row[5]) for row in found], np.float32),
        None if found[0][6] is None else np.array([json.loads(row[6]) for row in found], np.bool_),
    )
