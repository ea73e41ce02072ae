"""What Bills et al. published of one neuron, as values: read by `published`, kept by `store`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from app.domain.exact_values import ValueForm
from app.domain.neurons import Float64

DIGEST_BYTES = 16
MARK_BYTES = 8
STATISTICS = ("mean", "variance", "skewness", "kurtosis")
SCORES = ("ev_correlation_score", "rsquared_score", "absolute_dev_explained_score")


def digest_of(tokens: Sequence[str]) -> bytes:
    """What stands for an excerpt: 16 bytes, equal for equal tokens and for no others."""
    lengths = np.fromiter(map(len, tokens), "<u4", len(tokens)).tobytes()
    text = "".join(tokens).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(lengths + text, digest_size=DIGEST_BYTES).digest()


@dataclass(frozen=True, eq=False)
class NeuronRecord:
    """One neuron's activations. R records of T tokens, ordered by kind, and within a kind as published."""

    neuron: int
    statistics: tuple[float, float, float, float]  # STATISTICS, NaN where undefined
    boundaries: tuple[float, float, float, float]  # of the excerpt's maximum; NaN where not given
    kinds: bytes  # [R] Kind
    digests: bytes  # [R] of DIGEST_BYTES: the excerpts
    form: ValueForm
    block: bytes  # [R, T] in that form
    maximum: float
    minimum: float
    width: int  # T
    mark: bytes  # MARK_BYTES: equal for files that say the same


@dataclass(frozen=True, eq=False)
class PublishedSimulation:
    """What was predicted for R excerpts of T tokens, beside what the neuron did there."""

    digests: tuple[bytes, ...]  # [R] of the excerpts
    expected: Float64  # [R, T]
    actual: Float64  # [R, T]
    uncalibrated: Float64 | None  # [R, T]
    scale: str  # units of `expected`: neuron_activations or simulated_normalized_activations; empty: not told


@dataclass(frozen=True, eq=False)
class Explained:
    """One published explanation."""

    text: str  # as published, with its leading space
    scores: tuple[float, float, float]  # SCORES, NaN where undefined or not given
    given: tuple[bool, bool, bool]  # which of them the file has at all, be it as null
    simulation: PublishedSimulation | None


@dataclass(frozen=True, eq=False)
class Results:
    """One file of explanations."""

    neuron: int
    explained: tuple[Explained, ...]
    baselines: int  # entries that hold a baseline (a token table) instead of a text


class RelationKind(IntEnum):
    """Tables that belong to a neuron; the numbers are stored and must never change their meaning."""

    ACTIVATION_TOKENS = 0
    WEIGHT_TOKENS = 1
    WEIGHT_NEURONS = 2
    SENTENCES = 3  # of a puzzle: of any length, with activations that its author made up


class Relation(NamedTuple):
    """One such table, as JSON of a fixed form (see app/published/relations.py and app/exchange/sentences.py)."""

    neuron: int
    data: bytes
