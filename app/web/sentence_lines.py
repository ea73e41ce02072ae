"""A puzzle's sentences painted as exemplars are: with the activations that their author gave the tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from markupsafe import Markup

from app.domain.published import RelationKind
from app.domain.puzzles import Puzzle
from app.domain.vocabulary import Vocabulary
from app.store.relations import Relation
from app.web import heatmap
from app.web.neuron_contexts import Sentence


def lines(relations: Sequence[Relation]) -> tuple[Sentence, ...]:
    """All sentences of a neuron that is a puzzle; full colour is the largest value among them."""
    given: list[dict[str, Any]] = []
    for relation in relations:
        if relation.kind is RelationKind.SENTENCES:
            given += orjson.loads(relation.data)
    return _painted(given)


def of_puzzle(puzzle: Puzzle) -> tuple[Sentence, ...]:
    """The same of a puzzle that was read."""
    return _painted([{"tokens": x.pieces, "activations": x.activations} for x in puzzle.sentences])


def _painted(given: Sequence[Mapping[str, Any]]) -> tuple[Sentence, ...]:
    if not given:
        return ()
    ids: dict[str, int] = {}
    for each in given:
        for token in each["tokens"]:
            ids.setdefault(token, len(ids))
    palette = heatmap.palette_of(Vocabulary(tuple(token.encode() for token in ids)))
    full = np.float32(max(abs(value) for each in given for value in each["activations"]))
    return tuple(_line(palette, ids, each, full) for each in given)


def _line(
    palette: heatmap.Palette, ids: dict[str, int], given: Mapping[str, Any], full: np.float32
) -> Sentence:
    tokens = np.array([[ids[token] for token in given["tokens"]]], np.int32)  # [1, T]
    values = np.array([given["activations"]], np.float32)  # [1, T]
    at = np.abs(values).argmax(axis=1)
    mark = np.where(values[0, at] == 0, -1, at)  # nothing stands out in a sentence that is silent
    [painted] = heatmap.paint(palette, tokens, values, np.array([full], np.float32), mark)
    html = Markup(painted.html.decode())  # noqa: S704 - escaped by the palette
    return Sentence(float(values[0, at[0]]), html, painted.values, painted.wide, painted.indented)
