"""Published data written again, in the form in which it was published: a file a neuron below a folder."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from app.domain.neurons import Int32
from app.domain.published import RelationKind
from app.errors import BadInput
from app.published import layout, writing
from app.published.layout import Files, What
from app.store import Session, Store, imported_neurons, models, published_reading

CHUNK = 128  # neurons

_RELATIONS = {
    layout.ACTIVATION_TOKENS: RelationKind.ACTIVATION_TOKENS,
    layout.WEIGHT_TOKENS: RelationKind.WEIGHT_TOKENS,
    layout.WEIGHT_NEURONS: RelationKind.WEIGHT_NEURONS,
}


class Written(NamedTuple):
    """One file."""

    files: Files
    neuron: int
    data: bytes


class _Texts(NamedTuple):
    """What excerpts say."""

    words: tuple[str, ...]
    tokens: Int32  # [E, T]

    def of(self, ordinals: Int32) -> list[list[str]]:
        return [[self.words[i] for i in row] for row in self.tokens[ordinals].tolist()]


def run(
    store: Store,
    model: str,
    folder: Path,
    what: Sequence[What],
    layers: Sequence[int],
    neurons: Sequence[int],
    on_progress: Callable[[int], None],
) -> int:
    """Write the files below `folder`/data; how many. No layers or neurons named means all. BadInput for a model of our own."""
    with store.session() as s:
        summary = models.model(s, model)
        if summary.collection is None or not summary.collection.imported:
            raise BadInput(
                f"“{model}” was collected here, not imported: `neuronarium export neurons` and `export explanations` write it"
            )
        shape = imported_neurons.Shape(summary.card.layers, summary.card.neurons_per_layer)
        there = [(each.ordinal, each.slug) for each in models.layers(s, model)]
        texts = _Texts(published_reading.words(s, model), published_reading.tokens(s, model))
    for layer in layers:
        imported_neurons.demand_inside(shape, layer, neurons)
    wanted = set(neurons)
    first, last = (min(wanted), max(wanted)) if wanted else (0, shape.neurons_per_layer - 1)
    count = 0
    for ordinal, slug in there:
        if layers and ordinal not in layers:
            continue
        for start in range(first, last + 1, CHUNK):
            with store.session() as s:
                files = list(
                    _chunk(s, model, ordinal, slug, start, min(start + CHUNK - 1, last), what, texts)
                )
            for each in files:
                if wanted and each.neuron not in wanted:
                    continue
                file = folder / each.files.path("data/", ordinal, each.neuron)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(each.data)
                count += 1
            on_progress(count)
    return count


def _chunk(
    s: Session,
    model: str,
    ordinal: int,
    slug: str,
    first: int,
    last: int,
    what: Sequence[What],
    texts: _Texts,
) -> Iterator[Written]:
    if What.ACTIVATIONS in what:
        for r in published_reading.record_chunk(s, model, slug, first, last):
            value = writing.neuron_record(
                ordinal, r.neuron, r.statistics, r.boundaries, r.kinds, texts.of(r.excerpts), r.activations
            )
            yield Written(layout.ACTIVATIONS, r.neuron, _json(value))
    if What.EXPLANATIONS in what or What.SIMULATIONS in what:
        by_neuron: dict[int, list[dict[str, Any]]] = {}
        for e in published_reading.explained_chunk(s, model, slug, first, last):
            sim = e.simulation if What.SIMULATIONS in what else None
            scored = writing.scored_explanation(
                e.text,
                e.scores,
                [] if sim is None else texts.of(sim.excerpts),
                None if sim is None else sim.expected,
                None if sim is None else sim.actual,
                None if sim is None else sim.uncalibrated,
                e.scale,
            )
            by_neuron.setdefault(e.neuron, []).append(scored)
        for neuron, explained in by_neuron.items():
            yield Written(
                layout.EXPLANATIONS, neuron, _json(writing.simulation_results(ordinal, neuron, explained))
            )
    for files, kind in _RELATIONS.items():
        if any(files in layout.FILES[each] for each in what):
            for relation in published_reading.relation_chunk(s, model, slug, kind, first, last):
                yield Written(files, relation.neuron, _json(writing.relation(kind, relation.data)))


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a token of half a character
        return json.dumps(value).encode()
