"""Similarities and their chance floor against plain loops."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from app.domain.embeddings import unit
from app.domain.text_similarity import by_neuron, cosine, floors, some, summary


def vectors(n: int, seed: int, d: int = 5) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, d))).astype(np.float64)


@given(
    st.integers(0, 999),
    st.lists(st.integers(0, 6), min_size=1, max_size=12),
    st.lists(st.integers(0, 6), max_size=12),
)
def test_the_floor_is_the_mean_over_other_neurons_references(
    seed: int, owners: list[int], of: list[int]
) -> None:
    said, references = vectors(len(owners), seed), vectors(len(of), seed + 1) if of else np.zeros((0, 5))
    found = floors(said, np.array(owners, np.int64), references, np.array(of, np.int64))
    for i, owner in enumerate(owners):
        others = [float(said[i] @ references[j]) for j, each in enumerate(of) if each != owner]
        if others:
            assert found[i] == pytest.approx(np.mean(others), abs=1e-9)
        else:
            assert np.isnan(found[i])


def test_by_hand() -> None:
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    said, references = np.stack([east, north, east]), np.stack([east, east, north])
    assert cosine(said, references).tolist() == [1.0, 0.0, 0.0]
    owners = np.array([10, 20, 30])
    chance = floors(said, owners, references, owners)
    assert chance.tolist() == [0.5, 0.5, 1.0]
    found = summary(cosine(said, references), chance, owners)
    assert found.neurons == 3 and found.similarity == pytest.approx(1 / 3)
    assert found.floor == pytest.approx(2 / 3) and found.difference == pytest.approx(-1 / 3)
    assert found.low is not None and found.high is not None and found.low <= -1 / 3 <= found.high


def test_a_neuron_counts_once_however_often_it_was_explained() -> None:
    owners = np.array([4, 4, 4, 9])
    assert [x.tolist() for x in by_neuron(np.array([1.0, 0.0, 0.5, 0.25]), owners)] == [[4, 9], [0.5, 0.25]]
    found = summary(np.array([1.0, 0.0, 0.5, 0.25]), np.zeros(4), owners)
    assert (found.neurons, found.similarity) == (2, 0.375)
    alone = summary(np.array([0.5]), np.array([0.25]), np.array([1]))
    assert alone.difference == 0.25 and alone.low is None
    with pytest.raises(ValueError, match="no statement"):
        summary(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found = summary(rng.normal(0.3, 0.2, 80), np.zeros(80), np.arange(80), seed)
        assert found.low is not None and found.high is not None
        hits += found.low <= 0.3 <= found.high
    assert 178 <= hits <= 200


def test_a_sample_of_neurons_is_repeatable() -> None:
    ids = np.arange(1000, dtype=np.int64) * 7
    assert np.array_equal(some(ids, 3, 50), some(ids[::-1], 3, 50)) and len(some(ids, 3)) == 200
    assert not np.array_equal(some(ids, 3, 50), some(ids, 4, 50))
