"""Friedman's statistic is scipy's; p values by permutation hold their level where blocks of a neuron go together."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.domain.study_answers import Blocks, Ratings
from app.domain.study_friedman import friedman, positions
from app.domain.study_williams import williams
from tests.domain.study_simulation import Components, design, simulate, study


def blocks(values: np.ndarray, neurons: np.ndarray | None = None) -> Blocks:
    n = np.arange(len(values), dtype=np.int32)
    names = tuple(f"m{m}" for m in range(values.shape[1]))
    return Blocks(names, n, n if neurons is None else neurons.astype(np.int32), values.astype(np.float64))


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(1, 5), min_size=4, max_size=4), min_size=2, max_size=12))
def test_the_statistic_is_scipy_s_with_ties(rows: list[list[int]]) -> None:
    values = np.array(rows, np.float64)
    found = friedman(blocks(values), draws=20)
    if all(len(set(row)) == 1 for row in rows):
        assert found.statistic is None and found.p_permuted is None
        return
    theirs = stats.friedmanchisquare(*values.T)
    assert found.statistic == pytest.approx(theirs.statistic, abs=1e-9) and found.df == 3
    assert found.p_chi_square == pytest.approx(theirs.pvalue, abs=1e-9)
    assert found.mean_ranks == pytest.approx(stats.rankdata(-values, axis=1).mean(0))


def test_labels_are_permuted_neuron_by_neuron() -> None:
    """Three neurons of two blocks: all 6^3 ways, counted."""
    values = np.array([[1, 2, 3], [1, 3, 2], [2, 1, 3], [1, 2, 3], [3, 2, 1], [1, 2, 3.0]])
    neurons = np.repeat([0, 1, 2], 2)
    sums = stats.rankdata(values, axis=1).reshape(3, 2, 3).sum(1)
    ways = [
        (np.sum([row[list(order)] for row, order in zip(sums, orders, strict=True)], 0) ** 2).sum()
        for orders in itertools.product(itertools.permutations(range(3)), repeat=3)
    ]
    exact = np.mean(np.array(ways) >= (sums.sum(0) ** 2).sum() - 1e-9)
    found = friedman(blocks(values, neurons), draws=20_000)
    assert found.p_permuted == pytest.approx(exact, abs=0.012) and (found.blocks, found.neurons) == (6, 3)
    assert found == friedman(blocks(values, neurons), draws=20_000)


def test_blocks_without_some_method_are_left_out() -> None:
    values = np.array([[1, 2, 3], [np.nan, 1, 2], [3, 1, 2.0]])
    found = friedman(blocks(values), draws=50)
    assert (found.blocks, found.left_out) == (2, 1)
    none = friedman(blocks(values[1:2]))
    assert none.statistic is None and none.left_out == 1
    one = friedman(blocks(np.array([[1, 2, 3], [1, 2, 3.0]]), np.zeros(2)), draws=50)
    assert one.statistic == pytest.approx(4) and one.p_permuted is None


def test_the_permutation_holds_its_level_where_chi_square_does_not() -> None:
    studies = simulate(
        *design(5, 20), 250, seed=2, means=np.full(5, 3.0), sd=Components(method_neuron=0.7, method_rater=0)
    )
    found = [friedman(study(studies, s), draws=199) for s in range(250)]
    assert np.mean([each.p_permuted <= 0.05 for each in found]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 250)
    assert np.mean([each.p_chi_square <= 0.05 for each in found]) > 0.2


def rated(values: np.ndarray, places: np.ndarray, shared: bool = False) -> Ratings:
    """Blocks [B, M] of one rater, each of its own neuron, at places [B, M]."""
    b, m = values.shape
    texts = np.tile(np.arange(m), (b, 1))
    if shared:
        texts[:, 1] = 0
    return Ratings(
        tuple(f"m{i}" for i in range(m)), np.zeros(b * m, np.int32), np.repeat(np.arange(b, dtype=np.int32), m),
        np.tile(np.arange(m, dtype=np.int32), b), values.reshape(-1).astype(np.float64),
        places.reshape(-1).astype(np.int32), texts.reshape(-1).astype(np.int32),
    )  # fmt: skip


def orders(b: int, m: int) -> np.ndarray:
    """Places [B, M] of the methods under a Williams design."""
    return np.argsort(np.array([williams(m)[i % len(williams(m))] for i in range(b)]), axis=1)


def test_an_effect_of_place_is_found_and_no_other() -> None:
    rng = np.random.default_rng(1)
    places = orders(60, 5)
    methods = np.array([0, 0.5, 1, 1.5, 3.0])
    plain = methods + rng.normal(0, 1, (60, 1)) + rng.normal(0, 0.7, (60, 5))
    nothing = positions(rated(plain, places))
    assert nothing.p is not None and nothing.p > 0.05
    tired = positions(rated(plain - 0.3 * places, places))
    assert tired.p is not None and tired.p < 0.01 and tired.draws == 1_999
    assert tired.adjusted == pytest.approx([0.6, 0.3, 0, -0.3, -0.6], abs=0.25)
    assert [each.n for each in tired.means] == [60] * 5
    assert tired.means[0].mean == pytest.approx((plain - 0.3 * places)[places == 0].mean())


def test_places_hold_their_level() -> None:
    rng = np.random.default_rng(3)
    places = orders(30, 4)
    p = [
        positions(rated(np.array([0, 0, 1, 2.0]) + rng.normal(0, 1, (30, 4)), places), draws=199).p
        for _ in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.35 < np.mean(p) < 0.65


def test_places_of_blocks_of_different_sizes_and_of_nothing() -> None:
    values, places = np.array([[1.0, 1.0, 4.0], [2.0, 3.0, 5.0]]), np.array([[0, 0, 1], [2, 0, 1]])
    found = positions(rated(values[:1], places[:1], shared=True), draws=10)
    assert [each.n for each in found.means] == [1, 1]  # a shared text was rated once
    whole = rated(values, places)
    left = positions(whole.keep(np.array([True, False, True, True, True, True])), draws=10)
    assert [each.n for each in left.means] == [2, 2, 1] and left.p is not None
    nothing = positions(whole.keep(np.zeros(6, bool)))
    assert nothing.means == () and nothing.p is None
    alone = positions(whole.keep(np.array([True, False, False, True, False, False])))
    assert alone.p is None and alone.means[0].mean == 1


def test_places_of_many_blocks_take_fewer_draws() -> None:
    rng = np.random.default_rng(5)
    found = positions(rated(rng.integers(1, 6, (9_000, 5)).astype(float), orders(9_000, 5)))
    assert found.draws == 499 and found.p is not None and found.p > 0.01
