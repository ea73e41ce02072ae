"""Above which activation a token counts as highly activating in `summary`, `highlight` and `hs` (LEE)."""

import numpy as np

from app.domain.explanations import CutOff
from app.domain.neurons import Polarity, Records, Statistics
from app.errors import BadInput

SHOWN_QUANTILE = 0.9


def cut_off(kind: CutOff, records: Records, statistics: Statistics, polarity: Polarity) -> float:
    """The cut-off to hold `polarity.sign * activation` against (active: strictly above it).

    `records` are the records shown, needed by `SHOWN_Q90` alone (numpy's linear quantile over all their tokens).
    Raises BadInput where this kind does not exist: no quantile of the excerpt's *minimum* is collected, so
    `EXCERPT_MAX_Q99` has no negative side; and `SHOWN_Q90` of no record.
    """
    if kind is CutOff.SHOWN_Q90:
        if not records.activations.size:
            raise BadInput("The cut-off shown_q90 needs records, and this neuron has none to show.")
        shown = (polarity.sign * records.activations).astype(np.float64)
        return float(np.quantile(shown, SHOWN_QUANTILE))
    if kind is CutOff.TOKEN_Q99:
        return statistics.token_q99 if polarity is Polarity.POSITIVE else -statistics.token_q01
    if polarity is Polarity.NEGATIVE:
        raise BadInput("The cut-off excerpt_max_q99 exists for positive activations only: choose token_q99.")
    return statistics.excerpt_max_q99
