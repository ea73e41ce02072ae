"""Means over neurons, their spread, and how they compare in pairs: the mathematics of reports.

The unit is the neuron. Seeds of one neuron are averaged first, so that asking again does not pass for more evidence. What is
undefined is left out and counted, never averaged over.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import State
from app.domain.neurons import Float64
from app.domain.report_columns import ABSENT, STATES, Cell

DRAWS = 2_000  # of the bootstrap
FLIPS = 9_999  # of the sign-flip test, where not all can be tried
EXACT_UP_TO = 13  # pairs: 8,192 ways to flip them
CONFIDENCE = 0.95
INDICATIVE_BELOW = 10  # neurons
_BLOCK = 4_000_000  # numbers drawn at once
_MOST_FLIPPED = 40_000_000  # numbers drawn for one p value, after which fewer draws must do
_LEAST_FLIPS = 1_999


class Mean(NamedTuple):
    """A mean over n neurons."""

    mean: float | None = None  # None: n is 0
    sem: float | None = None  # standard error: sd / sqrt(n); None below two neurons
    n: int = 0


class Seeds(NamedTuple):
    """How far results move when the same is asked again with another seed."""

    seeds: int = 0  # with any result
    sd: float | None = (
        None  # of a neuron's value between seeds, pooled over the neurons with two or more defined
    )
    low: float | None = (
        None  # the least and the greatest mean of a seed, over neurons defined with every seed
    )
    high: float | None = None
    n: int = 0  # those neurons


class Summary(NamedTuple):
    """What one cell comes to."""

    defined: Mean
    constant_0: Mean  # constant predictions counted as 0
    seeds: Seeds
    asked: int  # neurons with any result, failures included
    failures: Mapping[State, int]  # results (neuron x seed) without a value, by why


class Difference(NamedTuple):
    """The first of a pair minus the second, over the neurons that both are defined on."""

    n: int
    first: float | None = None  # means over those neurons
    second: float | None = None
    mean: float | None = None
    low: float | None = None  # 95 % percentile interval of the bootstrap over neurons; None below two neurons
    high: float | None = None
    p: float | None = None  # two-sided, by flipping signs
    exact: bool = False  # all ways to flip were tried
    draws: int = 0
    only_first: int = 0  # neurons defined on one side alone: left out
    only_second: int = 0

    @property
    def indicative(self) -> bool:
        return self.n < INDICATIVE_BELOW


def mean(values: Float64) -> Mean:
    """Over what is not NaN, [N]."""
    there = values[~np.isnan(values)]
    n = len(there)
    if not n:
        return Mean()
    sem = float(there.std(ddof=1) / np.sqrt(n)) if n > 1 else None
    return Mean(float(there.mean()), sem, n)


def seeds(values: Float64) -> Seeds:
    """Of values [N, S], NaN where there is none. Both spreads need two seeds."""
    there = ~np.isnan(values)
    used = int(there.any(0).sum())
    counts = there.sum(1)  # [N]
    several = counts >= 2
    if used < 2 or not several.any():
        return Seeds(used)
    filled = np.where(there, values, 0.0)[several]  # [M, S]
    means = filled.sum(1) / counts[several]  # [M]
    squares = np.where(there[several], (values[several] - means[:, None]) ** 2, 0.0).sum()
    sd = float(np.sqrt(squares / (counts[several] - 1).sum()))
    everywhere = there[:, there.any(0)].all(1)  # [N]
    if not everywhere.any():
        return Seeds(used, sd)
    by_seed = values[everywhere][:, there.any(0)].mean(0)  # [S]
    return Seeds(used, sd, float(by_seed.min()), float(by_seed.max()), int(everywhere.sum()))


def summary(cell: Cell) -> Summary:
    """Everything that is said beside a mean."""
    counts = np.bincount(cell.states[cell.states != ABSENT].astype(np.intp), minlength=len(STATES))
    return Summary(
        defined=mean(cell.means),
        constant_0=mean(cell.means_constant_0),
        seeds=seeds(cell.values),
        asked=len(cell.neurons),
        failures={
            state: int(n) for state, n in zip(STATES, counts, strict=True) if n and state is not State.OK
        },
    )


def paired(first: Cell, second: Cell, seed: int = 0, draws: int = DRAWS, test: bool = True) -> Difference:
    """`first - second` neuron by neuron: seeds averaged on each side, neurons without a value on either side left out.

    Without `test` there is no p value.
    """
    a, b = first.means, second.means
    _, rows, columns = np.intersect1d(first.neurons, second.neurons, assume_unique=True, return_indices=True)
    both = ~np.isnan(a[rows]) & ~np.isnan(b[columns])
    left, right = a[rows][both], b[columns][both]
    found = difference(left, right, seed, draws, test)
    return found._replace(
        only_first=int((~np.isnan(a)).sum()) - found.n, only_second=int((~np.isnan(b)).sum()) - found.n
    )


def difference(
    first: Float64, second: Float64, seed: int = 0, draws: int = DRAWS, test: bool = True
) -> Difference:
    """Of two arrays [N] of the same neurons, none NaN. Raises ValueError for unequal lengths."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    n = len(first)
    if not n:
        return Difference(0)
    d = first - second
    low, high = interval(d, seed, draws)
    p, tried, exact = sign_flip(d, seed) if test else (None, 0, False)
    return Difference(
        n, float(first.mean()), float(second.mean()), float(d.mean()), low, high, p, exact, tried
    )


def interval(values: Float64, seed: int = 0, draws: int = DRAWS) -> tuple[float | None, float | None]:
    """The percentile interval (95 %) of the mean when neurons are drawn with replacement. (None, None) below two.

    Efron's percentile method. Equal values give an interval without width.
    """
    n = len(values)
    if n < 2:
        return None, None
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, _BLOCK // n)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        means[start : start + size] = values[rng.integers(0, n, (size, n), np.int32)].mean(1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def sign_flip(values: Float64, seed: int = 0, flips: int = FLIPS) -> tuple[float | None, int, bool]:
    """Two-sided p of "the mean is 0", by how many of the ways to flip signs bring it as far from 0; draws tried; all of them?

    Exact where the two sides of each pair could be swapped under the null, whatever the distribution. All 2^n ways are tried up to
    `EXACT_UP_TO` pairs; above that p = (1 + as far) / (1 + draws), which is never 0 and no smaller than it may be (Phipson & Smyth 2010).
    None below two pairs.
    """
    n = len(values)
    if n < 2:
        return None, 0, False
    seen = abs(values.sum())
    far = seen - 1e-12 * np.abs(values).sum()  # equal sums, added in another order, are equal
    if n <= EXACT_UP_TO:
        ways = np.arange(1 << n)[:, None] >> np.arange(n) & 1  # [2^n, N]
        sums = (1 - 2 * ways) @ values
        return float((np.abs(sums) >= far).mean()), 1 << n, True
    rng = np.random.default_rng(seed)
    flips = max(min(flips, _MOST_FLIPPED // n), min(flips, _LEAST_FLIPS))
    total, reached = values.sum(), 0
    step = max(1, _BLOCK // n)
    for start in range(0, flips, step):
        size = min(step, flips - start)
        bits = np.unpackbits(rng.integers(0, 256, (size, -(-n // 8)), np.uint8), axis=1, count=n)  # [B, N]
        sums = total - 2 * (bits @ values)  # [B]
        reached += int((np.abs(sums) >= far).sum())
    return (1 + reached) / (1 + flips), flips, False


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values (Holm 1979): at most alpha where rejected with family-wise error alpha.

    What could not be computed stays None and counts as one of the family all the same: it was planned.
    """
    m = len(p_values)
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * m
    highest = 0.0
    for rank, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, (m - rank) * p))
        adjusted[i] = highest
    return adjusted


def non_inferior(found: Difference, margin: float) -> bool | None:
    """Whether the first is not worse than the second by `margin` or more: the interval's lower end is above -margin.

    A one-sided test at 2.5 %. None where there is no interval. Raises ValueError for a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"a margin of non-inferiority is above 0, not {margin}")
    return None if found.low is None else found.low > -margin


class Ranked(NamedTuple):
    """Methods by one evaluation."""

    n: int  # neurons that all of them are defined on
    means: tuple[float | None, ...]  # over those neurons
    ranks: tuple[float | None, ...]  # 1 is the best; equals share the mean of their places


def ranks(means: Sequence[float | None]) -> tuple[float | None, ...]:
    """Places from the highest, 1 first; equal ones (to 12 digits) share the mean of their places. None stays None."""
    known = [round(value, 12) for value in means if value is not None]
    placed: list[float | None] = []
    for value in means:
        if value is None:
            placed.append(None)
            continue
        above = sum(each > round(value, 12) for each in known)
        equal = sum(each == round(value, 12) for each in known)
        placed.append(above + (equal + 1) / 2)
    return tuple(placed)


def ranked(cells: Sequence[Cell]) -> Ranked:
    """Methods ranked by their means over the neurons that all of them are defined on, so that none is judged on easier ones.

    A method without any value has no rank and takes no neuron from the others.
    """
    defined = [cell.neurons[~np.isnan(cell.means)] for cell in cells]
    taking_part = [each for each in defined if len(each)]
    if not taking_part:
        return Ranked(0, (None,) * len(cells), (None,) * len(cells))
    common: NDArray[np.int32] = taking_part[0]
    for each in taking_part[1:]:
        common = np.intersect1d(common, each, assume_unique=True)
    means: list[float | None] = []
    for cell, own in zip(cells, defined, strict=True):
        values = cell.means[np.isin(cell.neurons, common)] if len(own) and len(common) else None
        means.append(None if values is None else float(values.mean()))
    return Ranked(len(common), tuple(means), ranks(means))
