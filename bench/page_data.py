"""A store for the page bench: neurons that fire on some tokens, over text of words, computed and written as any other.

Activations are made, not measured, so that the bench needs no model: what a page costs depends on how many records,
tokens and distinct strings it shows, and those are as in the demo (64 records of 64 tokens, 49,152 pieces).
"""

import re
from collections.abc import Iterator
from hashlib import sha256

import numpy as np

from app.domain.collection import Document, ExcerptTable, LayerResult, ModelCard
from app.domain.layer_lookup import lookup_layer
from app.domain.neurons import BANDS, HISTOGRAM_BINS, Kind, Profile, Split
from app.domain.vocabulary import Vocabulary
from app.store import Store, collections, models

SLUG, LAYER = "page-bench", "8-mlp"
PIECES, TOKENS, DOCUMENTS = 49_152, 64, 192
SYLLABLES = (
    "con",
    "sti",
    "tu",
    "tion",
    "the",
    "of",
    "gov",
    "ern",
    "ment",
    "and",
    "un",
    "ion",
    "pre",
    "am",
    "ble",
    "re",
)


def words(rng: np.random.Generator) -> Iterator[bytes]:
    """Distinct words, each with a leading blank, then punctuation; endless."""
    seen: set[str] = set()
    yield from (b".", b",", b"\n", b" <", b"&", b'"')
    while True:
        word = "".join(rng.choice(SYLLABLES, rng.integers(1, 5)))
        if word not in seen:
            seen.add(word)
            yield f" {word}".encode()


def fill(
    store: Store, neurons: int, excerpts: int = 1024, seed: int = 0, texts: list[str] | None = None
) -> None:
    """Writes one model with one layer. `texts` gives real documents instead of made ones."""
    rng = np.random.default_rng(seed)
    if texts:
        vocabulary, documents, table = _of_texts(texts, excerpts, rng)
    else:
        source = words(rng)
        pieces = [next(source) for _ in range(2_000)]
        pieces += [b" w%d" % i for i in range(PIECES - len(pieces))]
        vocabulary = Vocabulary(tuple(pieces))
        tokens = np.minimum(rng.zipf(1.3, (excerpts, TOKENS)) - 1, PIECES - 1).astype(np.int32)
        of = np.sort(rng.integers(0, DOCUMENTS, excerpts)).astype(np.int32)
        documents = [_document(i, f"Document {i}") for i in range(DOCUMENTS)]
        table = _table(tokens, of, documents, rng)
    card = ModelCard("Page bench", SLUG, "made", "0", "llama", 1, neurons, True, "silu", None, 0, "float32")
    result = _layer(table, neurons, rng)
    with store.session() as session:
        models.add_model(session, card, vocabulary)
        held = collections.begin(session, SLUG, "words", documents, table, Profile(), "{}", None)
    with store.session() as session:
        collections.write_layer(session, held, result)
        collections.write_lookup(session, held, LAYER, lookup_layer(result, table, seed))
        collections.finish(session, held)


def _document(ordinal: int, name: str) -> Document:
    text_hash = sha256(name.encode()).hexdigest()
    split = (Split.EXPLAIN, Split.EXPLAIN, Split.DEV, Split.SCORE)[ordinal % 4]
    return Document(ordinal, name, "bench", text_hash, text_hash, int(split))


def _table(
    tokens: np.ndarray, of: np.ndarray, documents: list[Document], rng: np.random.Generator
) -> ExcerptTable:
    splits = np.array([documents[d].split for d in of], np.uint8)
    return ExcerptTable(tokens, of, splits, (rng.integers(0, 80, len(of)) * TOKENS).astype(np.int32))


def _of_texts(
    texts: list[str], excerpts: int, rng: np.random.Generator
) -> tuple[Vocabulary, list[Document], ExcerptTable]:
    ids: dict[bytes, int] = {}
    rows, of = [], []
    per = -(-excerpts // len(texts))
    for d, text in enumerate(texts):
        found = re.findall(r" ?[A-Za-z]{1,7}| ?[0-9]+|\n|[^A-Za-z0-9\n ]| +", text[:60_000])
        encoded = [ids.setdefault(piece.encode(), len(ids)) for piece in found]
        whole = len(encoded) // TOKENS
        for i in sorted(rng.permutation(whole)[:per].tolist()):
            rows.append(encoded[i * TOKENS : (i + 1) * TOKENS])
            of.append(d)
    documents = [_document(d, f"Document {d + 1}") for d in range(len(texts))]
    pieces = tuple(ids) + tuple(b" w%d" % i for i in range(max(0, PIECES - len(ids))))
    return (
        Vocabulary(pieces),
        documents,
        _table(np.array(rows, np.int32), np.array(of, np.int32), documents, rng),
    )


def _layer(table: ExcerptTable, neurons: int, rng: np.random.Generator) -> LayerResult:
    kinds, splits = Profile().slots()  # [S]
    rows, slots = len(table.tokens), len(kinds)
    vocabulary = int(table.tokens.max()) + 1
    chosen = np.zeros((neurons, slots), np.int32)
    kept = np.zeros((neurons, slots, TOKENS), np.float16)
    gates = np.zeros((neurons, slots, TOKENS // 8), np.uint8)
    stats: list[tuple[float, ...]] = []
    histograms, ends, shares = [], [], []
    for n in range(neurons):
        taste = rng.normal(0, 0.25, vocabulary)
        taste[rng.integers(0, vocabulary, 12)] += rng.gamma(2, 2, 12)
        taste[rng.integers(0, min(400, vocabulary), 3)] += rng.gamma(2, 2, 3)
        a = (taste[table.tokens] + rng.normal(0, 0.2, table.tokens.shape)).astype(np.float32)  # [E, T]
        gate = rng.random(a.shape) < np.where(a > 0, 0.8, 0.35)
        for split in (Split.EXPLAIN, Split.DEV, Split.SCORE):
            mine = np.flatnonzero(table.splits == split)
            by_max = mine[np.argsort(-a[mine].max(1))]
            by_min = mine[np.argsort(a[mine].min(1))]
            for kind in Kind:
                at = np.flatnonzero((kinds == kind) & (splits == split))
                if kind is Kind.TOP:
                    pick = by_max[: len(at)]
                elif kind is Kind.BOTTOM:
                    pick = by_min[: len(at)]
                else:
                    pick = rng.choice(mine, len(at), replace=False)
                chosen[n, at] = pick
        kept[n] = a[chosen[n]]
        gates[n] = np.packbits(gate[chosen[n]], axis=1)
        v = a.ravel().astype(np.float64)
        z = (v - v.mean()) / v.std()
        stats.append((v.mean(), v.var(), (z**3).mean(), (z**4).mean(), v.max(), v.min(), (v >= v.max() / 10).mean(),
                      np.quantile(v, 0.99), np.quantile(v, 0.01), np.quantile(a.max(1), 0.99)))  # fmt: skip
        histograms.append(np.histogram(v, HISTOGRAM_BINS)[0])
        ends.append((v.min(), v.max()))
        p, g = (a > 0).ravel(), gate.ravel()
        shares.append([(g & p).mean(), (g & ~p).mean(), (~g & ~p).mean(), (~g & p).mean()])
    columns = np.array(stats).T
    single = columns.astype(np.float32)
    low, high = np.array(ends, np.float32).T
    return LayerResult(
        8, LAYER, kinds, splits, chosen, kept, gates, columns[0], columns[1], columns[2], columns[3],
        single[4], single[5], single[6], single[4], single[5], single[7], single[8], single[9], low, high,
        np.array(histograms, np.uint32), np.array(shares, np.float32), np.zeros(neurons, np.bool_),
        np.zeros((neurons, len(BANDS)), np.uint32), rows * TOKENS, rows * TOKENS,
    )  # fmt: skip
