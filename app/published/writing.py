"""Values -> JSON as it was published: what `records`, `simulations` and `relations` read, in their canonical form."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
import orjson

from app.domain.neurons import PUBLISHED_BANDS, Float64, Kind, UInt8
from app.domain.published import SCORES, STATISTICS, RelationKind
from app.published.relations import SIDES


def neuron_record(
    layer: int,
    neuron: int,
    statistics: tuple[float, float, float, float],
    boundaries: tuple[float, float, float, float],
    kinds: UInt8,
    tokens: Sequence[Sequence[str]],
    activations: Float64,
) -> dict[str, Any]:
    """A `NeuronRecord`. `kinds` [R], `tokens` R lists, `activations` [R, T]."""
    values = activations.tolist()

    def of(kind: Kind) -> list[dict[str, Any]]:
        return [
            {"dataclass_name": "ActivationRecord", "tokens": list(tokens[r]), "activations": values[r]}
            for r in np.flatnonzero(kinds == kind).tolist()
        ]

    bands = [of(kind) for kind in PUBLISHED_BANDS]
    return {
        "dataclass_name": "NeuronRecord",
        "neuron_id": _place(layer, neuron),
        "random_sample": of(Kind.RANDOM),
        "random_sample_by_quantile": bands if any(bands) else [],
        "quantile_boundaries": [] if all(map(isnan, boundaries)) else [_or_null(x) for x in boundaries],
        **{name: _or_null(value) for name, value in zip(STATISTICS, statistics, strict=True)},
        "most_positive_activation_records": of(Kind.TOP),
    }


def scored_explanation(
    text: str,
    scores: Sequence[float | None],
    tokens: Sequence[Sequence[str]],
    expected: Float64 | None,
    actual: Float64 | None,
    uncalibrated: Float64 | None,
    scale: str,
) -> dict[str, Any]:
    """A `ScoredExplanation` with what was simulated for R excerpts; distributions over values are not kept, and not written."""
    sequences = []
    if expected is not None and actual is not None:
        for r, words in enumerate(tokens):
            inner = _simulation(words, expected, r, scale)
            if uncalibrated is not None:
                before = _simulation(words, uncalibrated, r, "simulated_normalized_activations")
                inner["uncalibrated_simulation"] = before
            sequences.append(
                {
                    "dataclass_name": "ScoredSequenceSimulation",
                    "simulation": inner,
                    "true_activations": actual[r].tolist(),
                }
            )
    given = {name: _or_null(x) for name, x in zip(SCORES, scores, strict=True) if x is not None}
    scored = {"dataclass_name": "ScoredSimulation", "scored_sequence_simulations": sequences, **given}
    return {
        "dataclass_name": "ScoredExplanation",
        "explanation": text,
        "scored_simulation": scored if sequences or given else None,
    }


def simulation_results(layer: int, neuron: int, explained: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A `NeuronSimulationResults` of scored explanations."""
    return {
        "dataclass_name": "NeuronSimulationResults",
        "neuron_id": _place(layer, neuron),
        "scored_explanations": list(explained),
    }


def relation(kind: RelationKind, data: bytes) -> dict[str, Any]:
    """A table of related tokens or neurons, with the names of its dataclasses where it has any."""
    value: dict[str, Any] = orjson.loads(data)
    if kind is RelationKind.ACTIVATION_TOKENS:
        return {"dataclass_name": "TokenLookupTableSummaryOfNeuron", **value}
    if kind is RelationKind.WEIGHT_TOKENS:
        sides = {
            side: None if value[side] is None else {"dataclass_name": "TokensAndWeights", **value[side]}
            for side in SIDES
        }
        return {"dataclass_name": "WeightBasedSummaryOfNeuron", **sides}
    return value


def _simulation(words: Sequence[str], values: Float64, row: int, scale: str) -> dict[str, Any]:
    return {
        "dataclass_name": "SequenceSimulation",
        "tokens": list(words),
        "expected_activations": values[row].tolist(),
        "activation_scale": scale,
    }


def _place(layer: int, neuron: int) -> dict[str, Any]:
    return {"dataclass_name": "NeuronId", "layer_index": layer, "neuron_index": neuron}


def _or_null(value: float) -> float | None:
    return None if isnan(value) else value
