"""Models whose neurons are imported: made with a collection that is shown at once and grows with every import.

It has no documents, and of each layer only the neurons that somebody imported something of.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import insert, select, update

from app.domain.collection import ModelCard
from app.domain.neurons import EXCERPT_TOKENS
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput, Conflict
from app.store import bulk, models, names
from app.store import tables as t
from app.store.rows import CollectionState, ModelRow
from app.store.session import Session, writing

IMPORTED = "imported"


class Shape(NamedTuple):
    """How many neurons a model has."""

    layers: int
    neurons_per_layer: int


# Of the models that data is published for. Parameters are not known of others.
SHAPES = {
    "gpt2": Shape(12, 3072),
    "gpt2-medium": Shape(24, 4096),
    "gpt2-large": Shape(36, 5120),
    "gpt2-xl": Shape(48, 6400),
}


class Collection(NamedTuple):
    """The collection that a model's imports go into."""

    id: int
    model_id: int
    slug: str
    shape: Shape
    imported: bool  # False: the model's own, collected here
    revision: int


def ensure_model(s: Session, name: str, shape: Shape | None = None) -> Collection:
    """The model of this name and its complete collection; made, empty, where there is none.

    `shape` is needed for models not in `SHAPES`. BadInput where it is missing or contradicts the store; Conflict while
    the model is being collected for the first time.
    """
    writing(s)
    slug = name.lower().rpartition("/")[2]
    row = s.execute(select(t.models).where(t.models.c.slug == slug)).mappings().first()
    if row is None:
        shape = shape or SHAPES.get(slug)
        if shape is None:
            raise BadInput(
                f"the store has no model “{name}”, and its shape is not known: say it with --shape LAYERSxNEURONS, such as 12x3072"
            )
        demand_sound(shape)
        made = models.add_model(s, _card(name, slug, shape), Vocabulary(()))
        return _begin(s, made)
    there = Shape(row["layers"], row["neurons_per_layer"])
    if shape is not None and shape != there:
        raise BadInput(
            f"“{slug}” has {there.layers} layers of {there.neurons_per_layer} neurons in the store"
        )
    current = names.current_collection(s, row["id"])
    if current is None:
        if row["revision"] != IMPORTED:
            raise Conflict(f"“{slug}” is being collected: import into it when that has ended")
        return _begin(s, models.add_model(s, _card(row["name"], slug, there), Vocabulary(())))
    c = t.collections.c
    found = s.execute(select(c.imported, c.revision).where(c.id == current)).one()
    return Collection(current, row["id"], slug, there, found.imported, found.revision)


def demand_sound(shape: Shape) -> None:
    """BadInput for a shape that no model has."""
    if min(shape) < 1 or shape.layers > 10_000 or shape.neurons_per_layer >= 1 << t.INDEX_BITS:
        raise BadInput(f"no model has {shape.layers} layers of {shape.neurons_per_layer} neurons")


def shape_of(s: Session, slug: str) -> Shape | None:
    """The shape of a model that is in the store."""
    m = t.models.c
    row = s.execute(select(m.layers, m.neurons_per_layer).where(m.slug == slug)).first()
    return None if row is None else Shape(*row)


def sources(s: Session, slug: str) -> list[str]:
    """Where the model's complete collection was imported from; nothing for one of our own."""
    c = t.import_sources.c
    query = select(c.address).where(c.collection_id == names.current_collection(s, names.model_id(s, slug)))
    return list(s.execute(query.order_by(c.id)).scalars())


def ensure(s: Session, into: Collection, by_layer: Mapping[int, Sequence[int]]) -> None:
    """Make rows for neurons by layer and index, where there are none: they exist then, with nothing known of them.

    BadInput for one outside the model's shape, and nothing is written.
    """
    for layer, indices in by_layer.items():
        demand_inside(into.shape, layer, indices)
    if not into.imported:
        return  # a collection of our own has all neurons of its layers, and no import adds to it
    for layer, indices in by_layer.items():
        part = part_of(s, into, layer)
        there = existing(s, part, min(indices), max(indices))
        add(s, part, ((i, *[None] * 7) for i in sorted(set(indices) - there)))


def demand_inside(shape: Shape, layer: int, indices: Iterable[int]) -> None:
    """BadInput for a neuron that the model does not have."""
    if not 0 <= layer < shape.layers:
        raise BadInput(f"there is no layer {layer}: the model has layers 0 to {shape.layers - 1}")
    for index in indices:
        if not 0 <= index < shape.neurons_per_layer:
            raise BadInput(
                f"there is no neuron {index} in layer {layer}: it has 0 to {shape.neurons_per_layer - 1}"
            )


def part_of(s: Session, into: Collection, layer: int) -> int:
    """The part of one layer, by its ordinal; made, empty, where there is none."""
    writing(s)
    query = (
        select(t.parts.c.id)
        .join(t.layers, t.layers.c.id == t.parts.c.layer_id)
        .where(t.parts.c.collection_id == into.id, t.layers.c.slug == f"{layer}-mlp")
    )
    found: int | None = s.execute(query).scalar()
    if found is not None:
        return found
    of = (t.layers.c.model_id == into.model_id) & (t.layers.c.slug == f"{layer}-mlp")
    layer_id = s.execute(select(t.layers.c.id).where(of)).scalar()
    if layer_id is None:
        made = insert(t.layers).values(model_id=into.model_id, ordinal=layer, slug=f"{layer}-mlp")
        layer_id = s.execute(made.returning(t.layers.c.id)).scalar_one()
    values = {
        "collection_id": into.id,
        "layer_id": layer_id,
        "neurons": into.shape.neurons_per_layer,
        "present": 0,
        "gated": False,
        "kinds": b"",
        "splits": b"",
        "position0_share": 0.0,
        "n_tokens": 0,
        "n_sampled": 0,
    }
    return int(s.execute(insert(t.parts).values(**values).returning(t.parts.c.id)).scalar_one())


def existing(s: Session, part: int, first: int, last: int) -> set[int]:
    """The neurons of a part that have a row, of those from `first` to `last`."""
    id_ = t.neurons.c.id
    query = select(id_).where(id_.between(names.neuron_id(part, first), names.neuron_id(part, last)))
    return {int(x) - names.neuron_id(part, 0) for x in s.execute(query).scalars()}


STATISTICS = ("mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density")


def add(s: Session, part: int, rows: Iterable[Sequence[float | None]]) -> int:
    """Insert neurons as (index, *STATISTICS), all of them new; how many."""
    zero = names.neuron_id(part, 0)
    made = [(zero + int(row[0] or 0), *row[1:]) for row in rows]
    if made:
        bulk.insert(s, t.neurons, ("id", *STATISTICS), made)
        p = t.parts.c
        s.execute(update(t.parts).where(p.id == part).values(present=p.present + len(made)))
    return len(made)


def changed(s: Session, into: Collection) -> None:
    """Let every process that holds something of the collection in memory read it again."""
    c = t.collections.c
    s.execute(update(t.collections).where(c.id == into.id).values(revision=c.revision + 1))


def _begin(s: Session, model: ModelRow) -> Collection:
    now = datetime.now(UTC)
    values = {
        "model_id": model.id,
        "corpus": "imported",
        "state": CollectionState.COMPLETE,
        "n_documents": 0,
        "n_excerpts": 0,
        "excerpt_tokens": EXCERPT_TOKENS,
        "documents_explain": 0,
        "documents_dev": 0,
        "documents_score": 0,
        "documents_unsplit": 0,
        "profile_json": "{}",
        "parameters_json": "{}",
        "created_at": now,
        "finished_at": now,
        "imported": True,
    }
    made = s.execute(insert(t.collections).values(**values).returning(t.collections.c.id)).scalar_one()
    shape = Shape(model.card.layers, model.card.neurons_per_layer)
    return Collection(int(made), model.id, model.slug, shape, True, 0)


def _card(name: str, slug: str, shape: Shape) -> ModelCard:
    known = slug in SHAPES
    return ModelCard(
        name=name.rpartition("/")[2],
        slug=slug,
        source=IMPORTED,
        revision=IMPORTED,
        family="gpt2" if known else "unknown",
        layers=shape.layers,
        neurons_per_layer=shape.neurons_per_layer,
        gated=False,
        activation="gelu_new" if known else "unknown",
        bos=None,
        parameters=0,
        dtype="unknown",
    )
