"""Small random layers for the tests of this folder, shaped as a collection gives them."""

import numpy as np

from app.domain.collection import ExcerptTable, LayerResult
from app.domain.neurons import HISTOGRAM_BINS, Profile, Records, Split, Statistics


def table(
    rng: np.random.Generator,
    *,
    documents: int = 160,
    excerpts: int = 400,
    tokens: int = 64,
    vocabulary: int = 300,
) -> ExcerptTable:
    """Excerpts whose documents go round the splits 2:1:1; token ids are skewed, as text is."""
    owner = np.sort(rng.integers(0, documents, excerpts)).astype(np.int32)
    split = np.array([Split.EXPLAIN, Split.DEV, Split.EXPLAIN, Split.SCORE], np.uint8)[owner % 4]
    ids = np.minimum(rng.zipf(1.3, (excerpts, tokens)) - 1, vocabulary - 1).astype(np.int32)
    return ExcerptTable(ids, owner, split, np.zeros(excerpts, np.int32))


def layer(
    rng: np.random.Generator, excerpts: ExcerptTable, neurons: int = 40, profile: Profile | None = None
) -> LayerResult:
    """Activations that depend on the token and on chance; slots filled with excerpts of the right split."""
    kinds, splits = (profile or Profile()).slots()
    length = excerpts.tokens.shape[1]
    ordinals = np.empty((neurons, len(kinds)), np.int32)
    for split in np.unique(splits):
        where = np.flatnonzero(excerpts.splits == split)
        slots = np.flatnonzero(splits == split)
        ordinals[:, slots] = rng.choice(where, (neurons, len(slots)))
    tuned = rng.normal(size=(neurons, int(excerpts.tokens.max()) + 1)).astype(np.float32)
    shown = excerpts.tokens[ordinals]  # [N, R, T]
    signal = np.take_along_axis(tuned, shown.reshape(neurons, -1), 1).reshape(shown.shape)
    activations = (signal + rng.normal(size=shown.shape)).astype(np.float16)

    def each(value: float) -> np.ndarray:
        return np.full(neurons, value)

    return LayerResult(
        layer=3, slug="3-mlp", kinds=kinds, splits=splits, excerpts=ordinals, activations=activations, gates=None,
        mean=each(0.0), variance=each(1.0), skewness=each(0.0), kurtosis=each(3.0),
        maximum=each(4.0).astype(np.float32), minimum=each(-4.0).astype(np.float32),
        density=each(0.1).astype(np.float32), explain_maximum=each(4.0).astype(np.float32),
        explain_minimum=each(-4.0).astype(np.float32), token_q99=each(2.5).astype(np.float32),
        token_q01=each(-2.5).astype(np.float32), excerpt_max_q99=each(3.5).astype(np.float32),
        histogram_low=each(-4.0).astype(np.float32), histogram_high=each(4.0).astype(np.float32),
        histogram=np.zeros((neurons, HISTOGRAM_BINS), np.uint32), sign_shares=None,
        position0=np.zeros(neurons, np.bool_), band_excerpts=np.tile(np.uint32([50, 40, 9, 12]), (neurons, 1)),
        n_tokens=excerpts.tokens.size, n_sampled=length * 100,
    )  # fmt: skip


def records_of(result: LayerResult, excerpts: ExcerptTable, neuron: int) -> Records:
    """One neuron's records as the store gives them: unfilled slots are not there."""
    filled = np.flatnonzero(result.excerpts[neuron] >= 0)
    ordinals = result.excerpts[neuron][filled]
    return Records(
        excerpts=ordinals,
        documents=excerpts.documents[ordinals],
        kinds=result.kinds[filled],
        splits=result.splits[filled],
        tokens=excerpts.tokens[ordinals],
        activations=result.activations[neuron][filled].astype(np.float32),
        gates=None,
    )


def statistics_of(result: LayerResult, neuron: int) -> Statistics:
    return Statistics(
        mean=float(result.mean[neuron]), variance=float(result.variance[neuron]),
        skewness=float(result.skewness[neuron]), kurtosis=float(result.kurtosis[neuron]),
        maximum=float(result.maximum[neuron]), minimum=float(result.minimum[neuron]),
        density=float(result.density[neuron]), explain_maximum=float(result.explain_maximum[neuron]),
        explain_minimum=float(result.explain_minimum[neuron]), token_q99=float(result.token_q99[neuron]),
        token_q01=float(result.token_q01[neuron]), excerpt_max_q99=float(result.excerpt_max_q99[neuron]),
        n_tokens=result.n_tokens, n_sampled=result.n_sampled, sign_shares=None,
        position0=bool(result.position0[neuron]), band_excerpts=tuple(result.band_excerpts[neuron].tolist()),
    )  # fmt: skip
