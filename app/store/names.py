"""From the names that people use (model, layer, index) to ids, and the words for names that do not exist."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import RowMapping, select

from app.domain.neurons import NeuronRef, UInt8
from app.errors import NotFound
from app.store.rows import CollectionState
from app.store.session import Session
from app.store.tables import INDEX_BITS, collections, layers, models, parts

_SHOWN = 12


class Part(NamedTuple):
    """One layer in the collection that pages show."""

    id: int
    collection_id: int
    layer_id: int
    ordinal: int
    slug: str
    neurons: int  # of the model's layer; indices are below it
    kinds: UInt8  # [S] Kind of every slot
    splits: UInt8  # [S] Split of every slot
    row: RowMapping


def model_id(s: Session, slug: str) -> int:
    """The id of a model. NotFound lists those that exist."""
    found: int | None = s.execute(select(models.c.id).where(models.c.slug == slug)).scalar()
    if found is None:
        slugs = s.execute(select(models.c.slug).order_by(models.c.slug)).scalars().all()
        raise NotFound(
            f"there is no model “{slug}”; {_listed('there is', slugs) or 'no model is in the store yet'}"
        )
    return found


def current_collection(s: Session, model: int) -> int | None:
    """The complete collection of a model, that pages show."""
    query = select(collections.c.id).where(
        collections.c.model_id == model, collections.c.state == CollectionState.COMPLETE
    )
    found: int | None = s.execute(query).scalar()
    return found


def part(s: Session, slug: str, layer: str) -> Part:
    """A visible layer. NotFound says which layers exist."""
    query = (
        select(parts, layers.c.ordinal, layers.c.slug)
        .join(layers, layers.c.id == parts.c.layer_id)
        .join(collections, collections.c.id == parts.c.collection_id)
        .join(models, models.c.id == collections.c.model_id)
        .where(models.c.slug == slug, layers.c.slug == layer, collections.c.state == CollectionState.COMPLETE)
    )
    row = s.execute(query).mappings().first()
    if row is None:
        raise _no_layer(s, slug, layer)
    return Part(
        row["id"],
        row["collection_id"],
        row["layer_id"],
        row["ordinal"],
        row["slug"],
        row["neurons"],
        np.frombuffer(row["kinds"], np.uint8),
        np.frombuffer(row["splits"], np.uint8),
        row,
    )


def part_of(s: Session, ref: NeuronRef) -> Part:
    """The layer of an existing neuron. NotFound says what exists."""
    found = part(s, ref.model, ref.layer)
    if not 0 <= ref.index < found.neurons:
        raise NotFound(
            f"layer “{ref.layer}” of “{ref.model}” has no neuron {ref.index}; it has 0 to {found.neurons - 1}"
        )
    return found


class PartName(NamedTuple):
    """A visible layer in short."""

    id: int
    slug: str
    ordinal: int
    neurons: int  # of the model's layer; indices are below it
    present: int  # of them are there


def parts_of(s: Session, slug: str) -> list[PartName]:
    """The visible layers in the model's order. NotFound where there is none."""
    collection = current_collection(s, model_id(s, slug))
    if collection is None:
        raise NotFound(f"model “{slug}” has no neurons yet: its collection has not ended")
    query = (
        select(parts.c.id, layers.c.slug, layers.c.ordinal, parts.c.neurons, parts.c.present)
        .join(layers, layers.c.id == parts.c.layer_id)
        .where(parts.c.collection_id == collection)
        .order_by(layers.c.ordinal, layers.c.slug)
    )
    return [PartName(*row) for row in s.execute(query)]


def absent(ref: NeuronRef) -> NotFound:
    """What is said of a neuron that its layer has and the store does not."""
    return NotFound(f"neuron {ref.index} of layer “{ref.layer}” of “{ref.model}” was not imported")


def neuron_id(part_id: int, index: int) -> int:
    """The id of a neuron within a collection."""
    return part_id << INDEX_BITS | index


def _no_layer(s: Session, slug: str, layer: str) -> NotFound:
    collection = current_collection(s, model_id(s, slug))
    if collection is None:
        return NotFound(f"model “{slug}” has no neurons yet: its collection has not ended")
    query = (
        select(layers.c.slug)
        .join(parts, parts.c.layer_id == layers.c.id)
        .where(parts.c.collection_id == collection)
        .order_by(layers.c.ordinal)
    )
    slugs = s.execute(query).scalars().all()
    return NotFound(f"model “{slug}” has no layer “{layer}”; {_listed('it has', slugs)}")


def _listed(lead: str, words: Sequence[str]) -> str:
    if not words:
        return ""
    if len(words) > _SHOWN:
        return f"{lead} {words[0]}, {words[1]} … {words[-1]} ({len(words)})"
    return f"{lead} {', '.join(words)}"
