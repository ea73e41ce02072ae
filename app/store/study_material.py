"""The explanations that a study's arms name, and the proof that raters are shown text that no maker of them has seen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, or_, select

from app.domain.explanations import State
from app.domain.neurons import NeuronRef, Polarity
from app.domain.studies import StudyArm
from app.store import heldout, names
from app.store import tables as t
from app.store.session import Session

_AT_ONCE = 500  # neurons in one statement


class Said(NamedTuple):
    """A stored explanation as a study takes it."""

    id: int
    text: str
    method: str
    explainer: str


def newest(
    s: Session, refs: Sequence[NeuronRef], arms: Sequence[StudyArm], polarity: Polarity
) -> dict[tuple[NeuronRef, int], Said]:
    """The newest explanation of each neuron by each arm's method and explainer, by (neuron, index of the arm); those there are.

    An explainer is named whole ("endpoint / model"), or by either part of that. Raises NotFound for a layer.
    """
    layers: dict[tuple[str, str], list[int]] = {}
    for ref in refs:
        layers.setdefault((ref.model, ref.layer), []).append(ref.index)
    found: dict[tuple[NeuronRef, int], Said] = {}
    for (model, layer), indices in layers.items():
        layer_id = names.part(s, model, layer).layer_id
        for i, arm in enumerate(arms):
            for at in range(0, len(indices), _AT_ONCE):
                query = _said(layer_id, indices[at : at + _AT_ONCE], arm, polarity)
                for row in s.execute(query):  # oldest first, so that the newest stays
                    found[NeuronRef(model, layer, row.neuron), i] = Said(*row[1:])
    return found


def _said(layer_id: int, indices: Sequence[int], arm: StudyArm, polarity: Polarity) -> Select[Any]:
    e, o = t.explanations.c, t.origins.c
    query = (
        select(e.neuron, e.id, e.text, o.method, o.explainer)
        .join(t.origins, o.id == e.origin_id)
        .where(
            e.layer_id == layer_id,
            e.neuron.in_(indices),
            e.state == State.OK,
            e.polarity == polarity,
            o.method == arm.method,
        )
        .order_by(e.id)
    )
    if not arm.explainer:
        return query
    named = arm.explainer
    return query.where(
        or_(
            o.explainer == named,
            o.explainer.startswith(f"{named} / ", autoescape=True),
            o.explainer.endswith(f" / {named}", autoescape=True),
        )
    )


class Maker(NamedTuple):
    """Somebody whose explanations are there."""

    method: str
    explainer: str
    explanations: int


def makers(s: Session) -> list[Maker]:
    """Who has explained anything, most first within a method."""
    e, o = t.explanations.c, t.origins.c
    counted = (
        select(e.origin_id, func.count().label("n"))
        .where(e.state == State.OK)
        .group_by(e.origin_id)
        .subquery()
    )
    query = (
        select(o.method, o.explainer, func.sum(counted.c.n))
        .join(counted, counted.c.origin_id == o.id)
        .group_by(o.method, o.explainer)
    )
    found = [Maker(row[0], row[1], int(row[2])) for row in s.execute(query)]
    return sorted(found, key=lambda each: (each.method, -each.explanations, each.explainer))


def seen_of(s: Session, explanation_id: int, collection_id: int, excerpts: list[int]) -> list[int] | None:
    """Those of the excerpts whose document a maker of the explanation has seen; None where nobody knows what was seen."""
    if any(not heldout.seen_documents(s, maker).known for maker in heldout.lineage(s, explanation_id)):
        return None
    unseen = set(heldout.unseen(s, explanation_id, collection_id, excerpts))
    return [excerpt for excerpt in excerpts if excerpt not in unseen]
