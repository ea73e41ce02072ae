"""Asking again from the neuron page: dry run, explain, score, and the job's progress with its result in place."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain.candidates import MOST_CANDIDATES
from app.domain.explain_options import ASKING_METHODS
from app.domain.explanations import (
    ASKING_SIMULATORS,
    AskedMethod,
    Band,
    CutOff,
    ExplainOptions,
    Method,
    Protocol,
    ScaleMaximum,
    ScoreOptions,
    ShownOptions,
    SimulatorName,
    TokenSource,
    usual_protocol,
)
from app.domain.judging import JUDGED, JudgeOptions
from app.domain.neurons import EXCERPT_TOKENS, NeuronRef, Polarity
from app.domain.shown import MOST_EXCERPTS
from app.errors import AppError, NotFound
from app.jobs.neuron import load_neuron
from app.jobs.requests import protocol_of
from app.jobs.service import Jobs
from app.store import explanations, jobs
from app.store.rows import JobRow
from app.web.dependencies import FactsDep, JobsDep, StoreDep
from app.web.explanation_items import path_of
from app.web.live import live, panels
from app.web.neuron_contexts import LiveFragment, PreviewPage, ProblemFragment, ScorePreviewFragment
from app.web.neuron_view import View, parse
from app.web.previews import judging_price, preview_of, scoring_price
from app.web.rendering import chrome, page, render

router = APIRouter(include_in_schema=False)
SEED_LIMIT = 2**31 - 1
Seed = Annotated[int, Form(ge=0, le=SEED_LIMIT)]
Fresh = Annotated[bool, Form()]


def is_htmx(request: Request) -> bool:
    """Whether a fragment is wanted."""
    return "hx-request" in request.headers


async def explain_options(
    method: AskedMethod = AskedMethod.SUMMARY,
    polarity: Polarity = Polarity.POSITIVE,
    explainer: Annotated[str, Query(max_length=200)] = "",
    cut_off: CutOff = CutOff.TOKEN_Q99,
    scale_maximum: ScaleMaximum = ScaleMaximum.SHOWN,
    seed: Annotated[int, Query(ge=0, le=SEED_LIMIT)] = 0,
    candidates: Annotated[int, Query(ge=1, le=MOST_CANDIDATES)] = 1,
    shown_band: Band = Band.TOP,
    shown_excerpts: Annotated[int, Query(ge=1, le=MOST_EXCERPTS)] = 5,
    shown_tokens: Annotated[int, Query(ge=1, le=EXCERPT_TOKENS)] = EXCERPT_TOKENS,
    token_source: TokenSource = TokenSource.ACTIVATION,
) -> ExplainOptions:
    """What the query string of a dry run asks for; the form's other fields are not its business."""
    shown = ShownOptions(shown_band, shown_excerpts, shown_tokens)
    return ExplainOptions(
        Method(method), polarity, explainer, cut_off, scale_maximum, seed, shown, candidates, token_source
    )


async def explain_form_options(
    method: Annotated[AskedMethod, Form()],
    polarity: Annotated[Polarity, Form()] = Polarity.POSITIVE,
    explainer: Annotated[str, Form(max_length=200)] = "",
    cut_off: Annotated[CutOff, Form()] = CutOff.TOKEN_Q99,
    scale_maximum: Annotated[ScaleMaximum, Form()] = ScaleMaximum.SHOWN,
    seed: Seed = 0,
    candidates: Annotated[int, Form(ge=1, le=MOST_CANDIDATES)] = 1,
    shown_band: Annotated[Band, Form()] = Band.TOP,
    shown_excerpts: Annotated[int, Form(ge=1, le=MOST_EXCERPTS)] = 5,
    shown_tokens: Annotated[int, Form(ge=1, le=EXCERPT_TOKENS)] = EXCERPT_TOKENS,
    token_source: Annotated[TokenSource, Form()] = TokenSource.ACTIVATION,
) -> ExplainOptions:
    """The same as a form asks for it."""
    chosen = Method(method)
    shown = ShownOptions(shown_band, shown_excerpts, shown_tokens)
    return ExplainOptions(
        chosen,
        polarity,
        explainer if chosen in ASKING_METHODS else "",
        cut_off,
        scale_maximum,
        seed,
        shown,
        candidates,
        token_source,
    )


async def scoring_options(
    simulator: Annotated[str, Query(max_length=40)] = "",
    endpoint: Annotated[str, Query(max_length=200)] = "",
    protocol: Annotated[Protocol | Literal[""], Query()] = "",
) -> ScoreOptions | None:
    """What the query string of a dry run says of scoring; None where nothing is to be scored."""
    judged = judged_by(simulator, endpoint) is not None
    return score_options(simulator, endpoint, protocol, 0) if simulator and not judged else None


async def judging_options(
    simulator: Annotated[str, Query(max_length=40)] = "",
    endpoint: Annotated[str, Query(max_length=200)] = "",
) -> JudgeOptions | None:
    """What the query string of a dry run says of judging; None where nothing is to be judged."""
    return judged_by(simulator, endpoint)


@router.get("/m/{model}/{layer}/{index:index}/preview")
def show_preview(
    request: Request,
    model: str,
    layer: str,
    index: int,
    options: Annotated[ExplainOptions, Depends(explain_options)],
    scoring: Annotated[ScoreOptions | None, Depends(scoring_options)],
    store: StoreDep,
    jobs_: JobsDep,
    facts_of: FactsDep,
) -> HTMLResponse:
    """The dry run: the exact prompt, its tokens and price, and about what the score takes. Nothing is sent anywhere."""
    ref = NeuronRef(model, layer, index)
    neuron = load_neuron(store, ref)
    there = jobs_.endpoints()
    price = scoring_price(neuron, options.polarity, scoring, there) if scoring else None
    fragment = preview_of(neuron, options, there, price, scoring)
    facts = facts_of.get(model)
    here = path_of(ref)
    name = f"{facts.layer(layer).ordinal}:{index} in {facts.card.name}"
    context = PreviewPage(chrome(request, f"Dry run for {name}", "browse"), here, name, fragment)
    return page("_preview.html" if is_htmx(request) else "preview.html", context)


@router.get("/m/{model}/{layer}/{index:index}/score/preview")
def show_score_preview(
    model: str,
    layer: str,
    index: int,
    explanation: Annotated[int, Query(ge=0)],
    scoring: Annotated[ScoreOptions | None, Depends(scoring_options)],
    judge: Annotated[JudgeOptions | None, Depends(judging_options)],
    store: StoreDep,
    jobs_: JobsDep,
) -> HTMLResponse:
    """About what scoring an explanation again takes. Nothing is sent anywhere."""
    with store.session() as session:
        row = explanations.get(session, explanation)
    neuron, there = load_neuron(store, NeuronRef(model, layer, index)), jobs_.endpoints()
    if judge is not None:
        price = judging_price(neuron, judge, there, row.text)
    else:
        scoring = scoring or score_options(SimulatorName.LOCAL, "", "", 0)
        price = scoring_price(neuron, row.polarity, scoring, there, row.text)
    return page("_score_preview.html", ScorePreviewFragment(price))


@router.post("/m/{model}/{layer}/{index:index}/explain")
def explain(
    request: Request,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    jobs_: JobsDep,
    options: Annotated[ExplainOptions, Depends(explain_form_options)],
    simulator: Annotated[str, Form(max_length=40)] = "",
    endpoint: Annotated[str, Form(max_length=200)] = "",
    protocol: Annotated[Protocol | Literal[""], Form()] = "",
    fresh: Fresh = False,
) -> Response:
    """Starts an explanation, and its score unless no simulator was chosen."""
    ref = NeuronRef(model, layer, index)
    score = score_options(simulator, endpoint, protocol, options.seed) if simulator else None
    return started(
        request, store, path_of(ref), jobs_.enqueue_explain(ref, options, score, author="web", fresh=fresh)
    )


@router.post("/m/{model}/{layer}/{index:index}/score")
def score_here(
    request: Request,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    jobs_: JobsDep,
    explanation: Annotated[int, Form(ge=0)],
    simulator: Annotated[str, Form(max_length=40)] = SimulatorName.LOCAL,
    endpoint: Annotated[str, Form(max_length=200)] = "",
    protocol: Annotated[Protocol | Literal[""], Form()] = "",
    seed: Seed = 0,
    fresh: Fresh = False,
) -> Response:
    """Scores one of this neuron's explanations again."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        if explanations.get(session, explanation).ref != ref:
            raise NotFound("This neuron has no such explanation.")
    job = begin_score(jobs_, explanation, simulator, endpoint, protocol, seed, fresh=fresh)
    return started(request, store, path_of(ref), job)


@router.post("/explanations/{explanation}/score")
def score(
    request: Request,
    explanation: int,
    store: StoreDep,
    jobs_: JobsDep,
    simulator: Annotated[str, Form(max_length=40)] = SimulatorName.LOCAL,
    endpoint: Annotated[str, Form(max_length=200)] = "",
    protocol: Annotated[Protocol | Literal[""], Form()] = "",
    seed: Seed = 0,
    revision: Annotated[int, Form(ge=0, le=SEED_LIMIT)] = 0,
    fresh: Fresh = False,
) -> Response:
    """Scores an explanation again, wherever it is shown."""
    with store.session() as session:
        ref = explanations.get(session, explanation).ref
    job = begin_score(jobs_, explanation, simulator, endpoint, protocol, seed, revision, fresh=fresh)
    return started(request, store, path_of(ref), job)


def begin_score(
    jobs_: Jobs,
    explanation: int,
    simulator: str,
    endpoint: str,
    protocol: Protocol | Literal[""],
    seed: int,
    revision: int = 0,
    *,
    fresh: bool,
) -> str:
    """The job that scores as the form says: by simulating, on a revision's sentences if one is named, or by a judge."""
    judge = judged_by(simulator, endpoint, seed)
    if judge is not None:
        return jobs_.enqueue_judge(explanation, judge, author="web", fresh=fresh)
    options = score_options(simulator, endpoint, protocol or (Protocol.GENERATED if revision else ""), seed)
    options = replace(options, revision=revision)
    return jobs_.enqueue_score(explanation, options, author="web", fresh=fresh)


def judged_by(simulator: str, endpoint: str, seed: int = 0) -> JudgeOptions | None:
    """A judge's options where the form names a metric that is judged in place of a simulator."""
    metric = next((each for each in JUDGED if each == simulator), None)
    return None if metric is None else JudgeOptions(metric, endpoint, seed=seed)


@router.post("/m/{model}/{layer}/{index:index}/jobs/{job}/retry")
def retry(
    request: Request, model: str, layer: str, index: int, job: str, store: StoreDep, jobs_: JobsDep
) -> Response:
    """Starts a failed or cancelled job again, and follows it from this page."""
    return started(request, store, path_of(NeuronRef(model, layer, index)), jobs_.retry(job))


@router.post("/m/{model}/{layer}/{index:index}/jobs/{job}/cancel")
def cancel(request: Request, model: str, layer: str, index: int, job: str, jobs_: JobsDep) -> Response:
    """Stops a job; the page that follows it learns so from its stream."""
    jobs_.cancel(job)
    if is_htmx(request):
        return Response(status_code=204)
    return RedirectResponse(f"{path_of(NeuronRef(model, layer, index))}?job={job}#live", 303)


def score_options(simulator: str, endpoint: str, protocol: Protocol | Literal[""], seed: int) -> ScoreOptions:
    """Options as a form sends them; no protocol is the simulator's usual one. NotFound for an unknown simulator."""
    try:
        chosen = SimulatorName(simulator)
    except ValueError as error:
        there = ", ".join(SimulatorName)
        raise NotFound(f"There is no simulator “{simulator}”. There is: {there}.") from error
    name = endpoint if chosen in ASKING_SIMULATORS else ""
    return ScoreOptions(chosen, name, protocol or usual_protocol(chosen), seed)


def started(request: Request, store: StoreDep, here: str, job_id: str) -> Response:
    """The job's panel for htmx; for everyone else the neuron's page that follows the job."""
    if is_htmx(request):
        return HTMLResponse(render("_live.html", LiveFragment(live(store, job_id, here))))
    with store.session() as session:
        job = jobs.get(session, job_id)
    return RedirectResponse(here + scored_view(View(), job).query() + "#live", 303)


def scored_view(view: View, job: JobRow) -> View:
    """The same view with this job's result in it: the scores that were asked for are those that are shown."""
    return replace(view, job=job.id, protocol=protocol_of(job.kind, job.parameters_json) or view.protocol)


@router.get("/m/{model}/{layer}/{index:index}/live/{job}", response_class=EventSourceResponse)
async def follow(
    model: str, layer: str, index: int, job: str, store: StoreDep
) -> AsyncIterator[ServerSentEvent]:
    """The job's progress as fragments; the last one fetches the result. Then a close event."""
    try:
        async for panel in panels(store, job, path_of(NeuronRef(model, layer, index))):
            html = render("_progress.html", LiveFragment(panel))
            if not panel.events:
                html += render("_result.html", LiveFragment(panel))
            yield ServerSentEvent(raw_data=html)
    except AppError as error:
        # The stream has begun, so the error can no longer become an answer of its own.
        yield ServerSentEvent(raw_data=render("_problem.html", ProblemFragment(str(error))))
    yield ServerSentEvent(event="close", raw_data="end")


@router.get("/m/{model}/{layer}/{index:index}/live/{job}/result")
def result(
    request: Request, model: str, layer: str, index: int, job: str, store: StoreDep
) -> RedirectResponse:
    """To the neuron's page with the job's result, looked at as the page that asks is by now."""
    with store.session() as session:
        row = jobs.get(session, job)
    now = urlsplit(request.headers.get("hx-current-url", "")).query
    view = scored_view(parse(dict(parse_qsl(now))), row)
    return RedirectResponse(path_of(NeuronRef(model, layer, index)) + view.query(), 303)
