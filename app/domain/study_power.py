"""How small a difference a study would find: power by simulation from variance components, before anyone has rated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float64
from app.domain.study_distributions import t_quantile

POWER = 0.8
_STUDIES = 4_000
_FEWEST = 400
_NUMBERS = 5_000_000  # drawn in all; larger studies are simulated fewer times
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Components:
    """Standard deviations of a rating, in its own units (points of the scale).

    What a rater or a neuron adds to all methods alike drops out of differences; it widens the intervals of means.
    """

    rater: float = 0.5  # how kind a rater is
    neuron: float = 0.5  # how easy a neuron is
    method_rater: float = 0.2  # how a rater's taste for a method differs from others'
    method_neuron: float = 0.5  # how good a method's text happens to be for a neuron
    residual: float = 0.8  # all else


@dataclass(frozen=True)
class Plan:
    """A study that is planned. Raises ValueError for what is no study."""

    neurons: int
    raters: int
    per_neuron: int  # raters that each neuron gets: all of them is crossed, 1 is nested
    contrasts: int = 1  # that are registered
    components: Components = Components()
    alpha: float = 0.05  # family-wise
    other_raters: bool = False  # the conclusion is to hold for raters who did not take part as well

    def __post_init__(self) -> None:
        c = self.components
        spreads = (c.rater, c.neuron, c.method_rater, c.method_neuron, c.residual)
        if self.neurons < 2 or self.raters < 1 or self.contrasts < 1:
            raise ValueError("a study has two neurons or more, a rater and a contrast")
        if not 1 <= self.per_neuron <= self.raters:
            raise ValueError(f"a neuron gets from 1 to {self.raters} raters, not {self.per_neuron}")
        if self.other_raters and self.raters < 2:
            raise ValueError("one rater says nothing of others")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is between 0 and 1, not {self.alpha}")
        if not all(0 <= each < float("inf") for each in spreads):
            raise ValueError("a standard deviation is a number from 0")


@dataclass(frozen=True, eq=False)
class Power:
    """What simulated studies found."""

    thresholds: Float64  # [S] ascending: the difference from which on each study would have found one; inf where none would
    alpha: float  # of a single contrast: alpha / contrasts
    blocks: int
    sd: float  # of a block's difference between two methods
    se: float  # of the mean difference, by theory

    def at(self, effect: float) -> float:
        """The share of studies that find a difference of this size, in its direction."""
        return float(np.searchsorted(self.thresholds, effect, side="right")) / len(self.thresholds)

    @property
    def detectable(self) -> float | None:
        """The smallest difference that is found with `POWER`; None where none would be, however large."""
        found = float(self.thresholds[int(np.ceil(POWER * len(self.thresholds))) - 1])
        return found if np.isfinite(found) else None


def power(plan: Plan, seed: int = 0, studies: int | None = None) -> Power:
    """Simulates the differences of two methods in every block, normal, and tests each study as the primary analysis would.

    A block's difference is effect + taste of the rater + text of the neuron + residual, each with twice its component's variance. It is
    tested at alpha / contrasts: what Holm asks of the smallest p value, so that power is that of any contrast whatever the others come
    to, or less. For these raters (the default) their tastes are centred, since the effect is their mean, and the sign-flip test of sums
    by neuron is stood in for by Student's t of them, which agrees with it closely but for very few neurons; with so few that not even
    all signs alike are rare enough (2 / 2^neurons above the level) nothing can be found. For other raters the test is t with the
    standard error clustered both ways, as in `study_intervals`.

    An effect only moves a study's mean, so each simulated study has one threshold from which on it would find it: power at any effect
    and the detectable one come from the same draws. Ratings are not rounded here, nor cut off at the ends of a scale.
    """
    c, n, k, r = plan.components, plan.neurons, plan.per_neuron, plan.raters
    b = n * k
    level = plan.alpha / plan.contrasts
    s = studies or max(_FEWEST, min(_STUDIES, _NUMBERS // b))
    taste, text, noise = (np.sqrt(2.0) * each for each in (c.method_rater, c.method_neuron, c.residual))
    rater = (np.arange(b) % r).reshape(n, k)  # [N, K] in turn
    share = np.bincount(rater.reshape(-1), minlength=r) / b  # [R] of the blocks
    df = (min(n, int((share > 0).sum())) if plan.other_raters else n) - 1
    impossible = (not plan.other_raters and 2.0 ** (1 - n) > level) or df < 1
    quantile = float("inf") if impossible else t_quantile(1 - level / 2, df)
    rng = np.random.default_rng(seed)
    thresholds = []
    step = max(1, _CHUNK // b)
    for start in range(0, s, step):
        size = min(step, s - start)
        tastes = taste * rng.standard_normal((size, r))  # [S, R]
        if not plan.other_raters:
            tastes -= (tastes @ share)[:, None]
        d = tastes[:, rater]  # [S, N, K]
        d += text * rng.standard_normal((size, n, 1))
        d += noise * rng.standard_normal((size, n, k))
        thresholds.append(quantile * _error(d, rater, r, plan.other_raters) - d.mean((1, 2)))
    found = np.full(s, np.inf) if impossible else np.sort(np.concatenate(thresholds))
    between = taste**2 * float((share**2).sum()) if plan.other_raters else 0.0
    return Power(
        found,
        level,
        b,
        float(np.sqrt(taste**2 + text**2 + noise**2)),
        float(np.sqrt(between + text**2 / n + noise**2 / b)),
    )


def _error(d: Float64, rater: NDArray[np.integer], raters: int, both: bool) -> Float64:
    """Standard error of each study's mean, [S], of differences [S, N, K]."""
    s, n, k = d.shape
    b = n * k
    away = d - d.mean((1, 2), keepdims=True)
    by_neuron = (away.sum(2) ** 2).sum(1) * n / (n - 1) / b**2  # [S]
    if not both:
        return np.asarray(np.sqrt(by_neuron))
    whose = (rater.reshape(-1)[:, None] == np.arange(raters)).astype(np.float64)  # [N * K, R]
    whose = whose[:, whose.any(0)]
    there = whose.shape[1]
    by_rater = ((away.reshape(s, b) @ whose) ** 2).sum(1) * there / max(1, there - 1) / b**2
    by_block = (away**2).sum((1, 2)) * b / (b - 1) / b**2
    variance = np.maximum(by_neuron + by_rater - by_block, np.minimum(by_neuron, by_rater))
    return np.asarray(np.sqrt(variance))
