"""The explanations that a study's arms name, and the proof that raters are shown text that no maker of them has seen."""

from typing import NamedTuple

from sqlalchemy import or_, select

from app.domain.explanations import State
from app.domain.neurons import NeuronRef, Polarity
from app.domain.studies import StudyArm
from app.store import heldout, names
from app.store import tables as t
from app.store.session import Session


class Said(NamedTuple):
    """A stored explanation as a study takes it."""

    id: int
    text: str
    method: str
    explainer: str


def newest(s: Session, ref: NeuronRef, arm: StudyArm, polarity: Polarity) -> Said | None:
    """A neuron's newest explanation by an arm's method and explainer; None where there is none. Raises NotFound for the neuron.

    An explainer is named whole ("endpoint / model"), or by either part of that.
    """
    part = names.part_of(s, ref)
    e, o = t.explanations.c, t.origins.c
    query = (
        select(e.id, e.text, o.method, o.explainer)
        .join(t.origins, o.id == e.origin_id)
        .where(
            e.layer_id == part.layer_id,
            e.neuron == ref.index,
            e.state == State.OK,
            e.polarity == polarity,
            o.method == arm.method,
        )
    )
    if arm.explainer:
        named = arm.explainer
        query = query.where(
            or_(
                o.explainer == named,
                o.explainer.startswith(f"{named} / ", autoescape=True),
                o.explainer.endswith(f" / {named}", autoescape=True),
            )
        )
    row = s.execute(query.order_by(e.id.desc()).limit(1)).first()
    return None if row is None else Said(*row)


def seen_of(s: Session, explanation_id: int, collection_id: int, excerpts: list[int]) -> list[int] | None:
    """Those of the excerpts whose document a maker of the explanation has seen; None where nobody knows what was seen."""
    if any(not heldout.seen_documents(s, maker).known for maker in heldout.lineage(s, explanation_id)):
        return None
    unseen = set(heldout.unseen(s, explanation_id, collection_id, excerpts))
    return [excerpt for excerpt in excerpts if excerpt not in unseen]
