"""Mergeable selections: order of keys, ties, any partition gives the same."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.neurons import Kind, Profile, Quota, Split
from app.subject.selection import (
    UNFILLED,
    Selection,
    excerpt_of,
    groups_of,
    low_half,
    ordered,
    runs_of,
    spans_of,
)

FLOATS = st.floats(width=32, allow_nan=False)


@given(FLOATS, FLOATS)
def test_ordered_keeps_the_order_of_floats(a: float, b: float) -> None:
    x, y = ordered(torch.tensor([a, b])).tolist()
    assert (x < y, x == y) == (a < b, a == b)
    assert -(2**31) <= x < 2**31


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), FLOATS)
def test_keys_hold_the_excerpt_and_prefer_the_smaller(a: int, b: int, value: float) -> None:
    keys = (ordered(torch.tensor([value, value])) << 32) | low_half(torch.tensor([a, b]))
    assert excerpt_of(keys).tolist() == [a, b]
    assert (keys[0] > keys[1]).item() == (a < b)
    assert (keys > UNFILLED).all()


def test_groups_cover_the_slots_in_order() -> None:
    groups = groups_of(Profile())
    kinds, splits = Profile().slots()
    assert groups[0] == (Kind.TOP, Split.EXPLAIN, 0, 10, 0)
    # Up to 8 of what is held in the last band may turn out to be among the top 8.
    assert [group for group in groups if group.reserve] == [(Kind.Q4, Split.SCORE, 50, 52, 8)]
    assert [span.stop - span.start for span in spans_of(groups)] == [group.held for group in groups]
    assert [slot for group in groups for slot in range(group.start, group.stop)] == list(range(len(kinds)))
    for group in groups:
        assert set(kinds[group.start : group.stop].tolist()) == {group.kind}
        assert set(splits[group.start : group.stop].tolist()) == {group.split}


PROFILE = Profile(Quota(3, 2, 1, 2), Quota(1, 0, 0, 2), Quota(2, 1, 2, 1))


@given(
    hnp.arrays(np.float32, (3, 24, 5), elements=st.sampled_from([0.0, -0.0, 1.0, 2.0, -3.0, 0.5])),
    st.lists(st.integers(1, 23), max_size=4, unique=True),
    st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_any_cut_into_blocks_gives_the_same(values: np.ndarray, cuts: list[int], order: int) -> None:  # type: ignore[type-arg]
    """values: [low, high, edge] for 24 excerpts of 5 neurons, with many ties."""
    peaks, troughs = torch.from_numpy(values.max(0)), torch.from_numpy(values.min(0))
    edges = torch.from_numpy(np.quantile(values[2], [0.5, 0.7, 0.9], axis=0).astype(np.float32))
    rng = np.random.default_rng(order)
    splits = rng.integers(0, 3, 24).astype(np.uint8)

    def run(parts: list[np.ndarray]) -> torch.Tensor:  # type: ignore[type-arg]
        selection = Selection(4, 5, PROFILE, 1)
        for part in parts:
            part = part[np.argsort(splits[part], kind="stable")]
            chosen = selection.update(peaks[part], troughs[part], edges, part.astype(np.int32), splits[part])
            np.testing.assert_array_equal(excerpt_of(chosen.keys).numpy(), part[chosen.columns.numpy()])
            assert selection.still_in(chosen).all()
        return selection.keys

    whole = run([np.arange(24)])
    shuffled = rng.permutation(24)
    assert torch.equal(run([p for p in np.split(shuffled, sorted(cuts)) if len(p)]), whole)
    for neuron, row in enumerate(whole):
        groups = groups_of(PROFILE)
        for group, span in zip(groups, spans_of(groups), strict=True):
            keys = row[span]
            found = excerpt_of(keys[keys != UNFILLED]).tolist()
            assert len(set(found)) == len(found)
            assert (splits[found] == group.split).all()
            if group.kind == Kind.TOP:
                mine = [e for e in range(24) if splits[e] == group.split]
                assert found == sorted(mine, key=lambda e: (-peaks[e, neuron], e))[: group.size]


def test_what_a_later_block_pushes_out() -> None:
    selection = Selection(0, 1, Profile(Quota(1, 0, 0, 0), Quota(0, 0, 0, 0), Quota(0, 0, 0, 0)), 0)
    edges = torch.zeros(3, 1)

    def put(value: float, excerpt: int):  # type: ignore[no-untyped-def]
        one = torch.tensor([[value]])
        return selection.update(one, one, edges, np.array([excerpt], np.int32), np.array([0], np.uint8))

    first = put(1.0, 5)
    assert selection.still_in(first).tolist() == [True]
    copy = selection.copy()
    assert len(put(1.0, 7).keys) == 0  # a tie: the smaller ordinal stays
    second = put(1.0, 3)
    assert selection.still_in(first).tolist() == [False]
    assert selection.still_in(second).tolist() == [True]
    assert copy.still_in(first).tolist() == [True]


@given(st.lists(st.integers(0, 5)))
def test_runs(labels: list[int]) -> None:
    ordered_labels = sorted(labels)
    runs = runs_of(np.array(ordered_labels, np.int64))
    assert runs.labels.tolist() == sorted(set(labels))
    assert runs.labels[runs.run].tolist() == ordered_labels
    assert runs.rank.tolist() == [ordered_labels[:i].count(x) for i, x in enumerate(ordered_labels)]
