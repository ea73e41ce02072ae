"""Published tables of tokens and neurons that belong to a neuron: kept as they are, to be shown."""

from typing import Any

import orjson

from app.domain.published import Relation
from app.published.excerpts import Seen
from app.published.reading import Unreadable, as_dict, load, numbers, words

MOST = 4096
SIDES = ("input_positive", "input_negative", "output_positive", "output_negative")
MATRICES = ("c_fc", "c_proj")
DIRECTIONS = ("positive", "negative")


def parse_activation_tokens(data: bytes, layer: int, neuron: int, seen: Seen) -> Relation:
    """`TokenLookupTableSummaryOfNeuron` -> {tokens, average_activations}."""
    holder = as_dict(load(data), "a token table", "TokenLookupTableSummaryOfNeuron")
    return Relation(neuron, orjson.dumps(_table(holder, "tokens", "average_activations")))


def parse_weight_tokens(data: bytes, layer: int, neuron: int, seen: Seen) -> Relation:
    """`WeightBasedSummaryOfNeuron` -> {input_positive, input_negative, output_positive, output_negative} of {tokens, strengths}."""
    holder = as_dict(load(data), "a table of weights", "WeightBasedSummaryOfNeuron")
    sides: dict[str, Any] = {}
    for side in SIDES:
        value = holder.get(side)
        inner = None if value is None else as_dict(value, "tokens and weights", "TokensAndWeights")
        sides[side] = None if inner is None else _table(inner, "tokens", "strengths")
    if not any(sides.values()):
        raise Unreadable("holds no table of weights")
    return Relation(neuron, orjson.dumps(sides))


def parse_weight_neurons(data: bytes, layer: int, neuron: int, seen: Seen) -> Relation:
    """Related neurons -> {c_fc, c_proj}, each null or {top_positive_neurons, top_positive_weights} and so for negative."""
    holder = as_dict(load(data), "related neurons", "WeightBasedRelatedNeurons", "NeuronConnections")
    found: dict[str, Any] = {}
    for matrix in MATRICES:
        value = holder.get(matrix)
        if value is None:
            found[matrix] = None
            continue
        inner = as_dict(value, "related neurons", "TopConnections", "NeuronAndWeights", "RelatedNeurons")
        found[matrix] = {}
        for direction in DIRECTIONS:
            names = f"top_{direction}_neurons"
            if inner.get(names) is None:
                continue
            table = _table(inner, names, f"top_{direction}_weights")
            if not all(_is_neuron(name) for name in table[names]):
                raise Unreadable("names a neuron in another way than LAYER_NEURON")
            found[matrix] |= table
    if not any(matrix in holder for matrix in MATRICES):
        raise Unreadable("holds no related neurons")
    return Relation(neuron, orjson.dumps(found))


def _table(holder: dict[str, Any], names: str, values: str) -> dict[str, Any]:
    keys = words(holder.get(names))
    given = holder.get(values)
    if not isinstance(given, list):
        raise Unreadable(f"has no {values}")
    if len(keys) > MOST:
        raise Unreadable(f"has {len(keys)} {names}")
    try:
        orjson.dumps(keys)
    except TypeError:
        raise Unreadable("has a token of half a character") from None
    return {names: keys, values: numbers([given], len(keys), values)[0].tolist()}


def _is_neuron(name: str) -> bool:
    layer, _, index = name.partition("_")
    return all(part.isascii() and part.isdigit() and len(part) < 9 for part in (layer, index))
