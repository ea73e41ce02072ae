"""How scores and densities are spread over a model's layers: one source for the model page, its downloads, the API."""

from collections.abc import Sequence
from typing import NamedTuple

from app.store.rows import QUANTILES, LayerDistribution, LayerScores

QUANTILE_NAMES = tuple(f"q{round(100 * q):02d}" for q in QUANTILES)


class Means(NamedTuple):
    """The mean over the neurons of all layers, as of one: over those with a score, and with constant predictions as 0."""

    defined: int
    constant: int
    mean: float | None
    mean_constant_0: float | None


def quantiles(row: LayerDistribution | LayerScores) -> dict[str, float]:
    """Quantiles by name; none where no neuron of the layer has a value."""
    return dict(zip(QUANTILE_NAMES, row.quantiles, strict=True)) if row.quantiles else {}


def means(scores: Sequence[LayerScores]) -> Means:
    """Over all layers."""
    defined = sum(each.defined for each in scores)
    constant = sum(each.constant for each in scores)
    if not defined:
        return Means(0, constant, None, None)
    total = sum(each.mean * each.defined for each in scores if each.mean is not None)
    return Means(defined, constant, total / defined, total / (defined + constant))
