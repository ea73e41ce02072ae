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

from app.domain.hashing import priority
from app.domain.neurons import BANDS, Int32, Kind, Profile, Split, UInt8

UNFILLED = torch.iinfo(torch.int64).min
_LOW = 0xFFFFFFFF
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
    bits = (values + 0.0).view(torch.int32)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def low_half(excerpts: Tensor) -> Tensor:
    """The key's lower half: smaller excerpts have larger keys. int64, any shape."""
    return _LOW - excerpts


def excerpt_of(keys: Tensor) -> Tensor:
    """The excerpts that keys speak of. int64, any shape; undefined for UNFILLED."""
    return _LOW - (keys & _LOW)


def random_ranks(seed: int, neurons: Int32, excerpts: Int32) -> tuple[Tensor, Tensor]:
    """Two independent ranks int32 [N, C], the larger the smaller the upper and the lower half of the pair's hash.

    `neurons` are numbers unique within the model.
    """
    table = priority(seed, neurons[:, None], excerpts[None, :])  # uint64 [N, C]
    halves = torch.from_numpy(table.astype("<u8", copy=False).view("<i4")).unflatten(1, (-1, 2))  # type: ignore[no-untyped-call]  # [N, C, 2]
    # As unsigned numbers in the opposite order, as signed ones in that of 0x7FFFFFFF - u.
    return halves[..., 1] ^ 0x7FFFFFFF, halves[..., 0] ^ 0x7FFFFFFF


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
        bands = sum((peaks > edge).view(torch.uint8) for edge in edges).T.contiguous()  # [N, C]
        random, banded = random_ranks(self.seed, self.numbers, excerpts)  # [N, C]
        ranks = {
            Kind.TOP: ordered(peaks).T.contiguous(),  # int32 [N, C]
            Kind.BOTTOM: ordered(-troughs).T.contiguous(),  # int32 [N, C]
            Kind.RANDOM: random,
        }
        found: list[Chosen] = []
        for position, group in enumerate(self.groups):
            first, last = np.searchsorted(splits, [group.split, group.split + 1]).tolist()
            if first == last:
                continue
            some = slice(first, last)
            if group.kind in ranks:
                found.append(self._merge(position, ranks[group.kind][:, some], None, low, first))
            else:
                inside = bands[:, some] == BANDS.index(group.kind)  # [N, C']
                found.append(self._merge(position, banded[:, some], inside, low, first))
        return Chosen(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _merge(self, position: int, ranks: Tensor, inside: Tensor | None, low: Tensor, first: int) -> Chosen:
        """Take the largest keys of a group: ranks int32 [N, C'], those `inside` [N, C'] or all; low [C] of all excerpts."""
        span, size = self.spans[position], self.groups[position].held
        held = self.keys[:, span]  # [N, k]
        low = low[first : first + ranks.shape[1]]  # [C']
        better = ranks >= (held[:, -1:] >> 32).to(
            torch.int32
        )  # [N, C'] that can enter; of equal rank, not all do
        if inside is not None:
            better &= inside
        if int(better.sum()) * DENSE > better.numel():
            found = torch.arange(len(held))
            columns = torch.arange(ranks.shape[1]).expand_as(ranks)  # [N, C']
            candidates = (ranks.long() << 32) | low  # [N, C']
            if inside is not None:
                candidates = torch.where(inside, candidates, UNFILLED)
        else:  # the few, side by side
            rows, places = better.nonzero(as_tuple=True)  # [m], rows sorted
            found, runs = torch.unique_consecutive(rows, return_inverse=True)
            rank = torch.from_numpy(within(rows.numpy()))
            width = int(rank.max()) + 1 if len(rank) else 0
            columns = torch.zeros(len(found), width, dtype=torch.int64)  # [n, w]
            columns[runs, rank] = places
            kept = torch.full((len(found), width), UNFILLED)
            kept[runs, rank] = (ranks[rows, places].long() << 32) | low[places]
            candidates = kept
        both = torch.cat([held[found], candidates], 1)  # [n, k + w]
        keys, chosen = both.topk(size, 1)  # [n, k]
        self.keys[found, span] = keys
        entries, ranks = ((chosen >= size) & (keys != UNFILLED)).nonzero(as_tuple=True)  # [M]
        return Chosen(
            found[entries],
            torch.full(entries.shape, position, dtype=torch.uint8),
            columns[entries, chosen[entries, ranks] - size] + first,
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


def within(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """For labels sorted into runs [M], each entry's place within its run [M]."""
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    return np.arange(len(labels)) - np.repeat(starts, np.diff(np.r_[starts, len(labels)]))
