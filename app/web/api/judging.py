"""Judging explanations and comparing their words: the jobs that do it, and a model's table of similarities."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from app.domain.explanations import Metric
from app.domain.judging import MOST_A_PROMPT, MOST_SAMPLED, JudgeOptions
from app.domain.text_similarity import SimilarityOptions
from app.domain.windows import Decoys, WindowSource
from app.store import explanations as stored_explanations
from app.web import similarity_files
from app.web.api.parameters import ExplanationId, Model
from app.web.api.schemas import JobStarted, Schema
from app.web.dependencies import JobsDep, SettingsDep, StoreDep
from app.web.pages.similarity import table_of

router = APIRouter(tags=["explanations"])


class JudgeIn(Schema):
    """How a language model is to judge by an explanation."""

    metric: Metric = Field(
        default=Metric.DETECTION, description="detection or fuzzing.", examples=["detection"]
    )
    endpoint: str = Field(description="The language model that judges.", examples=["vllm"])
    per_prompt: int = Field(
        default=1, ge=1, le=MOST_A_PROMPT, description="Windows in one prompt; several leak how many fire."
    )
    source: WindowSource = Field(
        default=WindowSource.LIVE,
        description="live: a sample of held-out text run through the model; stored: the neuron's records.",
    )
    sampled: int = Field(
        default=128, ge=1, le=MOST_SAMPLED, description="Excerpts in that sample, 64 tokens each."
    )
    decoys: Decoys = Field(default=Decoys.INACTIVE, description="What is wrongly marked in fuzzing.")
    probabilities: bool = Field(
        default=True, description="Ask for log probabilities too, for the area under the ROC curve."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of the windows and of the questions.")
    fresh: bool = Field(
        default=False, description="Ask anew also what has been answered to an identical call."
    )


class SimilarityIn(Schema):
    """What an explanation's words are to be compared with."""

    reference: int = Field(
        ge=1, description="Another explanation of the same neuron and sign.", examples=[46082]
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of the other neurons behind the chance floor.")


class MakerOut(Schema):
    """Who made explanations."""

    method: str = Field(examples=["published"])
    explainer: str = Field(examples=["gpt-4"])


class SimilarityLine(Schema):
    """One maker's explanations against the reference's. Without a floor there are no numbers, and `why_none` says why."""

    method: str = Field(examples=["summary"])
    explainer: str = Field(examples=["vllm / Qwen2.5-7B-Instruct"])
    neurons: int = Field(description="Behind the means; each counts once.", examples=[940])
    explanations: int = Field(description="Compared.", examples=[940])
    similarity: float | None = Field(description="Mean cosine.", examples=[0.42])
    chance_floor: float | None = Field(
        description="Mean cosine of the same statements to the references of other neurons.", examples=[0.18]
    )
    difference: float | None = Field(examples=[0.24])
    low: float | None = Field(description="95 % bootstrap of neurons, of the difference.", examples=[0.23])
    high: float | None = Field(examples=[0.25])
    left_out: int = Field(description="Neurons without a reference.", examples=[20])
    not_embedded: int = Field(description="Neurons of which a statement has no vector yet.", examples=[0])
    why_none: str = Field(examples=[""])


class SimilarityOut(Schema):
    """Everyone who explained a model's neurons, by similarity to one of them."""

    model: str = Field(examples=["gpt2-xl"])
    reference: MakerOut
    embedder: str = Field(examples=["all-MiniLM-L6-v2"])
    embedder_revision: str = Field(
        examples=["53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"]
    )
    references: int = Field(description="Neurons with a reference, each sign for itself.", examples=[16517])
    several_references: int = Field(
        description="Neurons with several references: the newest counts.", examples=[0]
    )
    lines: list[SimilarityLine]


@router.post("/explanations/{explanation}/judgements", status_code=202)
def judge(jobs: JobsDep, store: StoreDep, explanation: ExplanationId, request: JudgeIn) -> JobStarted:
    """Start a job that has a language model judge windows of text by the explanation alone."""
    with store.session() as session:
        stored_explanations.get(session, explanation)
    options = JudgeOptions(
        request.metric,
        request.endpoint,
        request.per_prompt,
        request.source,
        request.sampled,
        request.decoys,
        request.probabilities,
        request.seed,
    )
    return JobStarted(job_id=jobs.enqueue_judge(explanation, options, author="api", fresh=request.fresh))


@router.post("/explanations/{explanation}/similarities", status_code=202)
def compare(jobs: JobsDep, store: StoreDep, explanation: ExplanationId, request: SimilarityIn) -> JobStarted:
    """Start a job that compares the explanation's words with another one's of the same neuron."""
    with store.session() as session:
        stored_explanations.get(session, explanation)
    options = SimilarityOptions(request.reference, request.seed)
    return JobStarted(job_id=jobs.enqueue_similarity(explanation, options, author="api"))


@router.get("/models/{model}/similarity", tags=["models"])
def get_similarity(
    store: StoreDep,
    settings: SettingsDep,
    model: Model,
    reference: Annotated[
        str,
        Query(
            max_length=300,
            description="METHOD, or METHOD:EXPLAINER where several used it.",
            examples=["published:gpt-4"],
        ),
    ],
) -> SimilarityOut:
    """How alike every maker's explanations are to the reference's, beside what chance gives. Token lists are left out."""
    return SimilarityOut.model_validate(similarity_files.value(table_of(store, settings, model, reference)))
