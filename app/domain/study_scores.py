"""People's ratings against automated scores: is the text that scores higher the one that people rate higher?"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float64, Int32
from app.domain.report_statistics import CONFIDENCE
from app.domain.study_answers import Ratings

DRAWS = 1_000
EDGES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)  # where the steps of the score gap begin; the last has no end


class Rate(NamedTuple):
    """A share, with its 95 % percentile interval of the bootstrap over neurons (none below two)."""

    share: float | None = None  # None: n is 0
    low: float | None = None
    high: float | None = None
    n: int = 0  # comparisons
    neurons: int = 0


class Gap(NamedTuple):
    """Pairs of texts of a neuron whose scores are from `above` to below `below` apart; equal scores are in none."""

    above: float
    below: float | None  # None: no end
    score: Rate  # how often a rater rates the one higher that scores higher; equal ratings count half
    people: Rate  # how often another rater of the neuron rates the one higher that a rater does, who did not rate them equal; half as above
    people_all: Rate  # the same over all raters, who rates them equal being right half the time


class Correlation(NamedTuple):
    """Spearman's rho over texts (neuron x description) of the mean rating and the score."""

    rho: float | None = None  # None: fewer than three texts, or all ratings or scores are the same
    low: float | None = None
    high: float | None = None
    texts: int = 0
    neurons: int = 0


class Compared(NamedTuple):
    """Ratings against one metric under one protocol."""

    gaps: tuple[Gap, ...]
    overall: Gap  # all of them, whatever the gap
    equal: int  # pairs in a block with equal scores: left out
    correlation: Correlation
    unscored: int  # texts rated that have no score


def compared(
    ratings: Ratings, scores: Float64, edges: Sequence[float] = EDGES, seed: int = 0, draws: int = DRAWS
) -> Compared:
    """`scores` [N], one for the explanation behind each rating, NaN where it has none; all of one metric and protocol.

    Preference by score gap is after BILLS' comparison of scores with people's preferences. A text that several methods share is one,
    with the mean of their scores. What another person's answer can tell is the ceiling for what a score can. Raises ValueError for
    edges that do not rise from 0 or more.
    """
    if not edges or edges[0] < 0 or any(a >= b for a, b in pairwise(edges)):
        raise ValueError("the steps of the gap rise from 0 or more")
    if scores.shape != ratings.values.shape:
        raise ValueError(f"{len(scores)} scores are not of {len(ratings.values)} ratings")
    texts = _texts(ratings, scores)
    pairs = _pairs(texts)
    apart = pairs.gap > 0
    bounds = [*edges, np.inf]
    gaps = tuple(
        _gap(pairs, apart & (pairs.gap >= low) & (pairs.gap < high), low, high, seed, draws)
        for low, high in pairwise(bounds)
    )
    return Compared(
        gaps,
        _gap(pairs, apart, 0.0, np.inf, seed, draws),
        int((~apart).sum()),
        _correlation(texts, seed, draws),
        texts.unscored,
    )


class _Texts(NamedTuple):
    """Scored answers, a shown text once a block: columns [A]."""

    raters: Int32
    neurons: Int32
    text: NDArray[np.intp]  # a number of its own over all neurons
    values: Float64
    scores: Float64
    unscored: int


class _Pairs(NamedTuple):
    """Two texts in one block, columns [P]."""

    neurons: Int32
    pair: NDArray[np.intp]  # equal for the same two texts
    prefers: Float64  # 1 the one that scores higher, -1 the other, 0 neither
    gap: Float64


def _texts(ratings: Ratings, scores: Float64) -> _Texts:
    _, text = np.unique(np.stack([ratings.neurons, ratings.texts], 1), axis=0, return_inverse=True)
    text = text.reshape(-1)
    there = ~np.isnan(scores)
    n = int(text.max()) + 1 if len(text) else 0
    counts = np.bincount(text, there, n)  # [T]
    with np.errstate(invalid="ignore"):
        mean = np.bincount(text, np.where(there, scores, 0.0), n) / counts
    _, once = np.unique(np.stack([ratings.raters, text], 1), axis=0, return_index=True)
    once = once[counts[text[once]] > 0]
    mine = text[once]
    return _Texts(
        ratings.raters[once],
        ratings.neurons[once],
        mine,
        ratings.values[once],
        mean[mine],
        int((counts == 0).sum()),
    )


def _pairs(texts: _Texts) -> _Pairs:
    order = np.lexsort((texts.text, texts.neurons, texts.raters))
    raters, neurons = texts.raters[order], texts.neurons[order]
    block = np.cumsum(
        np.diff(raters, prepend=raters[:1] - 1).astype(bool)
        | np.diff(neurons, prepend=neurons[:1] - 1).astype(bool)
    )
    first, second = [], []
    for apart in range(1, len(order)):
        here = np.flatnonzero(block[apart:] == block[:-apart])
        if not len(here):
            break
        first.append(here)
        second.append(here + apart)
    none = np.zeros(0, np.intp)
    a, b = order[np.concatenate([none, *first])], order[np.concatenate([none, *second])]
    sign = np.sign(texts.scores[a] - texts.scores[b])
    _, pair = np.unique(np.stack([texts.text[a], texts.text[b]], 1), axis=0, return_inverse=True)
    return _Pairs(
        texts.neurons[a],
        pair.reshape(-1),
        sign * np.sign(texts.values[a] - texts.values[b]),
        np.abs(texts.scores[a] - texts.scores[b]),
    )


def _gap(pairs: _Pairs, kept: NDArray[np.bool_], low: float, high: float, seed: int, draws: int) -> Gap:
    neurons, prefers = pairs.neurons[kept], pairs.prefers[kept]
    score = _rate(neurons, (1 + prefers) / 2, np.ones(len(prefers)), seed, draws)
    found, firsts, pair = np.unique(pairs.pair[kept], return_index=True, return_inverse=True)
    n = len(found)
    more, less, same = (np.bincount(pair, prefers == side, n) for side in (1, -1, 0))  # [Q] raters
    others, decided = more + less + same - 1, more + less
    # Of ordered pairs of raters, the first one decided: the other agrees, or rates them equal, which is half.
    agree = more * (more - 1) + less * (less - 1) + decided * same / 2
    owner = neurons[firsts]
    people = _rate(owner, agree, decided * others, seed, draws)
    everyone = _rate(owner, agree + same * others / 2, (decided + same) * others, seed, draws)
    return Gap(low, None if np.isinf(high) else high, score, people, everyone)


def _rate(neurons: Int32, right: Float64, asked: Float64, seed: int, draws: int) -> Rate:
    """sum of right / sum of asked, in draws of neurons as well."""
    neurons, right, asked = neurons[asked > 0], right[asked > 0], asked[asked > 0]
    if not len(asked):
        return Rate()
    unique, place = np.unique(neurons, return_inverse=True)
    g = len(unique)
    sums = np.stack([np.bincount(place, right, g), np.bincount(place, asked, g)], 1)  # [G, 2]
    share, n = float(right.sum() / asked.sum()), round(float(asked.sum()))
    if g < 2:
        return Rate(share, n=n, neurons=g)
    weights = np.random.default_rng(seed).multinomial(g, np.full(g, 1 / g), draws)  # [D, G]
    drawn = weights @ sums  # [D, 2]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (tail, 1 - tail))
    return Rate(share, float(low), float(high), n, g)


def _correlation(texts: _Texts, seed: int, draws: int) -> Correlation:
    found, firsts, place = np.unique(texts.text, return_index=True, return_inverse=True)
    n = len(found)
    neurons = texts.neurons[firsts]
    unique, which = np.unique(neurons, return_inverse=True)
    g = len(unique)
    plain = Correlation(texts=n, neurons=g)
    if n < 3:
        return plain
    rating = np.bincount(place, texts.values) / np.bincount(place)  # [T]
    rating = np.round(rating, 9)  # equal means, added in another order, are equal
    score = texts.scores[firsts]
    rho = float(spearman(rating, score, np.ones((1, n)))[0])
    if np.isnan(rho):
        return plain
    if g < 2:
        return plain._replace(rho=rho)
    weights = np.random.default_rng(seed).multinomial(g, np.full(g, 1 / g), draws)[:, which]  # [D, T]
    drawn = spearman(rating, score, weights.astype(np.float64))
    drawn = drawn[~np.isnan(drawn)]
    tail = (1 - CONFIDENCE) / 2
    if len(drawn) < 0.9 * draws:
        return plain._replace(rho=rho)
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return plain._replace(rho=rho, low=float(low), high=float(high))


def spearman(first: Float64, second: Float64, weights: Float64) -> Float64:
    """Spearman's rho of two columns [T], each value there `weights` [D, T] times -> [D]; NaN where one does not vary.

    Pearson's correlation of the ranks, equals sharing the mean of their places (Kendall & Gibbons 1990, Rank Correlation Methods,
    chapter 3).
    """
    total = weights.sum(1, keepdims=True)
    ranks = [_weighted_ranks(each, weights) for each in (first, second)]  # [D, T] twice
    a, b = (each - (each * weights).sum(1, keepdims=True) / total for each in ranks)
    aa, bb, ab = ((weights * x * y).sum(1) for x, y in ((a, a), (b, b), (a, b)))
    with np.errstate(invalid="ignore", divide="ignore"):
        rho: Float64 = np.where((aa > 1e-9) & (bb > 1e-9), ab / np.sqrt(aa * bb), np.nan)
    return rho


def _weighted_ranks(values: Float64, weights: Float64) -> Float64:
    """Middle ranks of values [T] that are there `weights` [D, T] times, less a half, [D, T]."""
    unique, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    firsts = np.searchsorted(place[order], np.arange(len(unique)))
    totals = np.add.reduceat(weights[:, order], firsts, axis=1)  # [D, U]
    ranks: Float64 = (np.cumsum(totals, 1) - totals / 2)[:, place]
    return ranks
