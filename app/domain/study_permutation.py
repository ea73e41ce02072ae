"""The primary analysis: differences between methods within blocks, tested by swapping labels, adjusted by Holm."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.domain.report_statistics import FLIPS, holm, sign_flip
from app.domain.study_answers import Blocks
from app.domain.study_intervals import DRAWS, Interval, interval, sums_by

_ROUNDING = 1e-9


class Contrast(NamedTuple):
    """The first method minus the second, over the blocks that have both."""

    first: int  # places in the names
    second: int
    difference: Interval
    first_mean: float | None = None  # over those blocks
    second_mean: float | None = None
    p: float | None = None  # two-sided; None below two neurons
    p_holm: float | None = None  # adjusted over all contrasts that were asked for
    draws: int = 0  # ways to swap that were tried
    exact: bool = False  # they are all there are
    raters_for: int = 0  # raters whose own difference is above 0, of difference.raters
    raters_against: int = 0


def contrasts(
    blocks: Blocks,
    pairs: Sequence[tuple[int, int]],
    seed: int = 0,
    draws: int = DRAWS,
    swaps: int = FLIPS,
) -> tuple[Contrast, ...]:
    """Each pair of methods (places in the names), adjusted over all of them. Raises ValueError for a pair of one, or asked for twice.

    Give exactly the registered pairs: what could not be computed counts as one of the family all the same.
    """
    if any(a == b for a, b in pairs) or len({frozenset(pair) for pair in pairs}) < len(pairs):
        raise ValueError("a contrast is of two methods, and asked for once")
    found = [_contrast(blocks, a, b, seed, draws, swaps) for a, b in pairs]
    adjusted = holm([each.p for each in found])
    return tuple(each._replace(p_holm=p) for each, p in zip(found, adjusted, strict=True))


def _contrast(blocks: Blocks, first: int, second: int, seed: int, draws: int, swaps: int) -> Contrast:
    """What may be swapped under the null decides the test.

    That two methods explain a neuron equally well says nothing of the two texts at hand: one is a better text than the other, and
    every rater of the neuron sees so. The labels of a neuron's two texts are exchangeable, those of single blocks are not. So the swap
    is drawn once for a neuron and done in all its blocks; where raters share no neurons that is once a block. Swapping block by block
    would take five raters' view of one text for five independent texts.

    The sum of the differences over a neuron's blocks changes its sign, so this is the sign-flip test of those sums: exact up to 13
    neurons, else (1 + as far) / (1 + draws) (Phipson & Smyth 2010). Ernst 2004, Statistical Science 19(4), section 3 (paired
    designs); Edgington & Onghena 2007, Randomization Tests, chapter 6. Raters are not drawn: it speaks of these raters.
    """
    d = blocks.values[:, first] - blocks.values[:, second]  # [B]
    both = ~np.isnan(d)
    d, raters, neurons = d[both], blocks.raters[both], blocks.neurons[both]
    between = interval(d, raters, neurons, seed, draws)
    if not len(d):
        return Contrast(first, second, between)
    p, tried, exact = sign_flip(sums_by(d, neurons), seed, swaps)
    by_rater = sums_by(d, raters)
    return Contrast(
        first,
        second,
        between,
        float(blocks.values[both, first].mean()),
        float(blocks.values[both, second].mean()),
        p,
        None,
        tried,
        exact,
        int((by_rater > _ROUNDING).sum()),
        int((by_rater < -_ROUNDING).sum()),
    )
