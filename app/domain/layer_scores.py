"""Correlations of a whole layer with their bootstrap: what `scoring.score` says, for blocks of neurons at once."""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.bootstrap import (
    DRAWS,
    MIN_UNITS,
    Column,
    correlation_sums,
    interval,
    resample,
    statistic,
    vary,
)
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Bool, Float32, Float64, Int32, UInt8
from app.domain.protocols import HELDOUT_SCORE_RANDOM, HELDOUT_SCORE_TOP
from app.domain.scoring import INDICATIVE_BELOW, REASONS

# The only metric that every neuron's token lookup gets when a collection ends: bulk work, kept to what a matrix product gives.
METRIC = Metric.CORRELATION
STATES = tuple(State)  # the code of a state in an array is its index here

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
    indicative: Bool  # [N] fewer than 10 documents in a stratum
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


class BlockScores(NamedTuple):
    """One protocol and sample for a block of C neurons; every field [C]."""

    states: UInt8
    values: Float64
    low: Float64
    high: Float64
    n_records: Int32
    n_documents: Int32
    n_tokens: Int32
    indicative: Bool


def score_block(
    actual: Float64,
    expected: Float64,
    documents: Int32,
    position0: Bool,
    threshold: Float32,
    sound: Bool,
    weights: Float64,
    n_top: int,
) -> list[BlockScores]:
    """Scores of C neurons, in the order of `_SCORED`.

    `actual`, `expected` [C, S, T]; `documents` [C, S], -1 unfilled; `position0`, `threshold` [C];
    `sound` [C, S], all values finite;
    `weights` [C, S, B] of the bootstrap; the first `n_top` of the S slots are top.
    """
    filled = documents >= 0  # [C, S]
    # A first token that does not count shows its neighbour's value, which changes no maximum.
    actual[position0, :, 0] = actual[position0, :, min(1, actual.shape[2] - 1)]
    highest = actual.max(-1)  # [C, S]
    tokens = filled * (actual.shape[2] - position0[:, None])  # [C, S]
    counted = np.maximum(tokens, 1)  # [C, S]
    means = []
    for values in (actual, expected):
        values[position0, :, 0] = 0.0
        mean = values.sum(-1) / counted  # [C, S]
        values -= mean[:, :, None]
        values[position0, :, 0] = 0.0
        means.append(mean)
    within = correlation_sums(actual, expected)  # [C, K, S] of each record about its own means
    within[:, Column.TOKENS] = tokens

    is_top = np.arange(documents.shape[1]) < n_top  # [S]
    scores = []
    for ranks_top, ranks_random in (
        (n_top, len(is_top)),
        (len(HELDOUT_SCORE_TOP), len(HELDOUT_SCORE_RANDOM)),
    ):
        top = filled & is_top
        top &= top.cumsum(1) <= ranks_top  # [C, S]
        random = filled & ~is_top
        random &= random.cumsum(1) <= ranks_random  # [C, S]
        for strata in ((top, random), (random,)):
            rows = np.logical_or.reduce(strata)  # [C, S]
            sums = _about_own_means(within, means, rows)  # [C, K, S]
            drawn = _resampled(sums, weights, random, slice(n_top, None))  # [C, K, B]
            if len(strata) > 1:
                drawn += _resampled(sums, weights, top, slice(0, n_top))
            total = (sums * rows[:, None, :]).sum(-1)[..., None]  # [C, K, 1]
            # The same question decides whether there is a value: a state OK without one cannot be.
            varies_a, varies_s = (varies[:, 0] for varies in vary(total))
            held = [stratum.sum(1) for stratum in strata]  # [C] each
            active = (np.where(rows, highest, -np.inf) > threshold[:, None]).any(1)
            states = np.full(len(rows), _CODE[State.OK], np.uint8)
            # from the last to the first reason: the first one is what `scoring.score` reports
            states[~varies_s] = _CODE[State.CONSTANT_PREDICTION]
            states[~varies_a] = _CODE[State.CONSTANT_ACTUAL]
            if len(strata) == 1:
                states[~active] = _CODE[State.TOO_FEW_ACTIVE]
            states[(np.min(held, axis=0) == 0) | ((rows * tokens).sum(1) == 0)] = _CODE[State.TOO_FEW_RECORDS]
            states[(rows & ~sound).any(1)] = _CODE[State.FAILED]
            low, high = interval(statistic(METRIC, drawn))
            drawable = np.min([_distinct(documents, stratum) for stratum in strata], axis=0)  # [C]
            scores.append(
                BlockScores(
                    states=states,
                    values=statistic(METRIC, total)[:, 0],
                    low=np.where(drawable >= MIN_UNITS, low, np.nan),
                    high=np.where(drawable >= MIN_UNITS, high, np.nan),
                    n_records=rows.sum(1).astype(np.int32),
                    n_documents=_distinct(documents, rows).astype(np.int32),
                    n_tokens=(rows * tokens).sum(1).astype(np.int32),
                    indicative=drawable < INDICATIVE_BELOW,
                )
            )
    return scores


def _resampled(sums: Float64, weights: Float64, stratum: Bool, slots: slice) -> Float64:
    return resample((sums * stratum[:, None, :])[:, :, slots], weights[:, slots])


def _about_own_means(within: Float64, means: list[Float64], rows: Bool) -> Float64:
    """Sums [C, K, S] about the means of these rows' tokens, from those about each record's own and its `means` [C, S].

    Only ever adds squares. Centred about anything else, records that vary little beside others that are not scored
    would lose all their digits.
    """
    sums = within.copy()
    tokens = within[:, Column.TOKENS]  # [C, S]
    share = tokens * rows
    share /= np.maximum(share.sum(1, keepdims=True), 1)
    a, s = (mean - (mean * share).sum(1, keepdims=True) for mean in means)  # [C, S]
    sums[:, Column.A] = tokens * a
    sums[:, Column.S] = tokens * s
    sums[:, Column.AA] += tokens * a * a
    sums[:, Column.SS] += tokens * s * s
    sums[:, Column.AS] += tokens * a * s
    return sums


def _distinct(documents: Int32, rows: Bool) -> NDArray[np.intp]:
    """How many documents stand behind these rows, [C, S] -> [C]."""
    ordered = np.sort(np.where(rows, documents, -1), axis=1)
    new: Bool = np.ones(ordered.shape, np.bool_)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    counts: NDArray[np.intp] = (new & (ordered >= 0)).sum(1)
    return counts


def join_blocks(blocks: list[list[BlockScores]], enough: bool, seed: int) -> tuple[LayerScores, ...]:
    """The blocks' scores one after the other. Without `enough` documents all are TOO_FEW_RECORDS."""
    layers = []
    for which, (protocol, sample) in enumerate(_SCORED):
        parts = zip(*(block[which] for block in blocks), strict=True)
        joined = BlockScores(*(np.concatenate(part) for part in parts))
        states = joined.states
        if not enough:
            few = np.uint8(_CODE[State.TOO_FEW_RECORDS])
            states = np.where(states == _CODE[State.FAILED], states, few)
        defined = states == _CODE[State.OK]
        layers.append(
            LayerScores(
                protocol=protocol,
                sample=sample,
                metric=METRIC,
                states=states,
                values=np.where(defined, joined.values, np.nan),
                low=np.where(defined, joined.low, np.nan),
                high=np.where(defined, joined.high, np.nan),
                n_records=joined.n_records,
                n_documents=joined.n_documents,
                n_tokens=joined.n_tokens,
                indicative=joined.indicative,
                parameters_json=json.dumps({"draws": DRAWS, "seed": seed}, sort_keys=True),
            )
        )
    return tuple(layers)


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
