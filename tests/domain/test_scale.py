"""The 0-10 scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.explanations import ScaleMaximum
from app.domain.neurons import Polarity
from app.domain.scale import levels, maximum_of
from tests.domain.layers import layer, records_of, statistics_of, table

floats = st.floats(-(2.0**100), 2.0**100, width=32)


def test_by_hand() -> None:
    activations = np.array([[-3.0, 0.0, 0.49, 0.5, 2.49, 2.5, 4.99, 5.0, 7.0]], np.float32)
    assert levels(activations, 5.0).tolist() == [[0, 0, 0, 1, 4, 5, 9, 10, 10]]
    assert levels(activations, 0.0).tolist() == [[0] * 9]
    assert levels(activations, -2.0).tolist() == [[0] * 9]


def test_infinity_is_ten_and_nan_is_refused() -> None:
    assert levels(np.array([np.inf, -np.inf], np.float32), 2.0).tolist() == [10, 0]
    with pytest.raises(ValueError, match="NaN"):
        levels(np.array([np.nan], np.float32), 2.0)
    for maximum in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="NaN"):
            levels(np.array([1.0], np.float32), maximum)


@given(st.integers(1, 10_000), st.data())
def test_every_level_begins_exactly_at_its_tenth(tenth: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, 10))
    assert levels(np.array([level * tenth], np.float32), 10.0 * tenth).tolist() == [level]


@given(st.lists(floats, min_size=1, max_size=30), floats)
def test_between_zero_and_ten_and_rising(values: list[float], maximum: float) -> None:
    ordered = np.sort(np.array(values, np.float32))
    found = levels(ordered, maximum)
    assert found.dtype == np.uint8
    assert found.max() <= 10
    assert (np.diff(found.astype(int)) >= 0).all()
    assert (found[ordered <= 0] == 0).all()
    if maximum > 0:
        assert (found[ordered >= maximum] == 10).all()


def test_maximum_of_what_is_shown_or_of_the_explain_split() -> None:
    rng = np.random.default_rng(0)
    excerpts = table(rng)
    result = layer(rng, excerpts, 1)
    records, stats = records_of(result, excerpts, 0), statistics_of(result, 0)
    shown = records.take(np.array([3, 5]))
    assert maximum_of(ScaleMaximum.SHOWN, shown, stats, Polarity.POSITIVE) == shown.activations.max()
    assert maximum_of(ScaleMaximum.SHOWN, shown, stats, Polarity.NEGATIVE) == -shown.activations.min()
    assert maximum_of(ScaleMaximum.ALL, shown, stats, Polarity.POSITIVE) == 4.0
    assert maximum_of(ScaleMaximum.ALL, shown, stats, Polarity.NEGATIVE) == 4.0
    assert maximum_of(ScaleMaximum.SHOWN, shown.take(np.array([], np.intp)), stats, Polarity.POSITIVE) == 0.0
