"""Published tables of related tokens and neurons as the neuron page shows them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from markupsafe import Markup

from app.domain.neurons import NeuronRef
from app.domain.published import RelationKind
from app.domain.vocabulary import visible
from app.store.relations import Relation
from app.web import heatmap
from app.web.formats import signed
from app.web.model_cache import ModelFacts

SHOWN = 20
_SIDES = {
    "input_positive": ("Tokens in", "whose embeddings push it up most, by weight"),
    "input_negative": ("Tokens in, negative", "whose embeddings push it down most, by weight"),
    "output_positive": ("Tokens out", "that it makes more likely, by weight"),
    "output_negative": ("Tokens out, negative", "that it makes less likely, by weight"),
}
_MATRICES = {
    "c_fc": ("Neurons before it", "by weight of their output into its input"),
    "c_proj": ("Neurons after it", "by weight of its output into their input"),
}


class RelatedEntry(NamedTuple):
    """One token or neuron."""

    label: Markup | str
    address: str  # of a neuron; empty for a token
    value: str


class RelatedView(NamedTuple):
    """One list."""

    title: str
    note: str
    entries: tuple[RelatedEntry, ...]


def views(relations: Sequence[Relation], ref: NeuronRef, facts: ModelFacts) -> tuple[RelatedView, ...]:
    """All lists that hold something, `SHOWN` entries of each; the API has them whole."""
    return tuple(view for relation in relations for view in _views(relation, ref, facts) if view.entries)


class Table(NamedTuple):
    """One list whole."""

    kind: str
    side: str
    names: list[str]
    values: list[float]


def tables(relations: Sequence[Relation]) -> list[Table]:
    """All lists with all their entries, tokens made visible."""
    found: list[Table] = []
    for relation in relations:
        data, kind = orjson.loads(relation.data), relation.kind.name.lower()
        if relation.kind is RelationKind.ACTIVATION_TOKENS:
            found.append(Table(kind, "", _visible(data["tokens"]), data["average_activations"]))
        elif relation.kind is RelationKind.WEIGHT_TOKENS:
            given = {side: data[side] for side in _SIDES if data.get(side)}
            found += [Table(kind, side, _visible(x["tokens"]), x["strengths"]) for side, x in given.items()]
        elif relation.kind is RelationKind.SENTENCES:
            found += [
                Table(kind, str(n), _visible(x["tokens"]), x["activations"]) for n, x in enumerate(data, 1)
            ]
        else:
            for matrix in _MATRICES:
                for direction in ("positive", "negative"):
                    table = data.get(matrix) or {}
                    named = [name.replace("_", ":") for name in table.get(f"top_{direction}_neurons", [])]
                    if named:
                        side = f"{matrix}_{direction}"
                        found.append(Table(kind, side, named, table[f"top_{direction}_weights"]))
    return found


def _visible(tokens: list[str]) -> list[str]:
    return [visible(token.encode("utf-8", "surrogatepass")) for token in tokens]


def _views(relation: Relation, ref: NeuronRef, facts: ModelFacts) -> Iterator[RelatedView]:
    if relation.kind is RelationKind.SENTENCES:
        return  # stand among the exemplars, see sentence_lines.py
    data: dict[str, Any] = orjson.loads(relation.data)
    if relation.kind is RelationKind.ACTIVATION_TOKENS:
        entries = _tokens(data["tokens"], data["average_activations"])
        yield RelatedView("Tokens by mean activation", "as published, over all text", entries)
    elif relation.kind is RelationKind.WEIGHT_TOKENS:
        for side, (title, note) in _SIDES.items():
            if data.get(side):
                yield RelatedView(title, note, _tokens(data[side]["tokens"], data[side]["strengths"]))
    else:
        for matrix, (title, note) in _MATRICES.items():
            for direction in ("positive", "negative"):
                table = data.get(matrix) or {}
                names, weights = (table.get(f"top_{direction}_{what}", []) for what in ("neurons", "weights"))
                more = "" if direction == "positive" else ", negative"
                yield RelatedView(title + more, note, _neurons(names, weights, ref, facts))


def _tokens(tokens: list[str], values: list[float]) -> tuple[RelatedEntry, ...]:
    return tuple(
        RelatedEntry(heatmap.text_chip(token), "", signed(value))
        for token, value in zip(tokens[:SHOWN], values[:SHOWN], strict=True)
    )


def _neurons(
    names: list[str], weights: list[float], ref: NeuronRef, facts: ModelFacts
) -> tuple[RelatedEntry, ...]:
    layers = {each.ordinal: each for each in facts.layers}
    found = []
    for name, weight in zip(names[:SHOWN], weights[:SHOWN], strict=True):
        ordinal, index = (int(part) for part in name.split("_"))
        layer = layers.get(ordinal)
        there = layer is not None and index < layer.width
        address = f"/m/{ref.model}/{layer.slug}/{index}" if layer is not None and there else ""
        found.append(RelatedEntry(f"{ordinal}:{index}", address, signed(weight)))
    return tuple(found)
