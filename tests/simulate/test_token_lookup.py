"""The baseline by token means."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.neurons import Polarity
from app.domain.token_lookup import TokenMeans, token_means
from app.simulate.token_lookup import TokenLookup
from tests.simulate.helpers import records_of

RECORDS, VOCABULARY = records_of([[b"a", b"b", b"c"], [b"c", b"d", b"a"]])


def means(values: list[float], fallback: float) -> TokenMeans:
    ids = np.arange(len(values), dtype=np.int32)
    return TokenMeans(ids, np.array(values, np.float32), np.ones(len(values), np.int32), fallback)


async def test_means_are_brought_to_ten_by_one_factor() -> None:
    result = await TokenLookup(means([0.5, -1.0, 2.0], 0.25)).simulate(
        "", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j"
    )
    np.testing.assert_allclose(result.expected, [[2.5, -5.0, 10.0], [10.0, 1.25, 2.5]])
    assert result.excerpts.tolist() == [100, 101]
    assert json.loads(result.parameters_json) == {"factor": 5.0, "tokens": 3}


async def test_the_negative_polarity_is_turned_round() -> None:
    lookup = TokenLookup(means([0.5, -1.0, 2.0], 0.25))
    result = await lookup.simulate("", RECORDS, VOCABULARY, Polarity.NEGATIVE, 0, "j")
    np.testing.assert_allclose(result.expected, [[-2.5, 5.0, -10.0], [-10.0, -1.25, -2.5]])


async def test_a_neuron_that_never_fired_is_predicted_silent() -> None:
    result = await TokenLookup(means([0.0, 0.0], 0.0)).simulate(
        "", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j"
    )
    assert not result.expected.any()


@pytest.mark.parametrize("polarity", list(Polarity))
@given(st.lists(st.floats(-100, 100, width=32), min_size=6, max_size=6))
async def test_no_correlation_changes_by_it(polarity: Polarity, values: list[float]) -> None:
    activations = np.array(values, np.float32).reshape(2, 3)
    table = token_means(RECORDS.tokens, activations)
    result = await TokenLookup(table).simulate("", RECORDS, VOCABULARY, polarity, 0, "j")
    raw = table.predict(RECORDS.tokens).astype(np.float64)
    largest = np.abs(raw).max()
    if largest > 0:
        factor = json.loads(result.parameters_json)["factor"]
        assert factor * polarity.sign > 0
        np.testing.assert_allclose(result.expected, raw * factor, rtol=1e-6, atol=1e-30)
        assert np.abs(result.expected).max() <= 10 + 1e-5
