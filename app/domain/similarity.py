"""How alike neurons are by what they have in common: shared excerpts (Jaccard), and firing on the same tokens (cosine).

Neurons are numbers from 0 to N - 1. What they have is given the other way round: for each thing (an excerpt, a token) of one
neuron the neurons that have it too, so that only what is shared is ever looked at.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float32, Float64, Int32

Places = NDArray[np.intp]


def shared_counts(owners: Sequence[Int32], n: int) -> NDArray[np.int64]:
    """How many of one neuron's things each neuron has, [N]. `owners`: of each thing the neurons that have it, each once."""
    everyone = np.concatenate(owners) if owners else np.zeros(0, np.int32)
    return np.bincount(everyone, minlength=n).astype(np.int64)


def jaccard(shared: NDArray[np.integer], mine: int, theirs: NDArray[np.integer]) -> Float64:
    """Things in common over things that either has, [N]; 0 where neither has any."""
    either = mine + theirs.astype(np.int64) - shared
    found: Float64 = np.divide(shared, either, out=np.zeros(len(shared)), where=either > 0)
    return found


def norms(owners: Int32, weights: Float32, n: int) -> Float32:
    """The length of every neuron's vector, [N], from pairs of a neuron and one of its weights, [P] each."""
    squares = weights.astype(np.float64) ** 2
    return np.sqrt(np.bincount(owners, squares, minlength=n)).astype(np.float32)


def cosines(
    mine: Float32, owners: Sequence[Int32], weights: Sequence[Float32], lengths: Float32, length: float
) -> Float64:
    """The cosine of one neuron's vector with every neuron's, [N]; 0 where either has no weight.

    `mine` [K] are its weights; `owners` and `weights` say of each of the K things who else has it and with which weight;
    `lengths` [N] and `length` are of the whole vectors, so what is not shared counts against it.
    """
    products = np.zeros(len(lengths))
    for own, others, theirs in zip(mine.tolist(), owners, weights, strict=True):
        products += np.bincount(others, own * theirs.astype(np.float64), minlength=len(lengths))
    whole = lengths.astype(np.float64) * length
    found = np.divide(products, whole, out=np.zeros(len(lengths)), where=whole > 0)
    return np.clip(found, -1.0, 1.0)


def nearest(values: Float64, k: int, without: int = -1) -> Places:
    """The k neurons with the largest values above 0, largest first, equal ones by number; `without` is left out."""
    (there,) = np.nonzero(values > 0)
    there = there[there != without]
    if 0 < k < len(there):
        least = np.partition(values[there], len(there) - k)[len(there) - k]
        there = there[values[there] >= least]
    order = np.lexsort((there, -values[there]))
    chosen: Places = there[order][:k]
    return chosen
