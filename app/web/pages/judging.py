"""An explanation judged by a language model, or compared with another one: dry run and start, from the explanation's page."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from app.domain.explanations import Metric
from app.domain.judging import MOST_A_PROMPT, JudgeOptions
from app.domain.text_similarity import SimilarityOptions
from app.domain.windows import Decoys, WindowSource
from app.jobs.neuron import load_neuron
from app.store import explanations
from app.web.dependencies import JobsDep, StoreDep
from app.web.explanation_items import path_of
from app.web.neuron_contexts import ScorePreviewFragment
from app.web.pages.neuron_actions import SEED_LIMIT, Seed, started
from app.web.previews import judging_price
from app.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/explanations/{explanation}/judge/preview")
def show_price(
    store: StoreDep,
    jobs_: JobsDep,
    explanation: int,
    metric: Metric = Metric.DETECTION,
    endpoint: Annotated[str, Query(max_length=200)] = "",
    per_prompt: Annotated[int, Query(ge=1, le=MOST_A_PROMPT)] = 1,
    seed: Annotated[int, Query(ge=0, le=SEED_LIMIT)] = 0,
) -> HTMLResponse:
    """About what judging takes. Nothing is sent anywhere."""
    with store.session() as session:
        row = explanations.get(session, explanation)
    options = JudgeOptions(metric, endpoint, per_prompt, seed=seed)
    price = judging_price(load_neuron(store, row.ref), options, jobs_.endpoints(), row.text)
    return page("_score_preview.html", ScorePreviewFragment(price))


@router.post("/explanations/{explanation}/judge")
def judge(
    request: Request,
    store: StoreDep,
    jobs_: JobsDep,
    explanation: int,
    metric: Annotated[Metric, Form()] = Metric.DETECTION,
    endpoint: Annotated[str, Form(max_length=200)] = "",
    per_prompt: Annotated[int, Form(ge=1, le=MOST_A_PROMPT)] = 1,
    source: Annotated[WindowSource, Form()] = WindowSource.LIVE,
    decoys: Annotated[Decoys, Form()] = Decoys.INACTIVE,
    seed: Seed = 0,
) -> Response:
    """Starts detection or fuzzing, and follows it on the neuron's page."""
    options = JudgeOptions(metric, endpoint, per_prompt, source, decoys=decoys, seed=seed)
    return _followed(request, store, explanation, jobs_.enqueue_judge(explanation, options, author="web"))


@router.post("/explanations/{explanation}/similarity")
def compare(
    request: Request,
    store: StoreDep,
    jobs_: JobsDep,
    explanation: int,
    reference: Annotated[int, Form(ge=0)],
    seed: Seed = 0,
) -> Response:
    """Starts comparing it with another explanation of the same neuron."""
    options = SimilarityOptions(reference, seed)
    return _followed(
        request, store, explanation, jobs_.enqueue_similarity(explanation, options, author="web")
    )


def _followed(request: Request, store: StoreDep, explanation: int, job: str) -> Response:
    with store.session() as session:
        ref = explanations.get(session, explanation).ref
    return started(request, store, path_of(ref), job)
