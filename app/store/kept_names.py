"""From a neuron's name to the (layer, index) under which people keep it, and back."""

from collections.abc import Collection, Iterable

from sqlalchemy import select

from app.domain.list_files import Entry, Skipped
from app.domain.neurons import NeuronRef
from app.errors import NotFound
from app.store import names
from app.store import tables as t
from app.store.list_rows import Key
from app.store.rows import CollectionState
from app.store.session import Session

_CHUNK = 500  # bound values of one statement


def layer_id(s: Session, ref: NeuronRef) -> int:
    """The layer of a neuron, whether or not a collection shows it now. NotFound, also for what is no index of any layer."""
    if not 0 <= ref.index < 1 << t.INDEX_BITS:
        names.part_of(s, ref)  # raises the NotFound that fits
    query = (
        select(t.layers.c.id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .where(t.models.c.slug == ref.model, t.layers.c.slug == ref.layer)
    )
    found: int | None = s.execute(query).scalar()
    if found is None:
        names.part(s, ref.model, ref.layer)  # raises the NotFound that fits
        raise NotFound(f"“{ref.model}” has no layer “{ref.layer}”")
    return found


def key_of(s: Session, ref: NeuronRef) -> Key:
    """The key of a neuron that is there for people to see. NotFound says what is."""
    part = names.part_of(s, ref)
    if not present(s, part.id, [ref.index]):
        raise NotFound(f"the store holds nothing of neuron {ref.index} of “{ref.layer}” of “{ref.model}”")
    return Key(part.layer_id, ref.index)


def refs_of(s: Session, keys: Collection[Key]) -> dict[Key, NeuronRef]:
    """The names of neurons, whether or not a collection shows them now."""
    found: dict[int, tuple[str, str]] = {}
    for some in _chunks({key.layer_id for key in keys}):
        query = (
            select(t.layers.c.id, t.models.c.slug, t.layers.c.slug)
            .join(t.models, t.models.c.id == t.layers.c.model_id)
            .where(t.layers.c.id.in_(some))
        )
        found |= {row[0]: (row[1], row[2]) for row in s.execute(query)}
    return {key: NeuronRef(*found[key.layer_id], key.neuron) for key in keys if key.layer_id in found}


def resolve(
    s: Session, entries: Iterable[Entry], model: str = ""
) -> tuple[list[tuple[Key, Entry]], list[Skipped]]:
    """The keys of a file's entries that are there, and why others are not. `model` is meant where an entry names none.

    A layer may be named by its slug or by its ordinal.
    """
    meant = model or _only_model(s)
    parts: dict[tuple[str, str], names.PartName | str] = {}
    layers: dict[int, int] = {}  # by part
    wanted: list[tuple[int, Entry]] = []
    skipped: list[Skipped] = []
    for entry in entries:
        place = (entry.model or meant, entry.layer)
        if place not in parts:
            parts[place] = _part(s, *place)
        part = parts[place]
        if isinstance(part, str):
            skipped.append(Skipped(entry.line, part))
        elif not 0 <= entry.neuron < part.neurons:
            there = f"0 to {part.neurons - 1}"
            skipped.append(
                Skipped(entry.line, f"layer “{part.slug}” has no neuron {entry.neuron}; it has {there}")
            )
        else:
            wanted.append((part.id, entry))
    by_part: dict[int, list[int]] = {}
    for part_id, entry in wanted:
        by_part.setdefault(part_id, []).append(entry.neuron)
    held = {part_id: present(s, part_id, indices) for part_id, indices in by_part.items()}
    for some in _chunks(by_part):
        query = select(t.parts.c.id, t.parts.c.layer_id).where(t.parts.c.id.in_(some))
        layers |= {row[0]: row[1] for row in s.execute(query)}
    found: list[tuple[Key, Entry]] = []
    for part_id, entry in wanted:
        if entry.neuron in held[part_id]:
            found.append((Key(layers[part_id], entry.neuron), entry))
        else:
            skipped.append(
                Skipped(entry.line, f"the store holds nothing of neuron {entry.neuron} of this layer")
            )
    return found, sorted(skipped)


def _only_model(s: Session) -> str:
    slugs = s.execute(select(t.models.c.slug).order_by(t.models.c.slug)).scalars().all()
    return slugs[0] if len(slugs) == 1 else ""


def _part(s: Session, model: str, layer: str) -> names.PartName | str:
    """A visible layer, or the reason why there is none."""
    if not model:
        return "it names no model, and the store holds several: name one"
    try:
        there = names.parts_of(s, model)
    except NotFound as error:
        return str(error)
    named = [p for p in there if p.slug == layer]
    if not named and layer.isascii() and layer.isdigit() and len(layer) <= 4:
        named = [p for p in there if p.ordinal == int(layer)]
    if len(named) == 1:
        return named[0]
    if named:
        return f"“{model}” has several layers {layer}: {', '.join(p.slug for p in named[:4])}"
    return (
        f"model “{model}” has no layer “{layer[:40]}”; it has {there[0].slug} … {there[-1].slug}"
        if there
        else (f"model “{model}” has no layers yet")
    )


def present(s: Session, part_id: int, indices: Collection[int]) -> set[int]:
    """Those of a layer's indices that the store holds a neuron for."""
    first = names.neuron_id(part_id, 0)
    found: set[int] = set()
    for some in _chunks(set(indices)):
        query = select(t.neurons.c.id).where(t.neurons.c.id.in_([first + index for index in some]))
        found |= {id_ - first for id_ in s.execute(query).scalars()}
    return found


def visible_parts(s: Session, layer_ids: Collection[int]) -> dict[int, int]:
    """Layer -> its part in the collection that pages show; those that none shows are left out."""
    found: dict[int, int] = {}
    for some in _chunks(set(layer_ids)):
        query = (
            select(t.parts.c.layer_id, t.parts.c.id)
            .join(t.collections, t.collections.c.id == t.parts.c.collection_id)
            .where(t.parts.c.layer_id.in_(some), t.collections.c.state == CollectionState.COMPLETE)
        )
        found |= {row[0]: row[1] for row in s.execute(query)}
    return found


def _chunks(values: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(values)
    return (ordered[at : at + _CHUNK] for at in range(0, len(ordered), _CHUNK))
