"""Our packed rows against JSON rows (a row a record, tokens as text), the same real neurons in both.

Both lie in SQLite files with the same settings, hold the same records, signs of the gate, statistics and histograms, and are
loaded and read in turns in one process. A loaded neuron is committed. A fetched one is in numpy arrays, tokens as ids on our
side and as text on theirs. Theirs uses the bare driver and the standard library's json, ours sessions as the pages do.
The activations are those of the store, which are float16: their decimals are shorter than those of a model's float32.

On a store that is named, ours is fetched where it lies, among all its neurons, and its size is that of the tables that hold what the
rival's do. Loading is compared as ever.
"""

import random
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.domain.collection import Document, LayerResult, ModelCard
from app.domain.neurons import NeuronRef, Profile
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.settings import Settings
from app.store import Store, codec, collections, excerpts, models, names, neurons, session
from app.store import tables as t
from app.store.excerpts import ExcerptCache
from app.store.rows import StoredExcerpts
from bench.report import Figure, figure
from bench.scale_place import sizes
from bench.store_naive import fetch_rows, open_rows, write_rows

PER_CHUNK = 512  # neurons loaded and committed at a time, on either side: a third of a layer of the demo
FETCHES = 40  # neurons fetched at a time, on either side


@dataclass(frozen=True, eq=False)
class Real:
    """Neurons of a collected store, cut into layers of `PER_CHUNK`."""

    card: ModelCard
    vocabulary: Vocabulary
    documents: list[Document]
    table: StoredExcerpts
    chunks: list[LayerResult]
    refs: list[NeuronRef]  # what they are called where they come from


def run(quick: bool, url: str = "") -> list[Figure]:
    """`size_ratio`, `fetch_ratio` and `load_ratio` on neurons of the store at `url`, or of that in the data folder."""
    real = read(url or Settings().store_url, 3 if quick else 8)
    n = PER_CHUNK * len(real.chunks)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = Store.open(f"sqlite:///{folder / 'ours.sqlite'}")
        theirs = open_rows(folder / "theirs.sqlite")
        load = load_both(ours, theirs, real)
        table = ExcerptCache.get(ours, real.card.slug)
        refs = [NeuronRef(real.card.slug, f"{i // PER_CHUNK}-mlp", i % PER_CHUNK) for i in range(n)]
        check_equal(ours, theirs, table, refs, real)
        ours_bytes, theirs_bytes = ((folder / f"{side}.sqlite").stat().st_size for side in ("ours", "theirs"))
        if url:
            ours.close()
            ours, refs = Store.open(url), real.refs
            table = ExcerptCache.get(ours, real.card.slug)
            check_equal(ours, theirs, table, refs, real)
            ours_bytes = round(_bytes_a_neuron(ours) * n)
        fetch = fetch_both(ours, theirs, table, refs, 10 if quick else 40)
        ours.close()
        theirs.close()
    records = real.chunks[0].excerpts.shape[1]
    what = f"{n} neurons of {real.card.name}, {records} records each"
    size = f"{theirs_bytes / n:,.0f} bytes a neuron of JSON rows, {ours_bytes / n:,.0f} of ours; {what}"
    fetched = f"{1e6 * fetch[1]:,.0f} µs a neuron from JSON rows, {1e6 * fetch[0]:,.0f} from ours; {what}"
    loaded = f"{load[0]:,.0f} records/s into our rows, {load[1]:,.0f} into JSON rows; {what}"
    return [
        figure("store", "size_ratio", theirs_bytes / ours_bytes, ">=", 14, size),
        figure("store", "fetch_ratio", fetch[1] / fetch[0], ">=", 15, fetched),
        figure("store", "load_ratio", load[0] / load[1], ">=", 40, loaded),
    ]


def _bytes_a_neuron(ours: Store) -> float:
    """What a named store takes for the same as the rival's tables hold."""
    tables = sizes(ours).tables
    with ours.session() as s:
        count = sum(model.neurons for model in models.models(s))
    held = ("neurons", "exemplars", "excerpt_chunks", "documents", "parts", "vocabularies")
    return sum(tables[name] for name in held) / count


def read(url: str, count: int) -> Real:
    """Neurons of the first collected model, spread over its layers. BadInput where there is none."""
    store = Store.open(url, create=False)
    try:
        with store.session() as s:
            found = next((model for model in models.models(s) if model.neurons), None)
            if found is None:
                raise BadInput("bench store needs a collected model: `make run`, and let its collection end")
            parts = [part for part in names.parts_of(s, found.slug) if part.neurons >= PER_CHUNK]
            if not parts:
                raise BadInput(
                    f"bench store needs a layer of {PER_CHUNK} neurons; {found.card.name} has none"
                )
            chunks: list[LayerResult] = []
            refs: list[NeuronRef] = []
            for i in range(count):
                part = parts[i * len(parts) // count]
                first = (i * PER_CHUNK) % max(1, part.neurons - PER_CHUNK + 1)
                chunks.append(_chunk(s, part.id, i, first))
                refs += [NeuronRef(found.slug, part.slug, first + j) for j in range(PER_CHUNK)]
            documents = excerpts.documents(s, found.slug)
        return Real(
            found.card,
            models.cached_vocabulary(store, found.slug),
            documents,
            ExcerptCache.get(store, found.slug),
            chunks,
            refs,
        )
    finally:
        store.close()


def _chunk(s: session.Session, part_id: int, layer: int, first: int) -> LayerResult:
    """Some neurons of a layer as a collection would hand them over."""
    part = s.execute(select(t.parts).where(t.parts.c.id == part_id)).one()
    low = names.neuron_id(part_id, first)
    query = (
        select(t.neurons, t.exemplars.c.data)
        .join(t.exemplars, t.exemplars.c.id == t.neurons.c.id)
        .where(t.neurons.c.id.between(low, low + PER_CHUNK - 1))
        .order_by(t.neurons.c.id)
    )
    rows = s.execute(query).all()
    n, slots = len(rows), len(part.kinds)
    held = [codec.decode_records(row.data) for row in rows]
    rest = [codec.decode_particulars(row.data) for row in rows]
    tokens = held[0].activations.shape[1]
    ordinals = np.full((n, slots), -1, np.int32)
    values: np.ndarray = np.zeros((n, slots, tokens), np.float32)
    gates = np.zeros((n, slots, tokens), np.bool_)
    for i, one in enumerate(held):
        ordinals[i, one.slots], values[i, one.slots] = one.excerpts, one.activations
        if one.gates is not None:
            gates[i, one.slots] = one.gates

    half = values.astype(np.float16)  # what a collection hands over, where the values allow it
    if np.array_equal(half.astype(np.float32), values):
        values = half

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) if getattr(row, name) is not None else np.nan for row in rows])

    def single(name: str) -> np.ndarray:
        return np.array([getattr(one, name) for one in rest], np.float32)

    return LayerResult(
        layer=layer,
        slug=f"{layer}-mlp",
        kinds=np.frombuffer(part.kinds, np.uint8),
        splits=np.frombuffer(part.splits, np.uint8),
        excerpts=ordinals,
        activations=values,
        gates=np.packbits(gates, axis=2) if part.gated else None,
        mean=column("mean"),
        variance=column("variance"),
        skewness=column("skewness"),
        kurtosis=column("kurtosis"),
        maximum=column("maximum").astype(np.float32),
        minimum=column("minimum").astype(np.float32),
        density=column("density").astype(np.float32),
        explain_maximum=single("explain_maximum"),
        explain_minimum=single("explain_minimum"),
        token_q99=single("token_q99"),
        token_q01=single("token_q01"),
        excerpt_max_q99=single("excerpt_max_q99"),
        histogram_low=np.array([one.histogram.low for one in rest], np.float32),
        histogram_high=np.array([one.histogram.high for one in rest], np.float32),
        histogram=np.stack([one.histogram.counts for one in rest]),
        sign_shares=np.array([one.sign_shares for one in rest], np.float32) if part.gated else None,
        position0=np.array([one.position0 for one in rest]),
        band_excerpts=np.array([one.band_excerpts for one in rest], np.uint32),
        n_tokens=part.n_tokens,
        n_sampled=part.n_sampled,
    )


def load_both(ours: Store, theirs: sqlite3.Connection, real: Real) -> tuple[float, float]:
    """Records loaded a second, (ours, theirs): chunks in turns, medians."""
    with ours.session() as s:
        models.add_model(s, replace(real.card, layers=len(real.chunks)), real.vocabulary)
        plain = replace(real.table)
        held = collections.begin(s, real.card.slug, "bench", real.documents, plain, Profile(), "{}", None)
    rates: tuple[list[float], list[float]] = ([], [])
    for i, chunk in enumerate(real.chunks):  # the first one warms both sides up
        records = int((chunk.excerpts >= 0).sum())
        started = time.perf_counter()
        with ours.session() as s:
            collections.write_layer(s, held, chunk)
        rates[0].append(records / (time.perf_counter() - started))
        started = time.perf_counter()
        write_rows(theirs, chunk, i * PER_CHUNK, real.table, real.vocabulary.shown)
        rates[1].append(records / (time.perf_counter() - started))
    with ours.session() as s:
        collections.finish(s, held)
    return statistics.median(rates[0][1:]), statistics.median(rates[1][1:])


def fetch_both(
    ours: Store, theirs: sqlite3.Connection, table: StoredExcerpts, names_: list[NeuronRef], rounds: int
) -> tuple[float, float]:
    """Seconds a warm fetch takes, (ours, theirs): rounds in turns, medians. The rival's neuron i is our `names_[i]`."""
    dice = random.Random(0)
    everything = range(len(names_))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        picked = dice.sample(everything, FETCHES)
        refs = [names_[i] for i in picked]
        with ours.session() as s:
            for timed in (False, True):
                started = time.perf_counter()
                for ref in refs:
                    neurons.records(s, table, ref)
                if timed:
                    times[0].append((time.perf_counter() - started) / FETCHES)
        for timed in (False, True):
            started = time.perf_counter()
            for i in picked:
                fetch_rows(theirs, i)
            if timed:
                times[1].append((time.perf_counter() - started) / FETCHES)
    return statistics.median(times[0]), statistics.median(times[1])


def check_equal(
    ours: Store, theirs: sqlite3.Connection, table: StoredExcerpts, refs: list[NeuronRef], real: Real
) -> None:
    """Both sides give the same neuron. Raises BadInput where they do not: then nothing was compared."""
    text = real.vocabulary.shown
    with ours.session() as s:
        for i in (0, len(refs) - 1):
            mine, other = neurons.records(s, table, refs[i]), fetch_rows(theirs, i)
            same = np.array_equal(mine.activations, other.activations)
            same &= [[text[token] for token in row] for row in mine.tokens.tolist()] == other.tokens
            same &= mine.gates is None or np.array_equal(mine.gates, other.gates)
            if not same:
                raise BadInput(f"the two sides of the store bench differ at neuron {i}")
