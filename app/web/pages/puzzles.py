"""Neuron puzzles: the sets, their puzzles, runs of explainers over them, and what came out."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, Method, SimulatorName
from app.domain.puzzles import OWN_SET, Judge
from app.errors import BadInput, NotFound
from app.exchange import puzzles as files
from app.jobs.puzzle_asking import SIMULATORS
from app.jobs.requests import Kind, PuzzlesRequest
from app.store import jobs as job_rows
from app.store import models as stored_models
from app.store import puzzle_rating, puzzle_results, puzzle_runs, puzzles
from app.web import puzzle_views, wording
from app.web.author import WhoDep
from app.web.dependencies import JobsDep, StoreDep
from app.web.neuron_contexts import Choice
from app.web.puzzle_beside import explainers, methods
from app.web.puzzle_contexts import PuzzleRunPage, PuzzleSetPage, PuzzlesPage
from app.web.puzzle_views import Filter
from app.web.puzzle_words import JUDGE_CHOICES
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

SEED_LIMIT = 2**31 - 1
Name = Annotated[str, Form(max_length=200)]
ACTIVE_SEEN = 200


@router.get("/puzzles")
def show_sets(request: Request, store: StoreDep, who: WhoDep) -> HTMLResponse:
    """All sets, and all runs over them."""
    with store.session() as session:
        there = puzzles.sets(session)
        results = [each for one in there for each in puzzle_results.results(session, one.slug)]
        left = len(puzzle_rating.waiting(session, who.owner))
    own = next((each.puzzles for each in there if each.slug == OWN_SET), 0)
    context = PuzzlesPage(
        chrome(request, "Neuron puzzles", "puzzles"),
        tuple(there),
        puzzle_views.cards(results),
        max(0, len(files.built_in()) - own),
        left,
        "/api/v1/puzzles",
    )
    return page("puzzles.html", context)


@router.post("/puzzles/add")
def add_built_in(store: StoreDep) -> Response:
    """The built-in set, or what the store lacks of it."""
    files.add_built_in(store)
    return RedirectResponse(f"/puzzles/{OWN_SET}", 303)


@router.get("/puzzles/{slug}")
def show_set(request: Request, slug: str, store: StoreDep, jobs_: JobsDep) -> HTMLResponse:
    """One set: its puzzles, a form that runs an explainer over them, and the runs there were."""
    with store.session() as session:
        found = puzzles.get_set(session, slug)
        rows = puzzles.of_set(session, slug)
        results = puzzle_results.results(session, slug)
        active = job_rows.active(session, ACTIVE_SEEN).rows
        own = [m.card for m in stored_models.models(session) if m.collection and not m.collection.imported]
    context = PuzzleSetPage(
        chrome(request, found.name, "puzzles", slug),
        found,
        tuple(rows),
        puzzle_views.cards(results),
        tuple(row for row in active if row.kind == Kind.PUZZLES and row.model == slug),
        methods(),
        explainers(jobs_.endpoints()),
        tuple(Choice(words, judge, i == 0) for i, (judge, words) in enumerate(JUDGE_CHOICES.items())),
        tuple(Choice(wording.SIMULATORS[name], name.value, False) for name in SIMULATORS),
        tuple(Choice(card.name, card.slug, i == 0) for i, card in enumerate(own)),
        f"/api/v1/puzzles/{slug}",
    )
    return page("puzzle_set.html", context)


@router.post("/puzzles/{slug}/runs")
def start(
    slug: str,
    jobs_: JobsDep,
    who: WhoDep,
    explainer: Name = "",
    method: Annotated[str, Form(max_length=40)] = Method.SUMMARY,
    seed: Annotated[int, Form(ge=0, le=SEED_LIMIT)] = 0,
    judge: Annotated[str, Form(max_length=40)] = "",
    judge_endpoint: Name = "",
    revise_with: Annotated[str, Form(max_length=40)] = "",
    rank_with: Annotated[str, Form(max_length=40)] = "",
    simulator_endpoint: Name = "",
    simulator_model: Name = "",
    run: Name = "",
) -> Response:
    """A new run, or more of one that there is; on to its job."""
    explain = None
    if explainer:
        try:
            explain = ExplainOptions(Method(method), explainer=explainer, seed=seed)
        except ValueError:
            raise BadInput(
                f"There is no method “{method}”. There is: {', '.join(PROMPTED_METHODS)}."
            ) from None
    asks = SimulatorName.CHAT_JSON in (revise_with, rank_with)
    request = PuzzlesRequest(
        slug,
        (),
        explain,
        _simulator(revise_with),
        _judge(judge),
        judge_endpoint or explainer if judge == Judge.MODEL else "",
        _simulator(rank_with),
        simulator_endpoint or explainer if asks else "",
        simulator_model,
        seed,
        run,
        author=who.name,
    )
    return RedirectResponse(f"/jobs/{jobs_.enqueue_puzzles(request)}", 303)


@router.get("/puzzles/{slug}/runs/{run}")
def show_run(
    request: Request,
    slug: str,
    run: str,
    store: StoreDep,
    judge: Annotated[str, Query(max_length=40)] = "",
    show: Filter = Filter.EVERY,
) -> HTMLResponse:
    """Every statement of a run, with what judges say of it and where the truth is ranked."""
    with store.session() as session:
        found = puzzles.get_set(session, slug)
        if puzzle_runs.get(session, run).layer_id != found.layer_id:
            raise NotFound(f"The run {run} is over another set of puzzles.")
        result = puzzle_results.result(session, slug, run)
    card = puzzle_views.card(result)
    kind = _judge(judge)
    asked = "" if kind is None else f"judge={kind}&"
    shown = {each: "no verdict" if each is Filter.MISSING else each.value for each in Filter}
    context = PuzzleRunPage(
        chrome(request, f"Run over {found.name}", "puzzles", slug),
        found,
        card,
        result.judges,
        result.rankings,
        puzzle_views.lines(result, kind, show),
        tuple(
            Choice(words, f"{card.address}?{asked}show={each}", each is show) for each, words in shown.items()
        ),
        run,
        f"/api/v1/puzzles/{slug}/runs/{run}",
    )
    return page("puzzle_run.html", context)


def _simulator(name: str) -> SimulatorName | None:
    if not name:
        return None
    try:
        return SimulatorName(name)
    except ValueError:
        raise BadInput(f"There is no simulator “{name}”. There is: {', '.join(SIMULATORS)}.") from None


def _judge(name: str) -> Judge | None:
    if not name:
        return None
    try:
        return Judge(name)
    except ValueError:
        raise BadInput(f"There is no judge “{name}”. There is: {', '.join(Judge)}.") from None
