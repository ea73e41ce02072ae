"""A small store that is really computed: a random gated model in numpy, its neurons collected by brute force.

For everybody's tests, without torch. Model slug `tiny-random`, layers `0-mlp` and `1-mlp` of 32 neurons, 240 documents in
three splits, token lookup and its scores for every neuron, and beside them on a few neurons prompted explanations with
simulations and scores, failed ones, and an undefined score. Token text holds everything that must not break a page.
"""

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache

import numpy as np

from app.domain.collection import Document, ExcerptTable, LayerResult, ModelCard
from app.domain.explanations import (
    Method,
    Metric,
    Protocol,
    Provenance,
    Sample,
    ScoreValue,
    Simulated,
    SimulatorName,
    State,
    Usage,
)
from app.domain.neurons import (
    BAND_EDGES,
    BANDS,
    HISTOGRAM_BINS,
    Kind,
    NeuronRef,
    Polarity,
    Profile,
    Records,
    Split,
)
from app.domain.protocols import dev_records, explain_records, score_records
from app.domain.scoring import score
from app.domain.splits import split_of
from app.domain.token_lookup import lookup_layer, lookup_records, token_means
from app.domain.vocabulary import Vocabulary
from app.store import Session, Store, collections, explanations, jobs, models, neurons, scores, simulations
from app.store.excerpts import ExcerptCache

SLUG = "tiny-random"
LAYERS = ("0-mlp", "1-mlp")
NEURONS = 32
DOCUMENTS = 240
EXCERPTS = 2 * DOCUMENTS
TOKENS = 64
WIDTH = 12

NASTY = (
    b"<script>alert(1)</script>",
    b'"><img src=x onerror=alert(1)>',
    b"&amp;",
    b"\0",
    "\u202egnol\u202c".encode(),  # right-to-left override
    "\u200b".encode(),  # zero width space
    b"\xe2\x82",  # two thirds of a euro sign
    b"\xac",
    b"\xff",
    b"\n",
    b"\n\n",
    b"\t",
    b"\r",
    b" ",
    b"",
    b"x" * 10_000,
    "\U0001f9e0".encode(),
    b"{{ 7 * 7 }}",
    b"'; DROP TABLE neurons; --",
)
SPECIAL = len(NASTY)  # the id of the one special token
_SYLLABLES = ("ba", "ko", "mi", "ren", "tu", "sol", "wey", "dra", "pin", "lo", "gat", "ser")


@dataclass(frozen=True)
class Tiny:
    """What is in the small store, by name."""

    slug: str
    explained: NeuronRef  # two prompted explanations with simulations and scores, positive and negative
    failed: NeuronRef  # an explanation that failed, and one whose simulation failed
    plain: NeuronRef  # token lookup alone
    explanation: int  # of `explained`, positive
    negative: int  # of `explained`, negative
    simulation: int  # of `explanation`
    failed_explanation: int  # of `failed`
    failed_simulation: int  # of an explanation of `failed`


@cache
def vocabulary() -> Vocabulary:
    """The nasty tokens, a special one, and 144 words."""
    words = [f" {a}{b}".encode() for a in _SYLLABLES for b in _SYLLABLES]
    return Vocabulary((*NASTY, b"<|endoftext|>", *words), frozenset({SPECIAL}))


def card(slug: str = SLUG, gated: bool = True) -> ModelCard:
    return ModelCard(
        name="Tiny-Random",
        slug=slug,
        source="tests/factories.py",
        revision=hashlib.sha256(slug.encode()).hexdigest(),
        family="llama" if gated else "gpt2",
        layers=len(LAYERS),
        neurons_per_layer=NEURONS,
        gated=gated,
        activation="silu",
        bos=SPECIAL,
        parameters=len(vocabulary()) * WIDTH + len(LAYERS) * 3 * WIDTH * NEURONS,
        dtype="float32",
    )


@cache
def corpus(n_documents: int = DOCUMENTS, seed: int = 0) -> tuple[tuple[Document, ...], ExcerptTable]:
    """Documents of two excerpts each; every nasty token occurs. The last document nearly repeats an earlier one."""
    rng = np.random.default_rng(seed)
    n = len(vocabulary())
    ids = np.minimum(rng.zipf(1.2, (2 * n_documents, TOKENS)) - 1, n - 1).astype(np.int32)
    ids = rng.permutation(n).astype(np.int32)[ids]
    ids[ids == SPECIAL] = SPECIAL + 1
    documents = []
    for i in range(n_documents):
        text_hash = hashlib.sha256(ids[2 * i : 2 * i + 2].tobytes()).hexdigest()
        last = i == n_documents - 1
        cluster = next(d.cluster for d in documents if d.split == Split.SCORE) if last else text_hash
        name = f"Chapter {i}" if i else "Chapter <b>0</b> & \u202ereversed"
        documents.append(Document(i, name, "tests/factories.py", text_hash, cluster, int(split_of(cluster))))
    owner = np.repeat(np.arange(n_documents, dtype=np.int32), 2)
    splits = np.array([d.split for d in documents], np.uint8)[owner]
    starts = np.tile(np.array([0, TOKENS], np.int32), n_documents)
    return tuple(documents), ExcerptTable(ids, owner, splits, starts)


def twins() -> tuple[int, int]:
    """The two documents of one near-duplicate cluster, both in the score split."""
    documents, _ = corpus()
    first = next(d.ordinal for d in documents if d.cluster == documents[-1].cluster)
    return first, documents[-1].ordinal


_LAYERS: dict[tuple[object, ...], LayerResult] = {}


def layer_result(
    layer: int, excerpts: ExcerptTable, *, gated: bool = True, neurons: int = NEURONS, seed: int = 0
) -> LayerResult:
    """One layer of the random model over all excerpts, reduced as a collection reduces it, by brute force.

    Computed once for the same excerpts, which takes 0.2 s; whoever asks gets arrays of their own.
    """
    content = hashlib.sha256(excerpts.tokens.tobytes() + excerpts.splits.tobytes()).digest()
    key = (layer, content, excerpts.tokens.shape, gated, neurons, seed)
    if key not in _LAYERS:
        _LAYERS[key] = _compute_layer(layer, excerpts, gated, neurons, seed)
    return deepcopy(_LAYERS[key])


def _compute_layer(layer: int, excerpts: ExcerptTable, gated: bool, neurons: int, seed: int) -> LayerResult:
    rng = np.random.default_rng((seed, layer))
    values, gates = _activations(rng, excerpts, gated, neurons)  # [N, E, T] both
    kinds, splits = Profile().slots()
    chosen = np.stack(
        [_choose(values[i], excerpts.splits, kinds, splits, rng) for i in range(neurons)]
    )  # [N, R]
    rows = np.arange(neurons)[:, None]
    kept = np.where(chosen[:, :, None] >= 0, values[rows, chosen], 0).astype(np.float32)  # [N, R, T]
    flat = values.reshape(neurons, -1).astype(np.float64)  # [N, E*T]
    mean, std = flat.mean(1), flat.std(1)
    z = (flat - mean[:, None]) / np.where(std > 0, std, 1)[:, None]
    explain = values[:, excerpts.splits == Split.EXPLAIN]  # [N, E', T]
    of_explain = explain.reshape(neurons, -1)
    top = of_explain.max(1)
    low, high = flat.min(1).astype(np.float32), flat.max(1).astype(np.float32)
    shares = None
    packed = None
    if gated:
        packed = np.packbits(gates[rows, chosen] & (chosen >= 0)[:, :, None], axis=2)  # [N, R, T/8]
        up = (
            np.where(gates, values, -values) > 0
        )  # silu keeps the gate's sign, so this is the sign of the input
        combined = [gates & up, gates & ~up, ~gates & up, ~gates & ~up]
        shares = np.stack([c.reshape(neurons, -1).mean(1) for c in combined], 1).astype(np.float32)
    return LayerResult(
        layer=layer,
        slug=f"{layer}-mlp",
        kinds=kinds,
        splits=splits,
        excerpts=chosen.astype(np.int32),
        activations=kept,
        gates=packed,
        mean=mean,
        variance=std**2,
        skewness=np.where(std > 0, (z**3).mean(1), np.nan),
        kurtosis=np.where(std > 0, (z**4).mean(1), np.nan),
        maximum=high,
        minimum=low,
        density=((flat >= top[:, None] / 10) & (flat > 0)).mean(1).astype(np.float32),
        explain_maximum=top.astype(np.float32),
        explain_minimum=of_explain.min(1).astype(np.float32),
        token_q99=np.quantile(of_explain, 0.99, axis=1).astype(np.float32),
        token_q01=np.quantile(of_explain, 0.01, axis=1).astype(np.float32),
        excerpt_max_q99=np.quantile(explain.max(2), 0.99, axis=1).astype(np.float32),
        histogram_low=low,
        histogram_high=high,
        histogram=np.stack(
            [np.histogram(f, HISTOGRAM_BINS, (f.min(), max(f.max(), f.min() + 1e-6)))[0] for f in flat]
        ).astype(np.uint32),
        sign_shares=shares,
        position0=np.arange(neurons) == 5,
        band_excerpts=np.stack(
            [
                np.bincount(_bands(v.max(1)), minlength=len(BANDS))
                for v in values[:, excerpts.splits == Split.SCORE]
            ]
        ).astype(np.uint32),
        n_tokens=flat.shape[1],
        n_sampled=flat.shape[1],
    )


def collect(s: Session, slug: str = SLUG, *, gated: bool = True, job_id: str | None = None) -> int:
    """A model with both layers and their token lookup, complete and visible; the collection's id."""
    models.add_model(s, card(slug, gated), vocabulary())
    documents, excerpts = corpus()
    parameters = json.dumps({"seed": 0})
    id_ = collections.begin(s, slug, "Chapters", documents, excerpts, Profile(), parameters, job_id)
    for i in range(len(LAYERS)):
        result = layer_result(i, excerpts, gated=gated)
        collections.write_layer(s, id_, result)
        collections.write_lookup(s, id_, result.slug, lookup_layer(result, excerpts, seed=0))
    collections.finish(s, id_)
    return id_


def fill(store: Store) -> Tiny:
    """Everything that the module's first words promise."""
    with store.session() as s:
        jobs.add(
            s,
            "job-collect",
            "collect",
            "Collect Tiny-Random",
            "{}",
            model=SLUG,
            total=EXCERPTS,
            unit="excerpts",
        )
        collect(s, job_id="job-collect")
        jobs.claim(s, "job-collect", "worker-1")
        jobs.update_progress(s, "job-collect", EXCERPTS)
        jobs.set_state(s, "job-collect", jobs.JobState.DONE)
    table = ExcerptCache.get(store, SLUG)
    explained, failed, plain = (NeuronRef(SLUG, LAYERS[1], i) for i in (3, 7, 11))
    with store.session() as s:
        positive, simulation = _explain(s, neurons.records(s, table, explained), explained, Polarity.POSITIVE)
        negative, _ = _explain(s, neurons.records(s, table, explained), explained, Polarity.NEGATIVE)
        failed_explanation, failed_simulation = _fail(s, neurons.records(s, table, failed), failed)
    return Tiny(
        SLUG, explained, failed, plain, positive, negative, simulation, failed_explanation, failed_simulation
    )


def provenance(
    records: Records, polarity: Polarity = Polarity.POSITIVE, method: Method = Method.SUMMARY
) -> Provenance:
    """As an explainer would leave it that saw these records."""
    shown = explain_records(records, polarity)
    messages = json.dumps(
        [{"role": "user", "content": f"What does it find in {len(shown)} excerpts? \0 <b>"}]
    )
    return Provenance(
        method=method.value,
        explainer="scripted / test-model",
        prompt_version="test-1",
        messages_hash=hashlib.sha256(messages.encode()).hexdigest(),
        messages_json=messages,
        parameters_json='{"temperature": 1.0}',
        seed=7,
        excerpts=tuple(shown.excerpts.tolist()),
        code_version="test",
        usage=Usage(959, 12, 0.0021, 1.5, 1),
        author="neuronarium",
    )


def simulated(records: Records, means_of: Records, polarity: Polarity, position0: bool = False) -> Simulated:
    """Token lookup on the 0-10 scale, in place of a language model."""
    signed = polarity.sign * lookup_records(means_of).activations
    means = token_means(lookup_records(means_of).tokens, signed, position0=position0)
    expected = means.predict(records.tokens)
    top = max(float(expected.max()), 1e-6)
    return Simulated(
        records.excerpts,
        np.clip(10 * expected / top, 0, 10).astype(np.float32),
        Usage(6400, 640, 0.004, 3.0, len(records)),
        '{"prompt": "test-1"}',
    )


def _explain(s: Session, records: Records, ref: NeuronRef, polarity: Polarity) -> tuple[int, int]:
    """An explanation with a simulation and its scores; their ids."""
    stats = neurons.statistics(s, ref)
    id_ = explanations.add(
        s,
        ref,
        f"words that end in <em>ko</em> ({polarity})",
        polarity,
        provenance(records, polarity),
        State.OK,
        "",
        "job-explain",
        f"explanation-{polarity}",
    )
    scored, strata = score_records(records, Protocol.HELDOUT_FULL, polarity)
    dev = dev_records(records, polarity)
    both = simulated(scored, records, polarity, stats.position0)
    for_dev = simulated(dev, records, polarity, stats.position0)
    stored = Simulated(
        np.concatenate([both.excerpts, for_dev.excerpts]),
        np.concatenate([both.expected, for_dev.expected]),
        both.usage,
        both.parameters_json,
    )
    simulation = simulations.add(
        s,
        id_,
        SimulatorName.LOCAL.value,
        "",
        stored.parameters_json,
        7,
        stored,
        State.OK,
        "",
        "job-explain",
        f"simulation-{polarity}",
    )
    values = score(
        scored, strata, both.expected, Protocol.HELDOUT_FULL, polarity, (dev, for_dev.expected), stats, seed=7
    )
    scores.add(s, id_, simulation, values, "job-explain", f"scores-{polarity}")
    return id_, simulation


def _fail(s: Session, records: Records, ref: NeuronRef) -> tuple[int, int]:
    """A failed explanation, and one whose simulation failed and whose score says so; ids of the first and the latter's."""
    failed = explanations.add(
        s,
        ref,
        None,
        Polarity.POSITIVE,
        provenance(records),
        State.FAILED,
        "The explainer's answer was empty three times.",
        "job-failed",
        "explanation-failed",
    )
    id_ = explanations.add(
        s,
        ref,
        "  the letter \u202ek, \0 and nothing else",
        Polarity.POSITIVE,
        provenance(records, method=Method.HIGHLIGHT),
        State.OK,
        "",
        "job-failed",
        "explanation-unscored",
    )
    simulation = simulations.add(
        s,
        id_,
        SimulatorName.CHAT_JSON.value,
        "scripted",
        "{}",
        7,
        None,
        State.FAILED,
        "The simulator answered 63 values for 64 tokens.",
        "job-failed",
        "simulation-failed",
    )
    undefined = ScoreValue(
        Metric.CORRELATION,
        Protocol.HELDOUT_5_5,
        Sample.TOP_AND_RANDOM,
        State.FAILED,
        reason="The simulator answered 63 values for 64 tokens.",
    )
    scores.add(s, id_, simulation, [undefined], "job-failed", "scores-failed")
    return failed, simulation


def _activations(
    rng: np.random.Generator, excerpts: ExcerptTable, gated: bool, neurons: int
) -> tuple[np.ndarray, np.ndarray]:
    """[N, E, T] activations as the neuron's output projection sees them, and where the gate is positive."""
    embedded = rng.normal(size=(len(vocabulary()), WIDTH)).astype(np.float32)[excerpts.tokens]  # [E, T, W]
    before = np.roll(embedded, 1, axis=1)
    before[:, 0] = 0
    hidden = embedded + 0.4 * before  # [E, T, W]
    gate = hidden @ rng.normal(size=(WIDTH, neurons)).astype(np.float32)  # [E, T, N]
    silu = gate / (1 + np.exp(-gate))
    if not gated:
        silu = np.maximum(silu, -0.17)
        return np.ascontiguousarray(silu.transpose(2, 0, 1)), np.zeros(0, np.bool_)
    product = silu * (hidden @ rng.normal(size=(WIDTH, neurons)).astype(np.float32))
    return np.ascontiguousarray(product.transpose(2, 0, 1)), np.ascontiguousarray(
        (gate > 0).transpose(2, 0, 1)
    )


def _bands(peaks: np.ndarray) -> np.ndarray:
    """Which band each excerpt of a split lies in."""
    return (peaks[:, None] > np.quantile(peaks, BAND_EDGES[1:])).sum(1)


def _choose(
    values: np.ndarray, splits_of: np.ndarray, kinds: np.ndarray, splits: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The excerpt in every slot of one neuron, [R], -1 where there are too few."""
    chosen = np.full(len(kinds), -1, np.int64)
    for split in (Split.EXPLAIN, Split.DEV, Split.SCORE):
        mine = np.flatnonzero(splits_of == split)
        peaks, lows = values[mine].max(1), values[mine].min(1)
        falling = mine[np.argsort(-peaks, kind="stable")]
        bands = _bands(peaks)
        for kind in Kind:
            slots = np.flatnonzero((kinds == kind) & (splits == split))
            if kind is Kind.TOP:
                pool = falling
            elif kind is Kind.BOTTOM:
                pool = mine[np.argsort(lows, kind="stable")]
            elif kind in BANDS:
                pool = rng.permutation(mine[bands == BANDS.index(kind)])
            else:
                pool = rng.permutation(mine)
            n = min(len(slots), len(pool))
            chosen[slots[:n]] = pool[:n]
    return chosen
