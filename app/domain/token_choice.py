"""Which tokens stand for a neuron where an explainer sees tokens alone, and no text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float32, Int32

TOP = 100  # LEE: 50 of the neuron's top 100 tokens
SHOWN = 50


class ChosenTokens(NamedTuple):
    """Tokens of one neuron, strongest first."""

    ids: Int32  # [n]
    values: Float32  # [n] of the polarity's sign, all above 0
    among: int  # so many tokens are above 0 on this side, `TOP` at most


def strongest(values: NDArray[np.floating], ids: NDArray[np.integer], n: int = TOP) -> ChosenTokens:
    """The n tokens with the highest `values` [V] above 0; of equal ones the lower id first. May be fewer, or none."""
    above = np.flatnonzero(values > 0)
    order = above[np.lexsort((ids[above], -values[above]))][:n]
    return ChosenTokens(ids[order].astype(np.int32), values[order].astype(np.float32), len(order))


def drawn(top: ChosenTokens, seed: int, n: int = SHOWN) -> ChosenTokens:
    """n of them drawn by `seed`, in their order; all where there are no more."""
    if len(top.ids) <= n:
        return top
    places = np.sort(np.random.default_rng(seed).choice(len(top.ids), n, replace=False))
    return ChosenTokens(top.ids[places], top.values[places], top.among)
