"""The mathematics of reports against hand-computed values, scipy, and what it promises under the null."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app.domain import report_statistics as rs
from app.domain.explanations import State
from app.domain.report_columns import columns
from tests.experiment_results import TOP_EVALUATION, experiment, result

finite = st.floats(-1, 1, allow_subnormal=False)


def test_a_mean_by_hand_leaves_out_what_is_undefined_and_counts_it() -> None:
    results = [
        result(0, value=0.2, seed=0), result(0, value=0.4, seed=1),
        result(1, value=0.9, seed=0), result(1, value=None, seed=1, state=State.CONSTANT_PREDICTION),
        result(2, value=None, seed=0), result(2, value=None, seed=1, state=State.CONSTANT_PREDICTION),
        result(3, value=None, seed=0, state=State.TOO_FEW_ACTIVE), result(3, value=None, seed=1),
    ]  # fmt: skip
    found = rs.summary(columns(results).cell(TOP_EVALUATION, "summary"))
    assert found.asked == 4
    # Neurons 0 (0.3) and 1 (0.9) have a value.
    assert found.defined == (pytest.approx(0.6), pytest.approx(0.3), 2)
    # 0.3, (0.9 + 0) / 2 = 0.45, 0; neuron 3 has neither a value nor a constant prediction.
    assert found.constant_0.n == 3 and found.constant_0.mean == pytest.approx(0.25)
    assert found.constant_0.sem == pytest.approx(stats.sem([0.3, 0.45, 0.0]))
    assert found.failures == {State.FAILED: 2, State.CONSTANT_PREDICTION: 2, State.TOO_FEW_ACTIVE: 1}
    # Neuron 0 alone has two seeds: its sd is that of 0.2 and 0.4, its means by seed are these.
    assert found.seeds == (2, pytest.approx(np.std([0.2, 0.4], ddof=1)), 0.2, 0.4, 1)


def test_nothing_is_a_mean_of_nothing() -> None:
    failed = columns([result(0, value=None), result(1, value=None)])
    found = rs.summary(failed.cell(TOP_EVALUATION, "summary"))
    assert found.defined == (None, None, 0) and found.seeds.sd is None and found.asked == 2
    assert rs.summary(failed.cell(TOP_EVALUATION, "no such arm")).asked == 0
    assert rs.mean(np.array([0.5])) == (0.5, None, 1)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_result_is_ok_exactly_where_it_has_a_value(value: float | None) -> None:
    with pytest.raises(ValueError, match="ok with the value"):
        columns([result(value=value, state=State.OK)])
    with pytest.raises(ValueError, match="failed with the value"):
        columns([result(value=0.5, state=State.FAILED)])


@given(st.lists(st.lists(st.one_of(st.none(), finite), min_size=3, max_size=3), min_size=1, max_size=12))
def test_means_and_spreads_are_those_of_the_plain_loop(rows: list[list[float | None]]) -> None:
    values = np.array([[np.nan if v is None else v for v in row] for row in rows])
    known = [[v for v in row if v is not None] for row in rows]
    means = [np.mean(row) for row in known if row]
    results = [result(i, value=v, seed=s) for i, row in enumerate(rows) for s, v in enumerate(row)]
    cell = columns(results).cell(TOP_EVALUATION, "summary")
    found = rs.mean(cell.means)
    assert found.n == len(means)
    if means:
        assert found.mean == pytest.approx(np.mean(means), abs=1e-12)
    if len(means) > 1:
        assert found.sem == pytest.approx(stats.sem(means), abs=1e-12)
    pooled = [row for row in known if len(row) > 1]
    spread = rs.seeds(values)
    if pooled:
        variances, weights = [np.var(row, ddof=1) for row in pooled], [len(row) - 1 for row in pooled]
        assert spread.sd == pytest.approx(np.sqrt(np.average(variances, weights=weights)), abs=1e-9)
    else:
        assert spread.sd is None


def test_the_interval_is_scipy_s_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).gamma(2, 0.1, 60)
    low, high = rs.interval(values, draws=20_000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=2)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.04 * width)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.04 * width)
    assert rs.interval(values) == rs.interval(values) != rs.interval(values, seed=1)
    assert rs.interval(values[:1]) == (None, None)
    assert rs.interval(np.full(5, 0.25)) == (0.25, 0.25)


@given(st.lists(finite, min_size=2, max_size=9))
def test_few_pairs_are_flipped_in_all_ways(values: list[float]) -> None:
    d = np.array(values)
    p, tried, exact = rs.sign_flip(d)
    ways = np.array([abs(np.dot(signs, d)) for signs in itertools.product((1, -1), repeat=len(d))])
    assert exact and tried == 2 ** len(d)
    assert p == pytest.approx((ways >= abs(d.sum()) - 1e-12 * np.abs(d).sum()).mean())


def test_flipping_is_scipy_s_permutation_test() -> None:
    d = np.random.default_rng(3).normal(0.1, 0.3, 40)
    p, tried, exact = rs.sign_flip(d)
    theirs = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=20_000, rng=4, vectorized=True
    )
    assert (tried, exact) == (rs.FLIPS, False)
    assert p == pytest.approx(theirs.pvalue, abs=0.01)
    exactly = stats.permutation_test((d[:11],), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert rs.sign_flip(d[:11])[0] == pytest.approx(exactly.pvalue)


def test_many_pairs_take_fewer_draws_and_the_tail_is_never_0() -> None:
    p, tried, _ = rs.sign_flip(np.full(30_000, 0.1))
    assert tried == 1_999 and p == 1 / 2_000
    assert rs.sign_flip(np.zeros(40))[0] == 1.0


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=8))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float | None]) -> None:
    adjusted = rs.holm(p_values)
    assert [each is None for each in adjusted] == [each is None for each in p_values]
    for alpha in (0.01, 0.05, 0.3):
        rejected = set()
        known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
        for rank, (p, i) in enumerate(known):
            if (len(p_values) - rank) * p > alpha:
                break
            rejected.add(i)
        assert rejected == {i for i, p in enumerate(adjusted) if p is not None and p <= alpha}


def test_holm_by_hand() -> None:
    assert rs.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert rs.holm([0.02, None]) == [0.04, None]


def test_the_family_wise_error_under_the_null_is_no_more_than_five_percent() -> None:
    """Four arms against a fifth that all are the same: how often is any difference called one?"""
    rng = np.random.default_rng(5)
    experiments, neurons, arms = 2_000, 11, 5
    ability = rng.beta(2, 4, (experiments, neurons, 1))
    scores = ability + rng.normal(0, 0.1, (experiments, neurons, arms))
    d = scores[..., 1:] - scores[..., :1]  # [E, N, A]
    signs = 1 - 2 * (np.arange(1 << neurons)[:, None] >> np.arange(neurons) & 1)  # [2^N, N]
    sums = np.abs(np.einsum("fn,ena->efa", signs.astype(np.float32), d.astype(np.float32)))
    p = (sums >= np.abs(d.sum(1))[:, None, :] - 1e-5).mean(1)  # [E, A]
    for e in range(3):  # the vectorised test is ours
        assert [rs.sign_flip(d[e, :, a])[0] for a in range(arms - 1)] == pytest.approx(p[e])
    wrong = np.mean([min(each) <= 0.05 for row in p for each in [rs.holm(row.tolist())]])
    assert wrong <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / experiments)
    naive = (p.min(1) <= 0.05).mean()
    assert naive > 0.1  # without Holm it would be far more


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    covered = 0
    for draw in range(300):
        low, high = rs.interval(rng.normal(0.1, 0.3, 60), seed=draw, draws=500)
        assert low is not None and high is not None
        covered += low <= 0.1 <= high
    assert covered / 300 > 0.9


def test_pairs_are_neurons_defined_on_both_sides() -> None:
    results = [
        result(0, "a", 0.5), result(1, "a", 0.3), result(2, "a", None), result(3, "a", 0.9),
        result(0, "b", 0.1), result(1, "b", 0.2), result(2, "b", 0.7), result(4, "b", 0.0),
    ]  # fmt: skip
    cells = columns(results)
    found = rs.paired(cells.cell(TOP_EVALUATION, "a"), cells.cell(TOP_EVALUATION, "b"))
    assert (found.n, found.only_first, found.only_second) == (2, 1, 2)
    assert found.mean == pytest.approx(0.25) and found.first == pytest.approx(0.4)
    assert found.p == 0.5 and found.exact and found.indicative
    back = rs.paired(cells.cell(TOP_EVALUATION, "b"), cells.cell(TOP_EVALUATION, "a"))
    assert back.mean == pytest.approx(-0.25) and back.p == found.p
    assert rs.paired(cells.cell(TOP_EVALUATION, "a"), cells.cell(TOP_EVALUATION, "c")).mean is None
    with pytest.raises(ValueError, match="no pairs"):
        rs.difference(np.zeros(2), np.zeros(3))


def test_non_inferiority_asks_the_lower_end() -> None:
    found = rs.Difference(20, mean=0.0, low=-0.03, high=0.03)
    assert rs.non_inferior(found, 0.05) is True
    assert rs.non_inferior(found, 0.03) is False
    assert rs.non_inferior(found._replace(low=None), 0.05) is None
    with pytest.raises(ValueError, match="above 0"):
        rs.non_inferior(found, 0.0)


@given(st.lists(st.one_of(st.none(), st.sampled_from([0.1, 0.2, 0.3, 0.4])), max_size=8))
def test_ranks_are_scipy_s(means: list[float | None]) -> None:
    known = [-value for value in means if value is not None]
    theirs = iter(stats.rankdata(known).tolist())
    assert list(rs.ranks(means)) == [None if value is None else next(theirs) for value in means]


def test_methods_are_ranked_over_neurons_that_all_have() -> None:
    # b is only ever defined on the easy neuron, where a is better.
    results = [
        result(0, "a", 0.9), result(1, "a", 0.1), result(0, "b", 0.8), result(1, "b", None),
        result(0, "c", None),
    ]  # fmt: skip
    cells = columns(results)
    found = rs.ranked([cells.cell(TOP_EVALUATION, arm) for arm in "abc"])
    assert found == (1, (pytest.approx(0.9), pytest.approx(0.8), None), (1, 2, None))
    assert rs.ranked([cells.cell(TOP_EVALUATION, "c")]) == (0, (None,), (None,))


def test_seeds_of_a_neuron_are_no_more_evidence() -> None:
    """Asked again ten times with the same answer, n and the standard error stay."""
    once = [result(i, value=0.1 * i) for i in range(5)]
    often = [each._replace(seed=seed) for each in once for seed in range(10)]
    found = [rs.summary(columns(each).cell(TOP_EVALUATION, "summary")).defined for each in (once, often)]
    assert found[0] == pytest.approx(found[1])


def test_columns_hold_all_results() -> None:
    made = experiment(6)
    cells = columns(made, ["summary"])
    assert cells.arms[0] == "summary" and len(cells.evaluations) == 2 and cells.seeds == (0, 1)
    assert sum((cell.states != 255).sum() for cell in cells.cells.values()) == len(made)
    assert [cells.layers[code] for code in cells.neuron] == [each.layer for each in made]
    nothing = columns([])
    assert nothing.cells == {} and nothing.evaluations == ()
