"""`token_lookup`: the explanation that needs no language model, mean activation by token."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.collection import ExcerptTable, LayerResult
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Bool, Float32, Float64, Int32, UInt8

STATES = tuple(State)  # code of a state = its index here
TOP_TOKENS = 8


@dataclass(frozen=True, eq=False)
class TokenMeans:
    """Mean activation by token, U distinct tokens."""

    ids: Int32  # [U] ascending
    means: Float32  # [U]
    counts: Int32  # [U]
    fallback: float

    def predict(self, tokens: NDArray[np.integer]) -> Float32:
        raise NotImplementedError

    def top(self, n: int = TOP_TOKENS) -> "TokenMeans":
        raise NotImplementedError


def token_means(
    tokens: NDArray[np.integer], activations: Float32, *, position0: bool = False
) -> TokenMeans:
    raise NotImplementedError


@dataclass(frozen=True, eq=False)
class LayerScores:
    """One metric of one protocol and sample over a whole layer, N neurons."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    states: UInt8  # [N] index into STATES
    values: Float64  # [N] NaN where the state is not OK
    low: Float64  # [N] NaN where there is no interval
    high: Float64  # [N]
    n_records: Int32  # [N]
    n_documents: Int32  # [N]
    n_tokens: Int32  # [N]
    indicative: Bool  # [N]
    parameters_json: str  # the same for all neurons

    def at(self, index: int) -> ScoreValue:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class LayerLookup:
    """What token lookup says of every neuron of a layer, N neurons."""

    layer: int
    slug: str
    token_ids: Int32  # [N, 8] by falling mean, -1 where there are fewer
    token_means: Float32  # [N, 8]
    token_counts: Int32  # [N, 8]
    fallback: Float32  # [N] mean over the explain records, for tokens never seen there
    excerpts: Int32  # [N, X] excerpts of the explain split that the means are from, -1 unfilled
    scores: tuple[LayerScores, ...]  # heldout-full and heldout-5+5 x top-and-random and random-only


def lookup_layer(result: LayerResult, excerpts: ExcerptTable, seed: int) -> LayerLookup:
    raise NotImplementedError
