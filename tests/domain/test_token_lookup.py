"""Mean activation by token, for one neuron."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.neurons import Kind, Split
from app.domain.token_lookup import lookup_records, token_means
from tests.domain.layers import layer, records_of, table

TOKENS = np.array([[5, 2, 5, 9], [2, 2, 7, 5]], np.int32)
ACTIVATIONS = np.array([[1.0, -2.0, 2.0, 0.5], [4.0, 1.0, 0.5, 6.0]], np.float32)


def test_by_hand() -> None:
    means = token_means(TOKENS, ACTIVATIONS)
    assert means.ids.tolist() == [2, 5, 7, 9]
    assert means.means.tolist() == [1.0, 3.0, 0.5, 0.5]
    assert means.counts.tolist() == [3, 3, 1, 1]
    assert means.fallback == 13 / 8
    assert means.predict(np.array([[5, 0], [9, 1000]])).tolist() == [[3.0, 1.625], [0.5, 1.625]]
    top = means.top(3)
    assert top.ids.tolist() == [5, 2, 7]  # of the two with 0.5 the lower id
    assert top.counts.tolist() == [3, 3, 1]


def test_position0_is_left_out() -> None:
    means = token_means(TOKENS, ACTIVATIONS, position0=True)
    assert dict(zip(means.ids.tolist(), means.means.tolist(), strict=True)) == {
        2: -0.5,
        5: 4.0,
        7: 0.5,
        9: 0.5,
    }
    assert means.fallback == np.float32(8 / 6)


def test_nothing_learnt_predicts_nothing() -> None:
    means = token_means(np.zeros((0, 4), np.int32), np.zeros((0, 4), np.float32))
    assert means.predict(TOKENS).tolist() == [[0.0] * 4] * 2
    assert len(means.top().ids) == 0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        token_means(TOKENS, ACTIVATIONS[:1])
    with pytest.raises(ValueError, match="finite"):
        token_means(TOKENS, np.full_like(ACTIVATIONS, np.inf))


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-100, 100, width=16)), min_size=4, max_size=60))
def test_against_a_dictionary(rows: list[tuple[int, float]]) -> None:
    tokens = np.array([[token for token, _ in rows]], np.int32)
    activations = np.array([[value for _, value in rows]], np.float32)
    means = token_means(tokens, activations)
    held: dict[int, list[float]] = {}
    for token, value in rows:
        held.setdefault(token, []).append(value)
    everything = [value for values in held.values() for value in values]
    for token in range(8):
        values = held.get(token, everything)
        predicted = means.predict(np.array([token]))[0]
        assert predicted == pytest.approx(sum(values) / len(values), rel=1e-6, abs=1e-6)


def test_means_come_from_explain_records_alone() -> None:
    rng = np.random.default_rng(0)
    excerpts = table(rng)
    records = records_of(layer(rng, excerpts, 1), excerpts, 0)
    own = lookup_records(records)
    assert len(own) == 24
    assert (own.splits == Split.EXPLAIN).all()
    imported = replace(
        records,
        splits=np.full(len(records), Split.UNSPLIT, np.uint8),
        kinds=np.full(len(records), Kind.TOP, np.uint8),
    )
    assert lookup_records(imported).excerpts.tolist() == records.excerpts[[0, 4, 8, 12, 16]].tolist()
