"""Scores on the augmented set (BILLS, "Revising explanations"): held-out records and sentences made to test a statement.

Records and sentences differ in length, so that every token is a row of its own: metrics go over all tokens of all of them,
one after another, each counting once. The bootstrap draws documents within the two strata of records and sentences within
the stratum of sentences, whole; an interval says how far the score would move with other sentences of their kind.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.domain import binary_metrics
from app.domain.bootstrap import units
from app.domain.explanations import Protocol, Sample, ScoreValue
from app.domain.neurons import Float32, Int32, Polarity, Records, Statistics
from app.domain.protocols import STRATUM_RANDOM, STRATUM_STRONG
from app.domain.scoring import Table, fit_dev, score_table

STRATUM_GENERATED = 2
_STRATA = (STRATUM_STRONG, STRATUM_RANDOM, STRATUM_GENERATED)
_FIRST_UNIT = -(
    1 << 40
)  # sentences as units of the bootstrap, far from documents and from excerpts without one


class Predicted(NamedTuple):
    """A sentence with what the neuron did and what was predicted. T tokens."""

    actual: Float32  # [T] signed, as the model gave it
    expected: Float32  # [T] on the 0-10 scale


def score_augmented(
    actual: Records,
    strata: Int32,
    expected: Float32,
    sentences: Sequence[Predicted],
    revision: int,
    polarity: Polarity,
    dev: tuple[Records, Float32] | None,
    stats: Statistics,
    seed: int,
) -> tuple[ScoreValue, ...]:
    """Every computed metric on `heldout-5+5` records (`score_records` with `GENERATED`) and the sentences of a revision.

    `expected` [R, T] predicts the records. Calibration, cut, position 0 and states are those of `scoring.score`.
    """
    if expected.shape != actual.activations.shape or len(strata) != len(actual):
        raise ValueError(f"simulated {expected.shape} does not fit the records {actual.activations.shape}")
    if any(len(each.actual) != len(each.expected) for each in sentences):
        raise ValueError("a sentence was predicted with another number of tokens than it has")
    skip = int(stats.position0)
    rows = [(a[skip:], s[skip:]) for a, s in zip(actual.activations, expected, strict=True)]
    rows += [(each.actual[skip:], each.expected[skip:]) for each in sentences]
    lengths = [len(a) for a, _ in rows]
    drawn = [*units(actual.documents, actual.excerpts), *(_FIRST_UNIT - i for i in range(len(sentences)))]
    known = np.unique(actual.documents)
    table = Table(
        Protocol.GENERATED,
        Sample.GENERATED,
        polarity.sign * _column([a for a, _ in rows]),
        _column([s for _, s in rows]),
        np.repeat([*strata, *[STRATUM_GENERATED] * len(sentences)], lengths).astype(np.int32),
        _STRATA,
        np.ones(sum(lengths)),
        np.repeat(np.array(drawn, np.int64), lengths),
        int((known >= 0).sum()),
    )
    activity = binary_metrics.activity(stats, polarity)
    values = score_table(table, fit_dev(dev, polarity, stats, activity), activity, seed)
    told = {"revision": revision, "sentences": len(sentences)}
    return tuple(
        value._replace(
            n_records=len(rows),
            parameters_json=json.dumps(json.loads(value.parameters_json) | told, sort_keys=True),
        )
        for value in values
    )


def _column(rows: Sequence[Float32]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """All tokens below each other, float64 [N, 1]."""
    return np.concatenate(rows).astype(np.float64)[:, None]
