"""Several statements of one neuron, of which the one that predicts its dev records best is kept.

The dev split is calibrated on as well, with two numbers; it is never scored on, so that a score stays held out.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from app.domain import metrics
from app.domain.explanations import State
from app.domain.neurons import Float32, Polarity, Records, Statistics
from app.domain.scoring import REASONS

KIND = "candidate"  # of the steps that tell what was tried
MOST_CANDIDATES = 20
_SUFFIX = re.compile(r"_best_of_[0-9]+$")


class OnDev(NamedTuple):
    """How well a statement predicts the dev records, or why that cannot be said."""

    state: State
    value: float | None  # correlation over all their tokens, of the polarity's sign
    reason: str
    records: int


def method_name(method: str, candidates: int) -> str:
    """What a method is stored as: `summary`, or `summary_best_of_5` where that many statements were made."""
    return method if candidates == 1 else f"{method}_best_of_{candidates}"


def single(method: str) -> str:
    """The method that a stored name is of: `summary` for `summary_best_of_5`."""
    return _SUFFIX.sub("", method)


def on_dev(dev: Records, expected: Float32, polarity: Polarity, statistics: Statistics) -> OnDev:
    """Pearson's correlation of `expected` [R, T] with the dev records' activations, each token counted once.

    Where position 0 is an outlier it is left out. No record, a value that is not finite, or nothing that varies on
    either side is a state. Raises ValueError where shapes do not fit.
    """
    if expected.shape != dev.activations.shape:
        raise ValueError(f"simulated {expected.shape} does not fit the records {dev.activations.shape}")
    first = int(statistics.position0)
    actual = polarity.sign * dev.activations[:, first:]  # [R, T] or [R, T - 1]
    if not actual.size:
        return OnDev(State.TOO_FEW_RECORDS, None, "There is no dev record to choose by.", 0)
    try:
        found = metrics.correlation(actual, expected[:, first:])
    except ValueError:
        return OnDev(State.FAILED, None, REASONS[State.FAILED], len(dev))
    if isinstance(found, State):
        return OnDev(found, None, REASONS[found], len(dev))
    return OnDev(State.OK, found, "", len(dev))


def best(scores: Sequence[OnDev | None]) -> int | None:
    """The place of the highest defined score, the first of equals; None where none is defined."""
    defined = [
        (i, score.value) for i, score in enumerate(scores) if score is not None and score.value is not None
    ]
    return max(defined, key=lambda each: each[1])[0] if defined else None
