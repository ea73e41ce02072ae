"""A puzzle's sentences painted as exemplars are: with the activations that their author gave the tokens."""

from collections.abc import Sequence
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
    return painted([(each["tokens"], each["activations"]) for each in given])


def of_puzzle(puzzle: Puzzle) -> tuple[Sentence, ...]:
    """The same of a puzzle that was read."""
    return painted([(x.pieces, x.activations) for x in puzzle.sentences])


def painted(rows: Sequence[tuple[Sequence[str], Sequence[float]]], sign: int = 0) -> tuple[Sentence, ...]:
    """Texts as tokens and a value for each; full colour is the largest value among them all.

    What is marked as a text's peak is its largest value (sign 1), its lowest (-1), or whichever is further from zero (0).
    """
    if not rows:
        return ()
    ids: dict[str, int] = {}
    for tokens, _ in rows:
        for token in tokens:
            ids.setdefault(token, len(ids))
    palette = heatmap.palette_of(Vocabulary(tuple(token.encode("utf-8", "surrogatepass") for token in ids)))
    full = np.float32(max((abs(value) for _, values in rows for value in values), default=0.0))
    return tuple(
        _line(palette, [ids[token] for token in tokens], values, full, sign) for tokens, values in rows
    )


def _line(
    palette: heatmap.Palette, row: Sequence[int], given: Sequence[float], full: np.float32, sign: int
) -> Sentence:
    tokens = np.array([row], np.int32)  # [1, T]
    values = np.array([given], np.float32)  # [1, T]
    at = (values * sign if sign else np.abs(values)).argmax(axis=1)  # [1]
    mark = np.where(values[0, at] == 0, -1, at)  # nothing stands out in a sentence that is silent
    [line] = heatmap.paint(palette, tokens, values, np.array([full], np.float32), mark)
    html = Markup(line.html.decode())  # noqa: S704 - escaped by the palette
    return Sentence(float(values[0, at[0]]), html, line.values, line.wide, line.indented)
