"""What can be known before the live model is asked anything: checks that turn a wish into a request."""

import json
from typing import NamedTuple

from app.domain.explanations import Metric, Protocol, ScoreOptions, SimulatorName, State, measured
from app.domain.neurons import NeuronRef, Polarity
from app.domain.next_token import by_next_token
from app.errors import BadInput
from app.jobs.requests import AblationRequest, FalsePositivesRequest, Kind, Request, TransferRequest
from app.store import Session, explanations, heldout, models, neurons, simulations
from app.store.explanation_rows import ExplanationRow, SimulationRow

MOST_EXCERPTS = 50_000
USUAL_EXCERPTS = 1_000


class Asked(NamedTuple):
    """A job's row to be."""

    kind: Kind
    title: str
    request: Request
    unit: str
    model: str


def ablation(s: Session, explanation_id: int, simulation_id: int | None, author: str) -> Asked:
    """The ablation score of a simulation, the newest that can have one where none is named.

    NotFound for an unknown explanation or simulation; BadInput where there is nothing to put in the neuron's place.
    """
    row = _statement(s, explanation_id)
    if by_next_token(row.method):
        raise BadInput(
            "This statement is judged by the token that follows, which the running model has not read yet: nothing can be put "
            "in the neuron's place."
        )
    held = simulations.of_explanation(s, explanation_id)
    if simulation_id is not None:
        held = [each for each in held if each.id == simulation_id] or [simulations.get(s, simulation_id)]
        if held[0].explanation_id != explanation_id:
            raise BadInput(f"Simulation {simulation_id} is not of explanation {explanation_id}.")
    current = simulations.collection_of(s, explanation_id)
    usable = [
        each for each in held if protocol_of_simulation(each) is not None and each.collection_id == current
    ]
    if not usable:
        raise BadInput(
            "The ablation score needs a simulation of this neuron's records as they are now: score the explanation first."
        )
    protocol = protocol_of_simulation(usable[0])
    assert protocol is not None
    heldout.demand_known(s, explanation_id, {protocol})
    request = AblationRequest(explanation_id, usable[0].id, author=author)
    return Asked(Kind.ABLATION, f"Ablate {row.ref}", request, "excerpts", row.ref.model)


def false_positives(s: Session, explanation_id: int, excerpts: int, seed: int, author: str) -> Asked:
    """A search for false positives. BadInput for a number of excerpts that is none, and for data without held-out text."""
    row = _statement(s, explanation_id)
    if not 1 <= excerpts <= MOST_EXCERPTS:
        raise BadInput(f"Between 1 and {MOST_EXCERPTS:,} excerpts can be searched, not {excerpts:,}.")
    collection = models.model(s, row.ref.model).collection
    if collection is None or not collection.documents_per_split[2]:
        raise BadInput(
            f"{row.ref.model} has no held-out documents to search: they come with a collection of your own."
        )
    request = FalsePositivesRequest(explanation_id, excerpts, seed, author=author)
    title = f"False positives of explanation {row.id} of {row.ref}"
    return Asked(Kind.FALSE_POSITIVES, title, request, "excerpts", row.ref.model)


def transfer(
    s: Session,
    explanation_id: int,
    ref: NeuronRef,
    polarity: Polarity | None,
    score: ScoreOptions,
    author: str,
) -> Asked:
    """A score of this statement on another neuron, of its own sign where none is named.

    NotFound for an unknown neuron; BadInput for the neuron that the statement is about, and for a statement of which
    nobody knows what its maker saw.
    """
    row = _statement(s, explanation_id)
    neurons.statistics(s, ref)
    sign = polarity or row.polarity
    if (ref, sign) == (row.ref, row.polarity):
        raise BadInput(
            f"{ref} is the neuron that this explanation is about: name another one, or score the explanation itself."
        )
    if score.simulator is SimulatorName.TOKEN_LOOKUP:
        raise BadInput(
            "The token_lookup simulator predicts from token means, not from a statement: choose another simulator."
        )
    heldout.demand_known(s, explanation_id, {score.protocol})
    request = TransferRequest(explanation_id, ref, sign, score, author=author)
    return Asked(Kind.TRANSFER, f"Transfer explanation {row.id} to {ref}", request, "excerpts", ref.model)


def _statement(s: Session, explanation_id: int) -> ExplanationRow:
    row = explanations.get(s, explanation_id)
    if row.state is not State.OK:
        raise BadInput("This explanation failed: there is no statement to score. Explain the neuron again.")
    return row


def protocol_of_simulation(row: SimulationRow) -> Protocol | None:
    """The protocol of a simulation whose records an ablation can be scored on; None for any other."""
    if row.simulated is None or row.actual is not None:
        return None
    said = json.loads(row.parameters_json).get("protocol", "")
    if said not in set(Protocol) or said == Protocol.GENERATED:  # sentences are no records of the collection
        return None
    return (
        Protocol(said) if any(metric is Metric.ABLATION for _, metric in measured(Protocol(said))) else None
    )
