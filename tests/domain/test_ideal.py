"""Ideal neurons: samples against corpora that are written out token by token."""

import numpy as np
import pytest

from app.domain import ideal
from app.domain.ideal import CORPUS, EXCERPT, WINDOW, WINDOWS, Scheme, sample, too_broad, too_narrow


def corpus(rng: np.random.Generator, frequency: float) -> np.ndarray:
    """Every token of a score split, [CORPUS, EXCERPT]."""
    fires = rng.random((CORPUS, EXCERPT)) < frequency
    return np.where(fires, ideal.magnitudes(rng, fires.shape), 0.0)


@pytest.mark.parametrize("frequency", [0.1, 0.01, 0.001])
def test_the_strongest_excerpts_are_those_of_a_whole_corpus(frequency: float) -> None:
    rng = np.random.default_rng(1)
    drawn = sample(Scheme.TOP_8_RANDOM_12, frequency, 400, rng).actual[:, :8]
    peaks, counts = [], []
    for _ in range(12):
        text = corpus(rng, frequency)
        top = text[np.argsort(-text.max(1))[:8]]
        peaks.append(top.max(1))
        counts.append((top > 0).sum(1))
    assert drawn.max(-1).mean(0) == pytest.approx(np.mean(peaks, axis=0), abs=0.02)
    assert (np.diff(drawn.max(-1), axis=1) <= 0).all()
    spread = np.std(counts) / np.sqrt(np.size(counts)) + 0.01
    assert (drawn > 0).sum(-1).mean() == pytest.approx(np.mean(counts), abs=4 * spread)


@pytest.mark.parametrize("frequency", [0.1, 0.01, 0.001])
def test_random_excerpts_are_ordinary_text(frequency: float) -> None:
    drawn = sample(Scheme.RANDOM_12, frequency, 2000, np.random.default_rng(2)).actual
    counts = (drawn > 0).sum(-1)
    assert counts.mean() == pytest.approx(EXCERPT * frequency, rel=0.05)
    assert counts.var() == pytest.approx(EXCERPT * frequency * (1 - frequency), rel=0.1)
    values = drawn[drawn > 0]
    assert np.quantile(values, [0, 0.5, 1]) == pytest.approx([0.5, 0.75, 1], abs=0.02)


@pytest.mark.parametrize("frequency", [0.1, 0.01, 0.001])
def test_bands_with_their_weights_stand_for_all_text(frequency: float) -> None:
    drawn = sample(Scheme.POPULATION, frequency, 3000, np.random.default_rng(3))
    assert drawn.weights.sum() == pytest.approx(CORPUS)
    firing = (drawn.actual > 0).sum(-1) @ drawn.weights / drawn.tokens
    assert firing.mean() == pytest.approx(frequency, rel=0.05)


@pytest.mark.parametrize("scheme", Scheme)
def test_the_two_mistakes_are_as_large_as_they_say(scheme: Scheme) -> None:
    rng = np.random.default_rng(4)
    frequency = 0.05
    drawn = sample(scheme, frequency, 20 if scheme is Scheme.ALL_TEXT else 500, rng)
    fires = drawn.actual > 0
    narrow, broad = too_narrow(drawn, rng), too_broad(drawn, rng)
    kept = (narrow > 0)[fires]
    assert kept.mean() == pytest.approx(0.5, abs=0.02)
    assert np.array_equal(narrow[narrow > 0], drawn.actual[narrow > 0])
    assert np.array_equal(broad[fires], drawn.actual[fires])
    wrong = ((broad > 0) & ~fires).sum((1, 2)).mean()
    silent = (drawn.tokens if drawn.weights.max() == 1 else EXCERPT * len(drawn.weights)) - fires.sum(
        (1, 2)
    ).mean()
    assert wrong == pytest.approx(silent * frequency / (1 - frequency), rel=0.05)


def test_windows_are_active_or_not_and_marks_are_as_many_in_both() -> None:
    drawn = sample(Scheme.WINDOWS, 0.01, 50, np.random.default_rng(5))
    assert drawn.marked is not None
    active, inactive = drawn.actual[:, :WINDOWS], drawn.actual[:, WINDOWS:]
    assert (active > 0).any(-1).all() and not inactive.any()
    assert drawn.actual.shape == (50, 2 * WINDOWS, WINDOW)
    assert np.array_equal(drawn.marked[:, :WINDOWS], active > 0)
    assert np.array_equal(drawn.marked[:, WINDOWS:].sum(-1), (active > 0).sum(-1))
