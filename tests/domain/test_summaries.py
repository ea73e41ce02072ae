"""Distributions and means for charts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.explanations import State
from app.domain.summaries import QUANTILES, by_layer, distribution, paired_difference, score_mean

NAN = float("nan")


def test_by_hand() -> None:
    found = distribution(np.array([0.0, 1.0, 2.0, NAN, 3.0, 4.0]), bins=4)
    assert (found.n, found.n_undefined, found.mean, found.median) == (5, 1, 2.0, 2.0)
    assert found.quantiles == pytest.approx((0.0, 0.2, 1.0, 2.0, 3.0, 3.8, 4.0))
    assert found.edges == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert found.counts == (1, 1, 1, 2)  # the last bin holds its upper edge


def test_values_beyond_the_edges_are_counted_outermost() -> None:
    found = distribution(np.array([-5.0, 0.1, 0.9, 7.0]), bins=2, low=0.0, high=1.0)
    assert found.counts == (2, 2)
    assert found.quantiles[0] == -5.0


def test_nothing_defined_and_all_alike() -> None:
    empty = distribution(np.array([NAN, NAN]))
    assert empty == (0, 2, None, (), (), ())
    assert empty.median is None
    for value in (0.0, 3.5, -1e12):
        alike = distribution(np.full(7, value), bins=3)
        assert sum(alike.counts) == 7
        assert alike.edges[0] < value < alike.edges[-1]
    with pytest.raises(ValueError, match="infinite"):
        distribution(np.array([1.0, np.inf]))


@given(st.lists(st.floats(-1e9, 1e9) | st.just(NAN), max_size=60), st.integers(1, 30))
def test_counts_add_up_and_quantiles_rise(values: list[float], bins: int) -> None:
    found = distribution(np.array(values), bins)
    assert found.n + found.n_undefined == len(values)
    assert sum(found.counts) == found.n
    assert len(found.quantiles) == (len(QUANTILES) if found.n else 0)
    assert list(found.quantiles) == sorted(found.quantiles)


def test_layers_share_their_edges() -> None:
    values = np.array([0.0, 1.0, NAN, 4.0, 2.0, NAN])
    (first, one), (second, two), (third, three) = by_layer(values, np.array([5, 5, 5, 2, 2, 9]), bins=4)
    assert (first, second, third) == (2, 5, 9)
    assert one.edges == two.edges == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert one.counts == (0, 0, 1, 1)
    assert two.counts == (1, 1, 0, 0)
    assert (two.n, two.n_undefined, three.n) == (2, 1, 0)


def test_means_over_defined_scores_and_with_constants_as_zero() -> None:
    states = [State.OK, State.OK, State.CONSTANT_PREDICTION, State.FAILED, State.TOO_FEW_ACTIVE, State.OK]
    values = np.array([0.1, 0.2, 0.9, 0.8, NAN, 0.3])  # only what is OK is looked at
    found = score_mean(values, states)
    assert found == (pytest.approx(0.2), 3, pytest.approx(0.15), 4)
    assert score_mean(np.array([NAN]), [State.FAILED]) == (None, 0, None, 0)
    assert score_mean(np.array([NAN]), [State.CONSTANT_PREDICTION]) == (None, 0, 0.0, 1)


def test_pairs_are_those_defined_on_both_sides() -> None:
    found = paired_difference(np.array([0.5, NAN, 0.2, 0.4]), np.array([0.1, 0.9, 0.3, 0.4]))
    assert found == (pytest.approx(0.1), 3, 1, 1)
    assert paired_difference(np.array([NAN]), np.array([1.0])) == (None, 0, 0, 0)
    with pytest.raises(ValueError, match="same neurons"):
        paired_difference(np.zeros(2), np.zeros(3))
