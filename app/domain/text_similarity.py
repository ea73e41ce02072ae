"""How alike two statements of one neuron are, by sentence embeddings, beside what chance gives (AdaCS of LEE, section 4).

The chance floor of a statement is its mean similarity to the reference statements of *other* neurons: two statements about
anything share their form, so that a similarity means nothing without it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.bootstrap import MIN_UNITS, interval, poisson_weights
from app.domain.hashing import priority
from app.domain.neurons import Float64

FEWEST_OTHERS = 10  # neurons behind a chance floor; with fewer there is no score
MOST_OTHERS = 200  # of a single score's floor; tables take all
DRAWS = 1000
EMBEDDER = "embedder"  # how scores name who compared

Owners = NDArray[np.int64]


@dataclass(frozen=True)
class SimilarityOptions:
    """What a person may choose when an explanation is to be compared with another one of its neuron."""

    reference: int  # the other explanation
    seed: int = 0  # of the other neurons behind the floor


class Summary(NamedTuple):
    """Neurons of one method against the reference."""

    neurons: int
    similarity: float  # mean over neurons
    floor: float  # mean chance floor of the same statements
    difference: float
    low: float | None  # 95 % bootstrap of neurons, of the difference; none with fewer than two
    high: float | None


def cosine(first: Float64, second: Float64) -> Float64:
    """Row by row, [N] of unit vectors [N, D] twice."""
    found: Float64 = np.einsum("nd,nd->n", first, second)
    return found


def floors(statements: Float64, owners: Owners, references: Float64, of: Owners) -> Float64:
    """Mean similarity of each statement [N, D] to the references [R, D] of other neurons, [N]; NaN where there is no other.

    `owners` [N] and `of` [R] number the neurons. Over all of them, exactly: a sum of cosines is one product.
    """
    if not len(of):
        return np.full(len(owners), np.nan)
    neurons, place = np.unique(of, return_inverse=True)
    sums = np.zeros((len(neurons), references.shape[1]))  # [U, D]
    np.add.at(sums, place, references)
    at = np.minimum(np.searchsorted(neurons, owners), len(neurons) - 1)  # [N]
    mine = neurons[at] == owners
    own = np.where(mine, cosine(statements, sums[at]), 0.0)  # [N]
    others = len(of) - np.where(mine, np.bincount(place)[at], 0)  # [N]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Float64 = np.where(others > 0, (statements @ references.sum(0) - own) / others, np.nan)
    return found


def by_neuron(values: Float64, owners: Owners) -> tuple[Owners, Float64]:
    """(neurons [U], mean of each neuron's values [U]): a neuron counts once, however often it was explained."""
    neurons, place = np.unique(owners, return_inverse=True)
    return neurons, np.bincount(place, values, len(neurons)) / np.bincount(place, minlength=len(neurons))


def summary(similarities: Float64, chance: Float64, owners: Owners, seed: int = 0) -> Summary:
    """Means over neurons of values per statement [N], and how sure their difference is. ValueError for none.

    The same neuron has the same weight in each draw, whatever the method, so that methods can be compared.
    """
    if not len(similarities):
        raise ValueError("no statement to compare")
    neurons, found = by_neuron(similarities, owners)
    _, floor = by_neuron(chance, owners)
    weights = poisson_weights(seed, neurons, DRAWS)  # [U, B]
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = (found - floor) @ weights / weights.sum(0)  # [B]
    low, high = interval(drawn) if len(neurons) >= MIN_UNITS else (np.nan, np.nan)
    return Summary(
        len(neurons),
        float(found.mean()),
        float(floor.mean()),
        float((found - floor).mean()),
        None if np.isnan(low) else float(low),
        None if np.isnan(high) else float(high),
    )


def some(ids: Owners, seed: int, n: int = MOST_OTHERS) -> Owners:
    """At most n of these ids, each as likely, in rising order; the same for the same seed."""
    return np.sort(ids[np.argsort(priority(seed, ids, np.zeros_like(ids)), kind="stable")[:n]])
