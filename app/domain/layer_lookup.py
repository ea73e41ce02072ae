"""Token lookup for a whole layer at once: what `token_lookup` and `scoring` say of one neuron, for all of them.

Every neuron's row holds the same slots, so a block of neurons is arrays of one shape: token means are two `bincount`,
predictions one gather, scores and their bootstrap a handful of matrix products on sums per record.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.bootstrap import poisson_weights, units
from app.domain.collection import ExcerptTable, LayerResult
from app.domain.layer_scores import LayerScores, join_blocks, score_block
from app.domain.neurons import Bool, Float32, Float64, Int32, Kind, Split
from app.domain.splits import document_counts, enough_documents

TOP_TOKENS = 8
BLOCK = 64  # neurons at a time: their tables stay in the cache


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
        learnt = np.asarray(np.isfinite(values).all((1, 2)))  # [C]
        values[~learnt] = 0.0
        means = _means(
            values, result.excerpts[block][:, slots.explain], position0, excerpts.tokens, vocabulary
        )
        means_of.append(means)
        actual = rows[:, slots.score].astype(np.float64)  # [C, S, T]
        sound = np.asarray(np.isfinite(actual).all(2))  # [C, S]
        actual[~sound] = 0.0
        tokens = excerpts.tokens[score_excerpts[block]]  # [C, S, T]
        expected = means.predict(tokens).astype(np.float64)  # [C, S, T]
        blocks.append(
            score_block(
                actual,
                expected,
                documents[block],
                position0,
                np.nan_to_num(
                    result.token_q99[block]
                ),  # as in `score`: without a quantile, active is above 0
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
        scores=join_blocks(blocks, enough, seed),
    )


def top_tokens(
    values: Float64, ordinals: Int32, corpus: Int32, vocabulary: int
) -> tuple[Int32, Float32, Int32]:
    """(ids, means, counts), each [C, 8], of the tokens with the highest means over the excerpts `ordinals` [C, X].

    `values` [C, X, T] are finite, `corpus` [E, T] holds the excerpts' tokens, all below `vocabulary`.
    """
    means = _means(values, ordinals, np.zeros(len(values), np.bool_), corpus, vocabulary)
    return means.top_ids, means.top_means, means.top_counts


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
