"""How alike neurons are, against sets and dense vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import similarity

N = 8
THINGS = st.lists(st.frozensets(st.integers(0, 11), max_size=6), min_size=N, max_size=N)
WEIGHTS = st.lists(
    st.dictionaries(st.integers(0, 11), st.floats(0.125, 100, width=32), max_size=6), min_size=N, max_size=N
)


@given(THINGS)
def test_jaccard_is_that_of_sets(has: list[frozenset[int]]) -> None:
    mine = has[0]
    owners = [np.array([i for i in range(N) if thing in has[i]], np.int32) for thing in sorted(mine)]
    shared = similarity.shared_counts(owners, N)
    sizes = np.array([len(each) for each in has], np.int32)
    found = similarity.jaccard(shared, len(mine), sizes)
    for i, other in enumerate(has):
        assert shared[i] == len(mine & other)
        assert found[i] == (len(mine & other) / len(mine | other) if mine | other else 0)


@given(WEIGHTS)
def test_cosines_are_those_of_whole_vectors(has: list[dict[int, float]]) -> None:
    dense = np.zeros((N, 12))
    for i, weights in enumerate(has):
        for thing, weight in weights.items():
            dense[i, thing] = weight
    owner, thing = np.nonzero(dense)
    lengths = similarity.norms(owner.astype(np.int32), dense[owner, thing].astype(np.float32), N)
    np.testing.assert_allclose(lengths, np.linalg.norm(dense, axis=1), rtol=1e-6)
    mine = np.flatnonzero(dense[0])
    owners = [np.flatnonzero(dense[:, each]).astype(np.int32) for each in mine]
    weights_of = [dense[who, each].astype(np.float32) for who, each in zip(owners, mine, strict=True)]
    found = similarity.cosines(
        dense[0, mine].astype(np.float32), owners, weights_of, lengths, float(lengths[0])
    )
    for i in range(N):
        whole = np.linalg.norm(dense[0]) * np.linalg.norm(dense[i])
        assert found[i] == pytest.approx(dense[0] @ dense[i] / whole if whole else 0, abs=1e-5)
        assert -1 <= found[i] <= 1


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9]), max_size=12), st.integers(0, 14), st.integers(-1, 12))
def test_the_nearest_are_those_of_a_sort(values: list[float], k: int, without: int) -> None:
    ranked = sorted((-value, i) for i, value in enumerate(values) if value > 0 and i != without)
    found = similarity.nearest(np.array(values, np.float64), k, without)
    assert found.tolist() == [i for _, i in ranked][:k]
