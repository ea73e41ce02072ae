"""The primary analysis: exact where it can be counted, and no more than 5 % of studies without a difference are said to have one."""

import itertools

import numpy as np
import pytest
from scipy import stats

from app.domain.report_statistics import holm
from app.domain.study_answers import Blocks
from app.domain.study_permutation import contrasts
from tests.domain.study_simulation import Components, design, simulate, study


def blocks(values: np.ndarray, raters: np.ndarray, neurons: np.ndarray) -> Blocks:
    names = tuple(f"m{m}" for m in range(values.shape[1]))
    return Blocks(names, raters.astype(np.int32), neurons.astype(np.int32), values)


def test_labels_are_swapped_neuron_by_neuron_by_hand() -> None:
    """Three neurons, two raters each: 8 ways to swap, however many blocks there are."""
    values = np.array([[5, 3], [4, 3], [4, 4], [5, 3], [2, 3], [5, 2.0]])
    raters, neurons = np.tile([0, 1], 3), np.repeat([0, 1, 2], 2)
    found = contrasts(blocks(values, raters, neurons), [(0, 1)])[0]
    sums = [3, 2, 2]  # of the differences of each neuron
    ways = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=3)]
    assert found.p == np.mean([way >= 7 for way in ways]) == 0.25
    assert (found.draws, found.exact, found.p_holm) == (8, True, 0.25)
    assert found.difference.estimate == pytest.approx(7 / 6)
    assert (found.first_mean, found.second_mean) == (pytest.approx(25 / 6), 3.0)
    assert (found.raters_for, found.raters_against) == (2, 0)


def test_where_raters_share_no_neuron_a_swap_is_a_block_s() -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(1, 6, (12, 2)).astype(float)
    found = contrasts(blocks(values, np.arange(12) % 3, np.arange(12)), [(0, 1)])[0]
    theirs = stats.permutation_test(
        (values[:, 0] - values[:, 1],), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert found.p == pytest.approx(theirs.pvalue)


def test_many_neurons_are_sampled_and_agree_with_scipy() -> None:
    one = study(simulate(*design(5, 48), 1, seed=11))
    found = contrasts(one, [(3, 4), (1, 2)])
    for each in found:
        d = (one.values[:, each.first] - one.values[:, each.second]).reshape(5, 48).sum(0)
        theirs = stats.permutation_test(
            (d,), np.mean, permutation_type="samples", n_resamples=20_000, vectorized=True, rng=1
        )
        assert each.p == pytest.approx(theirs.pvalue, abs=0.012) and not each.exact and each.draws == 9_999
    assert [each.p_holm for each in found] == holm([each.p for each in found])
    assert contrasts(one, [(3, 4)])[0] == contrasts(one, [(3, 4)])[0]
    assert contrasts(one, [(3, 4)], seed=1)[0].p != found[0].p or found[0].p == 1 / 10_000


def test_blocks_that_lack_one_are_left_out() -> None:
    values = np.array([[5, 3], [4, np.nan], [np.nan, 1], [2, 3], [4, 4.0]])
    found = contrasts(blocks(values, np.zeros(5), np.arange(5)), [(0, 1)])[0]
    assert (found.difference.blocks, found.difference.neurons, found.draws) == (3, 3, 8)
    assert found.first_mean == pytest.approx(11 / 3)
    none = contrasts(blocks(values[1:3], np.zeros(2), np.arange(2)), [(0, 1)])[0]
    assert none.p is None and none.p_holm is None and none.difference.estimate is None
    one = contrasts(blocks(values[:1], np.zeros(1), np.arange(1)), [(0, 1)])[0]
    assert one.p is None and one.difference.estimate == 2 and one.difference.low is None


def test_what_could_not_be_computed_was_planned_all_the_same() -> None:
    values = np.column_stack([np.arange(8.0), np.arange(8.0) - 1, np.full(8, np.nan)])
    found = contrasts(blocks(values, np.zeros(8), np.arange(8)), [(0, 1), (0, 2)])
    assert found[0].p == 2 / 256 and found[0].p_holm == 4 / 256 and found[1].p_holm is None


def test_no_contrast_of_one_method_or_twice() -> None:
    some = blocks(np.zeros((2, 2)), np.zeros(2), np.arange(2))
    for pairs in ([(0, 0)], [(0, 1), (1, 0)]):
        with pytest.raises(ValueError, match="two methods"):
            contrasts(some, pairs)


@pytest.mark.parametrize("nested", [False, True])
def test_the_family_wise_error_is_no_more_than_five_percent(nested: bool) -> None:
    """Four methods against a fifth; none is better, but every neuron has better and worse texts, and people round to 1..5."""
    studies, neurons = 1_500, 50 if nested else 11
    raters = design(5, neurons, nested)
    sd = Components(method_neuron=0.6, method_rater=0.0)
    made = simulate(*raters, studies, seed=12, means=np.full(5, 3.0), sd=sd, rounded=True)
    d = made.values[:, 1:] - made.values[:, :1]  # [B, 4, S]
    p = _p_values(d, made.neurons, 1_999)
    wrong = np.mean([min(each for each in holm(row.tolist()) if each is not None) <= 0.05 for row in p])
    assert wrong <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
    assert (p.min(1) <= 0.05).mean() > 0.09  # without Holm
    if not nested:
        one = contrasts(study(made), [(m, 0) for m in range(1, 5)])
        assert [each.p for each in one] == pytest.approx(p[0])
        # Swapping block by block would take five views of one text for five texts.
        naive = _p_values(d, np.arange(len(made.raters), dtype=np.int32), 999)
        assert np.mean(naive <= 0.05) > 0.12


def _p_values(d: np.ndarray, swapped: np.ndarray, flips: int) -> np.ndarray:
    """The sign-flip test of sums by `swapped` [B] for many studies at once, [S, K]; exact for 11 of them."""
    n = int(swapped.max()) + 1
    sums = np.zeros((n, *d.shape[1:]), np.float32)
    np.add.at(sums, swapped, d)
    seen = np.abs(sums.sum(0)) - 1e-3  # [K, S]
    if n == 11:
        signs = 1 - 2 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)
    else:
        signs = np.random.default_rng(4).choice(np.array([-1, 1]), (flips, n))
    far = np.abs(signs.astype(np.float32) @ sums.reshape(n, -1)) >= seen.reshape(-1)  # [F, K * S]
    p = far.mean(0) if n == 11 else (1 + far.sum(0)) / (1 + flips)
    return p.reshape(d.shape[1:]).T
