"""What can be known before a revision or a probing begins: whether it can be done at all."""

from dataclasses import replace
from typing import TypeVar

from app.domain.explanations import PROMPTED_METHODS, Method, Protocol, State
from app.errors import BadInput
from app.jobs.live_run import demand_live
from app.jobs.requests import ProbeRequest, ReviseRequest
from app.store import Session, explanations, heldout, neurons, revisions

LiveT = TypeVar("LiveT", bound=ReviseRequest | ProbeRequest)


def method_of(request: ReviseRequest | ProbeRequest) -> Method:
    """What the explanation that comes of it will be called."""
    return request.revise.method if isinstance(request, ReviseRequest) else Method.PROBING


def explainer_of(request: ReviseRequest | ProbeRequest) -> str:
    """The endpoint that writes and rethinks."""
    return request.revise.explainer if isinstance(request, ReviseRequest) else request.probe.explainer


def check(session: Session, request: ReviseRequest | ProbeRequest) -> None:
    """Raises BadInput for options, a neuron or an explanation that do not fit; NotFound for what is not there."""
    (request.revise if isinstance(request, ReviseRequest) else request.probe).check()
    neurons.statistics(session, request.ref)
    demand_live(session, request.ref.model)
    if bool(request.explanation_id) == (request.first is not None):
        raise BadInput(
            "Say which explanation to begin from, or how a first one is to be made: one of the two."
        )
    if request.first is not None:
        if request.first.method not in PROMPTED_METHODS or request.first.candidates != 1:
            raise BadInput(
                f"The first explanation is made by one of the prompt formats, once: {', '.join(PROMPTED_METHODS)}."
            )
        return
    row = explanations.get(session, request.explanation_id)
    if row.state is not State.OK:
        raise BadInput(
            "This explanation failed: there is no statement to begin from. Explain the neuron again."
        )
    if row.ref != request.ref:
        raise BadInput(f"Explanation {row.id} is of {row.ref}, not of {request.ref}.")
    if request.score is not None:
        heldout.demand_known(session, row.id, {request.score.protocol})


def with_sentences(session: Session, request: LiveT) -> LiveT:
    """The request with the revision whose sentences it is scored on. BadInput for one that does not fit."""
    score = request.score
    assert score is not None
    if score.protocol is Protocol.GENERATED:
        raise BadInput(
            f"{Protocol.GENERATED} comes by itself with a revision: choose the protocol of the original records."
        )
    if not isinstance(request, ReviseRequest) or request.revise.method is Method.REVISION:
        if score.revision:
            raise BadInput(
                "Only a control is scored on another revision's sentences: leave the revision out."
            )
        return request
    if score.revision and not request.explanation_id:
        raise BadInput(
            "A revision's sentences were written for an explanation that is there: begin from that one."
        )
    if score.revision:
        revisions.kept(session, score.revision, explanations.get(session, request.explanation_id))
        return request
    there = revisions.revisions(session, request.explanation_id) if request.explanation_id else []
    return replace(request, score=replace(score, revision=there[0])) if there else request
