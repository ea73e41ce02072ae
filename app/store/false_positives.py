"""Searches for false positives: only ever added, each with the worst excerpts that it found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import select

from app.domain.explanations import Protocol
from app.domain.neurons import Float32, Int32, Split
from app.errors import BadInput
from app.store import collections, excerpts, heldout, origins, packing, sql
from app.store import tables as t
from app.store.session import Session, writing
from app.store.simulations import collection_of


@dataclass(frozen=True, eq=False)
class SearchRow:
    """One search. R excerpts of T tokens, the worst first."""

    id: int
    explanation_id: int
    collection_id: int
    current: bool  # its excerpts are of the collection that pages show
    simulator: str
    simulator_model: str
    parameters_json: str  # threshold, calibration, counts: see `jobs.false_positives`
    seed: int
    excerpts: Int32  # [R] ordinals in its collection
    predicted: Float32  # [R, T] of the explained sign, on the simulator's scale
    actual: Float32  # [R, T] as the live model gave them, signed
    job_id: str | None
    created_at: datetime


def add(
    s: Session,
    explanation_id: int,
    simulator: str,
    simulator_model: str,
    parameters_json: str,
    seed: int,
    worst: Int32,
    predicted: Float32,
    actual: Float32,
    job_id: str,
    *,
    collection_id: int,
) -> int:
    """Store a search, once a job; its id.

    BadInput for values that do not fit or are not finite, for excerpts that are not of the score split, and for excerpts that the
    explanation's maker has seen; where nobody knows what that was (imported, written by hand) this cannot be told, and is not
    asked. Conflict where the model was collected anew.
    """
    if not len(worst) or predicted.shape != actual.shape or len(predicted) != len(worst):
        raise BadInput("a search needs predictions and activations of each of its excerpts")
    if not (np.isfinite(predicted).all() and np.isfinite(actual).all()):
        raise BadInput("a search with a value that is not finite is none")
    writing(s)
    key = f"{job_id}/false_positives"
    found = s.execute(select(t.false_positives.c.id).where(t.false_positives.c.key == key)).scalar()
    if found is not None:
        return int(found)
    collection = collection_of(s, explanation_id)
    collections.demand_current(collection_id, collection)
    unseen, known = heldout.unseen_documents(s, explanation_id, collection, Split.SCORE)
    if not set(excerpts.documents_of(s, collection, worst.tolist())) <= set(unseen):
        raise BadInput("false positives are looked for in documents of the score split that were not seen")
    if known:
        heldout.demand(s, explanation_id, worst.tolist(), collection, {Protocol.HELDOUT_FULL})
    made = sql.insert_new(
        s,
        t.false_positives,
        {
            "explanation_id": explanation_id,
            "collection_id": collection,
            "simulator": simulator,
            "simulator_model": simulator_model,
            "parameters_id": origins.parameters_id(s, parameters_json),
            "seed": seed,
            "predicted": packing.pack_simulation(worst, predicted),
            "actual": packing.pack_simulation(worst, actual),
            "job_id": job_id,
            "key": key,
            "created_at": datetime.now(UTC),
        },
        ("key",),
    )
    if made is None:  # PostgreSQL: another transaction was quicker with the same step
        made = s.execute(select(t.false_positives.c.id).where(t.false_positives.c.key == key)).scalar_one()
    return made


def of_explanation(s: Session, explanation_id: int) -> Sequence[SearchRow]:
    """All searches from an explanation, newest first."""
    c = t.false_positives.c
    query = (
        select(t.false_positives, t.parameters.c.json.label("parameters_json"))
        .join(t.parameters, t.parameters.c.id == c.parameters_id)
        .where(c.explanation_id == explanation_id)
        .order_by(c.id.desc())
    )
    rows = s.execute(query).all()
    current = collection_of(s, explanation_id) if rows else None
    found = []
    for row in rows:
        worst, predicted = packing.unpack_simulation(row.predicted)
        found.append(
            SearchRow(
                id=row.id,
                explanation_id=row.explanation_id,
                collection_id=row.collection_id,
                current=row.collection_id == current,
                simulator=row.simulator,
                simulator_model=row.simulator_model,
                parameters_json=row.parameters_json,
                seed=row.seed,
                excerpts=worst,
                predicted=predicted,
                actual=packing.unpack_simulation(row.actual)[1],
                job_id=row.job_id,
                created_at=row.created_at,
            )
        )
    return found
