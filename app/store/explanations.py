"""Explanations: only ever added, each with its whole provenance."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, insert, select, text

from app.domain.explanations import Method, Provenance, State, Step, Usage
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput, NotFound
from app.store import collections, cursors, heldout, names, origins, scores, sql
from app.store import tables as t
from app.store.explanation_rows import ExplanationRow
from app.store.rows import Page
from app.store.session import Session, writing

_KEYED = text("key IS NOT NULL")
# The condition of ix_explanations_recent with its number written out: a bound value would not find that index.
_RECENT = and_(t.explanations.c.key.is_not(None), text("explanations.state = 0"))
_CURSOR = re.compile(r"-?[0-9]{1,15}")
_ID_LIMIT = 1 << 63  # beyond it a database refuses to compare


def add(
    s: Session,
    ref: NeuronRef,
    text: str | None,
    polarity: Polarity,
    provenance: Provenance,
    state: State,
    reason: str,
    job_id: str | None,
    key: str,
    *,
    collection_id: int | None = None,
    source_id: int | None = None,
    steps: Sequence[Step] = (),
) -> int:
    """Store an explanation, or the failure to make one; its id. With a key that is there, nothing is written.

    `source_id` is the explanation that it was made from, `steps` what was tried on the way, a failed way's too.

    `collection_id` is the collection that the provenance's excerpts were read from: Conflict where a newer one has ended
    since. Without it they are taken for those of the model's complete collection.
    BadInput for a text without the state OK, and for OK without a text; NotFound for a source that is not there.
    """
    if (state is State.OK) != bool(text and text.strip()):
        raise BadInput(
            f"an explanation of state “{state}” {'needs a' if state is State.OK else 'has no'} text"
        )
    if not key:
        raise BadInput("an explanation needs a key, so that a repeated step finds it")
    writing(s)
    found = s.execute(select(t.explanations.c.id).where(t.explanations.c.key == key)).scalar()
    if found is not None:
        return int(found)
    part = names.part_of(s, ref)
    collections.demand_current(collection_id, part.collection_id)
    if source_id is not None:
        heldout.lineage(s, source_id)
    made = sql.insert_new(
        s,
        t.explanations,
        {
            "layer_id": part.layer_id,
            "neuron": ref.index,
            "collection_id": part.collection_id,
            "origin_id": origins.origin_id(
                s,
                method=provenance.method,
                explainer=provenance.explainer,
                author=provenance.author,
                prompt_version=provenance.prompt_version,
                parameters_json=provenance.parameters_json,
                code_version=provenance.code_version,
            ),
            "polarity": polarity,
            "state": state,
            "reason": reason,
            "text": text or "",
            "seed": provenance.seed,
            "messages_id": _messages(s, provenance),
            "excerpts": np.array(provenance.excerpts, "<i4").tobytes(),
            **provenance.usage._asdict(),
            "job_id": job_id,
            "key": key,
            "source_id": source_id,
            "created_at": datetime.now(UTC),
        },
        ("key",),
        _KEYED,
    )
    if made is None:  # PostgreSQL: another transaction was quicker with the same step
        return int(s.execute(select(t.explanations.c.id).where(t.explanations.c.key == key)).scalar_one())
    if steps:
        rows = [
            {"explanation_id": made, "ordinal": i, "kind": step.kind, "data": step.data_json}
            for i, step in enumerate(steps)
        ]
        s.execute(insert(t.explanation_steps), rows)
    return made


def steps_of(s: Session, explanation_id: int) -> list[Step]:
    """What was tried on the way to an explanation, in order."""
    c = t.explanation_steps.c
    query = select(c.kind, c.data).where(c.explanation_id == explanation_id).order_by(c.ordinal)
    return [Step(row.kind, row.data) for row in s.execute(query)]


def collected_lookup(s: Session, ref: NeuronRef, polarity: Polarity) -> int | None:
    """The token lookup that the model's collection brought for a neuron; None where it brought none."""
    part = names.part_of(s, ref)
    e = t.explanations.c
    query = (
        select(e.id)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .where(
            e.layer_id == part.layer_id,
            e.neuron == ref.index,
            e.key.is_(None),
            e.state == State.OK,
            e.polarity == polarity,
            e.collection_id == part.collection_id,
            t.origins.c.method == Method.TOKEN_LOOKUP.value,
        )
        .order_by(e.id.desc())
    )
    found: int | None = s.execute(query.limit(1)).scalar()
    return found


def newest_by(s: Session, ref: NeuronRef, method: str, polarity: Polarity, before: datetime) -> int | None:
    """A neuron's newest good explanation by a method, of those made before a moment; None where there is none."""
    part = names.part_of(s, ref)
    e = t.explanations.c
    query = (
        select(e.id)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .where(
            e.layer_id == part.layer_id,
            e.neuron == ref.index,
            e.state == State.OK,
            e.polarity == polarity,
            e.created_at < before,
            t.origins.c.method == method,
        )
        .order_by(e.id.desc())
    )
    found: int | None = s.execute(query.limit(1)).scalar()
    return found


def of_neuron(s: Session, ref: NeuronRef) -> list[ExplanationRow]:
    """All explanations of a neuron with their scores, newest first, failed ones too."""
    part = names.part_of(s, ref)
    e = t.explanations.c
    return _rows(s, _select((e.layer_id == part.layer_id) & (e.neuron == ref.index)))


def get(s: Session, explanation_id: int) -> ExplanationRow:
    """One explanation with its scores, the exact messages that it came from and all excerpts that its maker saw."""
    query = _select(t.explanations.c.id == explanation_id, t.messages.c.json.label("messages_json"))
    found = _rows(s, query) if 0 < explanation_id < _ID_LIMIT else []
    if not found:
        newest = s.execute(select(func.max(t.explanations.c.id))).scalar()
        there = f"the newest is {newest}" if newest is not None else "nothing has been explained yet"
        raise NotFound(f"there is no explanation {explanation_id}; {there}")
    row = found[0]
    seen = tuple(heldout.seen_excerpts(s, explanation_id))
    return replace(row, provenance=replace(row.provenance, excerpts=seen))


def some(s: Session, ids: Sequence[int]) -> list[ExplanationRow]:
    """Those of these that are there, with their scores, newest first; without messages, as in a list."""
    return _rows(s, _select(t.explanations.c.id.in_(list(ids))))


def recent(s: Session, n: int) -> list[ExplanationRow]:
    """The newest that somebody asked for and that came about; what a collection brings to every neuron is left out."""
    return _rows(s, _select(_RECENT).limit(n))


def recent_page(s: Session, cursor: str | None = None, limit: int = 50) -> Page[ExplanationRow]:
    """One page of `recent`. A cursor is the id of the explanation that the page comes after, or with `-` before.

    BadInput for a cursor that is no id.
    """
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise cursors.out_of_date()
    id_ = t.explanations.c.id
    query, at, backward = _select(_RECENT), abs(int(cursor or 0)), bool(cursor and cursor.startswith("-"))
    if backward:
        query = query.where(id_ > at).order_by(None).order_by(id_)
    elif cursor is not None:
        query = query.where(id_ < at)
    rows, has_next, has_previous = cursors.window(
        _rows(s, query.limit(limit + 1)), limit, backward=backward, first=cursor is None
    )
    return Page(
        tuple(rows),
        next=str(rows[-1].id) if has_next else None,
        previous=f"-{rows[0].id}" if has_previous else None,
        total=s.execute(select(func.count()).select_from(t.explanations).where(_RECENT)).scalar_one(),
    )


def _messages(s: Session, made: Provenance) -> int | None:
    if not made.messages_json:
        return None
    hash_ = made.messages_hash or sql.digest(made.messages_json)
    return sql.interned(s, t.messages, "hash", hash_, json=made.messages_json)


def _select(where: ColumnElement[bool], *more: ColumnElement[Any]) -> Select[Any]:
    o = t.origins.c
    return (
        select(
            t.explanations,
            t.models.c.slug.label("model"),
            t.layers.c.slug.label("layer"),
            o.method,
            o.explainer,
            o.prompt_version,
            o.parameters_json,
            o.code_version,
            o.author,
            t.messages.c.hash.label("messages_hash"),
            exists()
            .where(t.simulations.c.explanation_id == t.explanations.c.id, t.simulations.c.state == State.OK)
            .label("simulated"),
            *more,
        )
        .join(t.origins, o.id == t.explanations.c.origin_id)
        .join(t.layers, t.layers.c.id == t.explanations.c.layer_id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .outerjoin(t.messages, t.messages.c.id == t.explanations.c.messages_id)
        .where(where)
        .order_by(t.explanations.c.id.desc())
    )


def _rows(s: Session, query: Select[Any]) -> list[ExplanationRow]:
    found: Sequence[Row[Any]] = s.execute(query).all()
    by_explanation = scores.of_explanations(s, [row.id for row in found])
    return [
        ExplanationRow(
            id=row.id,
            ref=NeuronRef(row.model, row.layer, row.neuron),
            state=row.state,
            reason=row.reason,
            text=row.text,
            polarity=row.polarity,
            provenance=Provenance(
                method=row.method,
                explainer=row.explainer,
                prompt_version=row.prompt_version,
                messages_hash=row.messages_hash or "",
                messages_json=getattr(row, "messages_json", None) or "",
                parameters_json=row.parameters_json,
                seed=row.seed,
                excerpts=heldout.listed(row.excerpts),
                code_version=row.code_version,
                usage=Usage(row.tokens_in, row.tokens_out, row.cost_usd, row.seconds, row.calls),
                author=row.author,
            ),
            collection_id=row.collection_id,
            job_id=row.job_id,
            created_at=row.created_at,
            scores=tuple(by_explanation.get(row.id, ())),
            simulated=row.simulated,
            source_id=row.source_id,
        )
        for row in found
    ]
