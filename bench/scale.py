"""A store of full size, made for measuring: `python -m bench.scale [--database sqlite|postgresql] [--out FOLDER] [--quick]`.

The shape of GPT-2 XL (307,200 neurons in 48 layers, 60,000 excerpts of 64 tokens, 300,000 explanations with a score each) out of real
neurons of SmolLM2 that are repeated under new identities: activations, statistics, top tokens and token ids are as collected, layers and
indices are not theirs, every excerpt is there forty times over, explanations are recombined halves of real statements, and
scores are drawn from a distribution. Model, corpus, explainer and author of what is stored say so. Everything is
written the way an import writes it, so that tables, indexes and packed rows are those of a real store.
"""

import argparse
import hashlib
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import select

from app import __version__
from app.domain.collection import Document, ExcerptTable, LayerResult, ModelCard
from app.domain.explanations import Method, Metric, Protocol, Sample, State
from app.domain.neurons import Polarity, Profile, Split
from app.errors import AppError
from app.settings import Settings
from app.store import Session, Store, bulk, collections, models, names, packing, sql
from app.store import tables as t
from app.store import types as kinds
from app.store.origins import origin_id, parameters_id
from bench.report import Figure, figure, show
from bench.scale_place import POSTGRES, SQLITE, place, settled, sizes
from bench.scale_source import EXCERPTS, Source, source
from bench.scale_texts import recombined, statements

SLUG = "scale-gpt2-xl-shape"
SAID = "made for measuring"
# Explanations by method: most neurons have the published one, some two or three.
METHODS = ((Method.ORIGINAL, 0.8), (Method.SUMMARY, 0.1), (Method.AVHS, 0.1))
SEED = 0


class Shape(NamedTuple):
    """How much there is of everything."""

    layers: int
    neurons: int  # a layer
    excerpts: int
    explanations: int


FULL = Shape(48, 6400, 60_000, 300_000)
QUICK = Shape(48, 640, 6_000, 30_000)
RECORD_BYTES, STORE_BYTES = 140, 1.8e9


def build(store: Store, of: Source, shape: Shape, texts: list[str]) -> None:
    """Write the whole model into an empty store. Conflict where it is there already."""
    copies = max(1, shape.excerpts // len(of.tokens))
    total = shape.layers * shape.neurons
    digest = hashlib.sha256(f"{of.said} {shape}".encode()).hexdigest()
    card = ModelCard(
        name=f"GPT-2 XL's shape, {SAID}",
        slug=SLUG,
        source=f"{SAID}: {of.said}; {len(of.result.mean):,} neurons repeated as {total:,}",
        revision=digest,
        family="gpt2",
        layers=shape.layers,
        neurons_per_layer=shape.neurons,
        gated=False,
        activation="silu",
        bos=None,
        parameters=0,
        dtype="float32",
    )
    corpus = f"{SAID}: {len(of.tokens):,} excerpts, each {copies} times"
    document = Document(0, corpus, "bench.scale", digest, digest, int(Split.UNSPLIT))
    with store.session() as s:
        models.add_model(s, card, of.vocabulary)
        collection = collections.begin(
            s, SLUG, corpus, [document], _excerpts(of, copies), Profile(), "{}", None
        )
        named = {"explainer": SAID, "author": "bench.scale", "code_version": __version__}
        origins = [origin_id(s, method=method.value, **named) for method, _ in METHODS]
    for layer in range(shape.layers):
        rows = (np.arange(shape.neurons) + layer * shape.neurons) % of.result.neurons
        each = shape.explanations // shape.layers
        with store.session() as s:
            collections.write_layer(s, collection, _layer(of, rows, layer, copies))
            part = s.execute(
                select(t.parts).where(t.parts.c.collection_id == collection).order_by(t.parts.c.id.desc())
            ).first()
            assert part is not None
            first = names.neuron_id(part.id, 0)
            packed = (
                packing.pack_tokens(of.top_ids[i], of.top_means[i], of.top_counts[i]) for i in rows.tolist()
            )
            bulk.insert(
                s,
                t.neuron_tokens,
                ("id", "data"),
                zip(range(first, first + shape.neurons), packed, strict=True),
            )
            said = recombined(texts, layer * each, each)
            _explain(s, collection, part.id, part.layer_id, shape.neurons, said, origins, layer)
    with store.session() as s:
        collections.finish(s, collection)
    settled(store)


def _excerpts(of: Source, copies: int) -> ExcerptTable:
    """Every excerpt `copies` times: excerpt e's copy c has the ordinal c * E + e."""
    count = copies * len(of.tokens)
    nothing = np.zeros(count, np.int32)
    return ExcerptTable(
        np.tile(of.tokens, (copies, 1)), nothing, np.full(count, Split.UNSPLIT, np.uint8), nothing
    )


def _layer(of: Source, rows: np.ndarray, layer: int, copies: int) -> LayerResult:
    """Real neurons under new names. Which copy of an excerpt a neuron's record points to is by hash of both."""
    r = of.result
    many = {
        name: getattr(r, name)[rows]
        for name, value in vars(r).items()
        if isinstance(value, np.ndarray) and len(value) == r.neurons and name not in ("kinds", "splits")
    }
    found = many["excerpts"].astype(np.uint64)  # [N, R]
    who = (np.arange(len(rows), dtype=np.uint64) + np.uint64(layer * len(rows)))[:, None]
    mixed = (found * np.uint64(0x9E3779B97F4A7C15)) ^ (who * np.uint64(0xC2B2AE3D27D4EB4F))
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    copy = (mixed >> np.uint64(40)) % np.uint64(copies)
    ordinals = (found + copy * np.uint64(len(of.tokens))).astype(np.int32)
    many["excerpts"] = np.where(many["excerpts"] >= 0, ordinals, -1).astype(np.int32)
    splits = np.full(len(r.splits), Split.UNSPLIT, np.uint8)
    return replace(r, layer=layer, slug=f"{layer}-mlp", splits=splits, **many)


def _explain(
    s: Session,
    collection: int,
    part: int,
    layer_id: int,
    neurons: int,
    texts: list[str],
    origins: list[int],
    layer: int,
) -> None:
    """A layer's explanations, each with one score, as an import loads them: many at once, without keys."""
    rng = np.random.default_rng((SEED, layer))
    now = kinds.microseconds(datetime.now(UTC))
    n = len(texts)
    counts = [round(share * n) for _, share in METHODS]
    counts[0] = n - sum(counts[1:])
    if max(counts) > neurons:
        raise SystemExit(f"{max(counts)} explanations of one method do not fit {neurons} neurons")
    of = np.concatenate([rng.permutation(neurons)[:count] for count in counts])  # [n]
    which = np.repeat(np.arange(len(METHODS)), counts)  # [n]
    order = np.lexsort((which, of))  # neuron by neuron, as an import comes by them
    of, which = of[order], which[order]
    ids = bulk.reserve(s, t.explanations, n)
    columns = (
        "id",
        "layer_id",
        "neuron",
        "collection_id",
        "origin_id",
        "polarity",
        "state",
        "reason",
        "text",
        "seed",
    )
    columns += ("tokens_in", "tokens_out", "cost_usd", "seconds", "calls", "created_at")
    rows = zip(
        ids, repeat(layer_id), of.tolist(), repeat(collection), (origins[i] for i in which.tolist()),
        repeat(kinds.POLARITIES[Polarity.POSITIVE]), repeat(kinds.STATES[State.OK]), repeat(""), texts,
        *(repeat(nothing) for nothing in (0, 0, 0, 0.0, 0.0, 0)), repeat(now), strict=False,
    )  # fmt: skip
    bulk.insert(s, t.explanations, columns, rows)
    measure = (
        kinds.PROTOCOLS[Protocol.BILLS_5_5],
        kinds.SAMPLES[Sample.TOP_AND_RANDOM],
        kinds.METRICS[Metric.CORRELATION],
    )
    # Skewed to the left, mean .15, as published scores are.
    values = np.round(np.clip(rng.gamma(0.9, 0.2, n) - 0.03, -0.2, 0.97), 4).tolist()
    score_ids = bulk.reserve(s, t.scores, n)
    parameters = parameters_id(s, f'{{"note": "{SAID}"}}')
    columns = ("id", "explanation_id", "collection_id", "protocol", "sample", "metric", "state", "value")
    columns += ("n_records", "n_documents", "n_tokens", "indicative", "reason", "parameters_id", "created_at")
    ok = repeat(kinds.STATES[State.OK])
    bulk.insert(s, t.scores, columns, zip(
        score_ids, ids, repeat(collection), *map(repeat, measure), ok, values,
        *map(repeat, (10, 0, 640, 0, "", parameters, now)), strict=False,
    ))  # fmt: skip
    methods = [sql.interned(s, t.methods, "name", method.value) for method, _ in METHODS]
    best = zip(
        repeat(part), *map(repeat, measure), of.tolist(), (methods[i] for i in which.tolist()), ok, values,
        ids, score_ids, strict=False,
    )  # fmt: skip
    columns = ("part_id", "protocol", "sample", "metric", "neuron", "method_id", "state", "value")
    columns += ("explanation_id", "score_id")
    # In the order of the primary key, which is that of the table itself.
    bulk.insert(s, t.best_scores, columns, sorted(best))


def measured(store: Store, shape: Shape, records: int, seconds: float) -> list[Figure]:
    """What the store takes, by table, and all in all."""
    found = sizes(store)
    total = found.total
    neurons = shape.layers * shape.neurons
    by_table = sorted(found.tables.items(), key=lambda item: -item[1])
    for name, size in by_table:
        if size >= total / 1000:
            print(f"{name:>40} {size / 1e6:10,.1f} MB {size / neurons:8,.0f} bytes a neuron")
    full = neurons == FULL.layers * FULL.neurons
    a_record = found.tables["exemplars"] / neurons / records
    everything = f"{total / 1e9:.3f} GB, {total / neurons:,.0f} bytes a neuron; {records} records of each"
    return [
        figure("scale", "record_bytes", a_record, "<=", RECORD_BYTES, "the exemplars' table, by record"),
        figure("scale", "all_bytes_a_record", total / neurons / records, "<=", STORE_BYTES / 307_200 / 40, everything),
        figure("scale", "store_gb", total / 1e9, "<=", STORE_BYTES / 1e9, everything if full else "not of full size"),
        figure("scale", "build_s", seconds, "<=", 240, "without collecting the neurons that are repeated"),
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Build it, say what it is and where, print its sizes."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--database", choices=(SQLITE, POSTGRES), default=SQLITE)
    parser.add_argument("--out", type=Path, default=Path("data/bench/scale"), metavar="FOLDER")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    asked = parser.parse_args(arguments)
    shape = QUICK if asked.quick else FULL
    try:
        of = source(Settings(), EXCERPTS)
        texts, whence = statements(of)
        with place(asked.out, asked.database, create=True) as url:
            store = Store.open(url)
            print(f"a store {SAID}, not of a model: {of.said}; {of.result.neurons:,} neurons repeated as")
            print(
                f"{shape.layers} layers of {shape.neurons:,}; explanations recombined of {whence}; scores drawn"
            )
            started = time.perf_counter()
            build(store, of, shape, texts)
            seconds = time.perf_counter() - started
            show(measured(store, shape, of.result.excerpts.shape[1], seconds))
            store.close()
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"there: {asked.out}   (bench: python -m bench page --store {asked.out})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
