"""Ideal neurons, of which the right explanation is known, and samples of their text as the protocols take them.

A neuron fires on each token with a fixed probability, its *frequency*, independently of all others: a concept that is
there or not. Where it fires, its activation is uniform between `LOWEST` and 1; elsewhere it is 0. Its right explanation
predicts these very values (Oikarinen et al. 2025, section 4, whose ideal neurons have magnitude 1 throughout; without
different magnitudes there would be no strongest excerpts to choose).

Nothing is simulated token by token over a corpus: an excerpt's maximum over T independent tokens has a known distribution,
so an excerpt is drawn from where its maximum lies among all excerpts. The strongest ones are those of a score split of
`CORPUS` excerpts, a quarter of the 50,000 of the published data.
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from app.domain.neurons import BAND_EDGES, Bool, Float64

LOWEST = 0.5
CUT = LOWEST / 2  # a prediction above it says that the neuron fires
NOISE = 0.2  # standard deviation of a simulator that errs, where it predicts that the neuron fires
STRAY = 0.4  # what such a one predicts at most elsewhere, on as many tokens as the neuron fires on
CORPUS = 12_500
EXCERPT, WINDOW = 64, 32  # tokens
WINDOWS = 50  # active ones, and as many inactive ones
PER_BAND, STRONGEST = 2, 8
ALL_TEXT = 300_000  # tokens


class Scheme(StrEnum):
    """How the text that a score is computed on is chosen."""

    TOP_5_RANDOM_5 = "top-and-random-5+5"
    TOP_8_RANDOM_12 = "top-and-random-8+12"
    RANDOM_5 = "random-5"
    RANDOM_12 = "random-12"
    POPULATION = "population"
    WINDOWS = "windows-50+50"
    ALL_TEXT = "all-text"


class Sampled(NamedTuple):
    """Of D draws of a sample of R records: the K tokens of each on which the neuron fires, or is wrongly predicted to by an
    explanation that is too broad; fewer where there are fewer.
    """

    actual: Float64  # [D, R, K] 0 where it does not fire
    spurious: Bool  # [D, R, K] where it is wrongly predicted to
    weights: Float64  # [R] of each token of the record
    tokens: float  # weight of all tokens, of which most are not named above
    stray: Bool  # [D, R, K] where a simulator that errs predicts something
    marked: Bool | None = None  # [D, R, K] of windows: what a judge is asked about, true tokens and decoys


_TOP_AND_RANDOM = {
    Scheme.TOP_5_RANDOM_5: (5, 5),
    Scheme.TOP_8_RANDOM_12: (8, 12),
    Scheme.RANDOM_5: (0, 5),
    Scheme.RANDOM_12: (0, 12),
}


def sample(scheme: Scheme, frequency: float, draws: int, rng: np.random.Generator) -> Sampled:
    """Draws of one scheme's sample of a neuron of this frequency."""
    if scheme is Scheme.WINDOWS:
        return _windows(frequency, draws, rng)
    if scheme is Scheme.ALL_TEXT:
        return _sampled(rng.random((draws, 1)), np.ones(1), frequency, ALL_TEXT, rng)
    if scheme is Scheme.POPULATION:
        edges = np.array([*BAND_EDGES, 1 - STRONGEST / CORPUS])
        low, width = edges[:-1].repeat(PER_BAND), np.diff(edges).repeat(PER_BAND)
        bands = low + width * rng.random((draws, len(low)))
        weights = np.concatenate([width * CORPUS / PER_BAND, np.ones(STRONGEST)])
        places = np.concatenate([bands, _strongest(rng, draws, STRONGEST)], axis=1)
        return _sampled(places, weights, frequency, EXCERPT, rng)
    top, random = _TOP_AND_RANDOM[scheme]
    places = np.concatenate([_strongest(rng, draws, top), rng.random((draws, random))], axis=1)  # [D, R]
    return _sampled(places, np.ones(top + random), frequency, EXCERPT, rng)


def magnitudes(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64:
    """What it does where it fires."""
    return LOWEST + (1 - LOWEST) * rng.random(shape)


def too_narrow(sampled: Sampled, rng: np.random.Generator) -> Float64:
    """Predictions [D, R, K] of an explanation that is too narrow: each token on which it fires is dropped with probability
    1/2.
    """
    return sampled.actual * (rng.random(sampled.actual.shape) < 0.5)


def too_broad(sampled: Sampled, rng: np.random.Generator) -> Float64:
    """Those [D, R, K] of one that is too broad: tokens on which it does not fire are predicted to, over all text as many as
    those on which it does.
    """
    return np.where(sampled.spurious, magnitudes(rng, sampled.actual.shape), sampled.actual)


def simulated(sampled: Sampled, expected: Float64, rng: np.random.Generator) -> Float64:
    """These predictions [D, R, K] as a simulator that errs makes them."""
    noisy = np.maximum(expected + NOISE * rng.normal(size=expected.shape), 0.0)
    return np.where(expected > 0, noisy, STRAY * rng.random(expected.shape) * sampled.stray)


def _strongest(rng: np.random.Generator, draws: int, k: int) -> Float64:
    """Where the maxima of the k strongest of `CORPUS` excerpts lie among all, as quantiles [D, k]."""
    highest = np.ones((draws, 1))
    places = [np.zeros((draws, 0))]
    for rank in range(k):  # each is the largest of those that are left
        highest = highest * rng.random((draws, 1)) ** (1 / (CORPUS - rank))
        places.append(highest)
    return np.concatenate(places, axis=1)


def _sampled(
    places: Float64, weights: Float64, frequency: float, length: int, rng: np.random.Generator
) -> Sampled:
    """Records of `length` tokens whose maxima lie at these quantiles [D, R] among all."""
    firing = _firing(places, frequency, length, rng)  # [D, R, K]
    silent = length - (firing > 0).sum(-1)  # [D, R]
    share = frequency / (1 - frequency)
    wrong = rng.binomial(silent, share)
    astray = rng.binomial(silent - wrong, share)
    spurious, stray = (np.arange(int(each.max(initial=0))) < each[..., None] for each in (wrong, astray))
    none = [np.zeros(each.shape, np.bool_) for each in (firing, spurious, stray)]
    return Sampled(
        np.concatenate([firing, *none[1:]], axis=-1),
        np.concatenate([none[0], spurious, none[2]], axis=-1),
        weights,
        float(weights.sum() * length),
        np.concatenate([*none[:2], stray], axis=-1),
    )


def _firing(places: Float64, frequency: float, length: int, rng: np.random.Generator) -> Float64:
    """The activations of records whose maxima lie at these quantiles among all, [...] -> [..., K]; 0 behind the last.

    P(max <= x) = (1 - f + f F(x))^T: solved for F at the maximum; below it the other tokens are independent of it.
    """
    root = places ** (1 / length)
    highest = np.clip(
        (root - (1 - frequency)) / frequency, 0.0, 1.0
    )  # F of the maximum; where it is 0, nothing fires
    share = frequency * highest / (1 - frequency + frequency * highest)  # of the other tokens that fire
    others = rng.binomial(length - 1, share)
    shape = (*places.shape, 1 + int(others.max(initial=0)))
    rank = rng.random(shape)  # of each below the maximum, which comes first
    rank[..., 0] = 1.0
    there = (np.arange(shape[-1]) <= others[..., None]) & (root > 1 - frequency)[..., None]
    return (LOWEST + (1 - LOWEST) * highest[..., None] * rank) * there


def _windows(frequency: float, draws: int, rng: np.random.Generator) -> Sampled:
    """Windows in which it fires and windows in which it does not; in the latter as many decoys are marked."""
    silent = (1 - frequency) ** WINDOW
    places = silent + (1 - silent) * (1 - rng.random((draws, WINDOWS)))
    firing = _firing(places, frequency, WINDOW, rng)
    active = np.zeros((draws, WINDOWS, WINDOW))
    active[..., : firing.shape[-1]] = firing
    fires = active > 0
    actual = np.concatenate([active, np.zeros_like(active)], axis=1)
    # Which tokens of an inactive window are decoys is of no consequence: all are alike.
    marked = np.concatenate([fires, fires], axis=1)
    spurious = (actual == 0) & (rng.random(actual.shape) < frequency / (1 - frequency))
    none = np.zeros(actual.shape, np.bool_)
    return Sampled(actual, spurious, np.ones(2 * WINDOWS), 2.0 * WINDOWS * WINDOW, none, marked)
