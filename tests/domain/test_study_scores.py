"""Ratings against scores, counted by hand and by plain loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.domain.study_answers import Ratings
from app.domain.study_scores import compared, spearman


def rated(
    values: np.ndarray, raters: list[int], neurons: list[int], texts: np.ndarray | None = None
) -> Ratings:
    """Blocks [B, M]."""
    b, m = values.shape
    shown = np.tile(np.arange(m), (b, 1)) if texts is None else texts
    return Ratings(
        tuple(f"m{i}" for i in range(m)), np.repeat(np.array(raters, np.int32), m), np.repeat(np.array(neurons, np.int32), m),
        np.tile(np.arange(m, dtype=np.int32), b), values.reshape(-1).astype(np.float64), np.zeros(b * m, np.int32),
        shown.reshape(-1).astype(np.int32),
    )  # fmt: skip


def test_by_hand() -> None:
    """Two raters, one neuron, three texts scored .1 .3 .9: of three pairs each, who follows the score?"""
    values = np.array([[1, 3, 5], [2, 2, 1.0]])
    found = compared(rated(values, [0, 1], [7, 7]), np.tile([0.1, 0.3, 0.9], 2), edges=(0.0, 0.5), draws=20)
    # Gap .2: right and equal. Gaps .8, .6: right, right; wrong, wrong.
    near, far = found.gaps
    assert (near.above, near.below, near.score.share, near.score.n) == (0.0, 0.5, 0.75, 2)
    assert (far.above, far.below, far.score.share, far.score.n) == (0.5, None, 0.5, 4)
    assert found.overall.score.share == pytest.approx(3.5 / 6) and found.overall.score.low is None
    # Of pairs of raters where the first is decided: .2: rater 0 only, and rater 1 says equal; far: never the same.
    assert (near.people.share, near.people.n) == (0.5, 1) and (far.people.share, far.people.n) == (0.0, 4)
    assert (near.people_all.share, near.people_all.n) == (0.5, 2)
    assert found.equal == 0 and found.unscored == 0
    assert found.correlation.texts == 3 and found.correlation.low is None
    # Means 1.5, 2.5, 3 rise with the score.
    assert found.correlation.rho == pytest.approx(1.0)


def test_shared_texts_missing_scores_and_equal_ones() -> None:
    values, texts = np.array([[4, 4, 2, 5.0]]), np.array([[0, 0, 1, 2]])
    scores = np.array([0.1, 0.3, 0.2, np.nan])  # a shared text has the mean, .2, of its methods
    found = compared(rated(values, [0], [0], texts), scores, draws=10)
    assert found.equal == 1 and found.unscored == 1 and found.overall.score.n == 0
    assert (
        found.overall.score.share is None and found.correlation.rho is None and found.correlation.texts == 2
    )
    half = compared(rated(values, [0], [0], texts), np.array([0.5, np.nan, 0.2, np.nan]), draws=10)
    assert half.overall.score == (1.0, None, None, 1, 1)
    none = compared(rated(values, [0], [0]), np.full(4, np.nan))
    assert none.unscored == 4 and none.correlation.texts == 0
    empty = rated(values, [0], [0]).keep(np.zeros(4, bool))
    assert compared(empty, np.zeros(0)).overall.score.n == 0


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_it_is_the_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raters, neurons = zip(*itertools.product(range(3), range(4)), strict=True)
    values = rng.integers(1, 6, (12, 4)).astype(np.float64)
    by_neuron = rng.integers(0, 6, (4, 4)) / 10
    scores = by_neuron[list(neurons)]
    found = compared(
        rated(values, list(raters), list(neurons)), scores.reshape(-1), edges=(0.0, 0.25), draws=30
    )
    right, agree, asked = [], 0.0, 0
    for b, (a, c) in itertools.product(range(12), itertools.combinations(range(4), 2)):
        if scores[b, a] == scores[b, c]:
            continue
        sign = np.sign(scores[b, a] - scores[b, c])
        mine = sign * np.sign(values[b, a] - values[b, c])
        right.append((1 + mine) / 2)
        for other in range(12):
            if neurons[other] == neurons[b] and other != b and mine:
                theirs = sign * np.sign(values[other, a] - values[other, c])
                agree, asked = agree + (1 + mine * theirs) / 2, asked + 1
    assert found.overall.score.n == len(right) and found.overall.people.n == asked
    assert sum(gap.score.n for gap in found.gaps) == len(right)
    if right:
        assert found.overall.score.share == pytest.approx(np.mean(right))
    if asked:
        assert found.overall.people.share == pytest.approx(agree / asked)
    means = np.array([values[[b for b in range(12) if neurons[b] == g]].mean(0) for g in range(4)])
    if len(np.unique(by_neuron)) > 1 and len(np.unique(np.round(means, 9))) > 1:
        theirs = stats.spearmanr(np.round(means, 9).ravel(), by_neuron.ravel()).statistic
        assert found.correlation.rho == pytest.approx(theirs)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=3, max_size=12))
def test_weights_of_spearman_are_repetitions(rows: list[tuple[int, int, int]]) -> None:
    x, y, w = (np.array(column) for column in zip(*rows, strict=True))
    found = (
        spearman(x.astype(float), y.astype(float), w[None].astype(float)) if w.sum() else np.array([np.nan])
    )
    x, y = np.repeat(x, w), np.repeat(y, w)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert np.isnan(found[0])
    else:
        assert found[0] == pytest.approx(stats.spearmanr(x, y).statistic)


def test_intervals_hold_and_people_are_the_ceiling() -> None:
    rng = np.random.default_rng(3)
    quality = rng.normal(0, 1, (60, 5))
    raters, neurons = zip(*itertools.product(range(4), range(60)), strict=True)
    values = np.rint(3 + quality[list(neurons)] + rng.normal(0, 0.7, (240, 5))).clip(1, 5)
    scores = (quality + rng.normal(0, 1.5, quality.shape))[list(neurons)]
    found = compared(rated(values, list(raters), list(neurons)), scores.reshape(-1), edges=(0.0, 1.0, 2.0))
    shares = [gap.score.share for gap in found.gaps]
    assert shares == sorted(shares) and shares[-1] < found.overall.people.share
    for rate in (found.overall.score, found.overall.people, found.overall.people_all):
        assert rate.low < rate.share < rate.high and rate.neurons == 60
    assert found.overall.people.share > found.overall.people_all.share > 0.7
    assert 0.3 < found.correlation.low < found.correlation.rho < found.correlation.high < 0.8


def test_what_is_no_scale_of_gaps() -> None:
    some = rated(np.array([[1, 2.0]]), [0], [0])
    for edges in ((), (-0.1, 0.2), (0.2, 0.2)):
        with pytest.raises(ValueError, match="rise"):
            compared(some, np.zeros(2), edges)
    with pytest.raises(ValueError, match="scores"):
        compared(some, np.zeros(3))
