"""A store of 307,200 neurons with as many explanations, made in bulk for the search bench.

Statements are halves of statements joined anew: of published ones where ../shared/data is there, else of a few of our own with
made words in them, so that there are rare and common words. Statistics, tokens and scores are drawn at random. What a search
costs depends on how many there are and how words are spread, not on their truth.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from app.domain.collection import Document, ExcerptTable, ModelCard
from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Profile, Split
from app.domain.vocabulary import Vocabulary
from app.store import Session, Store, bulk, collections, models, names, packing, sql, types
from app.store import tables as t
from bench.page_data import words

SLUG = "search-bench"
LAYERS, PER_LAYER = 48, 6400
PIECES = 20_000
MEASURE = (Protocol.BILLS_5_5, Sample.TOP_AND_RANDOM, Metric.CORRELATION)
PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data" / "gpt2-xl-explanations.jsonl"
OWN = (
    "words and phrases related to {0} and {1}",
    "the beginning of a sentence about {0}",
    "numbers followed by units of {0}, particularly {1}",
    "names of people who are {0}",
    "mentions of {0}, {1} or {2} in a legal context",
    "verbs that describe {0}",
    "punctuation after {0}, and the word {1}",
    "references to {0} in the news",
)


def statements(n: int, seed: int = 0) -> tuple[list[str], str]:
    """`n` statements, and where their words are from."""
    rng = np.random.default_rng(seed)
    if PUBLISHED.is_file():
        real = [json.loads(line)["explanation"].split() for line in PUBLISHED.read_text().splitlines()]
        first, second = rng.integers(0, len(real), (2, n))
        cut = rng.random(n)
        return [
            " ".join(real[a][: max(1, round(c * len(real[a])))] + real[b][len(real[b]) // 2 :])
            for a, b, c in zip(first.tolist(), second.tolist(), cut.tolist(), strict=True)
        ], f"recombined out of {len(real):,} published statements"
    source = words(rng)
    made = [next(source).decode().strip() or "of" for _ in range(20_000)]
    which = np.minimum(rng.zipf(1.3, (n, 3)) - 1, len(made) - 1).tolist()
    forms = rng.integers(0, len(OWN), n).tolist()
    return [
        OWN[form].format(*(made[i] for i in three)) for form, three in zip(forms, which, strict=True)
    ], "recombined out of statements and words of our own"


def fill(store: Store, layers: int = LAYERS, per_layer: int = PER_LAYER, seed: int = 0) -> str:
    """Writes the model; says where the statements' words are from."""
    rng = np.random.default_rng(seed)
    source = words(rng)
    pieces = [next(source) for _ in range(2_000)]
    vocabulary = Vocabulary((*pieces, *(b" w%d" % i for i in range(PIECES - len(pieces)))))
    card = ModelCard(
        "Search bench", SLUG, "made", "0", "gpt2", layers, per_layer, False, "gelu", None, 0, "float32"
    )
    hash_ = sha256(b"one").hexdigest()
    documents = [Document(0, "One", "bench", hash_, hash_, int(Split.EXPLAIN))]
    zeros = np.zeros((1, 64), np.int32)
    table = ExcerptTable(zeros, zeros[:, 0], np.zeros(1, np.uint8), zeros[:, 0])
    texts, origin = statements(layers * per_layer, seed)
    with store.session() as s:
        models.add_model(s, card, vocabulary)
        collection = collections.begin(s, SLUG, "one document", documents, table, Profile(), "{}", None)
        made = [_origin(s, "token_lookup", "none"), _origin(s, "original", "published / gpt-4")]
        methods = [sql.interned(s, t.methods, "name", name) for name in ("token_lookup", "original")]
        parameters = sql.interned(s, t.parameters, "digest", sql.digest("{}"), json="{}")
    for ordinal in range(layers):
        mine = texts[ordinal * per_layer : (ordinal + 1) * per_layer]
        with store.session() as s:
            _layer(s, collection, ordinal, mine, made, methods, parameters, rng)
    with store.session() as s:
        collections.finish(s, collection)
    return origin


def _layer(
    s: Session, collection: int, ordinal: int, texts: list[str], origins: list[int], methods: list[int],
    parameters: int, rng: np.random.Generator,
) -> None:  # fmt: skip
    n = len(texts)
    model = names.model_id(s, SLUG)
    made = insert(t.layers).values(model_id=model, ordinal=ordinal, slug=f"{ordinal}-mlp")
    layer = s.execute(made.returning(t.layers.c.id)).scalar_one()
    part = s.execute(
        insert(t.parts)
        .values(
            collection_id=collection, layer_id=layer, neurons=n, gated=False, kinds=b"", splits=b"",
            position0_share=0.0, n_tokens=1, n_sampled=1, mean_density=0.01, max_activation=9.0,
        )
        .returning(t.parts.c.id)
    ).scalar_one()  # fmt: skip
    first = names.neuron_id(part, 0)
    ids = range(first, first + n)
    drawn = rng.standard_normal((7, n))
    drawn[3], drawn[4], drawn[6] = np.exp(2 + drawn[3]), np.abs(drawn[4]) + 1, rng.random(n) ** 4
    columns = ("id", "mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density")
    bulk.insert(s, t.neurons, columns, zip(ids, *drawn.tolist(), strict=True))
    bulk.insert(s, t.neuron_tokens, ("id", "data"), zip(ids, _tokens(n, rng), strict=True))
    now = types.microseconds(datetime.now(UTC))
    for said, origin, method in (
        (["the tokens “ a”, “ b”"] * n, origins[0], methods[0]),
        (texts, origins[1], methods[1]),
    ):
        explained = bulk.reserve(s, t.explanations, n)
        rows = (
            (e, layer, i, collection, origin, 0, types.STATES[State.OK], "", text, 0, 0, 0, 0.0, 0.0, 0, now)
            for i, (e, text) in enumerate(zip(explained, said, strict=True))
        )
        bulk.insert(
            s, t.explanations,
            ("id", "layer_id", "neuron", "collection_id", "origin_id", "polarity", "state", "reason", "text", "seed",
             "tokens_in", "tokens_out", "cost_usd", "seconds", "calls", "created_at"),
            rows,
        )  # fmt: skip
        scored = bulk.reserve(s, t.scores, n)
        values = np.clip(rng.normal(0.15, 0.2, n), -1, 1).tolist()
        measure = (types.PROTOCOLS[MEASURE[0]], types.SAMPLES[MEASURE[1]], types.METRICS[MEASURE[2]])
        ok = types.STATES[State.OK]
        bulk.insert(
            s, t.scores,
            ("id", "explanation_id", "collection_id", "protocol", "sample", "metric", "state", "value", "n_records",
             "n_documents", "n_tokens", "indicative", "reason", "parameters_id", "created_at"),
            ((sc, e, collection, *measure, ok, v, 10, 10, 640, 0, "", parameters, now)
             for sc, e, v in zip(scored, explained, values, strict=True)),
        )  # fmt: skip
        bulk.insert(
            s, t.best_scores,
            ("part_id", "protocol", "sample", "metric", "neuron", "method_id", "state", "value", "explanation_id", "score_id"),
            ((part, *measure, i, method, ok, v, e, sc)
             for i, (sc, e, v) in enumerate(zip(scored, explained, values, strict=True))),
        )  # fmt: skip


def _tokens(n: int, rng: np.random.Generator) -> Iterator[bytes]:
    ids = np.minimum(rng.zipf(1.2, (n, 8)) - 1, PIECES - 1).astype(np.int32)
    means = np.sort(rng.random((n, 8)).astype(np.float32), axis=1)[:, ::-1]
    counts = rng.integers(1, 9, (n, 8))
    for i in range(n):
        yield packing.pack_tokens(ids[i], means[i], counts[i])


def _origin(s: Session, method: str, explainer: str) -> int:
    kept = {
        "method": method, "explainer": explainer, "prompt_version": "", "parameters_json": "{}",
        "code_version": "bench", "author": "bench",
    }  # fmt: skip
    return sql.interned(s, t.origins, "digest", sql.digest(*kept.values()), **kept)
