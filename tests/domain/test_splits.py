"""Splits by stable hash of clusters."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.neurons import Split
from app.domain.splits import cluster_hashes, document_counts, enough_documents, split_of


def test_split_is_fixed_for_ever() -> None:
    # Written down once: were they to change, stored scores would no longer be held out.
    found = [
        split_of(hashlib.sha256(word.encode()).hexdigest()).name for word in ("a", "b", "c", "d", "e", "f")
    ]
    assert found == ["EXPLAIN", "EXPLAIN", "SCORE", "DEV", "SCORE", "DEV"]


def test_shares_are_half_quarter_quarter() -> None:
    counts = np.bincount([split_of(str(i)) for i in range(20_000)], minlength=3)
    assert np.abs(counts - [10_000, 5_000, 5_000]).max() < 5 * 71  # five standard deviations


@given(
    st.lists(st.tuples(st.integers(0, 4), st.text("0123456789abcdef", min_size=4, max_size=4)), max_size=12)
)
def test_a_cluster_has_one_hash_and_so_one_split(members: list[tuple[int, str]]) -> None:
    labels, hashes = [label for label, _ in members], [text_hash for _, text_hash in members]
    found = cluster_hashes(labels, hashes)
    for label in set(labels):
        mine = {found[i] for i in range(len(labels)) if labels[i] == label}
        assert len(mine) == 1
        assert mine <= {hashes[i] for i in range(len(labels)) if labels[i] == label}
    back = cluster_hashes(labels[::-1], hashes[::-1])
    assert back[::-1] == found


@pytest.mark.parametrize(
    ("counts", "enough"),
    [
        ((30, 30, 30), True),
        ((400, 29, 200), False),
        ((29, 30, 30), False),
        ((30, 30, 0), False),
        ((90, 90), False),
    ],
)
def test_thirty_documents_in_every_split(counts: tuple[int, ...], enough: bool) -> None:
    assert enough_documents(counts) is enough


def test_documents_are_counted_once_however_many_excerpts_they_have() -> None:
    splits = np.array(
        [Split.EXPLAIN, Split.EXPLAIN, Split.DEV, Split.SCORE, Split.SCORE, Split.SCORE], np.uint8
    )
    documents = np.array([4, 4, 5, 6, 7, 7], np.int32)
    assert document_counts(splits, documents) == (1, 1, 2)
