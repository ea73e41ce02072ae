"""Nearest neighbours against brute force in float64, with everything that could tell them apart."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import nearest
from app.domain.nearest import Matrix
from app.errors import StoreError


def brute(
    stored: np.ndarray, query: np.ndarray, k: int, allowed: np.ndarray | None = None
) -> list[tuple[int, float]]:
    """All rows in order of (similarity, row), cut after the k-th and whatever equals it."""
    exact = (stored.astype(np.float64) * query.astype(np.float64)).sum(axis=1)
    rows = sorted(
        (i for i in range(len(stored)) if allowed is None or allowed[i]), key=lambda i: (-exact[i], i)
    )
    if len(rows) > k:
        rows = [i for i in rows if exact[i] >= exact[rows[k - 1]]]
    return [(i, float(exact[i])) for i in rows]


def found(
    matrix: Matrix, query: np.ndarray, k: int, allowed: np.ndarray | None = None
) -> list[tuple[int, float]]:
    near = matrix.nearest(query, k, len(matrix), allowed)
    return list(zip(near.rows.tolist(), near.similarities.tolist(), strict=True))


def of(stored: np.ndarray) -> Matrix:
    matrix = Matrix(stored.shape[1])
    matrix.append(stored)
    return matrix


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows with duplicates, near-ties that only float16's last bit tells apart, zeros and wildly different sizes."""
    n, d, seed = (
        draw(st.integers(1, 300)),
        draw(st.sampled_from([1, 2, 7, 64, 384])),
        draw(st.integers(0, 2**32 - 1)),
    )
    rng = np.random.default_rng(seed)
    stored = rng.standard_normal((n, d)) / np.sqrt(d)
    kind = draw(st.sampled_from(["random", "duplicates", "near ties", "clustered", "sizes", "outliers"]))
    if kind == "duplicates":
        stored = stored[rng.integers(0, max(1, n // 10), n)]
    elif kind == "near ties":
        stored = stored[:1] * (1 + rng.integers(-3, 4, (n, d)) * 2.0**-11)
    elif kind == "clustered":
        stored = stored[:1] + 1e-3 * stored
    elif kind == "sizes":
        stored *= 10.0 ** rng.integers(-8, 3, (n, 1))
    elif kind == "outliers":
        stored[:, 0] *= 30
    if draw(st.booleans()):
        stored[rng.integers(0, n)] = 0
    query = rng.standard_normal(d) if draw(st.booleans()) else stored[rng.integers(0, n)]
    return stored.astype(np.float16), query.astype(np.float32), draw(st.integers(1, n + 2))


@settings(max_examples=300)
@given(cases())
def test_it_is_what_brute_force_finds(case: tuple[np.ndarray, np.ndarray, int]) -> None:
    stored, query, k = case
    matrix = of(stored)
    assert found(matrix, query, k) == brute(stored, query, k)
    allowed = np.random.default_rng(0).random(len(stored)) < 0.3
    assert found(matrix, query, k, allowed) == brute(stored, query, k, allowed)
    matrix.close()


@settings(max_examples=100)
@given(cases())
def test_the_bounds_hold(case: tuple[np.ndarray, np.ndarray, int]) -> None:
    """What exactness stands on: q . x lies within the slack of q . x', for every row."""
    stored, query, _ = case
    matrix = of(stored)
    about, slack = matrix._bounds(query, len(stored))
    exact = (stored.astype(np.float64) * query.astype(np.float64)).sum(axis=1)
    assert (np.abs(exact - about.astype(np.float64)) <= slack.astype(np.float64)).all()
    matrix.close()


def test_across_blocks_and_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "SEGMENT", 1000)
    monkeypatch.setattr(nearest, "BLOCK_VALUES", 16 * 128)
    rng = np.random.default_rng(1)
    stored = (rng.standard_normal((5300, 16)) / 4).astype(np.float16)
    stored[3000:3100] = stored[:100]
    matrix = Matrix(16)
    for at in (0, 1, 999, 1000, 2500, 2500, 5300):
        matrix.append(stored[len(matrix) : at])
    assert len(matrix) == 5300
    for k in (1, 10, 5299, 5300, 9999):
        query = rng.standard_normal(16).astype(np.float32)
        assert found(matrix, query, k) == brute(stored, query, k)
    assert found(matrix, stored[50].astype(np.float32), 2)[:2] == [
        (50, pytest.approx(1.0, abs=1)),
        (3050, found(matrix, stored[50].astype(np.float32), 1)[0][1]),
    ]
    rows = np.array([0, 1, 2, 77, 2999, 3000, 5299])
    assert np.array_equal(matrix.read(rows), stored[rows])


def test_nothing_to_find() -> None:
    matrix = Matrix(4)
    query = np.ones(4, np.float32)
    assert found(matrix, query, 5) == []
    matrix.append(np.ones((3, 4), np.float16))
    assert found(matrix, query, 0) == []
    assert found(matrix, query, 2, np.zeros(3, np.bool_)) == []
    assert len(matrix.nearest(query, 5, 2).rows) == 2  # of the first two alone
    assert matrix.read(np.zeros(0, np.intp)).shape == (0, 4)


def test_many_may_search_while_one_adds() -> None:
    rng = np.random.default_rng(2)
    stored = rng.standard_normal((40_000, 8)).astype(np.float16)
    query = rng.standard_normal(8).astype(np.float32)
    matrix = Matrix(8)
    matrix.append(stored[:5000])
    expected = brute(stored[:5000], query, 7)

    def search(_: int) -> bool:
        near = matrix.nearest(query, 7, 5000)
        return list(zip(near.rows.tolist(), near.similarities.tolist(), strict=True)) == expected

    with ThreadPoolExecutor(4) as pool:
        results = pool.map(search, range(40))
        for at in range(5000, 40_000, 500):
            matrix.append(stored[at : at + 500])
        assert all(results)
    assert found(matrix, query, 7) == brute(stored, query, 7)


def test_no_room_for_the_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StoreError, match=r"room for its vectors in .*nowhere.*TMPDIR"):
        Matrix(4)


def test_rows_take_little_more_than_a_byte_a_value() -> None:
    matrix = Matrix(384)
    matrix.append(np.ones((nearest.SEGMENT, 384), np.float16))
    assert matrix.nbytes <= 1.03 * nearest.SEGMENT * 384
