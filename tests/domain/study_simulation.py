"""Studies whose truth is known: ratings of methods from variance components, many studies at once."""

from typing import NamedTuple

import numpy as np

from app.domain.neurons import Float64, Int32
from app.domain.study_answers import Blocks

MEANS = np.array([3.0, 3.2, 3.2, 3.5, 2.6])  # [M] of five methods


class Components(NamedTuple):
    """Standard deviations."""

    rater: float = 0.5
    neuron: float = 0.4
    method_neuron: float = 0.4
    method_rater: float = 0.2
    residual: float = 0.7


USUAL = Components()


class Studies(NamedTuple):
    """S studies of one design."""

    values: Float64  # [B, M, S]
    raters: Int32  # [B]
    neurons: Int32  # [B]
    these: Float64  # [M, S] what raters like these would give on average, were there endless neurons


def design(raters: int, neurons: int, nested: bool = False) -> tuple[Int32, Int32]:
    """Every rater has every neuron, or each neuron one rater."""
    if nested:
        every = np.arange(neurons, dtype=np.int32)
        return every % np.int32(raters), every
    rater, neuron = np.mgrid[:raters, :neurons].astype(np.int32)
    return rater.ravel(), neuron.ravel()


def simulate(
    raters: Int32, neurons: Int32, studies: int, seed: int, means: Float64 = MEANS,
    sd: Components = USUAL, rounded: bool = False,
) -> Studies:  # fmt: skip
    """Normal effects, drawn anew for every study; `rounded` to whole numbers from 1 to 5, as people rate."""
    rng = np.random.default_rng(seed)
    r, g, m = int(raters.max()) + 1, int(neurons.max()) + 1, len(means)

    def drawn(scale: float, *shape: int) -> Float64:
        return scale * rng.standard_normal((*shape, studies), np.float32)

    rater = drawn(sd.rater, r)[:, None] + drawn(sd.method_rater, r, m) + means[:, None]  # [R, M, S]
    neuron = drawn(sd.neuron, g)[:, None] + drawn(sd.method_neuron, g, m)  # [G, M, S]
    values = rater[raters] + neuron[neurons] + drawn(sd.residual, len(raters), m)  # [B, M, S]
    if not rounded:
        return Studies(values, raters, neurons, rater[raters].mean(0))
    noise = np.sqrt(sd.neuron**2 + sd.method_neuron**2 + sd.residual**2)
    return Studies(
        np.clip(np.rint(values), 1, 5), raters, neurons, mean_rounded(rater, noise)[raters].mean(0)
    )


def mean_rounded(centres: Float64, sd: float) -> Float64:
    """The mean of a normal value that is rounded and clipped to 1..5: 1 + sum over c of P(value > c), c = 1.5 .. 4.5."""
    from scipy.stats import norm

    return 1 + sum(norm.sf((cut - centres) / sd) for cut in (1.5, 2.5, 3.5, 4.5))


def study(studies: Studies, which: int = 0) -> Blocks:
    """One of them."""
    names = tuple(f"method {m}" for m in range(studies.values.shape[1]))
    return Blocks(names, studies.raters, studies.neurons, studies.values[:, :, which].astype(np.float64))
