"""What others simulated from their explanations, beside what the neurons did there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import select

from app.domain.explanations import State
from app.domain.published import PublishedSimulation
from app.store import bulk, origins, packed_simulations
from app.store import tables as t
from app.store import types as kinds
from app.store.imported_neurons import Collection
from app.store.library import Library
from app.store.session import Session

_COLUMNS = (
    "id", "explanation_id", "collection_id", "simulator", "simulator_model", "parameters_id", "seed", "state", "reason",
    "data", "tokens_in", "tokens_out", "cost_usd", "seconds", "calls", "key", "created_at",
)  # fmt: skip
_SCALES = ("neuron_activations", "simulated_normalized_activations")


class Kept(NamedTuple):
    """The simulations of some explanations."""

    ids: dict[int, int]  # by explanation
    new: int


def add(
    s: Session,
    into: Collection,
    library: Library,
    simulations: Mapping[int, PublishedSimulation],
    simulator: str,
) -> Kept:
    """Store the simulations of explanations that have none of theirs yet; `simulator` is the model that simulated; empty: not told."""
    sim = t.simulations.c
    query = select(sim.explanation_id, sim.id).where(sim.key.in_([_key(id_) for id_ in simulations]))
    there = {row.explanation_id: row.id for row in s.execute(query)}
    wanted = {id_: each for id_, each in simulations.items() if id_ not in there}
    new = bulk.reserve(s, t.simulations, len(wanted))
    now = kinds.microseconds(datetime.now(UTC))
    rows = []
    for simulation_id, (id_, simulation) in zip(new, wanted.items(), strict=True):
        parameters = f'{{"imported": true, "scale": "{_scale(simulation)}"}}'
        parameters_id = origins.parameters_id(s, parameters)
        data = _packed(library, simulation)
        state = kinds.STATES[State.OK]
        rows.append(
            (simulation_id, id_, into.id, "published", simulator, parameters_id, 0, state, "", data, 0, 0, 0.0, 0.0, 0, _key(id_), now)
        )  # fmt: skip
    bulk.insert(s, t.simulations, _COLUMNS, rows)
    return Kept(there | dict(zip(wanted, new, strict=True)), len(wanted))


def says(s: Session, simulation_id: int, library: Library, simulation: PublishedSimulation) -> bool:
    """Whether a stored simulation is this one."""
    sim = t.simulations.c
    data = s.execute(select(sim.data).where(sim.id == simulation_id)).scalar()
    return data == _packed(library, simulation)


def _packed(library: Library, simulation: PublishedSimulation) -> bytes:
    ordinals = library.ordinals(simulation.digests)
    return packed_simulations.pack(ordinals, simulation.expected, simulation.actual, simulation.uncalibrated)


def scale_of(parameters_json: str) -> str:
    """The scale that a stored simulation was published on; empty where it was not told."""
    return next((name for name in _SCALES if name in parameters_json), "")


def _scale(simulation: PublishedSimulation) -> str:
    """Only names that are known go into JSON as they are."""
    return simulation.scale if simulation.scale in _SCALES else ""


def _key(explanation_id: int) -> str:
    return f"imported:{explanation_id}"
