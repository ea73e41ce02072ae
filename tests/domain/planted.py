"""Neurons of which the truth is planted in a corpus that is written out, with explanations that are right, over-broad,
over-narrow and wrong; and samples of that corpus as protocols take them. Everything is drawn anew, nothing is shared with
`app.domain.ideal`, whose verdicts it is held against.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from app.domain.binary_metrics import Cut, best_cut
from app.domain.calibration import Calibration, calibrate
from app.domain.ideal import PER_BAND, STRONGEST, Sampled, Scheme
from app.domain.neurons import BAND_EDGES, Bool, Float64

EXCERPTS, TOKENS = 20_000, 64
DRAWS, FITS = 200, 50
LEVEL, NOISE = 7.0, 1.5  # what is predicted where an explanation says that it fires, on the 0-10 scale
ASTRAY = 3.0  # what is predicted at most where it does not, on as many tokens as the neuron fires on


class Planted(NamedTuple):
    """A neuron that fires on some classes of tokens, by how often each comes."""

    name: str
    classes: tuple[float, ...]  # share of all tokens that each class has
    fires: tuple[int, ...]  # classes on which it does
    narrow: tuple[int, ...]
    broad: tuple[int, ...]
    wrong: tuple[int, ...]

    @property
    def frequency(self) -> float:
        return sum(self.classes[i] for i in self.fires)

    def said(self) -> dict[str, tuple[int, ...]]:
        """The classes that each explanation names, the right one first."""
        return {"right": self.fires, "narrow": self.narrow, "broad": self.broad, "wrong": self.wrong}


def rare(one_in: int) -> Planted:
    """A word that comes once in so many tokens: half of its uses, it and another word, another word."""
    half = 0.5 / one_in
    return Planted(f"1 in {one_in:,}", (half, half, half, half), (0, 1), (0,), (0, 1, 2, 3), (2, 3))


PLANTED = (
    # even digits, odd digits, numbers in words, measures
    Planted("digits exactly", (0.01, 0.01, 0.02, 0.01), (0, 1), (0,), (0, 1, 2), (2, 3)),
    # the word in the sense that it fires on, before and after nouns; in another sense, three times as frequent
    Planted("a word in one sense only", (0.006, 0.006, 0.036), (0, 1), (1,), (0, 1, 2), (2,)),
    Planted("two unrelated things", (0.008, 0.008, 0.016), (0, 1), (1,), (0, 1, 2), (2,)),
    rare(100),
    rare(1_000),
    rare(10_000),
)


class Corpus(NamedTuple):
    """Every token of a score split: which class it is of (-1: none), and what the neuron does there."""

    classes: np.ndarray  # [N, T] int8
    actual: Float64  # [N, T]


def write(neuron: Planted, rng: np.random.Generator) -> Corpus:
    """A corpus in which classes come independently of each other."""
    edges = np.cumsum(neuron.classes)
    place = np.searchsorted(edges, rng.random((EXCERPTS, TOKENS)), side="right")
    classes = np.where(place < len(edges), place, -1).astype(np.int8)
    fires = _among(classes, neuron.fires)
    return Corpus(classes, np.where(fires, rng.uniform(0.5, 1, classes.shape), 0.0))


def predict(classes: np.ndarray, named: tuple[int, ...], stray: float, rng: np.random.Generator) -> Float64:
    """A simulation that follows an explanation, but for noise: [...] -> [...] on the 0-10 scale. `stray`: the share of
    other tokens for which something low is predicted.
    """
    astray = np.where(rng.random(classes.shape) < stray, rng.uniform(0, ASTRAY, classes.shape), 0.0)
    there = _among(classes, named)
    astray[there] = np.clip(LEVEL + NOISE * rng.normal(size=int(there.sum())), 0.5, 10)
    return astray


def _among(classes: np.ndarray, named: tuple[int, ...]) -> Bool:
    table = np.zeros(128, np.bool_)
    table[list(named)] = True
    found: Bool = table[classes]  # -1 is the last: none
    return found


class Fit(NamedTuple):
    """What dev records gave for each draw, [D, 1, 1] each."""

    slope: Float64
    intercept: Float64
    cut: Float64


def fitted(corpus: Corpus, named: tuple[int, ...], stray: float, rng: np.random.Generator) -> Fit:
    """Calibration and cut from 5 strong and 5 random excerpts, others for each draw, as dev gives them."""
    found = np.full((3, FITS, 1, 1), np.nan)
    for draw in range(FITS):
        half = rng.choice(EXCERPTS, EXCERPTS // 8)
        peaks = corpus.actual[half].max(1)
        rows = np.concatenate([half[np.argpartition(-peaks, 5)[:5]], rng.choice(half, 5)])
        a, s = corpus.actual[rows], predict(corpus.classes[rows], named, stray, rng)
        line, cut = calibrate(s, a), best_cut(a > 0, s)
        if isinstance(line, Calibration):  # else nothing is predicted, and a score would be a state
            found[:2, draw, 0, 0] = line
        found[2, draw] = cut.above if isinstance(cut, Cut) else np.inf
    return Fit(*np.tile(found, (1, DRAWS // FITS, 1, 1)))


def take(corpus: Corpus, scheme: Scheme, rng: np.random.Generator) -> tuple[Sampled, np.ndarray]:
    """Draws of a scheme's sample, each from another half of the corpus, and the classes of its tokens [D, R, T]."""
    draws = 10 if scheme is Scheme.ALL_TEXT else DRAWS
    if scheme is Scheme.ALL_TEXT:
        rows = np.stack([rng.permutation(EXCERPTS)[: EXCERPTS // 4] for _ in range(draws)])
        rows = rows.reshape(draws, 1, -1)
        return _sampled(corpus, rows, np.ones(1))
    if scheme is Scheme.WINDOWS:
        return _windows(corpus, draws, rng)
    halves = np.stack([rng.permutation(EXCERPTS)[: EXCERPTS // 2] for _ in range(draws)])  # [D, H]
    peaks = corpus.actual.max(1)[halves] + rng.uniform(0, 1e-9, halves.shape)  # equal ones in any order
    top, random = {
        Scheme.TOP_5_RANDOM_5: (5, 5), Scheme.TOP_8_RANDOM_12: (8, 12), Scheme.RANDOM_5: (0, 5),
        Scheme.RANDOM_12: (0, 12), Scheme.POPULATION: (STRONGEST, 0),
    }[scheme]  # fmt: skip
    ranked = np.take_along_axis(halves, np.argsort(peaks, axis=1), 1)  # weakest first
    strong = ranked[:, ranked.shape[1] - top :]
    if scheme is not Scheme.POPULATION:
        return _sampled(corpus, np.concatenate([strong, halves[:, :random]], axis=1), np.ones(top + random))
    edges = (np.array([*BAND_EDGES, 1.0]) * ranked.shape[1]).astype(int)
    edges[-1] -= STRONGEST
    bands = [rng.integers(low, high, (draws, PER_BAND)) for low, high in pairwise(edges)]
    rows = np.concatenate([np.take_along_axis(ranked, np.concatenate(bands, axis=1), 1), strong], axis=1)
    weights = np.concatenate([np.repeat(np.diff(edges) / PER_BAND, PER_BAND), np.ones(STRONGEST)])
    return _sampled(corpus, rows, weights)


def _sampled(corpus: Corpus, rows: np.ndarray, weights: Float64) -> tuple[Sampled, np.ndarray]:
    actual, classes = corpus.actual[rows], corpus.classes[rows]
    if rows.ndim == 3:  # all text as one record
        shape = (*rows.shape[:2], -1)
        actual, classes = actual.reshape(shape), classes.reshape(shape)
    none = np.zeros(actual.shape, np.bool_)
    return Sampled(actual, none, weights, float(weights.sum() * actual.shape[2]), none), classes


def _windows(corpus: Corpus, draws: int, rng: np.random.Generator) -> tuple[Sampled, np.ndarray]:
    """50 windows in which it fires and 50 in which it does not; in those as many decoys are marked."""
    actual, classes = (each.reshape(-1, TOKENS // 2) for each in (corpus.actual, corpus.classes))
    active = np.flatnonzero(actual.any(1))
    silent = np.flatnonzero(~actual.any(1))
    rows = np.concatenate([rng.choice(active, (draws, 50)), rng.choice(silent, (draws, 50))], axis=1)
    fires: Bool = actual[rows] > 0
    order = rng.permuted(np.broadcast_to(np.arange(TOKENS // 2), fires.shape), axis=-1)
    counts = np.tile(fires[:, :50].sum(-1), 2)[
        ..., None
    ]  # [D, R, 1] each inactive window has those of an active one
    marked = np.where(np.arange(100)[:, None] < 50, fires, order < counts)
    none = np.zeros_like(fires)
    return Sampled(actual[rows], none, np.ones(100), 100.0 * (TOKENS // 2), none, marked), classes[rows]
