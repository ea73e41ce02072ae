"""Explanations, simulations and scores as they come out of the store: frozen, plain, as those in rows.py."""

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.explanations import Provenance, ScoreValue, Simulated, State, Usage
from app.domain.neurons import Float32, NeuronRef, Polarity


@dataclass(frozen=True)
class ScoreRow:
    """One stored score."""

    id: int
    explanation_id: int
    simulation_id: int | None
    simulator: (
        str  # "token_lookup" where there is no simulation of its own; of an imported score what was told
    )
    simulator_model: str  # `endpoint / model` as asked, or the local model's name; empty for token lookup
    seed: int
    value: ScoreValue  # state, value, interval, n, reason, parameters
    job_id: str | None
    created_at: datetime


@dataclass(frozen=True)
class ExplanationRow:
    """One stored explanation with its scores. A failed one has no text and says why."""

    id: int
    ref: NeuronRef
    state: State
    reason: str
    text: str
    polarity: Polarity
    provenance: Provenance  # messages_json is filled by `get` only; `of_neuron` and `recent` leave it empty
    collection_id: int
    job_id: str | None
    created_at: datetime
    scores: tuple[ScoreRow, ...] = ()
    simulated: bool = False  # there is a simulation from it that came about
    source_id: int | None = None  # the explanation that it was made from

    @property
    def method(self) -> str:
        return self.provenance.method


@dataclass(frozen=True, eq=False)
class SimulationRow:
    """One stored simulation. A failed one has no values and says why."""

    id: int
    explanation_id: int
    simulator: str
    simulator_model: str
    parameters_json: str
    seed: int
    state: State
    reason: str
    simulated: Simulated | None
    usage: Usage  # a failed one took something too
    collection_id: int
    job_id: str | None
    created_at: datetime
    actual: Float32 | None = None  # [R, T] as published beside it; None: the neuron's records have it


@dataclass(frozen=True)
class SeenProof:
    """What an explanation's maker saw, in terms of documents."""

    explanation_id: int
    collection_id: int
    documents: tuple[int, ...] = field(default_factory=tuple)  # ordinals
    clusters: frozenset[str] = field(default_factory=frozenset)  # near-duplicate clusters of those documents
    known: bool = True  # False for an imported explanation: nobody knows what its maker saw
