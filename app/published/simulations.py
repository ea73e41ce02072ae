"""`NeuronSimulationResults`: published explanations of a neuron, what was simulated from them, and their scores."""

from typing import Any

from app.domain.published import SCORES, Explained, PublishedSimulation, Results
from app.published.excerpts import Seen
from app.published.reading import (
    Unreadable,
    as_dict,
    check_place,
    first,
    load,
    number,
    numbers,
    words,
)

MOST_LINES = 1000


def parse(data: bytes, layer: int, neuron: int, seen: Seen) -> Results:
    """A file of one or more lines. Unreadable, for the whole file, with the reason why it cannot be used."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not lines:
        raise Unreadable("is empty")
    if len(lines) > MOST_LINES:
        raise Unreadable(f"has {len(lines)} lines")
    explained: list[Explained] = []
    baselines = 0
    for line in lines:
        holder = as_dict(load(line), "a NeuronSimulationResults", "NeuronSimulationResults")
        check_place(holder, layer, neuron)
        entries = first(holder, "scored_explanations", "scored_explanation_or_baseline_list")
        if not isinstance(entries, list):
            raise Unreadable("has no list of scored explanations")
        for entry in entries:
            scored = as_dict(entry, "a ScoredExplanation", "ScoredExplanation", "ScoredExplanationOrBaseline")
            said = first(scored, "explanation", "explanation_or_baseline")
            if not isinstance(said, str):
                baselines += 1
                continue
            if not said.strip():
                raise Unreadable("has an explanation without a word")
            explained.append(_explained(said, scored.get("scored_simulation"), seen))
    if not explained and not baselines:
        raise Unreadable("has no explanation")
    return Results(neuron, tuple(explained), baselines)


def _explained(text: str, value: object, seen: Seen) -> Explained:
    if value is None:
        return Explained(text, (float("nan"),) * 3, (False,) * 3, None)
    scored = as_dict(value, "a ScoredSimulation", "ScoredSimulation")
    a, b, c = (_score(scored.get(name), name) for name in SCORES)
    x, y, z = (name in scored for name in SCORES)
    sequences = scored.get("scored_sequence_simulations") or []
    if not isinstance(sequences, list):
        raise Unreadable("has something else where simulations should be")
    return Explained(text, (a, b, c), (x, y, z), _simulation(sequences, seen) if sequences else None)


def _score(value: object, name: str) -> float:
    """A score; what is not finite is undefined."""
    return float("nan") if value in (float("inf"), float("-inf")) else number(value, name)


def _simulation(sequences: list[Any], seen: Seen) -> PublishedSimulation:
    tokens: list[list[str]] = []
    expected: list[Any] = []
    actual: list[Any] = []
    raw: list[Any] = []
    scales: set[str] = set()
    for value in sequences:
        sequence = as_dict(value, "a ScoredSequenceSimulation", "ScoredSequenceSimulation")
        inner = as_dict(
            first(sequence, "simulation", "sequence_simulation"),
            "a SequenceSimulation",
            "SequenceSimulation",
        )
        tokens.append(words(inner.get("tokens")))
        expected.append(inner.get("expected_activations"))
        actual.append(first(sequence, "true_activations"))
        scales.add(str(inner.get("activation_scale") or ""))
        before = inner.get("uncalibrated_simulation")
        if before is not None:
            raw.append(
                as_dict(before, "a SequenceSimulation", "SequenceSimulation").get("expected_activations")
            )
    width = len(tokens[0])
    if not width or any(len(row) != width for row in tokens):
        raise Unreadable("has simulations of different numbers of tokens")
    if len(scales) > 1:
        raise Unreadable("has simulations on different scales")
    return PublishedSimulation(
        tuple(seen.digest(row) for row in tokens),
        numbers(expected, width, "expected activations"),
        numbers(actual, width, "true activations"),
        numbers(raw, width, "uncalibrated activations") if len(raw) == len(sequences) else None,
        scales.pop(),
    )
