"""The 0-10 scale on which explainers and simulators speak (BILLS)."""

import numpy as np

from app.domain.explanations import ScaleMaximum
from app.domain.neurons import Float32, Polarity, Records, Statistics, UInt8

LEVELS = 10


def levels(activations: Float32, maximum: float) -> UInt8:
    """`min(10, floor(10 * max(0, a) / maximum))`, same shape as `activations`; all zero when maximum <= 0.

    For the negative polarity give -a and the maximum of -a. Raises ValueError for NaN
    and for a maximum that is not finite.
    """
    if np.isnan(activations).any() or not np.isfinite(maximum):
        raise ValueError("the 0-10 scale has no level for NaN, nor an infinite maximum")
    if maximum <= 0:
        return np.zeros(activations.shape, np.uint8)
    scaled = (
        LEVELS * activations.astype(np.float64) / maximum
    )  # 10 * float32 is exact: each level begins at its tenth
    return np.floor(np.clip(scaled, 0, LEVELS)).astype(np.uint8)


def maximum_of(kind: ScaleMaximum, shown: Records, statistics: Statistics, polarity: Polarity) -> float:
    """What counts as 10, of the activation with the polarity's sign.

    `SHOWN`: the largest value in the records shown (0 with none). `ALL`: the largest in the explain split, never
    beyond it, since maxima come from `explain` alone.
    """
    if kind is ScaleMaximum.ALL:
        return statistics.explain_maximum if polarity is Polarity.POSITIVE else -statistics.explain_minimum
    if not len(shown):
        return 0.0
    return float((polarity.sign * shown.activations).max())
