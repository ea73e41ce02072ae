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


class _Slots(NamedTuple):
    """Which slots of a neuron's row are used."""

    explain: NDArray[np.intp]
    score: NDArray[np.intp]  # S slots: top, then random
    top: int  # how many of them are top


class _Means(NamedTuple):
    """Token means of a block. C neurons, U tokens that its explain records hold."""

    table: Float32  # [C, U + 1] mean by token, the fallback where unseen and in the last column
    column: NDArray[np.int64]  # [V] column of a token id
    fallback: Float32  # [C]
    top_ids: Int32  # [C, 8]
    top_means: Float32  # [C, 8]
    top_counts: Int32  # [C, 8]

    def predict(self, tokens: Int32) -> Float32:
        """Expected activations of each neuron's own tokens [C, S, T]."""
        count, width = self.table.shape
        cell = self.column[tokens]  # [C, S, T]
        cell += np.arange(count)[:, None, None] * width
        return self.table.ravel()[cell]


def lookup_layer(result: LayerResult, excerpts: ExcerptTable, seed: int) -> LayerLookup:
    """Token means from the explain slots and their held-out correlation, for every neuron of a layer.

    Equal to `token_means`, `TokenMeans.predict` and `score` neuron by neuron (tested), at a small part of the cost.
    A corpus with too few documents in a split makes every score TOO_FEW_RECORDS. A value that is not finite makes
    the scores FAILED that need it, in an explain record all of the neuron's, whose means are then 0.
    """
    slots = _slots(result)
    n, blocks = result.neurons, []
    score_excerpts = result.excerpts[:, slots.score]  # [N, S]
    documents = np.where(score_excerpts >= 0, excerpts.documents[score_excerpts], -1)  # [N, S]
    drawn, place = np.unique(units(documents, score_excerpts), return_inverse=True)
    place = place.reshape(documents.shape)
    weights = poisson_weights(seed, drawn)  # [D, B]
    vocabulary = int(excerpts.tokens.max(initial=0)) + 1  # V
    means_of: list[_Means] = []
    for low in range(0, n, BLOCK):
        block = slice(low, min(low + BLOCK, n))
        position0, rows = result.position0[block], result.activations[block]  # [C], [C, R, T]
        values = rows[:, slots.explain].astype(np.float64)  # [C, X, T]
        learnt = np.isfinite(values).all((1, 2))  # [C]
        values[~learnt] = 0.0
        means = _means(values, result.excerpts[block][:, slots.explain], position0, excerpts.tokens, vocabulary)
        means_of.append(means)
        actual = rows[:, slots.score].astype(np.float64)  # [C, S, T]
        sound = np.isfinite(actual).all(2)  # [C, S]
        actual[~sound] = 0.0
        tokens = excerpts.tokens[score_excerpts[block]]  # [C, S, T]
        expected = means.predict(tokens).astype(np.float64)  # [C, S, T]
        blocks.append(
            _score_block(
                actual,
                expected,
                documents[block],
                position0,
                result.token_q99[block],
                sound & learnt[:, None],
                weights[place[block]],
                slots.top,
            )
        )
    enough = enough_documents(document_counts(excerpts.splits, excerpts.documents))
    return LayerLookup(
        layer=result.layer,
        slug=result.slug,
        token_ids=np.concatenate([means.top_ids for means in means_of]),
        token_means=np.concatenate([means.top_means for means in means_of]),
        token_counts=np.concatenate([means.top_counts for means in means_of]),
        fallback=np.concatenate([means.fallback for means in means_of]),
        excerpts=result.excerpts[:, slots.explain],
        scores=tuple(_joined(i, [block[i] for block in blocks], enough, seed) for i in range(len(_SCORED))),
    )


def _slots(result: LayerResult) -> _Slots:
    scored = result.splits == Split.SCORE
    top = np.flatnonzero(scored & (result.kinds == Kind.TOP))
    random = np.flatnonzero(scored & (result.kinds == Kind.RANDOM))
    return _Slots(np.flatnonzero(result.splits == Split.EXPLAIN), np.concatenate([top, random]), len(top))


def _means(values: Float64, ordinals: Int32, position0: Bool, corpus: Int32, vocabulary: int) -> _Means:
    """Token means of C neurons from `values` [C, X, T] on the excerpts `ordinals` [C, X] of the `corpus` [E, T]."""
    tokens, count = corpus[ordinals], len(ordinals)  # [C, X, T]
    present = np.zeros(vocabulary, np.bool_)
    present[tokens] = True
    known = np.flatnonzero(present)  # [U] token ids, ascending
    width = len(known) + 1
    column = np.full(vocabulary, width - 1)  # [V]
    column[known] = np.arange(width - 1)

    cell = column[tokens]  # [C, X, T]
    cell += np.arange(count)[:, None, None] * width
    bin_ = count * width  # the last cell takes what does not count
    if (ordinals < 0).any():
        cell[ordinals < 0] = bin_
    if position0.any():
        cell[position0, :, 0] = bin_
    flat = cell.ravel()
    counts = np.bincount(flat, minlength=bin_ + 1)[:-1]  # [C * (U + 1)]
    sums = np.bincount(flat, weights=values.ravel(), minlength=bin_ + 1)

    cells = np.flatnonzero(counts)  # [P] (neuron, token) pairs that occur
    owners, held, sums = cells // width, counts[cells], sums[cells]  # [P] each
    means = (sums / held).astype(np.float32)  # [P]
    totals = np.bincount(owners, weights=sums, minlength=count)  # [C]
    numbers = np.bincount(owners, weights=held, minlength=count)  # [C]
    fallback = (totals / np.maximum(numbers, 1)).astype(np.float32)  # [C]
    table = np.repeat(fallback, width)
    table[cells] = means
    places, exists = _best(owners, means, count)  # [C, 8] places in cells
    ids = known[cells % width] if len(cells) else known
    return _Means(
        table=table.reshape(count, width),
        column=column,
        fallback=fallback,
        top_ids=_where(exists, ids, places, -1).astype(np.int32),
        top_means=_where(exists, means, places, 0).astype(np.float32),
        top_counts=_where(exists, held, places, 0).astype(np.int32),
    )


def _where(
    exists: Bool, values: NDArray[np.generic], places: NDArray[np.int64], otherwise: int
) -> NDArray[np.generic]:
    """`values[places]` where there is one."""
    found = np.full(exists.shape, otherwise, values.dtype)
    found[exists] = values[places[exists]]
    return found


def _best(owners: NDArray[np.int64], means: Float32, count: int) -> tuple[NDArray[np.int64], Bool]:
    """The places [C, 8] of each owner's highest means, and which of them exist. Owners ascend; ties: first place.

    A mean and its place make one integer that sorts as the pair does, so that a partition decides ties as well.
    """
    held = np.bincount(owners, minlength=count)  # [C]
    starts = np.cumsum(held) - held  # [C]
    within = np.arange(len(owners)) - starts[owners]  # [P]
    bits = (means + np.float32(0)).view(np.uint32)  # adding 0 makes -0 and 0 one value
    ordered = bits ^ np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    width = max(TOP_TOKENS, int(held.max(initial=0)))
    keys = np.zeros((count, width), np.uint64)  # 0: no token
    last = np.uint64(0xFFFFFFFF)
    keys[owners, within] = (ordered.astype(np.uint64) << np.uint64(32)) | (last - within.astype(np.uint64))
    best = np.sort(np.partition(keys, width - TOP_TOKENS, axis=1)[:, -TOP_TOKENS:], axis=1)[:, ::-1]
    exists = best > 0
    places = starts[:, None] + (last - (best & last)).astype(np.int64)
    return np.where(exists, places, 0), exists


class _BlockScores(NamedTuple):
    """One protocol and sample for a block of C neurons; every field [C]."""

    states: UInt8
    values: Float64
    low: Float64
    high: Float64
    n_records: Int32
    n_documents: Int32
    n_tokens: Int32
    indicative: Bool


def _score_block(
    actual: Float64,
    expected: Float64,
    documents: Int32,
    position0: Bool,
    threshold: Float32,
    sound: Bool,
    weights: Float64,
    n_top: int,
) -> list[_BlockScores]:
    """Scores of C neurons, in the order of `_SCORED`.

    `actual`, `expected` [C, S, T]; `documents` [C, S], -1 unfilled; `position0`, `threshold` [C];
    `sound` [C, S], all values finite;
    `weights` [C, S, B] of the bootstrap; the first `n_top` of the S slots are top.
    """
    filled = documents >= 0  # [C, S]
    for values in (actual, expected):
        # A first token that does not count shows its neighbour's value, which changes no minimum or maximum.
        values[position0, :, 0] = values[position0, :, min(1, values.shape[2] - 1)]
    lowest_a, highest_a = actual.min(-1), actual.max(-1)  # [C, S]
    lowest_s, highest_s = expected.min(-1), expected.max(-1)  # [C, S]
    tokens = filled * (actual.shape[2] - position0[:, None])  # [C, S]
    for values in (actual, expected):
        share = filled / np.maximum(filled.sum(1, keepdims=True), 1)  # [C, S]
        values -= (values.mean(-1) * share).sum(1)[:, None, None]
        values[~filled] = 0.0
        values[position0, :, 0] = 0.0
    sums = correlation_sums(actual, expected)  # [C, K, S]
    sums[:, Column.TOKENS] = tokens

    is_top = np.arange(documents.shape[1]) < n_top  # [S]
    scores = []
    for ranks_top, ranks_random in ((n_top, len(is_top)), (len(HELDOUT_SCORE_TOP), len(HELDOUT_SCORE_RANDOM))):
        top = filled & is_top
        top &= top.cumsum(1) <= ranks_top  # [C, S]
        random = filled & ~is_top
        random &= random.cumsum(1) <= ranks_random  # [C, S]
        drawn_random = _resampled(sums, weights, random, slice(n_top, None))  # [C, K, B]
        drawn_both = drawn_random + _resampled(sums, weights, top, slice(0, n_top))
        for strata, drawn in (((top, random), drawn_both), ((random,), drawn_random)):
            rows = np.logical_or.reduce(strata)  # [C, S]
            held = [stratum.sum(1) for stratum in strata]  # [C] each
            active = (np.where(rows, highest_a, -np.inf) > threshold[:, None]).any(1)
            states = np.full(len(rows), _CODE[State.OK], np.uint8)
            # from the last to the first reason: the first one is what `scoring.score` reports
            states[_same(lowest_s, highest_s, rows)] = _CODE[State.CONSTANT_PREDICTION]
            states[_same(lowest_a, highest_a, rows)] = _CODE[State.CONSTANT_ACTUAL]
            if len(strata) == 1:
                states[~active] = _CODE[State.TOO_FEW_ACTIVE]
            states[(np.min(held, axis=0) == 0) | ((rows * tokens).sum(1) == 0)] = _CODE[State.TOO_FEW_RECORDS]
            states[(rows & ~sound).any(1)] = _CODE[State.FAILED]
            total = (sums * rows[:, None, :]).sum(-1)[..., None]  # [C, K, 1]
            low, high = interval(statistic(Metric.CORRELATION, drawn))
            distinct = _distinct(documents, rows)
            scores.append(
                _BlockScores(
                    states=states,
                    values=statistic(Metric.CORRELATION, total)[:, 0],
                    low=np.where(distinct > 1, low, np.nan),
                    high=np.where(distinct > 1, high, np.nan),
                    n_records=rows.sum(1).astype(np.int32),
                    n_documents=distinct.astype(np.int32),
                    n_tokens=(rows * tokens).sum(1).astype(np.int32),
                    indicative=np.min(held, axis=0) < INDICATIVE_BELOW,
                )
            )
    return scores


def _resampled(sums: Float64, weights: Float64, stratum: Bool, slots: slice) -> Float64:
    return resample((sums * stratum[:, None, :])[:, :, slots], weights[:, slots])


def _same(lowest: Float64, highest: Float64, rows: Bool) -> Bool:
    """Whether all values of these rows are one value, [C, S] -> [C]; True for no rows."""
    return np.where(rows, lowest, np.inf).min(1) >= np.where(rows, highest, -np.inf).max(1)


def _distinct(documents: Int32, rows: Bool) -> NDArray[np.int64]:
    """How many documents stand behind these rows, [C, S] -> [C]."""
    ordered = np.sort(np.where(rows, documents, -1), axis=1)
    first = (ordered[:, :1] >= 0).sum(1)
    return first + ((ordered[:, 1:] != ordered[:, :-1]) & (ordered[:, 1:] >= 0)).sum(1)


def _joined(which: int, blocks: list[_BlockScores], enough: bool, seed: int) -> LayerScores:
    protocol, sample = _SCORED[which]
    joined = _BlockScores(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
    states = joined.states
    if not enough:
        states = np.where(states == _CODE[State.FAILED], states, np.uint8(_CODE[State.TOO_FEW_RECORDS]))
    defined = states == _CODE[State.OK]
    return LayerScores(
        protocol=protocol,
        sample=sample,
        metric=Metric.CORRELATION,
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


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
