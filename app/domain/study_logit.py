"""Strengths of methods from choices: a multinomial logit with a ridge, fitted to many draws of a study at once.

Of a set of alternatives a is taken with probability exp(f_a . theta) / sum over the set of exp(f . theta). Davidson's model of ties and
Luce's choice of the best are both of this form, which makes the log-likelihood concave.
"""

from typing import NamedTuple

import numpy as np

from app.domain.neurons import Bool, Float64
from app.domain.report_statistics import CONFIDENCE

DRAWS = 500
ALPHA = 0.01  # of the ridge on every parameter: alpha * theta^2, a normal prior with variance 1 / (2 alpha)
_STEPS = 100
_CLOSE = 1e-9  # of a parameter
_HALVINGS = 40


class Strength(NamedTuple):
    """A method by a model of choices, from most to nothing known of it."""

    name: str
    strength: float | None = None  # natural log, mean 0 over the methods; None: it was never compared
    low: float | None = None  # 95 % percentile interval of the bootstrap over neurons; None below two
    high: float | None = None
    share: float | None = None  # how often it would be the best of all methods that were compared
    times: int = 0  # comparisons or choices that it was in; of a comparison, its share where other methods had the same text


def fit(features: Float64, counts: Float64, alpha: float = ALPHA) -> Float64:
    """The maximum a posteriori parameters of each of D data sets, [D, P].

    `features` [C, A, P] of the A alternatives of C sets, NaN where a set has fewer; `counts` [D, C, A], how often each was taken.
    Newton's method with step halving on a strictly concave function; the ridge (as in `choix`) lets separated data converge and
    gives parameters without data the value 0. Raises ValueError for an alpha that is not above 0.
    """
    if not alpha > 0:
        raise ValueError(f"a ridge is above 0, not {alpha}")
    there: Bool = np.asarray(~np.isnan(features).any(2))  # [C, A]
    f = np.where(there[:, :, None], features, 0.0)  # [C, A, P]
    totals = counts.sum(2)  # [D, C]
    taken = np.einsum("dca,cap->dp", counts, f)  # [D, P]
    theta = np.zeros_like(taken)
    value, chances = _objective(theta, f, there, totals, taken, alpha)
    for _ in range(_STEPS):
        expected = np.einsum("dc,dca,cap->dp", totals, chances, f, optimize=True)
        gradient = taken - expected - 2 * alpha * theta  # [D, P]
        centres = np.einsum("dca,cap->dcp", chances, f)  # [D, C, P]
        hessian = np.einsum("dc,dca,cap,caq->dpq", totals, chances, f, f, optimize=True)
        hessian -= np.einsum("dc,dcp,dcq->dpq", totals, centres, centres, optimize=True)
        hessian += 2 * alpha * np.eye(f.shape[2])
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]  # [D, P]
        for _ in range(_HALVINGS):
            further, chances = _objective(theta + step, f, there, totals, taken, alpha)
            worse = further < value - 1e-12 * np.abs(value)
            if not worse.any():
                break
            step[worse] /= 2
        theta, value = theta + step, further
        if np.abs(step).max(initial=0.0) < _CLOSE:
            break
    found: Float64 = theta
    return found


def _objective(
    theta: Float64, f: Float64, there: Bool, totals: Float64, taken: Float64, alpha: float
) -> tuple[Float64, Float64]:
    """Log-likelihood less the ridge, [D], and the chances of the alternatives, [D, C, A]."""
    utility = np.where(there, np.einsum("cap,dp->dca", f, theta), -np.inf)
    highest = utility.max(2, keepdims=True)
    weights = np.exp(utility - highest)
    normal = weights.sum(2, keepdims=True)
    logs = (highest + np.log(normal))[:, :, 0]  # [D, C]
    value = (taken * theta).sum(1) - (totals * logs).sum(1) - alpha * (theta**2).sum(1)
    return value, weights / normal


class Fitted(NamedTuple):
    """Parameters and their percentile intervals; the last two are None below two neurons."""

    theta: Float64  # [P]
    low: Float64 | None
    high: Float64 | None


def fitted(features: Float64, by_neuron: Float64, alpha: float, seed: int, draws: int) -> Fitted:
    """Fits of all data and of draws of neurons with replacement; `by_neuron` [G, C, A] counts."""
    theta = fit(features, by_neuron.sum(0)[None], alpha)[0]
    n = len(by_neuron)
    if n < 2:
        return Fitted(theta, None, None)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)  # [D, G]
    counts = (weights @ by_neuron.reshape(n, -1)).reshape(draws, *by_neuron.shape[1:])  # [D, C, A]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(fit(features, counts, alpha), (tail, 1 - tail), axis=0)
    return Fitted(theta, low, high)


def strengths(names: tuple[str, ...], found: Fitted, times: Float64) -> tuple[Strength, ...]:
    """Of the first M parameters; `times` [M], 0 where a method was never compared."""
    m = len(names)
    known = times > 0
    if not known.any():
        return tuple(Strength(name) for name in names)
    weights = np.where(known, np.exp(found.theta[:m] - found.theta[:m][known].max()), 0.0)
    shares = weights / weights.sum()
    return tuple(
        Strength(
            name,
            float(found.theta[i]),
            None if found.low is None else float(found.low[i]),
            None if found.high is None else float(found.high[i]),
            float(shares[i]),
            max(1, round(float(times[i]))),
        )
        if known[i]
        else Strength(name)
        for i, name in enumerate(names)
    )


def connected(together: Bool) -> bool:
    """Whether all methods that were compared at all were compared with each other through some chain; `together` [M, M]."""
    there = np.flatnonzero(together.any(1))
    if not len(there):
        return True
    reached = np.zeros(len(together), bool)
    reached[there[0]] = True
    for _ in there:
        reached |= together[reached].any(0)
    return bool(reached[there].all())
