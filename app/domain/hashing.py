"""Stable 64-bit hashes over arrays: samples that can be merged, repeated and taken apart in any order.

The mixing function is splitmix64 (Steele, Lea, Flood 2014), whose constants these are.
"""

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def mix(values: NDArray[np.integer]) -> UInt64:
    """splitmix64 of every value, any shape; integers of any type count modulo 2**64. A bijection."""
    return _mixed(np.asarray(values).astype(np.uint64))  # a copy


def _mixed(x: UInt64) -> UInt64:
    """`mix` in place."""
    with np.errstate(over="ignore"):  # wrapping is the arithmetic meant
        x += _GOLDEN
        x ^= x >> np.uint64(30)
        x *= _FIRST
        x ^= x >> np.uint64(27)
        x *= _SECOND
        x ^= x >> np.uint64(31)
    return x


def seed_word(seed: int) -> UInt64:
    """A seed of any size and sign as one mixed word, shape []."""
    return mix(np.array(seed & _MASK, np.uint64))


def priority(seed: int, a: NDArray[np.integer], b: NDArray[np.integer]) -> UInt64:
    """One hash for each pair, broadcast over `a` and `b`: the pairs with the smallest make a uniform sample.

    A pair's hash depends on (seed, a, b) alone, so samples of parts merge into the sample of the whole.
    Give `a` as [N, 1] and `b` as [1, E] for a table [N, E]; each side is mixed once before they meet.
    """
    return met(first_words(seed, a), mix(b))


def first_words(seed: int, a: NDArray[np.integer]) -> UInt64:
    """`priority`'s side of `a`, any shape: mixed twice, and `b` once, so that (a, b) and (b, a) differ."""
    return mix(mix(a) ^ seed_word(seed))


def met(first: UInt64, second: UInt64) -> UInt64:
    """`priority` of `first_words(seed, a)` and `mix(b)`, broadcast: for tables that are made piece by piece."""
    return _mixed(np.asarray(first ^ second))


def uniform(hashes: UInt64) -> NDArray[np.float64]:
    """Hashes as numbers in [0, 1), by their upper 53 bits."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
