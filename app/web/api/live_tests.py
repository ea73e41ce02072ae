"""Putting explanations to the test with the live model: ablation, false positives, another neuron."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from app.domain.neurons import NeuronRef, Polarity
from app.jobs.live_requests import USUAL_EXCERPTS
from app.store import explanations as stored_explanations
from app.store import false_positives as stored
from app.store.explanation_rows import ExplanationRow
from app.store.false_positives import SearchRow
from app.web import false_positive_lines
from app.web.api.asking import ScoreIn, score_options
from app.web.api.parameters import ExplanationId
from app.web.api.schemas import JobStarted, ListOf, Schema
from app.web.dependencies import JobsDep, StoreDep

router = APIRouter(tags=["explanations"], prefix="/explanations")


class AblationIn(Schema):
    """Which simulation to put in the neuron's place."""

    simulation: int | None = Field(
        default=None, description="Of this explanation; null: the newest that can be.", examples=[3]
    )


class SearchIn(Schema):
    """How many held-out excerpts to examine."""

    excerpts: int = Field(default=USUAL_EXCERPTS, description="Fewer where there are no more.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of the sample and of the simulation.")


class TransferIn(Schema):
    """The other neuron, and how to score the statement there."""

    model: str = Field(description="The model's slug.", examples=["smollm2-135m-instruct"])
    layer: str = Field(description="The layer's slug.", examples=["8-mlp"])
    index: int = Field(ge=0, description="The neuron's index within its layer.", examples=[102])
    polarity: Polarity | None = Field(default=None, description="Of that neuron; null: the statement's own.")
    score: ScoreIn = Field(default_factory=ScoreIn, description="How activations are predicted.")


class FalsePositiveOut(Schema):
    """One excerpt where the explanation predicts the neuron and the neuron is silent."""

    excerpt: int = Field(description="Its ordinal in the collection.", examples=[512])
    token: int = Field(description="The silent token with the highest prediction.", examples=[17])
    active_elsewhere: bool = Field(description="The neuron is above its threshold on another token.")
    predicted: list[float] = Field(
        description="For every token, of the explained sign, on the simulator's scale.", examples=[[0.2, 7.4]]
    )
    actual: list[float] = Field(
        description="What the live model gave for every token, signed.", examples=[[-0.1, 0.03]]
    )


class FalsePositivesOut(Schema):
    """One search for false positives."""

    id: int = Field(examples=[1])
    explanation_id: int = Field(examples=[46081])
    collection_id: int = Field(description="The collection that the excerpts are of.", examples=[1])
    current: bool = Field(description="That collection is the one that pages show.")
    simulator: str = Field(examples=["local"])
    simulator_model: str = Field(examples=["SmolLM2-135M-Instruct"])
    seed: int = Field(examples=[0])
    about: list[str] = Field(
        description="The search in sentences, as the page has them.",
        examples=[["Simulated by SmolLM2-135M-Instruct (local, scale 0-9, seed 0): 252 excerpts …"]],
    )
    warning: str = Field(
        description="Why the predictions may be worthless; empty where they are not.", examples=[""]
    )
    parameters_json: str = Field(
        description="Split, threshold, calibration, counts.",
        examples=['{"asked": 1000, "examined": 252, "split": "score", "threshold": 0.31}'],
    )
    excerpts: list[FalsePositiveOut] = Field(description="The worst first.")
    job_id: str | None = Field(examples=["false_positives-3f2a9c41d7e0"])
    created_at: datetime


@router.post("/{explanation}/ablation", status_code=202)
def ablate(jobs: JobsDep, explanation: ExplanationId, request: AblationIn) -> JobStarted:
    """Start a job that scores a simulation by putting it in the neuron's place in the live model."""
    return JobStarted(job_id=jobs.enqueue_ablation(explanation, request.simulation, author="api"))


@router.post("/{explanation}/false-positives", status_code=202)
def search(jobs: JobsDep, explanation: ExplanationId, request: SearchIn) -> JobStarted:
    """Start a job that looks for held-out text where the explanation predicts the neuron and it is silent."""
    job = jobs.enqueue_false_positives(explanation, request.excerpts, request.seed, author="api")
    return JobStarted(job_id=job)


@router.get("/{explanation}/false-positives")
def list_false_positives(store: StoreDep, explanation: ExplanationId) -> ListOf[FalsePositivesOut]:
    """All searches for the explanation's false positives, newest first."""
    with store.session() as session:
        row = stored_explanations.get(session, explanation)
        found = stored.of_explanation(session, explanation)
    return ListOf(items=[_search(each, row) for each in found])


@router.post("/{explanation}/transfer", status_code=202)
def transfer(jobs: JobsDep, explanation: ExplanationId, request: TransferIn) -> JobStarted:
    """Start a job that scores the statement on another neuron, as an explanation of that one."""
    ref = NeuronRef(request.model, request.layer, request.index)
    options = score_options(request.score)
    return JobStarted(job_id=jobs.enqueue_transfer(explanation, ref, options, request.polarity, author="api"))


def _search(row: SearchRow, of: ExplanationRow) -> FalsePositivesOut:
    said = false_positive_lines.described(row)
    return FalsePositivesOut(
        id=row.id,
        explanation_id=row.explanation_id,
        collection_id=row.collection_id,
        current=row.current,
        simulator=row.simulator,
        simulator_model=row.simulator_model,
        seed=row.seed,
        about=list(said.sentences),
        warning=said.warning,
        parameters_json=row.parameters_json,
        excerpts=[
            FalsePositiveOut(
                excerpt=each.excerpt,
                token=each.token,
                active_elsewhere=each.active,
                predicted=row.predicted[i].tolist(),
                actual=row.actual[i].tolist(),
            )
            for i, each in enumerate(false_positive_lines.found(row, of.polarity, said))
        ],
        job_id=row.job_id,
        created_at=row.created_at,
    )
