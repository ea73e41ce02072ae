"""Statements of a model's neurons by who made them, for comparing one maker's words with another's."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select

from app.domain.explanations import State
from app.domain.neurons import Polarity
from app.store import names
from app.store import tables as t
from app.store.explanation_rows import ExplanationRow
from app.store.session import Session

_NEURON_BITS = 24  # of a layer, at most


class Maker(NamedTuple):
    """Who made explanations: a method with its explainer. A method is used with several language models."""

    method: str
    explainer: str  # "endpoint / model" or as imported; "none" without a language model


class Made(NamedTuple):
    """What a maker made of a model's neurons."""

    maker: Maker
    explanations: int
    neurons: int


class Statement(NamedTuple):
    """One explanation that came about."""

    id: int
    neuron: int  # the neuron's number: the same in every answer of this store
    polarity: Polarity
    maker: Maker


def makers(s: Session, slug: str) -> list[Made]:
    """Everyone who explained neurons of a model, those with the most explanations first. NotFound for the model."""
    o = t.origins.c
    n, neurons = func.count(), func.count(_neuron().distinct())
    query = (
        _of(s, slug, o.method, o.explainer, n.label("n"), neurons.label("neurons"))
        .group_by(o.method, o.explainer)
        .order_by(n.desc(), o.method, o.explainer)
    )
    return [Made(Maker(row.method, row.explainer), row.n, row.neurons) for row in s.execute(query)]


def by_makers(s: Session, slug: str, wanted: Sequence[Maker]) -> list[Statement]:
    """Every statement that these made of a model's neurons, oldest first."""
    if not wanted:
        return []
    e, o = t.explanations.c, t.origins.c
    mine = or_(*(and_(o.method == each.method, o.explainer == each.explainer) for each in wanted))
    query = _of(s, slug, e.id, _neuron().label("number"), e.polarity, o.method, o.explainer).where(mine)
    return [
        Statement(row.id, row.number, row.polarity, Maker(row.method, row.explainer))
        for row in s.execute(query.order_by(e.id))
    ]


def of_others(s: Session, reference: ExplanationRow) -> dict[int, int]:
    """The newest explanation that the maker of `reference` made, with its sign, of every other neuron of the model: ids by neuron."""
    e, o = t.explanations.c, t.origins.c
    made = reference.provenance
    layer = select(e.layer_id).where(e.id == reference.id).scalar_subquery()
    query = (
        _of(s, reference.ref.model, e.layer_id, e.neuron, func.max(e.id).label("id"))
        .where(
            o.method == made.method,
            o.explainer == made.explainer,
            e.polarity == reference.polarity,
            or_(e.layer_id != layer, e.neuron != reference.ref.index),
        )
        .group_by(e.layer_id, e.neuron)
    )
    return {(row.layer_id << _NEURON_BITS) + row.neuron: row.id for row in s.execute(query)}


def texts(s: Session, ids: Sequence[int]) -> list[str]:
    """The texts of these explanations, in their order."""
    e = t.explanations.c
    found: dict[int, str] = {}
    for at in range(0, len(ids), 500):
        query = select(e.id, e.text).where(e.id.in_(list(ids[at : at + 500])))
        found |= {row.id: row.text for row in s.execute(query)}
    return [found[each] for each in ids]


def _neuron() -> ColumnElement[int]:
    e = t.explanations.c
    return e.layer_id * (1 << _NEURON_BITS) + e.neuron


def _of(s: Session, slug: str, *columns: ColumnElement[Any]) -> Any:
    """A query over a model's explanations that came about, those that are no text left out."""
    e = t.explanations.c
    return (
        select(*columns)
        .select_from(t.explanations)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .join(t.layers, t.layers.c.id == e.layer_id)
        .where(t.layers.c.model_id == names.model_id(s, slug), e.state == State.OK, func.trim(e.text) != "")
    )
