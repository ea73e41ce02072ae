"""How each rater worked, and whom the registered rules exclude."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.domain.neurons import Bool, Float64, Int32
from app.domain.study_answers import Ratings


@dataclass(frozen=True, eq=False)
class Work:
    """All that is asked of how people worked; the columns of a group are parallel, in the order in which answers were given."""

    timed: Int32  # [T] rater of an item
    seconds: Float64  # [T] that it took
    gold: Int32  # [J] rater of a gold item
    right: Bool  # [J]
    repeated: Int32  # [K] rater of an item that was asked again
    first: Float64  # [K] the first answer
    again: Float64  # [K] the second
    ratings: Ratings | None = (
        None  # without gold items, repeats and practice, in the order in which they were given
    )


class Quality(NamedTuple):
    """One rater. Shares are None where there is nothing to take a share of."""

    rater: int
    answers: int  # items with a time
    median_seconds: float | None
    gold: int  # gold items answered
    gold_right: int
    blocks: int  # of two texts or more
    flat_blocks: int  # of these, with one value on all texts
    longest_run: int  # equal ratings one after another, in the order in which they were given
    rated: int
    repeats: int
    repeats_exact: int
    repeats_within_1: int

    @property
    def gold_share(self) -> float | None:
        return self.gold_right / self.gold if self.gold else None

    @property
    def flat_share(self) -> float | None:
        return self.flat_blocks / self.blocks if self.blocks else None

    @property
    def exact_share(self) -> float | None:
        return self.repeats_exact / self.repeats if self.repeats else None

    @property
    def within_1_share(self) -> float | None:
        return self.repeats_within_1 / self.repeats if self.repeats else None


def qualities(work: Work, raters: Sequence[int]) -> tuple[Quality, ...]:
    """One for each of `raters`, in their order; who answered nothing has zeros."""
    straight = _straight(work.ratings)
    found = []
    for rater in raters:
        seconds = work.seconds[work.timed == rater]
        right = work.right[work.gold == rater]
        apart = np.abs(work.first - work.again)[work.repeated == rater]
        blocks, flat, run, rated = straight.get(rater, (0, 0, 0, 0))
        found.append(
            Quality(
                rater,
                len(seconds),
                float(np.median(seconds)) if len(seconds) else None,
                len(right),
                int(right.sum()),
                blocks,
                flat,
                run,
                rated,
                len(apart),
                int((apart == 0).sum()),
                int((apart <= 1).sum()),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Exclusions:
    """Registered rules; None: there is no such rule. A rule without anything to judge by (no gold item seen) excludes nobody."""

    min_gold: float | None = None  # share of gold items that must be right
    max_straight: float | None = None  # share of blocks that may have one value on all texts
    min_seconds: float | None = None  # median for an item
    min_consistency: float | None = None  # share of repeated items answered within 1

    def problems(self) -> Iterator[str]:
        """What is wrong with the rules, in sentences."""
        for name in ("min_gold", "max_straight", "min_consistency"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                yield f"exclusions: {name} is a share from 0 to 1, not {share:g}."
        if self.min_seconds is not None and not 0 <= self.min_seconds < float("inf"):
            yield f"exclusions: min_seconds is a number of seconds from 0, not {self.min_seconds:g}."

    def reasons(self, quality: Quality) -> tuple[str, ...]:
        """Why a rater is excluded, in words; nothing where not."""
        said = []
        gold, flat, seconds = quality.gold_share, quality.flat_share, quality.median_seconds
        same = quality.within_1_share
        if self.min_gold is not None and gold is not None and gold < self.min_gold:
            said.append(
                f"{quality.gold_right} of {quality.gold} gold items right, at least {self.min_gold:.0%} asked for"
            )
        if self.max_straight is not None and flat is not None and flat > self.max_straight:
            said.append(
                f"one value on all texts in {quality.flat_blocks} of {quality.blocks} blocks, "
                f"at most {self.max_straight:.0%} allowed"
            )
        if self.min_seconds is not None and seconds is not None and seconds < self.min_seconds:
            said.append(f"{seconds:.3g} s for an item (median), at least {self.min_seconds:g} s asked for")
        if self.min_consistency is not None and same is not None and same < self.min_consistency:
            said.append(
                f"{quality.repeats_within_1} of {quality.repeats} repeated items within 1 of the first answer, "
                f"at least {self.min_consistency:.0%} asked for"
            )
        return tuple(said)

    def excluded(self, found: Sequence[Quality]) -> Mapping[int, tuple[str, ...]]:
        """Raters whom a rule excludes, with every reason."""
        every = {each.rater: self.reasons(each) for each in found}
        return {rater: said for rater, said in every.items() if said}


def _straight(ratings: Ratings | None) -> dict[int, tuple[int, int, int, int]]:
    """Blocks, flat blocks, longest run and ratings by rater. A text that several methods share was rated once."""
    if ratings is None:
        return {}
    keys = np.stack([ratings.raters, ratings.neurons, ratings.texts], 1)
    _, once = np.unique(keys, axis=0, return_index=True)
    once.sort()
    found = {}
    raters = ratings.raters[once]
    for rater in np.unique(raters).tolist():
        mine = once[raters == rater]
        values, neurons = ratings.values[mine], ratings.neurons[mine]
        _, block, sizes = np.unique(neurons, return_inverse=True, return_counts=True)
        highest, lowest = np.full(len(sizes), -np.inf), np.full(len(sizes), np.inf)
        np.maximum.at(highest, block, values)
        np.minimum.at(lowest, block, values)
        several = sizes >= 2
        changes = np.flatnonzero(np.diff(values)) + 1
        runs = np.diff(np.concatenate([[0], changes, [len(values)]]))
        found[rater] = (
            int(several.sum()),
            int(((highest == lowest) & several).sum()),
            int(runs.max()),
            len(mine),
        )
    return found
