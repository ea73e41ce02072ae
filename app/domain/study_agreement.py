"""Krippendorff's alpha: how far raters agree beyond chance. The unit is a description of a neuron.

Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", sections C (nominal) and D (ordinal, with missing answers).
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from app.domain.neurons import Float64, Int32
from app.domain.report_statistics import CONFIDENCE
from app.domain.study_answers import ABSENT, Choices, Ratings

DRAWS = 1_000
MIN_DEFINED = 0.9  # share of draws that must define alpha for an interval
NO_OVERLAP = "not estimable: no description has answers of two raters"
NO_VARIATION = "not estimable: all answers that can be compared are the same"


class Level(StrEnum):
    """How far apart two answers are."""

    NOMINAL = "nominal"  # the same, or not
    ORDINAL = "ordinal"  # by how many answers lie between them


class Agreement(NamedTuple):
    """Alpha: 1 is perfect, 0 is chance, below 0 is less. Without a value, `reason` says why."""

    alpha: float | None
    low: float | None = (
        None  # 95 % by bootstrap over neurons; None below two of them, or where draws leave alpha undefined
    )
    high: float | None = None
    units: int = 0  # descriptions with answers of two raters or more
    neurons: int = 0  # of those descriptions
    answers: int = 0  # about those descriptions
    reason: str = ""


def of_ratings(ratings: Ratings, seed: int = 0, draws: int = DRAWS) -> Agreement:
    """Ordinal alpha of ratings. A text that several methods share is one unit, not several."""
    keys = np.stack([ratings.raters, ratings.neurons, ratings.texts], 1)  # [N, 3]
    _, once = np.unique(keys, axis=0, return_index=True)
    return agreement(
        ratings.neurons[once], ratings.texts[once], ratings.values[once], Level.ORDINAL, seed, draws
    )


def of_choices(choices: Choices, seed: int = 0, draws: int = DRAWS) -> Agreement:
    """Nominal alpha of whether each description was chosen as the best of its block. Its number must be the same for all raters."""
    rows, columns = np.nonzero(choices.groups != ABSENT)
    texts = choices.groups[rows, columns]
    keys = np.stack([rows, texts], 1)
    _, once = np.unique(keys, axis=0, return_index=True)
    rows, texts = rows[once], texts[once]
    chosen = (texts == choices.chosen[rows]).astype(np.float64)
    return agreement(choices.neurons[rows], texts, chosen, Level.NOMINAL, seed, draws)


def agreement(
    neurons: Int32, texts: Int32, values: Float64, level: Level, seed: int = 0, draws: int = DRAWS
) -> Agreement:
    """Of N answers, each by another rater than the unit's others; `neurons` and `texts` [N] together name the unit.

    alpha = 1 - D_o / D_e from coincidences o [V, V]: a unit with m >= 2 answers adds each ordered pair of them 1 / (m - 1) times, one
    with a single answer nothing. The interval draws neurons with replacement and computes chance anew in every draw.
    """
    keys = np.stack([neurons, texts], 1)
    found, place = np.unique(keys, axis=0, return_inverse=True)
    categories, value = np.unique(values, return_inverse=True)
    counts = np.zeros((len(found), len(categories)))  # [U, V]
    np.add.at(counts, (place.reshape(-1), value), 1)
    several = counts.sum(1) >= 2
    if not several.any():
        return Agreement(None, reason=NO_OVERLAP)
    counts, of_neuron = counts[several], found[several, 0]
    m = counts.sum(1)[:, None, None]  # [U, 1, 1]
    own = np.einsum("uv,vw->uvw", counts, np.eye(len(categories)))  # [U, V, V]
    coincidences = (counts[:, :, None] * counts[:, None, :] - own) / (m - 1)  # [U, V, V]
    unique, which = np.unique(of_neuron, return_inverse=True)
    by_neuron = np.zeros((len(unique), *coincidences.shape[1:]))  # [G, V, V]
    np.add.at(by_neuron, which, coincidences)
    alpha = float(_alpha(by_neuron.sum(0)[None], level)[0])
    n, answers = len(unique), int(counts.sum())
    if np.isnan(alpha):
        return Agreement(None, None, None, len(counts), n, answers, NO_VARIATION)
    low, high = _interval(by_neuron, level, seed, draws) if n > 1 else (None, None)
    return Agreement(alpha, low, high, len(counts), n, answers)


def _alpha(coincidences: Float64, level: Level) -> Float64:
    """Of coincidences [D, V, V] -> [D]; NaN where all answers are the same."""
    marginal = coincidences.sum(2)  # [D, V]
    total = marginal.sum(1)  # [D]
    v = marginal.shape[1]
    if level is Level.NOMINAL:
        distance = np.broadcast_to(1 - np.eye(v), coincidences.shape)
    else:
        # (sum of n_g for g from c to k, less (n_c + n_k) / 2)^2: the distance of the categories' middles on the scale of all answers.
        middle = np.cumsum(marginal, 1) - marginal / 2  # [D, V]
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2  # [D, V, V]
    observed = (coincidences * distance).sum((1, 2))  # [D]
    expected = (marginal[:, :, None] * marginal[:, None, :] * distance).sum((1, 2))  # [D]
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha: Float64 = np.where(expected > 0, 1 - (total - 1) * observed / expected, np.nan)
    return alpha


def _interval(by_neuron: Float64, level: Level, seed: int, draws: int) -> tuple[float | None, float | None]:
    n = len(by_neuron)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)  # [D, G]
    drawn = _alpha((weights @ by_neuron.reshape(n, -1)).reshape(draws, *by_neuron.shape[1:]), level)
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < MIN_DEFINED * draws:
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)
