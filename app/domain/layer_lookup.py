"""Token lookup for a whole layer at once: what `token_lookup` and `scoring` say of one neuron, for all of them.

Every neuron's row holds the same slots, so a block of neurons is arrays of one shape: token means are two `bincount`,
predictions one gather, scores and their bootstrap a handful of matrix products on sums per record.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.bootstrap import DRAWS, Column, correlation_sums, interval, poisson_weights, resample, statistic, units
from app.domain.collection import ExcerptTable, LayerResult
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Bool, Float32, Float64, Int32, Kind, Split, UInt8
from app.domain.protocols import HELDOUT_SCORE_RANDOM, HELDOUT_SCORE_TOP
from app.domain.scoring import INDICATIVE_BELOW, REASONS
from app.domain.splits import document_counts, enough_documents

STATES = tuple(State)  # the code of a state in an array is its index here
TOP_TOKENS = 8
BLOCK = 32  # neurons at a time: their tables stay in the cache

_CODE = {state: code for code, state in enumerate(STATES)}
_SCORED = (
    (Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM),
    (Protocol.HELDOUT_FULL, Sample.RANDOM_ONLY),
    (Protocol.HELDOUT_5_5, Sample.TOP_AND_RANDOM),
    (Protocol.HELDOUT_5_5, Sample.RANDOM_ONLY),
)


@dataclass(frozen=True, eq=False)
class LayerScores:
    """One metric of one protocol and sample over a whole layer. N neurons."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    states: UInt8  # [N] index into STATES
    values: Float64  # [N] NaN where the state is not OK
    low: Float64  # [N] 95 % bootstrap interval, NaN where there is none
    high: Float64  # [N]
    n_records: Int32  # [N]
    n_documents: Int32  # [N]
    n_tokens: Int32  # [N]
    indicative: Bool  # [N] fewer than 10 records in a stratum
    parameters_json: str  # the same for all neurons

    def at(self, index: int) -> ScoreValue:
        """One neuron's score, as `scoring.score` gives it."""
        state = STATES[self.states[index]]
        return ScoreValue(
            metric=self.metric,
            protocol=self.protocol,
            sample=self.sample,
            state=state,
            value=_number(self.values[index]),
            low=_number(self.low[index]),
            high=_number(self.high[index]),
            n_records=int(self.n_records[index]),
            n_documents=int(self.n_documents[index]),
            n_tokens=int(self.n_tokens[index]),
            indicative=bool(self.indicative[index]),
            reason=REASONS.get(state, ""),
            parameters_json=self.parameters_json,
        )


@dataclass(frozen=True, eq=False)
class LayerLookup:
    """What token lookup says of every neuron of a layer. N neurons."""

    layer: int
    slug: str
    token_ids: Int32  # [N, 8] by falling mean, -1 where there are fewer
    token_means: Float32  # [N, 8] signed, 0 where there are fewer
    token_counts: Int32  # [N, 8]
    fallback: Float32  # [N] mean over the explain records, for tokens never seen there
    excerpts: Int32  # [N, X] excerpts of the explain split that the means are from, -1 unfilled
    scores: tuple[LayerScores, ...]  # heldout-full, then heldout-5+5; top-and-random, then random-only


class _Block(NamedTuple):
    """A block of C neurons on S score slots, and which token means to predict with."""

    actual: Float64  # [C, S, T]
    expected: Float64  # [C, S, T]
    filled: Bool  # [C, S]
    position0: Bool  # [C]
    threshold: Float32  # [C] above it a token is active
    finite: Bool  # [C]


def lookup_layer(result: LayerResult, excerpts: ExcerptTable, seed: int) -> LayerLookup:
    """Token means from the explain slots and their held-out correlation, for every neuron of a layer.

    Equal to `token_means`, `TokenMeans.predict` and `score` neuron by neuron (tested), at a small part of the cost.
    A corpus with too few documents in a split makes every score TOO_FEW_RECORDS. Raises ValueError for a seedless
    shape mismatch only through numpy; values that are not finite give the neuron the state FAILED.
    """
    raise NotImplementedError


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
