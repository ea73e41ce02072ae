"""What a prompt shows of a neuron: excerpts with levels and with the tokens that count as highly activating."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.domain.cutoffs import cut_off
from app.domain.explanations import ExplainOptions
from app.domain.neurons import Records, Statistics
from app.domain.scale import levels, maximum_of
from app.domain.shown import windows
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput


@dataclass(frozen=True)
class Shown:
    """One excerpt as a prompt shows it. T tokens."""

    pieces: tuple[bytes, ...]  # [T]
    levels: tuple[int, ...]  # [T] 0-10
    active: tuple[bool, ...]  # [T] above the cut-off


@dataclass(frozen=True)
class Evidence:
    """All excerpts of one neuron, strongest first, and where their marks come from."""

    excerpts: tuple[Shown, ...]
    cut_off: float = (
        1.0  # in the neuron's units with the polarity's sign; in few-shot examples on the 0-10 scale
    )
    maximum: float = 10.0  # what level 10 begins to mean


def evidence(
    records: Records,
    statistics: Statistics,
    vocabulary: Vocabulary,
    options: ExplainOptions,
    *,
    uses_cut_off: bool = True,
) -> Evidence:
    """The evidence in these explain records [R, T], for either polarity, each cut to `options.shown.tokens`.

    Where position 0 is an outlier (`Statistics.position0`), its value is left out here as everywhere: it counts as 0.
    A cut-off below 0 counts as 0, since no token activates a neuron by a negative value; without `uses_cut_off` it
    is 0. Raises BadInput where there is no record, no value of this polarity, or no such cut-off for it.
    """
    if not len(records):
        raise BadInput("This neuron has no records of this polarity to explain it from.")
    if statistics.position0:
        activations = records.activations.copy()  # [R, T]
        activations[:, 0] = 0
        records = replace(records, activations=activations)
    records = windows(records, options.polarity, options.shown.tokens)
    maximum = maximum_of(options.scale_maximum, records, statistics, options.polarity)
    if maximum <= 0:
        side = "above" if options.polarity.sign > 0 else "below"
        raise BadInput(f"This neuron is never {side} 0 in its records: there is nothing to explain.")
    limit = 0.0
    if uses_cut_off:
        limit = max(limit, cut_off(options.cut_off, records, statistics, options.polarity))
    signed = (options.polarity.sign * records.activations).astype(np.float32)  # [R, T]
    return Evidence(
        _shown(records.tokens, levels(signed, maximum), signed > limit, vocabulary), limit, maximum
    )


def _shown(
    tokens: NDArray[np.int32], levels_: NDArray[np.uint8], active: NDArray[np.bool_], vocabulary: Vocabulary
) -> tuple[Shown, ...]:
    """Rows of [R, T] arrays as excerpts."""
    return tuple(
        Shown(tuple(vocabulary.pieces[i] for i in ids), tuple(numbers), tuple(above))
        for ids, numbers, above in zip(tokens.tolist(), levels_.tolist(), active.tolist(), strict=True)
    )
