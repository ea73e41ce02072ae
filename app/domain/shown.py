"""What of a neuron's records an explainer is shown: limits of the options, and windows around the strongest token."""

from dataclasses import replace

import numpy as np

from app.domain.explanations import Band, ShownOptions
from app.domain.neurons import EXCERPT_TOKENS, Polarity, Records
from app.errors import BadInput

MOST_EXCERPTS = 20
_OF_MAXIMA = (Band.Q1, Band.Q2, Band.Q3, Band.Q4)


def demand_shown(shown: ShownOptions, polarity: Polarity) -> None:
    """Raise BadInput for options that no neuron fits."""
    if not 1 <= shown.excerpts <= MOST_EXCERPTS:
        raise BadInput(f"An explainer is shown 1 to {MOST_EXCERPTS} excerpts, not {shown.excerpts}.")
    if not 1 <= shown.tokens <= EXCERPT_TOKENS:
        raise BadInput(f"An excerpt is shown with 1 to {EXCERPT_TOKENS} tokens, not {shown.tokens}.")
    if polarity is Polarity.NEGATIVE and shown.band in _OF_MAXIMA:
        raise BadInput(
            f"The band {shown.band} is one of the excerpt's largest activation, which says nothing of the negative side: "
            "choose top, random or mixed."
        )


def windows(records: Records, polarity: Polarity, tokens: int) -> Records:
    """Each record [R, T] cut to `tokens` around its strongest token, the earliest of equals: [R, min(tokens, T)].

    The strongest token stands in the middle, but where the excerpt begins or ends. What counts as strongest is
    `polarity.sign * activation`; values that do not count must have been taken out before.
    """
    width = records.tokens.shape[1]
    if tokens >= width:
        return records
    peaks = (polarity.sign * records.activations).argmax(1)  # [R]
    starts = np.clip(peaks - (tokens - 1) // 2, 0, width - tokens)  # [R]
    columns = starts[:, None] + np.arange(tokens)  # [R, tokens]
    return replace(
        records,
        tokens=np.take_along_axis(records.tokens, columns, 1),
        activations=np.take_along_axis(records.activations, columns, 1),
        gates=None if records.gates is None else np.take_along_axis(records.gates, columns, 1),
    )
