"""Simulations: what was predicted from an explanation, only ever added."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Row, func, select

from app.domain.explanations import Simulated, State, Usage
from app.errors import BadInput, NotFound
from app.store import collections, excerpts, origins, packed_simulations, packing, sql
from app.store import tables as t
from app.store.explanation_rows import SimulationRow
from app.store.rows import CollectionState
from app.store.session import Session, writing


def add(
    s: Session,
    explanation_id: int,
    simulator: str,
    simulator_model: str,
    parameters_json: str,
    seed: int,
    simulated: Simulated | None,
    state: State,
    reason: str,
    job_id: str | None,
    key: str,
    *,
    usage: Usage | None = None,
    collection_id: int | None = None,
) -> int:
    """Store a simulation, or the failure to make one; its id. With a key that is there, nothing is written.

    `usage` is what a failed one took; one with values brings its own.
    `collection_id` is the collection that the excerpts were read from: Conflict where a newer one has ended since. Without
    it they are taken for those of the model's complete collection. BadInput where values and state contradict each other.
    """
    if (state is State.OK) != (simulated is not None):
        raise BadInput(f"a simulation of state “{state}” {'needs' if state is State.OK else 'has no'} values")
    if not key:
        raise BadInput("a simulation needs a key, so that a repeated step finds it")
    writing(s)
    found = s.execute(select(t.simulations.c.id).where(t.simulations.c.key == key)).scalar()
    if found is not None:
        return int(found)
    collection = collection_of(s, explanation_id)
    collections.demand_current(collection_id, collection)
    if simulated is not None:
        excerpts.documents_of(
            s, collection, simulated.excerpts.tolist()
        )  # BadInput for one that is not there
    took = simulated.usage if simulated is not None else usage or Usage()
    made = sql.insert_new(
        s,
        t.simulations,
        {
            "explanation_id": explanation_id,
            "collection_id": collection,
            "simulator": simulator,
            "simulator_model": simulator_model,
            "parameters_id": origins.parameters_id(s, parameters_json),
            "seed": seed,
            "state": state,
            "reason": reason,
            "data": None
            if simulated is None
            else packing.pack_simulation(simulated.excerpts, simulated.expected),
            **took._asdict(),
            "job_id": job_id,
            "key": key,
            "created_at": datetime.now(UTC),
        },
        ("key",),
    )
    if made is None:  # PostgreSQL: another transaction was quicker with the same step
        made = s.execute(select(t.simulations.c.id).where(t.simulations.c.key == key)).scalar_one()
    return made


def of_explanation(s: Session, explanation_id: int) -> list[SimulationRow]:
    """All simulations of an explanation, newest first, failed ones too."""
    return _rows(s, t.simulations.c.explanation_id == explanation_id)


def get(s: Session, simulation_id: int) -> SimulationRow:
    """One simulation."""
    found = _rows(s, t.simulations.c.id == simulation_id)
    if not found:
        raise NotFound(f"there is no simulation {simulation_id}")
    return found[0]


def pace(s: Session, simulator: str, of: int = 50) -> float | None:
    """Seconds that the newest good simulations by a simulator took on average; None where there is none."""
    c = t.simulations.c
    newest = (
        select(c.seconds)
        .where(c.simulator == simulator, c.state == State.OK, c.seconds > 0)
        .order_by(c.id.desc())
        .limit(of)
        .subquery()
    )
    found: float | None = s.execute(select(func.avg(newest.c.seconds))).scalar()
    return found


def collection_of(s: Session, explanation_id: int) -> int:
    """The complete collection of the model that an explanation is about."""
    query = (
        select(t.collections.c.id)
        .join(t.layers, t.layers.c.model_id == t.collections.c.model_id)
        .join(t.explanations, t.explanations.c.layer_id == t.layers.c.id)
        .where(t.explanations.c.id == explanation_id, t.collections.c.state == CollectionState.COMPLETE)
    )
    found: int | None = s.execute(query).scalar()
    if found is None:
        raise NotFound(f"there is no explanation {explanation_id}")
    return found


def _rows(s: Session, where: ColumnElement[bool]) -> list[SimulationRow]:
    query = (
        select(t.simulations, t.parameters.c.json.label("parameters_json"))
        .join(t.parameters, t.parameters.c.id == t.simulations.c.parameters_id)
        .where(where)
        .order_by(t.simulations.c.id.desc())
    )
    return [_row(row) for row in s.execute(query)]


def _row(row: Row[Any]) -> SimulationRow:
    simulated = None
    usage = Usage(row.tokens_in, row.tokens_out, row.cost_usd, row.seconds, row.calls)
    actual = None
    if row.data is not None and packed_simulations.is_published(row.data):
        there = packed_simulations.unpack(row.data)
        expected, actual = there.expected.astype(np.float32), there.actual.astype(np.float32)
        simulated = Simulated(there.excerpts, expected, usage, row.parameters_json)
    elif row.data is not None:
        found, expected = packing.unpack_simulation(row.data)
        simulated = Simulated(found, expected, usage, row.parameters_json)
    return SimulationRow(
        id=row.id,
        explanation_id=row.explanation_id,
        simulator=row.simulator,
        simulator_model=row.simulator_model,
        parameters_json=row.parameters_json,
        seed=row.seed,
        state=row.state,
        reason=row.reason,
        simulated=simulated,
        actual=actual,
        usage=usage,
        collection_id=row.collection_id,
        job_id=row.job_id,
        created_at=row.created_at,
    )
