"""Explanations: the recent ones, and of each its provenance, simulations and scores; asking for another score."""

from fastapi import APIRouter

from app.store import explanations as stored_explanations
from app.store import scores as stored_scores
from app.store import simulations as stored_simulations
from app.web.api import convert
from app.web.api.asking import ScoreAgainIn, score_options
from app.web.api.explanation_schemas import ExplanationOut, ScoreOut, SimulationOut
from app.web.api.parameters import Cursor, ExplanationId, Limit
from app.web.api.schemas import JobStarted, ListOf, PageOf
from app.web.dependencies import JobsDep, StoreDep

router = APIRouter(tags=["explanations"], prefix="/explanations")


@router.get("")
def list_recent(store: StoreDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[ExplanationOut]:
    """A page of what was said of any neuron when somebody asked, newest first. Failed explanations are left out, and
    so are those that a collection brings to every neuron.
    """
    with store.session() as session:
        page = stored_explanations.recent_page(session, cursor, limit)
    return PageOf(
        items=[convert.explanation(row) for row in page.items],
        next=page.next,
        previous=page.previous,
        total=page.total,
    )


@router.get("/{explanation}")
def get_explanation(store: StoreDep, explanation: ExplanationId) -> ExplanationOut:
    """One explanation with its scores, the exact messages that it came from and what was tried on the way."""
    with store.session() as session:
        row = stored_explanations.get(session, explanation)
        return convert.explanation(row, stored_explanations.steps_of(session, explanation))


@router.get("/{explanation}/scores")
def list_scores(store: StoreDep, explanation: ExplanationId) -> ListOf[ScoreOut]:
    """All scores of the explanation, undefined and failed ones too."""
    with store.session() as session:
        stored_explanations.get(session, explanation)
        return ListOf(
            items=[convert.score(row) for row in stored_scores.of_explanation(session, explanation)]
        )


@router.get("/{explanation}/simulations")
def list_simulations(store: StoreDep, explanation: ExplanationId) -> ListOf[SimulationOut]:
    """All simulations from the explanation, failed ones too."""
    with store.session() as session:
        stored_explanations.get(session, explanation)
        rows = stored_simulations.of_explanation(session, explanation)
    return ListOf(items=[convert.simulation(row) for row in rows])


@router.post("/{explanation}/scores", status_code=202)
def score(jobs: JobsDep, store: StoreDep, explanation: ExplanationId, request: ScoreAgainIn) -> JobStarted:
    """Start a job that simulates the neuron from the explanation and scores that."""
    with store.session() as session:
        stored_explanations.get(session, explanation)
    options = score_options(request)
    return JobStarted(job_id=jobs.enqueue_score(explanation, options, author="api", fresh=request.fresh))
