"""How far scores differ when nothing but the seed does."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class SeedSpread(NamedTuple):
    """Scores of the same thing under several seeds."""

    groups: int  # things that have scores under more than one seed
    scores: int  # of them
    deviation: float  # standard deviation between seeds, pooled over the groups


def seed_spread(groups: Iterable[Sequence[float]]) -> SeedSpread | None:
    """`sqrt(sum_g sum_i (x_gi - mean_g)^2 / sum_g (n_g - 1))`; None where no group has two scores."""
    held = [np.asarray(group, np.float64) for group in groups if len(group) > 1]
    if not held:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in held)
    scores = sum(map(len, held))
    return SeedSpread(len(held), scores, float(np.sqrt(squares / (scores - len(held)))))
