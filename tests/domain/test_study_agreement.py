"""Alpha is Krippendorff's, by the package of that name and by hand."""

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import study_agreement as sa
from app.domain.study_answers import ABSENT, Choices, Ratings
from tests.domain.study_simulation import Components, design, simulate

answers = st.lists(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=6, max_size=6), min_size=2, max_size=5
)  # raters x units


def alpha(rows: list[list[int | None]], level: sa.Level) -> sa.Agreement:
    there = [(unit, value) for row in rows for unit, value in enumerate(row) if value is not None]
    units, values = (
        (np.array(column) for column in zip(*there, strict=True)) if there else (np.zeros(0), np.zeros(0))
    )
    neurons = (units // 2).astype(np.int32)
    return sa.agreement(neurons, units.astype(np.int32), values.astype(np.float64), level, draws=50)


@given(answers, st.sampled_from(list(sa.Level)))
def test_it_is_the_package_s_with_answers_missing(rows: list[list[int | None]], level: sa.Level) -> None:
    found = alpha(rows, level)
    table = np.array([[np.nan if v is None else v for v in row] for row in rows], np.float64)
    pairable = (~np.isnan(table)).sum(0) >= 2
    if not pairable.any():
        assert found == sa.Agreement(None, reason=sa.NO_OVERLAP)
        return
    used = table[:, pairable]
    assert (found.units, found.answers) == (pairable.sum(), (~np.isnan(used)).sum())
    if len(np.unique(used[~np.isnan(used)])) < 2:
        assert found.alpha is None and found.reason == sa.NO_VARIATION
        return
    theirs = krippendorff.alpha(reliability_data=used, level_of_measurement=level.value)
    assert found.alpha == pytest.approx(theirs, abs=1e-9)


def test_krippendorff_s_own_example() -> None:
    """Krippendorff 2011, section D: four observers, twelve units, answers missing; nominal .743, ordinal .815."""
    n = None
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, n, n, n],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, n, 3],
        [n, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, n],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, n],
    ]
    assert alpha(rows, sa.Level.NOMINAL).alpha == pytest.approx(0.743, abs=5e-4)
    ordinal = alpha(rows, sa.Level.ORDINAL)
    assert ordinal.alpha == pytest.approx(0.815, abs=5e-4)
    assert (ordinal.units, ordinal.answers, ordinal.neurons) == (11, 40, 6)
    assert ordinal.low is not None and ordinal.high is not None and ordinal.low < 0.815 < ordinal.high


def ratings(values: np.ndarray, texts: np.ndarray, raters: np.ndarray, neurons: np.ndarray) -> Ratings:
    m = values.shape[1]
    n = len(values)
    return Ratings(
        tuple(f"m{i}" for i in range(m)), np.repeat(raters, m).astype(np.int32), np.repeat(neurons, m).astype(np.int32),
        np.tile(np.arange(m, dtype=np.int32), n), values.reshape(-1).astype(np.float64),
        np.tile(np.arange(m, dtype=np.int32), n), texts.reshape(-1).astype(np.int32),
    )  # fmt: skip


def test_a_shared_text_is_one_unit_and_raters_are_alike() -> None:
    made = simulate(*design(5, 30), 1, seed=3, rounded=True)
    values = made.values[:, :, 0].copy()
    values[:, 1] = values[:, 0]
    apart = np.tile(np.arange(5), (150, 1))
    shared = apart.copy()
    shared[:, 1] = 0
    found = sa.of_ratings(ratings(values, shared, made.raters, made.neurons), draws=200)
    assert found.units == 120 and found.answers == 600 and found.neurons == 30
    table = np.delete(values, 1, axis=1).reshape(5, -1)
    theirs = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
    assert found.alpha == pytest.approx(theirs)
    assert sa.of_ratings(ratings(values, apart, made.raters, made.neurons), draws=1).units == 150
    renamed = sa.of_ratings(ratings(values, shared, 9 - made.raters, made.neurons), draws=200)
    assert renamed == pytest.approx(found)


def test_raters_who_share_no_neuron_cannot_be_compared() -> None:
    raters, neurons = design(5, 20, nested=True)
    texts = np.tile(np.arange(2), (20, 1))
    found = sa.of_ratings(ratings(np.ones((20, 2)), texts, raters, neurons))
    assert found.alpha is None and found.reason == sa.NO_OVERLAP


def test_choices_by_hand() -> None:
    """Two raters, two neurons, two texts: they agree on the first neuron and not on the second."""
    groups = np.array([[0, 1, 1], [0, 1, 1], [0, 1, 2], [0, 1, ABSENT]], np.int32)
    two = np.array([0, 1, 0, 1], np.int32), np.array([0, 0, 1, 1], np.int32)
    found = sa.of_choices(Choices(("a", "b", "c"), *two, groups, np.array([0, 0, 0, 1], np.int32)))
    table = [[1, 0, 1, 0, 0], [1, 0, 0, 1, np.nan]]
    theirs = krippendorff.alpha(reliability_data=np.array(table), level_of_measurement="nominal")
    assert found.alpha == pytest.approx(theirs) and found.units == 4 and found.answers == 8


def test_the_interval_holds_what_many_neurons_would_say() -> None:
    # Raters are drawn anew in every study and would move alpha too, so all are alike here.
    even = Components(method_neuron=0.8, rater=0.0, method_rater=0.0)
    endless = simulate(*design(5, 4_000), 1, seed=6, rounded=True, sd=even)
    truth = _alpha_of(endless.values[:, :, 0], endless.neurons, draws=1).alpha
    studies = simulate(*design(5, 48), 150, seed=7, rounded=True, sd=even)
    inside = 0
    for s in range(150):
        found = _alpha_of(studies.values[:, :, s], studies.neurons, draws=300)
        assert found.low is not None and found.high is not None and truth is not None
        inside += found.low <= truth <= found.high
    assert 0.89 <= inside / 150 <= 0.99


def _alpha_of(values: np.ndarray, neurons: np.ndarray, draws: int) -> sa.Agreement:
    texts = np.tile(np.arange(5, dtype=np.int32), len(values))
    owner = np.repeat(neurons, 5)
    return sa.agreement(owner, texts, values.reshape(-1).astype(np.float64), sa.Level.ORDINAL, draws=draws)
