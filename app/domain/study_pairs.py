"""Davidson's model of pairs with ties: how strong each method is when two descriptions are compared."""

from typing import NamedTuple

import numpy as np

from app.domain.neurons import Float64
from app.domain.study_answers import Outcome, Pairs
from app.domain.study_logit import ALPHA, DRAWS, Strength, connected, fitted, strengths


class Davidson(NamedTuple):
    """Strengths of methods, and what else decides a pair.

    Not connected: some methods were never compared with others, even through a chain; the model then places them by its ridge alone,
    and strengths may only be compared within a part.
    """

    strengths: tuple[Strength, ...]  # in the order of the names
    ties: float | None = (
        None  # nu: 0 none; between equals a tie has probability nu / (nu + 2). None: there are no pairs
    )
    ties_low: float | None = None
    ties_high: float | None = None
    shown_first: float | None = None  # by how much the log strength of what is shown first is raised
    shown_first_low: float | None = None
    shown_first_high: float | None = None
    pairs: int = 0
    tied: int = 0
    neurons: int = 0
    connected: bool = True


def davidson(pairs: Pairs, alpha: float = ALPHA, seed: int = 0, draws: int = DRAWS) -> Davidson:
    """P(i) : P(j) : P(tie) = pi_i : pi_j : nu sqrt(pi_i pi_j), strength log pi.

    Davidson 1970, Journal of the American Statistical Association 65(329), section 2. What is shown first has its pi multiplied by
    exp(shown_first / 2), the other divided by it (Davidson & Beaver 1977, Biometrics 33(4)). Maximum a posteriori with the ridge
    alpha on strengths, log nu and shown_first. Intervals: percentiles of the bootstrap over neurons, for these raters.
    """
    m = len(pairs.names)
    features, by_neuron = _sets(pairs)
    compared = np.concatenate([pairs.first, pairs.second])  # [2N]
    times = np.bincount(compared, np.tile(pairs.weight, 2), m).astype(np.float64)  # [M]
    if not len(pairs.outcomes):
        return Davidson(tuple(Strength(name) for name in pairs.names))
    found = fitted(features, by_neuron, alpha, seed, draws)
    together = np.zeros((m, m), bool)
    together[pairs.first, pairs.second] = together[pairs.second, pairs.first] = True

    def ends(place: int) -> tuple[float | None, float | None]:
        if found.low is None or found.high is None:
            return None, None
        return float(found.low[place]), float(found.high[place])

    low, high = ends(m)
    return Davidson(
        strengths(pairs.names, found, times),
        float(np.exp(found.theta[m])),
        None if low is None else float(np.exp(low)),
        None if high is None else float(np.exp(high)),
        float(found.theta[m + 1]),
        *ends(m + 1),
        pairs=round(float(pairs.weight.sum())),
        tied=round(float(pairs.weight[pairs.outcomes == Outcome.TIE].sum())),
        neurons=len(by_neuron),
        connected=connected(together),
    )


def _sets(pairs: Pairs) -> tuple[Float64, Float64]:
    """Features [C, 3, M + 2] of the sets (first method wins, second, tie) and counts by neuron [G, C, 3].

    A set is (method, method, which is shown first), the smaller number of the two methods first.
    """
    m = len(pairs.names)
    swapped = pairs.first > pairs.second
    a, b = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    side = np.where(pairs.first_shown_first != swapped, 1, -1)  # 1: a is shown first
    outcome = np.where(swapped, -pairs.outcomes, pairs.outcomes)
    sets, place = np.unique(np.stack([a, b, side], 1), axis=0, return_inverse=True)
    neurons, neuron = np.unique(pairs.neurons, return_inverse=True)
    features = np.zeros((len(sets), 3, m + 2))
    for row, (i, j, s) in enumerate(sets.tolist()):
        features[row, 0, [i, m + 1]] = 1, s / 2
        features[row, 1, [j, m + 1]] = 1, -s / 2
        features[row, 2, [i, j, m]] = 0.5, 0.5, 1
    counts = np.zeros((len(neurons), len(sets), 3))
    np.add.at(counts, (neuron, place.reshape(-1), np.array([2, 0, 1])[outcome]), pairs.weight)
    return features, counts
