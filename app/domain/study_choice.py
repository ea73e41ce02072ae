"""Luce's choice: how strong each method is when the best of several descriptions is chosen."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Int32
from app.domain.study_answers import ABSENT, Choices
from app.domain.study_logit import ALPHA, DRAWS, Strength, connected, fitted, strengths


class LuceChoice(NamedTuple):
    """Strengths of methods. Not connected: see `study_pairs.Davidson`."""

    strengths: tuple[Strength, ...]  # in the order of the names
    choices: int = 0  # of two texts or more
    neurons: int = 0
    single: int = 0  # blocks of a single text, which decide nothing: left out
    connected: bool = True


def luce(choices: Choices, alpha: float = ALPHA, seed: int = 0, draws: int = DRAWS) -> LuceChoice:
    """P(text) = strength of the text / sum of the strengths of the texts that were shown.

    Luce 1959, Individual Choice Behavior, chapter 1 (the choice axiom). A block is one choice; it is never expanded into a win over
    each of the others, which would count one answer several times. The log strength of a text that m methods share is the mean of
    theirs: being shown once it gains nothing from having several methods behind it, and a choice of it credits each with 1/m.
    Maximum a posteriori with the ridge alpha. Intervals: percentiles of the bootstrap over neurons, for these raters.
    """
    m = len(choices.names)
    texts = _numbered(choices.groups)  # [B, M]
    several = texts.max(1, initial=ABSENT) >= 1
    single = int((~several).sum())
    if not several.any():
        return LuceChoice(tuple(Strength(name) for name in choices.names), single=single)
    texts, behind = texts[several], (choices.credit > 0)[several]
    chosen = np.where(behind, texts, ABSENT).max(1)  # [B]
    sets, place = np.unique(texts, axis=0, return_inverse=True)
    alternatives = int(sets.max()) + 1
    features = np.full((len(sets), alternatives, m), np.nan)  # [C, A, M]
    for text in range(alternatives):
        mine = sets == text  # [C, M]
        there = mine.any(1)
        features[there, text] = mine[there] / mine[there].sum(1, keepdims=True)
    neurons, neuron = np.unique(choices.neurons[several], return_inverse=True)
    counts = np.zeros((len(neurons), len(sets), alternatives))  # [G, C, A]
    np.add.at(counts, (neuron, place.reshape(-1), chosen), 1)
    times = (texts != ABSENT).sum(0).astype(np.float64)  # [M]
    apart = (
        (sets[:, :, None] != sets[:, None, :]) & (sets[:, :, None] != ABSENT) & (sets[:, None, :] != ABSENT)
    )
    return LuceChoice(
        strengths(choices.names, fitted(features, counts, alpha, seed, draws), times),
        len(texts),
        len(neurons),
        single,
        connected(apart.any(0)),
    )


def _numbered(groups: Int32) -> NDArray[np.intp]:
    """The texts of each block numbered from 0 in the order of their first method, [B, M]; ABSENT stays."""
    first = np.argmax(groups[:, :, None] == groups[:, None, :], 2)  # [B, M] the text's first method
    leads = (first == np.arange(groups.shape[1])) & (groups != ABSENT)  # [B, M]
    numbers = np.cumsum(leads, 1) - 1
    return np.where(groups == ABSENT, ABSENT, np.take_along_axis(numbers, first, 1))
