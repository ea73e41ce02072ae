"""Search by meaning among 307,200 explanations: time of one search, and the memory of a process that holds them.

Real statements are embedded by the real model and recombined to as many vectors as GPT-2 XL has neurons: each is the direction
between two statements' vectors plus noise, so that there are clusters and near-ties as among real ones; a tenth are repeated
texts. They are written to a store, packed as the job packs them, and searched in a process of its own, which is what `serve` would
hold. Every search is compared with brute force in float64 on the stored values before it is timed.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np

from app.domain.collection import ModelCard
from app.domain.embeddings import Embedder, text_hash, unit
from app.domain.neurons import Float32
from app.domain.vocabulary import Vocabulary
from app.embed import local
from app.store import Store, embeddings, models
from bench.report import Figure, figure

FULL = 307_200
QUICK = 30_720
CHUNK = 4096
K = 50
SLUG = "bench"
BY = Embedder("bench", "recombined")
MEMORY_MB = 600.0
CARD = ModelCard("Bench", SLUG, "bench", "bench", "gpt2", 48, 6400, False, "gelu", None, 1, "float32")


def run(quick: bool) -> list[Figure]:
    """`semantic_p50_ms` and the memory of the process, `semantic_mb`."""
    n = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.sqlite'}"
        texts = statements()
        queries = build(url, n, local.load().embed(texts), np.random.default_rng(0))
        file = Path(folder) / "queries.npy"
        np.save(file, queries[: 40 if quick else 200])
        code = f"from bench.semantic import child; child({url!r}, {str(file)!r})"
        env = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench semantic: the searching process failed: {done.stderr.strip()[-300:]}")
        got = json.loads(done.stdout)
    what = (
        f"{n:,} explanations, {got['vectors']:,} vectors of {queries.shape[1]}, recombined from {len(texts)} really embedded"
        f" statements; top {K}, exact: equal to float64 brute force in {got['checked']} of {got['checked']}"
    )
    return [
        figure(
            "search", "semantic_p50_ms", got["p50_ms"], "<=", 40.0,
            f"{what}; p95 {got['p95_ms']:.0f} ms, brute force in float32 {got['float32_ms']:.0f} ms; the query's own"
            f" embedding {got['embed_ms']:.0f} ms on top; first search loads for {got['load_s']:.1f} s",
        ),
        figure(
            "search", "semantic_mb", got["megabytes"], "<=", MEMORY_MB,
            f"the viewer's code with vectors ({got['vectors_mb']:.0f} MB) and model loaded; {got['before_mb']:.0f} MB before",
        ),
    ]  # fmt: skip


def statements() -> list[str]:
    """Some three thousand statements of the kind that explainers make."""
    kinds = (
        "words related to",
        "references to",
        "phrases about",
        "names of",
        "verbs that describe",
        "the end of",
    )
    things = (
        "rain", "ships", "courts", "music", "football", "closing brackets", "dates", "elections", "cooking", "war",
        "chemistry", "numbers", "family", "money", "religion", "software", "cities", "illness", "travel", "trees",
        "animals", "newspapers", "schools", "colours", "clothing", "crime", "space", "oil", "farming", "films",
    )  # fmt: skip
    where = (
        "", " in Canada", " in legal documents", " in the past tense", " and its causes", " with a negative tone",
        " in code", " at the start of a sentence", " of the nineteenth century", " and similar concepts",
        " mentioned by name", " in sports reports", " before a comma", " that are plural", " in headlines", " in dialogue",
        " and numbers",
    )  # fmt: skip
    return [f"{kind} {thing}{place}" for kind, thing, place in product(kinds, things, where)]


def build(url: str, n: int, real: Float32, rng: np.random.Generator) -> Float32:
    """A store with n explanations' vectors, and 200 others of the same kind to search for."""

    def mixed(count: int) -> Float32:
        a, b = real[rng.integers(0, len(real), (2, count))]
        share = rng.random((count, 1), dtype=np.float32)
        noise = rng.standard_normal((count, real.shape[1]), dtype=np.float32) * np.float32(0.3 / 20)
        return unit(share * a + (1 - share) * b + noise)

    store = Store.open(url)
    with store.session() as s:
        models.add_model(s, CARD, Vocabulary((b"a",), frozenset()))
        embeddings.register(s, BY, real.shape[1])
    with store.session() as s:
        there = embeddings.space(s, SLUG, BY)
        assert there is not None
        made = 0
        for number, at in enumerate(range(0, n, CHUNK)):
            size = min(CHUNK, n - at)
            fresh = size - size // 10
            numbers = [-1 - i for i in range(fresh)]
            numbers += rng.integers(0, max(1, made), size - fresh).tolist() if made else [-1] * (size - fresh)
            embeddings.append(
                s, there, range(at + 1, at + size + 1), numbers, [text_hash(f"{at} {i}") for i in range(fresh)],
                mixed(fresh), None, number,
            )  # fmt: skip
            made += fresh
    store.close()
    return mixed(200)


def child(url: str, file: str) -> None:
    """Search in this process and print what was measured as JSON. What `serve` imports is imported first."""
    import psutil

    from app import main  # noqa: F401  (its memory is part of the viewer's)
    from app.store import semantic

    process, queries = psutil.Process(), np.load(file)
    store = Store.open(url)
    before = process.memory_info().rss / 1e6
    model = local.load()
    begun = time.perf_counter()
    semantic.search(store, SLUG, queries[0], K, BY)
    load_s = time.perf_counter() - begun
    times, embed_times = [], []
    for query in queries:
        begun = time.perf_counter()
        semantic.search(store, SLUG, query, K, BY)
        times.append(1e3 * (time.perf_counter() - begun))
        begun = time.perf_counter()
        model.embed(["words related to rain and stone bridges"])
        embed_times.append(1e3 * (time.perf_counter() - begun))
    megabytes = process.memory_info().rss / 1e6  # before brute force, which holds everything several times
    checked, float32_ms, vectors = check(store, queries[:10])
    print(
        json.dumps(
            {
                "p50_ms": statistics.median(times),
                "p95_ms": float(np.percentile(times, 95)),
                "embed_ms": statistics.median(embed_times),
                "load_s": load_s,
                "before_mb": before,
                "megabytes": megabytes,
                "vectors_mb": semantic.loaded(store) / 1e6,
                "checked": checked,
                "float32_ms": float32_ms,
                "vectors": vectors,
            }
        )
    )
    store.close()


def check(store: Store, queries: Float32) -> tuple[int, float, int]:
    """(searches that equal brute force, ms of a float32 product over all, vectors). SystemExit where one differs."""
    from app.store import semantic

    with store.session() as s:
        there = embeddings.space(s, SLUG, BY)
        assert there is not None
        chunks = list(embeddings.chunks(s, there, -1))
    matrix = np.concatenate([chunk.vectors for chunk in chunks])
    ids = np.concatenate([chunk.explanations for chunk in chunks])
    numbers = np.concatenate([chunk.vector_numbers for chunk in chunks])
    for query in queries:
        wide = query.astype(np.float64)
        parts = [(matrix[at : at + CHUNK] * wide).sum(axis=1) for at in range(0, len(matrix), CHUNK)]
        exact = np.concatenate(parts)[numbers]
        order = np.lexsort((ids, -exact))[:K]
        found = semantic.search(store, SLUG, query, K, BY)
        if [(m.explanation_id, m.similarity) for m in found] != list(
            zip(ids[order].tolist(), exact[order].tolist(), strict=True)
        ):
            raise SystemExit("bench semantic: a search differs from brute force")
    wide32 = matrix.astype(np.float32)
    times = []
    for query in queries:
        begun = time.perf_counter()
        product_ = wide32 @ query
        np.argpartition(-product_, K)
        times.append(1e3 * (time.perf_counter() - begun))
    return len(queries), statistics.median(times), len(matrix)
