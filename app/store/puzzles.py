"""Sets of neuron puzzles: each is a model of its own with one layer, whose neurons are the puzzles.

A set only grows. What a puzzle says never changes: results are of what it said.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row, Select, func, insert, select, update

from app.domain.neurons import NeuronRef
from app.domain.published import RelationKind
from app.domain.puzzles import FAMILY, LAYER, Puzzle, Sentence
from app.errors import BadInput, Conflict, NotFound
from app.store import imported_neurons, names
from app.store import tables as t
from app.store.imported_neurons import Collection, Shape
from app.store.session import Session, writing

RESERVED = frozenset({"rate", "add"})  # of addresses below /puzzles


@dataclass(frozen=True)
class StoredPuzzle:
    """One puzzle of a set."""

    ref: NeuronRef
    layer_id: int
    puzzle: Puzzle
    source: str


class PuzzleSet(NamedTuple):
    """A set in short."""

    slug: str
    name: str
    layer_id: int
    puzzles: int
    source: str  # of its first puzzle


class AddedPuzzles(NamedTuple):
    """What became of the puzzles of one call."""

    new: int
    same: int  # there already


def add(s: Session, slug: str, name: str, source: str, puzzles: Sequence[Puzzle]) -> AddedPuzzles:
    """Add puzzles to a set, behind those that are there; the set is made where there is none. Nothing is added twice.

    BadInput for no puzzle, for two of one key, for a slug that no set can have; Conflict, and the transaction is to be
    given up, where a model of that slug is no set of puzzles, or a puzzle of that key says something else.
    """
    if not puzzles:
        raise BadInput("there is no puzzle to add")
    keys = [puzzle.key for puzzle in puzzles]
    if len(set(keys)) < len(keys):
        raise BadInput("two of the puzzles have the same key")
    if slug in RESERVED or not slug or "/" in slug:
        raise BadInput(f"a set of puzzles cannot be called “{slug}”")
    writing(s)
    into, layer_id, part = _ensure(s, slug, name)
    known = {row.key: row.digest for row in s.execute(_keys(layer_id))}
    fresh = []
    for puzzle in puzzles:
        if puzzle.key not in known:
            fresh.append(puzzle)
        elif known[puzzle.key] != puzzle.digest:
            raise Conflict(
                f"the set “{slug}” has another puzzle “{puzzle.key}”, and results are of that one: add these under another name"
            )
    if fresh:
        _write(s, into, layer_id, part, len(known), source, fresh)
    return AddedPuzzles(len(fresh), len(puzzles) - len(fresh))


def sets(s: Session) -> list[PuzzleSet]:
    """All sets by slug."""
    p = t.puzzles.c
    query = (
        select(
            t.models.c.slug,
            t.models.c.name,
            p.layer_id,
            func.count().label("n"),
            func.min(p.source).label("source"),
        )
        .join(t.layers, t.layers.c.id == p.layer_id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .group_by(t.models.c.slug, t.models.c.name, p.layer_id)
        .order_by(t.models.c.slug)
    )
    return [PuzzleSet(row.slug, row.name, row.layer_id, row.n, row.source) for row in s.execute(query)]


def find(s: Session, slug: str) -> PuzzleSet | None:
    """The set of this slug, if it is one."""
    return next((each for each in sets(s) if each.slug == slug), None)


def get_set(s: Session, slug: str) -> PuzzleSet:
    """The set of this slug. NotFound lists those there are."""
    there = sets(s)
    for each in there:
        if each.slug == slug:
            return each
    listed = ", ".join(each.slug for each in there)
    raise NotFound(
        f"there is no set of puzzles “{slug}”; there is {listed}"
        if listed
        else f"there is no set of puzzles “{slug}”: add the built-in one with `neuronarium puzzles add`"
    )


def of_set(s: Session, slug: str) -> list[StoredPuzzle]:
    """All puzzles of a set in order. NotFound."""
    found = get_set(s, slug)
    rows = s.execute(_select().where(t.puzzles.c.layer_id == found.layer_id).order_by(t.puzzles.c.neuron))
    return [_stored(row) for row in rows]


def of_neuron(s: Session, ref: NeuronRef) -> StoredPuzzle | None:
    """The puzzle that a neuron is; None for one that is none. An index that no puzzle has gives None too."""
    if ref.layer != LAYER or not 0 <= ref.index < 1 << t.INDEX_BITS:
        return None
    query = _select().where(t.models.c.slug == ref.model, t.puzzles.c.neuron == ref.index)
    row = s.execute(query).first()
    return None if row is None else _stored(row)


def _ensure(s: Session, slug: str, name: str) -> tuple[Collection, int, int]:
    """(collection, layer, part) of the set."""
    family = s.execute(select(t.models.c.family).where(t.models.c.slug == slug)).scalar()
    if family not in (None, FAMILY):
        raise Conflict(f"“{slug}” is a model and no set of puzzles: choose another name")
    if family is None:
        into = imported_neurons.ensure_model(s, slug, Shape(1, 1))
        card = {"name": name, "family": FAMILY, "activation": "made up", "dtype": "none"}
        s.execute(update(t.models).where(t.models.c.id == into.model_id).values(**card))
    into = imported_neurons.ensure_model(s, slug)
    part_id = s.execute(select(t.parts.c.id).where(t.parts.c.collection_id == into.id)).scalar()
    if part_id is not None:
        part = names.part(s, slug, LAYER)
        return into, part.layer_id, part.id
    layer = insert(t.layers).values(model_id=into.model_id, ordinal=0, slug=LAYER)
    layer_id = int(s.execute(layer.returning(t.layers.c.id)).scalar_one())
    values = {
        "collection_id": into.id,
        "layer_id": layer_id,
        "neurons": 0,
        "present": 0,
        "gated": False,
        "kinds": b"",
        "splits": b"",
        "position0_share": 0.0,
        "n_tokens": 0,
        "n_sampled": 0,
    }
    part_id = s.execute(insert(t.parts).values(**values).returning(t.parts.c.id)).scalar_one()
    return into, layer_id, int(part_id)


def _write(
    s: Session,
    into: Collection,
    layer_id: int,
    part: int,
    first: int,
    source: str,
    puzzles: Sequence[Puzzle],
) -> None:
    total = first + len(puzzles)
    s.execute(update(t.parts).where(t.parts.c.id == part).values(neurons=total))
    s.execute(update(t.models).where(t.models.c.id == into.model_id).values(neurons_per_layer=total))
    imported_neurons.add(s, part, ((first + i, *[None] * 7) for i in range(len(puzzles))))
    now = datetime.now(UTC)
    for i, puzzle in enumerate(puzzles, first):
        row = {
            "layer_id": layer_id,
            "neuron": i,
            "key": puzzle.key,
            "name": puzzle.name,
            "truth": puzzle.truth,
            "false_json": json.dumps(puzzle.false, ensure_ascii=False),
            "digest": puzzle.digest,
            "source": source,
            "created_at": now,
        }
        s.execute(insert(t.puzzles).values(**row))
        beside = {
            "id": names.neuron_id(part, i),
            "kind": int(RelationKind.SENTENCES),
            "data": orjson.dumps(
                [{"tokens": each.pieces, "activations": each.activations} for each in puzzle.sentences]
            ),
        }
        s.execute(insert(t.neuron_relations).values(**beside))
    imported_neurons.changed(s, into)


def _keys(layer_id: int) -> Select[str, str]:
    return select(t.puzzles.c.key, t.puzzles.c.digest).where(t.puzzles.c.layer_id == layer_id)


def _select() -> Select[Any]:
    p, r = t.puzzles.c, t.neuron_relations.c
    beside = (r.id == t.parts.c.id * (1 << t.INDEX_BITS) + p.neuron) & (r.kind == int(RelationKind.SENTENCES))
    return (
        select(
            p.layer_id, p.neuron, p.key, p.name, p.truth, p.false_json, p.source,
            t.models.c.slug.label("model"), t.layers.c.slug.label("layer"), r.data,
        )
        .select_from(t.puzzles)
        .join(t.layers, t.layers.c.id == p.layer_id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .join(t.parts, t.parts.c.layer_id == p.layer_id)
        .join(t.neuron_relations, beside)
    )  # fmt: skip


def _stored(row: Row[Any]) -> StoredPuzzle:
    sentences = tuple(
        Sentence(tuple(each["tokens"]), tuple(each["activations"])) for each in orjson.loads(row.data)
    )
    puzzle = Puzzle(row.key, row.name, row.truth, tuple(json.loads(row.false_json)), sentences)
    return StoredPuzzle(NeuronRef(row.model, row.layer, row.neuron), row.layer_id, puzzle, row.source)
