"""LEE Table 5: the mean rating of each method and how often it is chosen as the best."""

from typing import NamedTuple

import numpy as np

from app.domain.neurons import Float64
from app.domain.report_statistics import Mean, mean
from app.domain.study_answers import Blocks, Choices


class MethodRow(NamedTuple):
    """One method's line. Spreads are standard errors over blocks, sd / sqrt(blocks).

    A standard error over blocks takes each block for independent evidence, though blocks share raters and neurons: it ignores
    clustering, and is given because published tables give it. `study_intervals` does not.
    """

    name: str
    rating: Mean  # over the blocks that rated it
    chosen: (
        Mean  # per cent of the blocks that offered it, 1/m of a choice for each of m methods behind a text
    )


def percent(choices: Choices) -> Float64:
    """Each method's share of each choice in per cent, [B, M]; NaN where it was not offered."""
    return np.where(choices.offered, 100 * choices.credit, np.nan)


def table(names: tuple[str, ...], ratings: Blocks | None, choices: Choices | None) -> tuple[MethodRow, ...]:
    """A line for each of the M names, in their order. What was not asked has n 0."""
    rows = []
    for place, name in enumerate(names):
        rated, chosen = Mean(), Mean()
        if ratings is not None:
            rated = mean(ratings.values[:, place])
        if choices is not None:
            chosen = mean(percent(choices)[:, place])
        rows.append(MethodRow(name, rated, chosen))
    return tuple(rows)
