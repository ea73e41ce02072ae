"""Revisions and what they tried: sentences kept to score on, texts that count as seen, and how many were false positives."""

import json
from typing import NamedTuple

from sqlalchemy import case, distinct, func, select, text

from app.domain.explanations import Method, Protocol, State
from app.domain.live_texts import PROBE, SENTENCE, Role, Sentence, from_step, live_of, same
from app.errors import BadInput, Conflict
from app.store import explanations, heldout, names
from app.store import tables as t
from app.store.explanation_rows import ExplanationRow
from app.store.session import Session
from app.store.simulations import collection_of

# The condition of ix_explanations_recent with its number written out: a bound value would not find that index.
_ASKED = text("explanations.key IS NOT NULL AND explanations.state = 0")
_FALSE_POSITIVE = (
    '%"false_positive":true%'  # as `live_texts.dumps` writes it; a quote in a text is written as \"
)


class FalsePositives(NamedTuple):
    """How often the explainer was wrong about its own sentences (BILLS: 42 % of them; 86 % of neurons had one)."""

    sentences: int
    wrong: int
    neurons: int
    neurons_with: int  # at least one

    @property
    def share(self) -> float | None:
        return self.wrong / self.sentences if self.sentences else None

    @property
    def neuron_share(self) -> float | None:
        return self.neurons_with / self.neurons if self.neurons else None


def sentences(s: Session, explanation_id: int) -> list[Sentence]:
    """The test sentences of a revision, in the order in which they were written; none of any other explanation."""
    return [from_step(step) for step in explanations.steps_of(s, explanation_id) if step.kind == SENTENCE]


def seen_texts(s: Session, explanation_id: int) -> set[str]:
    """`same` of every text that its maker, or that of what it was made from, was shown activations of."""
    found: set[str] = set()
    for maker in heldout.lineage(s, explanation_id):
        for step in explanations.steps_of(s, maker):
            if step.kind == SENTENCE and (sentence := from_step(step)).role is Role.EVIDENCE:
                found.add(same(sentence.live.text))
            elif step.kind == PROBE:
                found.add(same(live_of(json.loads(step.data_json)).text))
    return found


def written_texts(s: Session, explanation_id: int) -> set[str]:
    """`same` of every text that any maker in the line wrote or was shown: what a fresh text must differ from."""
    found = seen_texts(s, explanation_id)
    for maker in heldout.lineage(s, explanation_id):
        found |= {same(sentence.live.text) for sentence in sentences(s, maker)}
    return found


def kept(s: Session, revision_id: int, row: ExplanationRow) -> list[Sentence]:
    """The sentences that a revision kept for scoring, for a score of the explanation `row` on them.

    BadInput where it is no revision that came about, is of another neuron or polarity, or where what made `row` has seen
    one of them; Conflict where the model was collected anew since.
    """
    revision = explanations.get(s, revision_id)
    mine = [one for one in sentences(s, revision_id) if one.role is Role.KEPT]
    if revision.method != Method.REVISION or revision.state is not State.OK or not mine:
        raise BadInput(
            f"explanation {revision_id} is no revision with sentences kept for scoring: name one of method revision"
        )
    if (revision.ref, revision.polarity) != (row.ref, row.polarity):
        raise BadInput(
            f"revision {revision_id} tested {revision.ref} ({revision.polarity}), not {row.ref} ({row.polarity})"
        )
    if revision.collection_id != collection_of(s, row.id):
        raise Conflict(
            f"the model was collected anew since revision {revision_id}: revise the explanation again"
        )
    known = seen_texts(s, row.id)
    seen = sum(same(one.live.text) in known for one in mine)
    if seen:
        raise BadInput(
            f"not held out: explanation {row.id} was made from {seen} of the {len(mine)} sentences that revision "
            f"{revision_id} kept, and cannot be scored on them"
        )
    heldout.demand_known(s, row.id, {Protocol.GENERATED})
    return mine


def revisions(s: Session, source_id: int) -> list[int]:
    """The revisions of an explanation that came about, newest first."""
    e, source = t.explanations.c, t.explanations.alias("source")
    query = (
        select(e.id)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .join(
            source, (source.c.layer_id == e.layer_id) & (source.c.neuron == e.neuron)
        )  # by the index on both
        .where(
            source.c.id == source_id,
            e.source_id == source_id,
            e.state == State.OK,
            t.origins.c.method == Method.REVISION,
        )
        .order_by(e.id.desc())
    )
    return [int(found) for found in s.execute(query).scalars()]


def of_model(s: Session, slug: str, limit: int = 100) -> list[int]:
    """The newest revisions, controls included, of a model's neurons that came about."""
    made = (Method.REVISION, Method.REVISION_RANDOM, Method.RE_EXPLANATION)
    e = t.explanations.c
    query = (
        select(e.id)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .join(t.layers, t.layers.c.id == e.layer_id)
        .where(t.layers.c.model_id == names.model_id(s, slug), t.origins.c.method.in_(made), _ASKED)
        .order_by(e.id.desc())
        .limit(limit)
    )
    return [int(found) for found in s.execute(query).scalars()]


def false_positives(s: Session, slug: str) -> FalsePositives:
    """Over all sentences that were written for revisions of the model's neurons, and run, also where no revision came of them."""
    e, step = t.explanations.c, t.explanation_steps.c
    wrong = case((step.data.like(_FALSE_POSITIVE), 1), else_=0)
    neuron = e.layer_id * 10**9 + e.neuron
    query = (
        select(
            func.count(),
            func.coalesce(func.sum(wrong), 0),
            func.count(distinct(neuron)),
            func.count(distinct(case((step.data.like(_FALSE_POSITIVE), neuron)))),
        )
        .select_from(t.explanation_steps)
        .join(t.explanations, e.id == step.explanation_id)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .join(t.layers, t.layers.c.id == e.layer_id)
        .where(
            t.layers.c.model_id == names.model_id(s, slug),
            t.origins.c.method == Method.REVISION,
            step.kind == SENTENCE,
        )
    )
    return FalsePositives(*(int(value) for value in s.execute(query).one()))
