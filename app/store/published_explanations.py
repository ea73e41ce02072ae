"""Published explanations with their scores, and what was simulated from them beside what the neuron did."""

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
from sqlalchemy import select

from app.domain import metrics
from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.imported import ImportedExplanation, ImportedScore, ImportSource
from app.domain.neurons import Bool, Kind, UInt8
from app.domain.published import Explained, PublishedSimulation, Results
from app.store import codec, imported_neurons, imported_simulations, names
from app.store import tables as t
from app.store.imported import add_scores, add_statements
from app.store.imported_neurons import Collection
from app.store.library import Library
from app.store.session import Session

# Which of our measures the published ones are, in the order of `published.SCORES`.
METRICS = (Metric.CORRELATION, Metric.R_SQUARED_UNCENTRED, Metric.ABS_DEV_EXPLAINED)
_NULL = "Published as undefined."
_FLAT = {
    State.CONSTANT_ACTUAL: "The activations on the random records are all the same.",
    State.CONSTANT_PREDICTION: "The simulation predicts the same value everywhere.",
    State.TOO_FEW_ACTIVE: "No token of the random records is above 0.",
}


class Tally(NamedTuple):
    """What became of some files."""

    new: int  # explanations
    same: int
    simulations: int


def write(
    s: Session,
    into: Collection,
    library: Library,
    layer: int,
    source: ImportSource,
    results: Sequence[Results],
    simulator: str,
) -> Tally:
    """Store published explanations of one layer; those that are there from this source are passed over.

    With `simulator`, the name of the model that simulated, simulations are stored too. `library.begin` comes before,
    `library.save` after.
    """
    said = [(result.neuron, each) for result in results for each in result.explained]
    if not said:
        return Tally(0, 0, 0)
    plain = [ImportedExplanation(layer, neuron, each.text) for neuron, each in said]
    stated = add_statements(s, into.slug, source, plain)
    simulations = {
        id_: each.simulation
        for (_, each), id_ in zip(said, stated.ids, strict=True)
        if simulator and each.simulation is not None
    }
    simulated = imported_simulations.add(s, into, library, simulations, simulator)
    drawn = _random(s, into, layer, sorted({neuron for neuron, _ in said})) if simulator else {}
    scored = [
        _scores(each, simulated.ids.get(id_), drawn.get(neuron, frozenset()), library)
        for (neuron, each), id_ in zip(said, stated.ids, strict=True)
    ]
    add_scores(s, stated, scored)
    return Tally(stated.new, len(said) - stated.new, simulated.new)


def _random(s: Session, into: Collection, layer: int, neurons: Sequence[int]) -> dict[int, frozenset[int]]:
    """By neuron with records: the excerpts that were kept at random and not as the strongest."""
    part = imported_neurons.part_of(s, into, layer)
    slots: UInt8 = np.frombuffer(
        s.execute(select(t.parts.c.kinds).where(t.parts.c.id == part)).scalar_one(), np.uint8
    )
    zero, e = names.neuron_id(part, 0), t.exemplars.c
    wanted = set(neurons)
    found = {}
    for row in s.execute(select(e.id, e.data).where(e.id.between(zero + neurons[0], zero + neurons[-1]))):
        if row.id - zero in wanted:
            records = codec.decode_records(row.data)
            mine = slots[records.slots]
            random = set(records.excerpts[mine == Kind.RANDOM].tolist())
            found[row.id - zero] = frozenset(random - set(records.excerpts[mine == Kind.TOP].tolist()))
    return found


def _scores(
    each: Explained, simulation_id: int | None, random: frozenset[int], library: Library
) -> tuple[ImportedScore, ...]:
    counted = each.simulation
    n_records = 0 if counted is None else len(counted.digests)
    n_tokens = 0 if counted is None else counted.expected.size
    found = [
        ImportedScore(
            metric, Protocol.BILLS_5_5, Sample.TOP_AND_RANDOM, None if isnan(value) else value,
            _NULL if isnan(value) else "", n_records=n_records, n_tokens=n_tokens, simulation_id=simulation_id,
        )
        for metric, value, given in zip(METRICS, each.scores, each.given, strict=True)
        if given
    ]  # fmt: skip
    if counted is not None and random:
        rows = np.array([library.known(digest) in random for digest in counted.digests], np.bool_)
        if rows.any():
            found.append(_random_only(counted, rows)._replace(simulation_id=simulation_id))
    return tuple(found)


def _random_only(simulation: PublishedSimulation, rows: Bool) -> ImportedScore:
    """Correlation on the random records alone: not in the published files, but what the paper counts neurons by."""
    actual, expected = simulation.actual[rows], simulation.expected[rows]
    value: float | State = State.TOO_FEW_ACTIVE
    if (actual > 0).any():
        value = metrics.correlation(actual.ravel(), expected.ravel())
    state = value if isinstance(value, State) else State.OK
    return ImportedScore(
        Metric.CORRELATION,
        Protocol.BILLS_5_5,
        Sample.RANDOM_ONLY,
        None if isinstance(value, State) else value,
        _FLAT.get(state, ""),
        state,
        n_records=len(actual),
        n_tokens=actual.size,
        claims_json='{"computed": "here, from the published simulation"}',
    )
