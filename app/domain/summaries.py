"""Distributions of values over many neurons, as charts and tables need them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import UInt8

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Distribution(NamedTuple):
    """A value array in short; NaN counts as undefined."""

    n: int  # defined values
    n_undefined: int
    mean: float | None
    quantiles: tuple[float, ...]  # at QUANTILES; empty where n is 0
    edges: tuple[float, ...]  # B + 1 edges of the histogram; empty where n is 0
    counts: tuple[int, ...]  # B


class ScoreMean(NamedTuple):
    """The mean over defined scores, and again with constant predictions counted as 0 (DESIGN section 6)."""

    mean: float | None
    n: int
    mean_with_constants: float | None
    n_with_constants: int


def distribution(
    values: NDArray[np.floating], bins: int = 20, low: float | None = None, high: float | None = None
) -> Distribution:
    raise NotImplementedError


def score_mean(values: NDArray[np.floating], states: UInt8) -> ScoreMean:
    raise NotImplementedError


def by_layer(
    values: NDArray[np.floating], layers: NDArray[np.integer], bins: int = 20, low: float | None = None,
    high: float | None = None,
) -> dict[int, Distribution]:
    raise NotImplementedError
