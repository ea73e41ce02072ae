"""Published tables of tokens and neurons that belong to a neuron."""

from typing import NamedTuple

from sqlalchemy import select

from app.domain.neurons import NeuronRef
from app.domain.published import RelationKind
from app.store import names
from app.store import tables as t
from app.store.session import Session


class Relation(NamedTuple):
    """One table, as JSON of the form that app/published/relations.py gives it."""

    kind: RelationKind
    data: bytes


def of_neuron(s: Session, part_id: int, index: int) -> tuple[Relation, ...]:
    """All tables of a neuron, by kind."""
    c = t.neuron_relations.c
    query = select(c.kind, c.data).where(c.id == names.neuron_id(part_id, index)).order_by(c.kind)
    return tuple(Relation(RelationKind(row.kind), row.data) for row in s.execute(query))


def of(s: Session, ref: NeuronRef) -> tuple[Relation, ...]:
    """All tables of a neuron by its names."""
    return of_neuron(s, names.part_of(s, ref).id, ref.index)
