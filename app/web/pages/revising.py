"""Revising and probing from an explanation's page: what it would take, beginning it, and a model's revisions in one list."""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from app.domain.explanations import ASKING_SIMULATORS, Method, Protocol, ScoreOptions
from app.domain.revising import ProbeOptions, ReviseOptions
from app.errors import AppError, BadInput
from app.jobs import live_previews
from app.jobs.endpoints import endpoint as find
from app.jobs.live_previews import LivePreview
from app.jobs.neuron import load_neuron
from app.jobs.requests import ProbeRequest, ReviseRequest
from app.jobs.service import Jobs
from app.store import Store, explanations, models, revisions
from app.store.revisions import FalsePositives
from app.web import wording
from app.web.contexts import Chrome
from app.web.dependencies import JobsDep, StoreDep
from app.web.explanation_items import path_of
from app.web.live_text_views import Value, compared
from app.web.pages.explanation import parse_id
from app.web.pages.neuron_actions import SEED_LIMIT, is_htmx, score_options, started
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=200)]
MOST_LISTED = 100


@dataclass(frozen=True)
class LivePreviewPage:
    """`live_preview.html`, and `_live_preview.html` as a fragment."""

    chrome: Chrome
    here: str
    name: str
    problem: str
    seen: LivePreview | None
    asked: str  # who explains
    scorer: str
    scored: bool


class RevisionLine(NamedTuple):
    """One revision of the list."""

    id: int
    neuron: str
    layer: str
    place: int
    before: str
    after: str
    method: str
    wrong: str
    score_before: Value
    score_after: Value


@dataclass(frozen=True)
class RevisionsPage:
    """`revisions.html`."""

    chrome: Chrome
    model: str
    name: str
    counted: FalsePositives
    lines: tuple[RevisionLine, ...]
    api: str


class _Scoring(NamedTuple):
    simulator: str
    endpoint: str
    protocol: Protocol | Literal[""]
    seed: int

    def options(self) -> ScoreOptions | None:
        """None where nothing is to be scored."""
        return score_options(*self) if self.simulator else None


async def _query_scoring(
    simulator: Text = "",
    endpoint: Text = "",
    protocol: Annotated[Protocol | Literal[""], Query()] = "",
    seed: Annotated[int, Query(ge=0, le=SEED_LIMIT)] = 0,
) -> _Scoring:
    return _Scoring(simulator, endpoint, protocol, seed)


async def _form_scoring(
    simulator: Annotated[str, Form(max_length=40)] = "",
    endpoint: Annotated[str, Form(max_length=200)] = "",
    protocol: Annotated[Protocol | Literal[""], Form()] = "",
    seed: Annotated[int, Form(ge=0, le=SEED_LIMIT)] = 0,
) -> _Scoring:
    return _Scoring(simulator, endpoint, protocol, seed)


def _usd(text: str) -> float | None:
    """The budget as a form has it: none where nothing was written. BadInput for what is no number."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise BadInput("Dollars are a number, such as 0.50: leave it out for no bound of its own.") from error


@router.get("/explanations/{explanation}/revise/preview")
def show_revise_preview(
    request: Request,
    explanation: str,
    store: StoreDep,
    jobs_: JobsDep,
    scoring: Annotated[_Scoring, Depends(_query_scoring)],
    explainer: Text = "",
    method: Method = Method.REVISION,
) -> HTMLResponse:
    """About what a revision takes. Nothing is sent anywhere."""
    return _preview(request, store, jobs_, explanation, ReviseOptions(explainer, method), scoring)


@router.get("/explanations/{explanation}/probe/preview")
def show_probe_preview(
    request: Request,
    explanation: str,
    store: StoreDep,
    jobs_: JobsDep,
    scoring: Annotated[_Scoring, Depends(_query_scoring)],
    explainer: Text = "",
    rounds: int = 4,
    texts: int = 4,
    calls: int = 20,
    usd: Text = "",
) -> HTMLResponse:
    """About what a probing takes. Nothing is sent anywhere."""
    try:
        bound = _usd(usd)
    except BadInput as error:
        return _shown(request, explanation, "this explanation", str(error), None, "", "", False)
    options = ProbeOptions(explainer, rounds=rounds, texts=texts, calls=calls, usd=bound)
    return _preview(request, store, jobs_, explanation, options, scoring)


def _preview(
    request: Request,
    store: Store,
    jobs_: Jobs,
    explanation: str,
    options: ReviseOptions | ProbeOptions,
    scoring: _Scoring,
) -> HTMLResponse:
    with store.session() as session:
        row = explanations.get(session, parse_id(explanation))
    name = f"explanation {row.id} of {row.ref.layer}:{row.ref.index}"
    try:
        options.check()
        asked = find(jobs_.settings, options.explainer)
        score = scoring.options()
        scorer = (
            find(jobs_.settings, score.endpoint) if score and score.simulator in ASKING_SIMULATORS else None
        )
        neuron = load_neuron(store, row.ref)
        begun = live_previews.begin(neuron, row)
        if isinstance(options, ReviseOptions):
            seen = live_previews.revising(neuron, begun, options, asked, score, scorer)
        else:
            seen = live_previews.probing(neuron, begun, options, asked, score, scorer)
    except AppError as error:
        return _shown(request, explanation, name, str(error), None, "", "", False)
    names = [f"{each.name} ({each.model})" if each else "" for each in (asked, scorer)]
    return _shown(request, explanation, name, "", seen, names[0], names[1], score is not None)


def _shown(
    request: Request,
    explanation: str,
    name: str,
    problem: str,
    seen: LivePreview | None,
    asked: str,
    scorer: str,
    scored: bool,
) -> HTMLResponse:
    context = LivePreviewPage(
        chrome(request, f"Dry run for {name}", "browse"),
        f"/explanations/{parse_id(explanation)}",
        name,
        problem,
        seen,
        asked,
        scorer,
        scored,
    )
    return page("_live_preview.html" if is_htmx(request) else "live_preview.html", context)


@router.post("/explanations/{explanation}/revise")
def revise(
    request: Request,
    explanation: str,
    store: StoreDep,
    jobs_: JobsDep,
    scoring: Annotated[_Scoring, Depends(_form_scoring)],
    explainer: Annotated[str, Form(max_length=200)],
    method: Annotated[Method, Form()] = Method.REVISION,
) -> Response:
    """Begins a revision or one of its controls; the neuron's page follows it."""
    with store.session() as session:
        row = explanations.get(session, parse_id(explanation))
    asked = ReviseRequest(
        row.ref, ReviseOptions(explainer, method, scoring.seed), row.id, score=scoring.options(), author="web"
    )
    return started(request, store, path_of(row.ref), jobs_.enqueue_revise(asked))


@router.post("/explanations/{explanation}/probe")
def probe(
    request: Request,
    explanation: str,
    store: StoreDep,
    jobs_: JobsDep,
    scoring: Annotated[_Scoring, Depends(_form_scoring)],
    explainer: Annotated[str, Form(max_length=200)],
    rounds: Annotated[int, Form()] = 4,
    texts: Annotated[int, Form()] = 4,
    calls: Annotated[int, Form()] = 20,
    usd: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Begins a probing; the neuron's page follows it."""
    with store.session() as session:
        row = explanations.get(session, parse_id(explanation))
    options = ProbeOptions(explainer, row.polarity, rounds, texts, calls, _usd(usd), scoring.seed)
    asked = ProbeRequest(row.ref, options, row.id, score=scoring.options(), author="web")
    return started(request, store, path_of(row.ref), jobs_.enqueue_probe(asked))


@router.get("/m/{model}/revisions")
def show_revisions(request: Request, model: str, store: StoreDep) -> HTMLResponse:
    """The newest revisions of a model's explanations, and how often explainers were wrong about their own sentences."""
    with store.session() as session:
        name = models.model(session, model).card.name
        counted = revisions.false_positives(session, model)
        lines = []
        ids = revisions.of_model(session, model, MOST_LISTED)
        made = {row.id: row for row in explanations.some(session, ids)}
        sources = {row.id: row for row in explanations.some(session, [made[id].source_id or 0 for id in ids])}
        for id in ids:
            row = made[id]
            source = sources[row.source_id or 0]
            sentences = revisions.sentences(session, id)
            before, after = compared(source, row)
            wrong = f"{sum(s.false_positive for s in sentences)} of {len(sentences)}"
            lines.append(
                RevisionLine(
                    id,
                    path_of(row.ref),
                    row.ref.layer,
                    row.ref.index,
                    source.text,
                    row.text,
                    wording.name(row.method),
                    wrong if row.method == Method.REVISION else "",
                    before,
                    after,
                )
            )
    context = RevisionsPage(
        chrome(request, f"Revised explanations of {name}", "browse", model),
        model,
        name,
        counted,
        tuple(lines),
        f"/api/v1/models/{model}/revisions",
    )
    return page("revisions.html", context)
