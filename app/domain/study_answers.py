"""What raters said, as arrays: the values that all statistics of a study take.

A *block* is one rater looking at one neuron. Descriptions of a neuron that are identical are shown once; what is said of the shown
text is said of each of the m methods behind it, and a choice credits each with 1/m. A repeated item's second answer, gold items and
practice are no part of these: see `study_quality`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

import numpy as np

from app.domain.neurons import Bool, Float64, Int32

ABSENT = -1  # in groups: the method was not in the block


class Outcome(IntEnum):
    """Of a pair."""

    SECOND = -1
    TIE = 0
    FIRST = 1


@dataclass(frozen=True, eq=False)
class Ratings:
    """N ratings; a shown text has one for each method behind it, with equal values and positions.

    Raises ValueError where the columns differ in length, a value is not finite, a method has no name or a method was rated twice in a
    block.
    """

    names: tuple[str, ...]  # [M] of what is compared; `methods` are places in it
    raters: Int32  # [N] any numbers, one a person
    neurons: Int32  # [N] any numbers, one a neuron
    methods: Int32  # [N]
    values: Float64  # [N]
    positions: Int32  # [N] place among the texts of its block, 0 first
    texts: Int32  # [N] which text of its neuron: equal where two methods' descriptions are identical

    def __post_init__(self) -> None:
        columns = (self.raters, self.neurons, self.methods, self.positions, self.texts)
        _same_length(len(self.values), columns)
        _are_methods(self.methods, len(self.names))
        if not np.isfinite(self.values).all():
            raise ValueError("a rating is a finite number; leave out what was not answered")
        keys = np.stack([self.raters, self.neurons, self.methods], 1)
        if len(np.unique(keys, axis=0)) < len(keys):
            raise ValueError("a rater rates a method's description of a neuron once")

    def keep(self, kept: Bool) -> "Ratings":
        """Those where `kept` [N] is true."""
        return _kept(self, kept, ("raters", "neurons", "methods", "values", "positions", "texts"))


@dataclass(frozen=True, eq=False)
class Blocks:
    """One number for each method of B blocks, higher is better: ratings, or places with their sign turned.

    Raises ValueError for shapes that do not fit, or a rater who is there twice for a neuron.
    """

    names: tuple[str, ...]  # [M]
    raters: Int32  # [B]
    neurons: Int32  # [B]
    values: Float64  # [B, M] NaN where there is none

    def __post_init__(self) -> None:
        _are_blocks(self.raters, self.neurons, self.values.shape, len(self.names))

    def keep(self, kept: Bool) -> "Blocks":
        """Those where `kept` [B] is true."""
        return _kept(self, kept, ("raters", "neurons", "values"))


@dataclass(frozen=True, eq=False)
class Choices:
    """Which one of the texts of a block is the best, for B blocks in which something was chosen.

    `groups` number the texts of a block in any way; methods behind one text share its number. Raises ValueError where what was chosen
    was not offered, or shapes do not fit.
    """

    names: tuple[str, ...]  # [M]
    raters: Int32  # [B]
    neurons: Int32  # [B]
    groups: Int32  # [B, M] ABSENT where the method was not in the block
    chosen: Int32  # [B] the number of the text that was chosen

    def __post_init__(self) -> None:
        _are_blocks(self.raters, self.neurons, self.groups.shape, len(self.names))
        _same_length(len(self.raters), (self.chosen,))
        if not (self._behind.any(1) & (self.chosen != ABSENT)).all():
            raise ValueError("a text was chosen that was not in its block")

    @property
    def _behind(self) -> Bool:
        """Whether the method is behind the chosen text, [B, M]."""
        behind: Bool = self.groups == self.chosen[:, None]
        return behind

    @property
    def offered(self) -> Bool:
        """Which methods were in the block, [B, M]."""
        offered: Bool = self.groups != ABSENT
        return offered

    @property
    def credit(self) -> Float64:
        """1/m to each of the m methods behind the chosen text, [B, M]; a row sums to 1. 0 where a method was not offered."""
        behind = self._behind
        credit: Float64 = behind / behind.sum(1, keepdims=True)
        return credit

    def keep(self, kept: Bool) -> "Choices":
        """Those where `kept` [B] is true."""
        return _kept(self, kept, ("raters", "neurons", "groups", "chosen"))


@dataclass(frozen=True, eq=False)
class Pairs:
    """N comparisons of two methods' descriptions of a neuron; a pair of identical texts is never asked.

    An answer about two texts with m and n methods behind them is m * n rows, each with the weight 1 / (m n): one answer stays one.
    Raises ValueError where columns differ in length, a method has no name, is compared with itself or the outcome is none.
    """

    names: tuple[str, ...]  # [M]
    raters: Int32  # [N]
    neurons: Int32  # [N]
    first: Int32  # [N] method
    second: Int32  # [N] method
    outcomes: Int32  # [N] an Outcome
    first_shown_first: Bool  # [N] the first method stood on the left, or above
    weights: Float64 | None = None  # [N] None: every row is an answer of its own

    def __post_init__(self) -> None:
        columns = (self.neurons, self.first, self.second, self.outcomes, self.first_shown_first)
        _same_length(len(self.raters), columns)
        _are_methods(self.first, len(self.names))
        _are_methods(self.second, len(self.names))
        if (self.first == self.second).any():
            raise ValueError("a pair is of two methods")
        if not np.isin(self.outcomes, list(Outcome)).all():
            raise ValueError("a pair ends 1 (first), 0 (tie) or -1 (second)")
        if self.weights is not None:
            _same_length(len(self.raters), (self.weights,))
            if not ((self.weights > 0) & (self.weights <= 1)).all():
                raise ValueError("a pair weighs more than 0 and no more than 1")

    @property
    def weight(self) -> Float64:
        """What part of an answer each row is, [N]."""
        return np.ones(len(self.raters)) if self.weights is None else self.weights

    def keep(self, kept: Bool) -> "Pairs":
        """Those where `kept` [N] is true."""
        columns = ("raters", "neurons", "first", "second", "outcomes", "first_shown_first", "weights")
        return _kept(self, kept, columns)


Answers = TypeVar("Answers", Ratings, Blocks, Choices, Pairs)


def without(answers: Answers, raters: Sequence[int]) -> Answers:
    """All but these raters' answers."""
    return answers.keep(~np.isin(answers.raters, np.array(raters, np.int32)))


def blocks(ratings: Ratings) -> Blocks:
    """Ratings block by block, in the order in which each block first comes."""
    keys = np.stack([ratings.raters, ratings.neurons], 1)  # [N, 2]
    found, firsts, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    row = np.empty(len(found), np.intp)
    row[order] = np.arange(len(found))
    values = np.full((len(found), len(ratings.names)), np.nan)  # [B, M]
    values[row[place.reshape(-1)], ratings.methods] = ratings.values
    raters, neurons = found[order].T
    return Blocks(ratings.names, raters.astype(np.int32), neurons.astype(np.int32), values)


def ranked_blocks(names: tuple[str, ...], raters: Int32, neurons: Int32, places: Float64) -> Blocks:
    """Of ranks: `places` [B, M] from 1, the best; methods behind one text and equals have the same place, NaN is not ranked.

    Places become the mean of those they cover (1, 1, 2 -> 1.5, 1.5, 3), with their sign turned, so that higher is better.
    """
    with np.errstate(invalid="ignore"):
        above = (places[:, None, :] < places[:, :, None]).sum(-1)  # [B, M]
        equal = (places[:, None, :] == places[:, :, None]).sum(-1)  # [B, M] itself included
    values = np.where(np.isnan(places), np.nan, -(above + (equal + 1) / 2))
    return Blocks(names, raters, neurons, values)


def _same_length(n: int, columns: Sequence[Int32 | Bool | Float64]) -> None:
    if any(column.shape != (n,) for column in columns):
        raise ValueError(f"the columns of {n} answers differ in length")


def _are_methods(methods: Int32, known: int) -> None:
    if len(methods) and not (methods.min() >= 0 and methods.max() < known):
        raise ValueError(f"a method is a number from 0 to {known - 1}")


def _are_blocks(raters: Int32, neurons: Int32, shape: tuple[int, ...], methods: int) -> None:
    _same_length(len(raters), (neurons,))
    if shape != (len(raters), methods):
        raise ValueError(f"values of shape {shape} are not {len(raters)} blocks of {methods} methods")
    if len(raters) and len(np.unique(np.stack([raters, neurons], 1), axis=0)) < len(raters):
        raise ValueError("a rater has one block of a neuron")


def _kept(answers: Answers, kept: Bool, columns: tuple[str, ...]) -> Answers:
    there = {name: values for name in columns if (values := getattr(answers, name)) is not None}
    return replace(answers, **{name: values[kept] for name, values in there.items()})
