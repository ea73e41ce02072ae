"""Hashes that make samples mergeable."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.hashing import mix, priority, uniform


def test_mix_is_splitmix64() -> None:
    # The first outputs of the reference generator seeded with 0 are the mixes of 0 and of one golden step.
    golden = np.uint64(0x9E3779B97F4A7C15)
    found = mix(np.array([0, golden], np.uint64))
    assert [f"{word:016x}" for word in found.tolist()] == ["e220a8397b1dcdaf", "6e789e6aa1b965f4"]


def test_priority_does_not_depend_on_shape_or_type() -> None:
    a, b = np.arange(5, dtype=np.int32), np.arange(7, dtype=np.int64)
    table = priority(3, a[:, None], b[None, :])
    assert table.shape == (5, 7)
    assert table[2, 4] == priority(3, np.array(2, np.uint8), np.array(4))
    assert len(np.unique(table)) == 35
    assert table[2, 4] != table[4, 2]
    assert priority(4, a, a)[1] != priority(3, a, a)[1]


@given(st.integers(), st.integers(1, 40), st.sets(st.integers(0, 10_000), min_size=1, max_size=60))
def test_samples_of_parts_merge_into_the_sample_of_the_whole(seed: int, k: int, items: set[int]) -> None:
    def smallest(chosen: list[int]) -> list[int]:
        return sorted(chosen, key=lambda item: int(priority(seed, np.array(9), np.array(item))))[:k]

    whole = sorted(items)
    parts = [whole[::3], whole[1::3], whole[2::3]]
    assert smallest([item for part in parts for item in smallest(part)]) == smallest(whole)


def test_uniform_fills_the_unit_interval_evenly() -> None:
    values = uniform(priority(1, np.arange(200)[:, None], np.arange(200)[None, :]))
    assert values.min() >= 0 and values.max() < 1
    counts, _ = np.histogram(values, 20, (0, 1))
    # 40,000 values: 2,000 a bin with standard deviation 44
    assert np.abs(counts - 2000).max() < 5 * 44


def test_neighbours_are_not_correlated() -> None:
    values = uniform(priority(0, np.arange(300)[:, None], np.arange(300)[None, :]))
    across = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    along = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert max(abs(across), abs(along)) < 5 / 300
