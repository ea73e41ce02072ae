"""Where an explanation predicts a neuron and the neuron is silent.

A token is silent where the neuron is not above its activity threshold, the 0.99 quantile of its activations over tokens of the
explain split (DESIGN section 6). An excerpt's false positive is the highest prediction on any of its silent tokens; the worst
are the excerpts where that is highest. A calibration with a rising line keeps this order, so that predictions are compared
as they are, on the simulator's own scale.
"""

from typing import NamedTuple

import numpy as np

from app.domain.hashing import priority
from app.domain.neurons import Float32, Int32

SHOWN = 20  # worst excerpts that a search keeps
STRONGEST = 20  # of this many excerpts one counts among those predicted highest
_SALT = 0x66616C7365  # keeps the sample apart from others of the same seed


class Found(NamedTuple):
    """What one excerpt showed."""

    excerpt: int
    prediction: float | None  # its highest on a silent token; None where no token is silent
    token: int  # where
    peak: float  # its highest prediction anywhere
    active: bool  # the neuron is above its threshold somewhere


class Tally(NamedTuple):
    """How often the neuron is silent throughout an excerpt, and how often where it is predicted most."""

    examined: int
    silent: int
    strongest: int  # excerpts predicted highest: one of `STRONGEST`
    strongest_silent: int


def sample(excerpts: Int32, n: int, seed: int) -> Int32:
    """`n` of these excerpts, or all there are: those of the smallest hash, in that order, so that more begin with the same."""
    order = np.argsort(priority(seed, np.array([_SALT]), excerpts.astype(np.int64)), kind="stable")
    return excerpts[order[:n]]


def examine(
    excerpts: Int32, predicted: Float32, actual: Float32, above: float, *, position0: bool
) -> list[Found]:
    """What each excerpt [R] showed: predictions [R, T] and activations [R, T], both of the explained sign.

    With `position0` the first token counts for nothing, as in scores.
    """
    first = int(position0)
    silent = actual[:, first:] <= above  # [R, T']
    counted = predicted[:, first:].astype(np.float64)  # [R, T']
    on_silent = np.where(silent, counted, -np.inf)
    at = on_silent.argmax(-1)  # [R]
    return [
        Found(
            int(excerpt),
            float(on_silent[r, at[r]]) if silent[r].any() else None,
            int(at[r]) + first,
            float(counted[r].max()),
            bool((~silent[r]).any()),
        )
        for r, excerpt in enumerate(excerpts)
    ]


def worst(found: list[Found], n: int = SHOWN) -> list[Found]:
    """The excerpts with the highest predictions on silent tokens, highest first; equal ones in order of excerpts."""
    there = [each for each in found if each.prediction is not None]
    return sorted(there, key=lambda each: (-(each.prediction or 0.0), each.excerpt))[:n]


def tally(found: list[Found]) -> Tally:
    """Counted over everything examined."""
    ranked = sorted(found, key=lambda each: (-each.peak, each.excerpt))
    strongest = ranked[: -(-len(found) // STRONGEST)]
    return Tally(
        len(found),
        sum(not each.active for each in found),
        len(strongest),
        sum(not each.active for each in strongest),
    )
