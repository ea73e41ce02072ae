"""Secondary tests: do methods differ at all (Friedman), and does the place at which a text is shown matter?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float64
from app.domain.report_statistics import Mean, mean
from app.domain.study_answers import Blocks, Ratings, ranked_blocks
from app.domain.study_distributions import chi_square_tail
from app.domain.study_intervals import sums_by

DRAWS = 9_999
PLACE_DRAWS = 1_999
_NUMBERS = 2_000_000  # held at once
_MOST_PLACED = 20_000_000  # numbers permuted for one p value of places, after which fewer draws must do
_LEAST_PLACED = 499
_ROUNDING = 1e-9


class Friedman(NamedTuple):
    """Friedman's test over the blocks that have all methods."""

    statistic: float | None = None  # None: fewer than two such blocks or methods, or every block is one tie
    df: int = 0
    p_permuted: float | None = None  # labels permuted once for a neuron; None below two neurons
    p_chi_square: float | None = (
        None  # as published tables give it: takes blocks for independent, ignores clustering
    )
    mean_ranks: tuple[float | None, ...] = ()  # of each method, 1 is the best
    blocks: int = 0
    neurons: int = 0
    left_out: int = 0  # blocks without some method
    draws: int = 0


def friedman(blocks: Blocks, seed: int = 0, draws: int = DRAWS) -> Friedman:
    """Friedman 1937, corrected for ties (Conover 1999, Practical Nonparametric Statistics, 3rd ed., section 5.8, T1).

    T1 = (k - 1) sum_j (R_j - b (k + 1) / 2)^2 / (sum of squared ranks - b k (k + 1)^2 / 4). Under the null a neuron's texts could carry
    each other's labels, so the permutation is drawn once for a neuron and done in all its blocks; p = (1 + as far) / (1 + draws).
    """
    full = ~np.isnan(blocks.values).any(1)
    values, neurons = blocks.values[full], blocks.neurons[full]
    b, k = values.shape
    left_out = int((~full).sum())
    if not b or k < 2:
        return Friedman(blocks=b, left_out=left_out)
    ranks = -ranked_blocks(blocks.names, blocks.raters[full], neurons, -values).values  # [B, M]
    means = tuple(float(each) for each in ranks.mean(0))
    spread = float((ranks**2).sum() - b * k * (k + 1) ** 2 / 4)
    by_neuron = sums_by(ranks - (k + 1) / 2, neurons)  # [G, M]
    found = Friedman(mean_ranks=means, blocks=b, neurons=len(by_neuron), left_out=left_out)
    if b < 2 or spread < _ROUNDING:
        return found
    squares = float((by_neuron.sum(0) ** 2).sum())
    statistic = (k - 1) * squares / spread
    found = found._replace(statistic=statistic, df=k - 1, p_chi_square=chi_square_tail(statistic, k - 1))
    if len(by_neuron) < 2:
        return found
    rng = np.random.default_rng(seed)
    reached, step = 0, max(1, _NUMBERS // by_neuron.size)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        shuffled = rng.permuted(np.broadcast_to(by_neuron, (size, *by_neuron.shape)), axis=2)  # [D, G, M]
        reached += int(((shuffled.sum(1) ** 2).sum(1) >= squares * (1 - _ROUNDING)).sum())
    return found._replace(p_permuted=(1 + reached) / (1 + draws), draws=draws)


class Positions(NamedTuple):
    """Whether texts are rated by where they stand."""

    means: tuple[Mean, ...]  # of the ratings at each place, first place first
    adjusted: tuple[float | None, ...]  # mean distance of a rating from what its block and method would give
    p: float | None = None  # by permuting places within blocks; None where nothing can be permuted
    draws: int = 0


def positions(ratings: Ratings, seed: int = 0, draws: int = PLACE_DRAWS) -> Positions:
    """Mean rating by place, and whether it differs.

    Each rater's order of a block was drawn, so that without an effect of place a block's places could have been any. What is permuted
    are residuals: rating less the block's mean and the method's mean distance from it, since methods do differ (Freedman & Lane 1983,
    Journal of Business & Economic Statistics 1(4)). Statistic: sum over places of n (mean residual)^2; p = (1 + as far) / (1 + draws).
    A text that several methods share counts once.
    """
    keys = np.stack([ratings.raters, ratings.neurons, ratings.texts], 1)  # [N, 3]
    _, once = np.unique(keys, axis=0, return_index=True)
    values, places, methods = ratings.values[once], ratings.positions[once], ratings.methods[once]
    blocks, block = np.unique(keys[once, :2], axis=0, return_inverse=True)
    block = block.reshape(-1)
    last = int(places.max()) + 1 if len(places) else 0
    means = tuple(mean(values[places == place]) for place in range(last))
    if not len(values):
        return Positions(means, ())
    residual: Float64 = values - _means_by(block, values)  # [N]
    residual = residual - _means_by(methods, residual)
    residual = residual - _means_by(block, residual)
    adjusted = tuple(
        float(residual[places == place].mean()) if each.n else None for place, each in enumerate(means)
    )
    found = Positions(means, adjusted)
    sizes = np.bincount(block, minlength=len(blocks))
    if sizes.max() < 2 or np.abs(residual).max() < _ROUNDING:
        return found
    grid = np.full((len(blocks), int(sizes.max())), np.nan)  # [B, P] residuals of a block in any order
    at = np.full(grid.shape, last, np.intp)  # [B, P] their places; `last` is no place
    order = np.argsort(block, kind="stable")
    column = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    grid[block[order], column], at[block[order], column] = residual[order], places[order]
    counts = np.maximum(np.bincount(places, minlength=last), 1)  # [P]
    held = np.nan_to_num(grid)
    seen = _by_place(held[None], at, last, counts)[0]
    rng = np.random.default_rng(seed)
    draws = max(min(draws, _MOST_PLACED // grid.size), min(draws, _LEAST_PLACED))
    reached, step = 0, max(1, _NUMBERS // grid.size)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        keyed = np.where(np.isnan(grid), np.inf, rng.random((size, *grid.shape)))  # [D, B, P] holes stay last
        shuffled = np.take_along_axis(np.broadcast_to(held, keyed.shape), np.argsort(keyed, 2), 2)
        reached += int((_by_place(shuffled, at, last, counts) >= seen * (1 - _ROUNDING)).sum())
    return found._replace(p=(1 + reached) / (1 + draws), draws=draws)


def _by_place(residuals: Float64, at: NDArray[np.integer], last: int, counts: NDArray[np.integer]) -> Float64:
    """sum over places of n (mean residual)^2, of residuals [D, B, P] at places `at` [B, P] -> [D]."""
    placed = np.stack([(residuals * (at == place)).sum((1, 2)) for place in range(last)], 1)  # [D, P]
    found: Float64 = (placed**2 / counts).sum(1)
    return found


def _means_by(groups: NDArray[np.integer], values: Float64) -> Float64:
    """Each value's group's mean, [N]."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    found: Float64 = (np.bincount(place, values) / counts)[place]
    return found
