"""Which excerpts a neuron's record slots hold: running selections that merge in any order to the same result.

Every kind of record is "the k largest of a 64-bit key", with the key's upper half a rank and its lower half the
excerpt, smaller ordinals first. Keys are unique within a neuron, so ties (copies of a text, neurons that are dead on
most texts) always fall the same way, and the k largest of a whole are the k largest of its parts' k largest.

| kind | rank |
|---|---|
| top | the excerpt's maximum, as float32 bits in numeric order |
| bottom | minus its minimum, likewise |
| random | smallest upper half of hash(seed, neuron, excerpt) |
| q1..q4 | smallest lower half of that hash, among the excerpts whose maximum lies in the band |

In the score split q4 prefers what is not among the top: those stand for themselves when the population is estimated, and
need a sample of the others. Which are top is known at the end, so as many more are held until then (`Group.reserve`).
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.domain.hashing import first_words, met, mix
from app.domain.neurons import BANDS, Bool, Float32, Int32, Kind, Profile, Split, UInt8

UNFILLED = torch.iinfo(torch.int64).min
_LOW = 0xFFFFFFFF
HASHED = 16  # excerpts whose pairs are hashed at once: they stay in the cache
DENSE = 8  # candidates are sorted out one by one where fewer than 1 in so many can enter


class Group(NamedTuple):
    """The slots of one kind in one split, a run `start:stop` of a neuron's row."""

    kind: Kind
    split: int
    start: int
    stop: int
    reserve: int = 0  # how many more are held until all parts are merged

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def held(self) -> int:
        return self.size + self.reserve


def groups_of(profile: Profile) -> list[Group]:
    """The groups in slot order; kinds with no slot are left out."""
    kinds, splits = profile.slots()
    groups: list[Group] = []
    for slot, (kind, split) in enumerate(zip(kinds.tolist(), splits.tolist(), strict=True)):
        if groups and (groups[-1].kind, groups[-1].split) == (kind, split):
            groups[-1] = groups[-1]._replace(stop=slot + 1)
        else:
            reserve = profile.score.top if (kind, split) == (Kind.Q4, Split.SCORE) else 0
            groups.append(Group(Kind(kind), split, slot, slot + 1, reserve))
    return groups


def spans_of(groups: list[Group]) -> list[slice]:
    """The columns of each group in a running selection."""
    stops = np.cumsum([group.held for group in groups]).tolist()
    return [slice(stop - group.held, stop) for stop, group in zip(stops, groups, strict=True)]


def ordered(values: Tensor) -> Tensor:
    """float32 as int32 of the same order (equal values equal; -0.0 is 0.0). Any shape."""
    return _turned((values + 0.0).view(torch.int32))


def _turned(bits: Tensor) -> Tensor:
    """A float32's bits as int32 of the same order, and back: its own inverse. Any shape."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def ranks_of(by: Float32 | Int32) -> Tensor:
    """int32 ranks of values (`ordered`) or of what is one already. Any shape."""
    given = torch.from_numpy(by)
    return ordered(given) if given.is_floating_point() else given


class Limits(NamedTuple):
    """What keys were ranked by: nothing smaller has a larger key, and everything passes an UNFILLED one."""

    ranks: Int32  # [G, N]
    values: Float32  # [G, N] the same for those whose ranks are `ordered` values


def limits(keys: Tensor) -> Limits:
    """Of keys [G, N]."""
    ranks = (keys >> 32).to(torch.int32)
    values = torch.where(keys == UNFILLED, -torch.inf, _turned(ranks).view(torch.float32))
    return Limits(ranks.numpy(), values.numpy())


def low_half(excerpts: Tensor) -> Tensor:
    """The key's lower half: smaller excerpts have larger keys. int64, any shape."""
    return _LOW - excerpts


def excerpt_of(keys: Tensor) -> Tensor:
    """The excerpts that keys speak of. int64, any shape; undefined for UNFILLED."""
    return _LOW - (keys & _LOW)


def random_ranks(seed: int, neurons: Int32, excerpts: Int32) -> tuple[Int32, Int32]:
    """Two independent ranks [C, N], the larger the smaller the upper and the lower half of the pair's hash.

    `neurons` are numbers unique within the model.
    """
    random = np.empty((len(excerpts), len(neurons)), np.int32)
    banded = np.empty_like(random)
    words, others = first_words(seed, neurons[None, :]), mix(excerpts[:, None])  # uint64 [1, N], [C, 1]
    for first in range(0, len(excerpts), HASHED):
        some = slice(first, first + HASHED)
        table = met(words, others[some])  # uint64 [c, N]
        halves = table.astype("<u8", copy=False).view("<i4").reshape(*table.shape, 2)  # [c, N, 2]
        # As unsigned numbers in the opposite order, as signed ones in that of 0x7FFFFFFF - u.
        np.bitwise_xor(halves[..., 1], 0x7FFFFFFF, out=random[some])
        np.bitwise_xor(halves[..., 0], 0x7FFFFFFF, out=banded[some])
    return random, banded


class Chosen(NamedTuple):
    """Block excerpts that entered a layer's slots: M of them."""

    neurons: Tensor  # int64 [M]
    groups: Tensor  # uint8 [M] position in `groups_of`
    columns: Tensor  # int64 [M] row of the block
    keys: Tensor  # int64 [M]


class Selection:
    """The running slots of one layer: keys int64 [N, K], each group's `spans` sorted with the largest first."""

    def __init__(self, layer: int, neurons: int, profile: Profile, seed: int) -> None:
        self.groups = groups_of(profile)
        self.spans = spans_of(self.groups)
        self.seed = seed
        self.numbers = (layer * neurons + np.arange(neurons)).astype(np.int32)  # [N]
        self.keys = torch.full((neurons, self.spans[-1].stop), UNFILLED, dtype=torch.int64)

    def update(self, peaks: Tensor, troughs: Tensor, edges: Tensor, excerpts: Int32, splits: UInt8) -> Chosen:
        """Take in a block of C excerpts, sorted by split, and say which of them entered.

        peaks, troughs: float32 [C, N], maximum and minimum of each excerpt; edges: float32 [3, N], those
        between the bands; excerpts, splits: [C].
        """
        low = low_half(torch.from_numpy(excerpts.astype(np.int64)))  # [C]
        random, banded = random_ranks(self.seed, self.numbers, excerpts)  # [C, N]
        bands = np.zeros(peaks.shape, np.uint8)  # [C, N]
        for edge in edges.numpy():
            bands += peaks.numpy() > edge
        highest, lowest = peaks.numpy(), -troughs.numpy()  # [C, N]
        weakest = limits(self.keys.T[[span.stop - 1 for span in self.spans]])
        found: list[Chosen] = []
        for position, group in enumerate(self.groups):
            first, last = np.searchsorted(splits, [group.split, group.split + 1]).tolist()
            if first == last:
                continue
            some = slice(first, last)
            by: Float32 | Int32
            # numpy compares, and finds the few, several times as fast as torch. Of equal rank, not all enter.
            match group.kind:
                case Kind.TOP:
                    by = highest[some]
                    better = by >= weakest.values[position]  # [C', N]
                case Kind.BOTTOM:
                    by = lowest[some]
                    better = by >= weakest.values[position]
                case Kind.RANDOM:
                    by = random[some]
                    better = by >= weakest.ranks[position]
                case _:
                    by = banded[some]
                    better = by >= weakest.ranks[position]
                    better &= bands[some] == BANDS.index(group.kind)
            chosen = self._merge(position, by, better, low[some])
            found.append(chosen._replace(columns=chosen.columns + first))
        return Chosen(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _merge(self, position: int, by: Float32 | Int32, better: Bool, low: Tensor) -> Chosen:
        """Take the largest keys of a group.

        by: values or ranks [C', N] of the excerpts of its split; better [C', N]: which of them may enter; low [C'],
        the lower halves of their keys.
        """
        span, size = self.spans[position], self.groups[position].held
        held = self.keys[:, span]  # [N, k]
        if np.count_nonzero(better) * DENSE > better.size:
            found = torch.arange(len(held))
            columns = torch.arange(len(by)).expand(len(held), -1)  # [N, C']
            keys = (ranks_of(by).T.long() << 32) | low  # [N, C']
            candidates = torch.where(torch.from_numpy(better).T, keys, UNFILLED)
        else:  # the few, side by side
            places, rows = np.divmod(np.flatnonzero(better), better.shape[1])  # [m]
            order = np.argsort(rows, kind="stable")
            places, rows = places[order], rows[order]
            some, run, rank = runs_of(rows)  # [n], [m], [m]
            width = int(rank.max(initial=-1)) + 1
            aside = np.zeros((len(some), width), np.int64)  # [n, w]
            aside[run, rank] = places
            kept = np.full((len(some), width), UNFILLED)  # [n, w]
            kept[run, rank] = (ranks_of(by[places, rows]).long() << 32) | low[places]
            found, columns, candidates = map(torch.from_numpy, (some, aside, kept))
        keys, chosen = torch.cat([held[found], candidates], 1).topk(size, 1)  # [n, k]
        self.keys[found, span] = keys
        entries, ranks = ((chosen >= size) & (keys != UNFILLED)).nonzero(as_tuple=True)  # [M]
        return Chosen(
            found[entries],
            torch.full(entries.shape, position, dtype=torch.uint8),
            columns[entries, chosen[entries, ranks] - size],
            keys[entries, ranks],
        )

    def copy(self) -> "Selection":
        """An independent copy: a part that fails halfway must leave no trace."""
        other = object.__new__(Selection)
        other.groups, other.spans, other.seed, other.numbers = (
            self.groups,
            self.spans,
            self.seed,
            self.numbers,
        )
        other.keys = self.keys.clone()
        return other

    def still_in(self, chosen: Chosen) -> Tensor:
        """bool [M]: which of these entries no later block has pushed out."""
        last = torch.tensor([span.stop - 1 for span in self.spans])  # [G]
        return chosen.keys >= self.keys[chosen.neurons, last[chosen.groups.long()]]


class Runs(NamedTuple):
    """Labels [M] sorted into R runs of equal ones."""

    labels: NDArray[np.int64]  # [R] each run's
    run: NDArray[np.int64]  # [M] the run of each entry
    rank: NDArray[np.int64]  # [M] each entry's place within its run


def runs_of(labels: NDArray[np.int64]) -> Runs:
    """Of sorted labels [M]."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))  # [R]
    lengths = np.diff(starts, append=len(labels))  # [R]
    rank = np.arange(len(labels)) - np.repeat(starts, lengths)
    return Runs(labels[starts], np.repeat(np.arange(len(starts)), lengths), rank)
