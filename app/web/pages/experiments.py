"""Experiments: the list, a page for each with its progress live, its units, and what can be done with it."""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain import experiment_files
from app.domain.definition_files import FileKind
from app.errors import BadInput
from app.jobs.alive import left_alone
from app.jobs.experiment_service import Experiments, Standing
from app.jobs.watch import Rate, changes
from app.store import Store
from app.store import experiment_units as stored_units
from app.store import experiments as stored
from app.store.experiment_rows import ExperimentRow, ExperimentState, Unit, UnitState
from app.web.author import WhoDep
from app.web.contexts import Chrome
from app.web.dependencies import JobsDep, StoreDep
from app.web.experiment_words import STATE_WORDS, Progress, progress, state_words, what
from app.web.job_views import JobView, view
from app.web.measures import address
from app.web.rendering import chrome, page, render

router = APIRouter(include_in_schema=False)

POLL_S = 1.0
LISTED = 50


@dataclass(frozen=True)
class ExperimentsPage:
    """`experiments.html`."""

    chrome: Chrome
    rows: tuple[tuple[ExperimentRow, str], ...]  # with the state in words
    total: int
    newer: str
    older: str


@dataclass(frozen=True)
class FollowedPart:
    """`_experiment.html`: how an experiment stands."""

    standing: Standing
    row: ExperimentRow
    state: str
    job: JobView
    progress: Progress
    states: tuple[str, ...]
    nobody: bool  # it has not ended, and no worker is alive to see to that
    running: bool


@dataclass(frozen=True)
class ExperimentPage:
    """`experiment.html`."""

    chrome: Chrome
    standing: Standing
    row: ExperimentRow
    state: str
    job: JobView
    progress: Progress
    states: tuple[str, ...]
    nobody: bool
    running: bool
    goes_on: bool
    definition: str  # as TOML
    groups: tuple[tuple[str, int], ...]  # samples with how many neurons
    arms: tuple[str, ...]
    scorers: tuple[str, ...]
    decided_by: str  # empty where nothing is scored


@dataclass(frozen=True)
class UnitLine:
    """One unit in a list."""

    unit: Unit
    arm: str
    what: str
    neuron: str  # address
    about: str  # address of the explanation; empty without one


@dataclass(frozen=True)
class UnitsPage:
    """`experiment_units.html`."""

    chrome: Chrome
    row: ExperimentRow
    lines: tuple[UnitLine, ...]
    total: int
    chosen: str  # what is listed, in words
    newer: str
    older: str


@router.get("/experiments")
def show_all(
    request: Request, store: StoreDep, cursor: Annotated[str, Query(max_length=30)] = ""
) -> HTMLResponse:
    """All experiments, newest first."""
    with store.session() as session:
        found = stored.page(session, cursor or None, LISTED)
    context = ExperimentsPage(
        chrome(request, "Experiments", "lab"),
        tuple((row, STATE_WORDS[row.state]) for row in found.items),
        found.total,
        address("/experiments", cursor=found.previous) if found.previous else "",
        address("/experiments", cursor=found.next) if found.next else "",
    )
    return page("experiments.html", context)


@router.get("/experiments/{experiment:index}")
def show(request: Request, store: StoreDep, jobs: JobsDep, experiment: int) -> HTMLResponse:
    """One experiment."""
    part = _part(store, Experiments(jobs).standing(experiment))
    row, definition = part.row, part.row.definition
    with store.session() as session:
        groups = stored.groups(session, row)
    decided_by = ""
    if definition.scorers():
        scorer, measure = definition.decided_by()
        decided_by = f"{measure.label}, {scorer.label}"
    context = ExperimentPage(
        chrome=chrome(request, row.name, "lab"),
        standing=part.standing,
        row=row,
        state=part.state,
        job=part.job,
        progress=part.progress,
        states=part.states,
        nobody=part.nobody,
        running=part.running,
        goes_on=row.state.goes_on,
        definition=experiment_files.write(definition, FileKind.TOML),
        groups=tuple((group.name, len(group.refs)) for group in groups),
        arms=tuple(arm.name for arm in definition.arms()),
        scorers=tuple(each.label for each in definition.scorers()),
        decided_by=decided_by,
    )
    return page("experiment.html", context)


def existing(jobs: JobsDep, experiment: int) -> int:
    """The number of an experiment that exists, so that an unknown one is a 404 and not an empty stream."""
    return Experiments(jobs).standing(experiment).row.id


@router.get("/experiments/{experiment:index}/events", response_class=EventSourceResponse)
async def follow(
    store: StoreDep, jobs: JobsDep, experiment: int = Depends(existing)
) -> AsyncIterable[ServerSentEvent]:
    """How it stands as HTML at every change; a close event when it no longer runs."""
    rate = Rate()
    experiments = Experiments(jobs)

    def read() -> FollowedPart:
        return _part(store, experiments.standing(experiment))

    async for part in changes(read, lambda part: not part.running, POLL_S):
        rate.update(part.standing.job)
        now = FollowedPart(
            part.standing, part.row, part.state, view(part.standing.job, rate), part.progress,
            part.states, part.nobody, part.running,
        )  # fmt: skip
        yield ServerSentEvent(raw_data=render("_experiment.html", now))
    yield ServerSentEvent(raw_data="ended", event="close")


@router.get("/experiments/{experiment:index}/units")
def show_units(
    request: Request,
    store: StoreDep,
    experiment: int,
    arm: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    scorer: Annotated[int | None, Query(ge=-1, le=10_000)] = None,
    state: UnitState | None = None,
    cursor: Annotated[str, Query(max_length=30)] = "",
) -> HTMLResponse:
    """Units, of one arm, kind and state where they are named."""
    with store.session() as session:
        row = stored.get(session, experiment)
        found = stored_units.page(
            session, experiment, arm=arm, scorer=scorer, state=state, cursor=cursor or None, limit=LISTED
        )
    definition = row.definition
    arms, scorers = definition.arms(), definition.scorers()
    if (arm is not None and arm >= len(arms)) or (scorer is not None and scorer >= len(scorers)):
        raise BadInput("This experiment has no such arm or scorer.")
    words = [
        arms[arm].name if arm is not None else "",
        what(definition, scorer) if scorer is not None else "",
        state.value if state is not None else "",
    ]
    here = f"/experiments/{experiment}/units"
    asked = {"arm": arm, "scorer": scorer, "state": state}
    kept = {name: str(value) for name, value in asked.items() if value is not None}
    lines = tuple(
        UnitLine(
            unit,
            arms[unit.arm].name,
            what(definition, unit.scorer),
            f"/m/{unit.ref.model}/{unit.ref.layer}/{unit.ref.index}",
            f"/explanations/{unit.explanation_id}" if unit.explanation_id else "",
        )
        for unit in found.items
    )
    context = UnitsPage(
        chrome(request, f"Units of {row.name}", "lab"),
        row,
        lines,
        found.total,
        ", ".join(word for word in words if word),
        address(here, **kept, cursor=found.previous) if found.previous else "",
        address(here, **kept, cursor=found.next) if found.next else "",
    )
    return page("experiment_units.html", context)


@router.get("/experiments/{experiment:index}/definition.{kind}")
def download(store: StoreDep, experiment: int, kind: FileKind) -> Response:
    """The definition as a file."""
    with store.session() as session:
        row = stored.get(session, experiment)
    return Response(
        experiment_files.write(row.definition, kind),
        media_type="application/json" if kind is FileKind.JSON else "application/toml",
        headers={"content-disposition": f'attachment; filename="experiment-{experiment}.{kind}"'},
    )


@router.post("/experiments/{experiment:index}/pause")
def pause(request: Request, jobs: JobsDep, experiment: int) -> Response:
    """Let it end what is under way."""
    Experiments(jobs).pause(experiment)
    return back(request, experiment)


@router.post("/experiments/{experiment:index}/cancel")
def cancel(request: Request, jobs: JobsDep, experiment: int) -> Response:
    """Stop it at once."""
    Experiments(jobs).cancel(experiment)
    return back(request, experiment)


@router.post("/experiments/{experiment:index}/resume")
def resume(
    request: Request,
    jobs: JobsDep,
    who: WhoDep,
    experiment: int,
    budget_usd: Annotated[str, Form(max_length=30)] = "",
) -> Response:
    """Go on with what is open."""
    Experiments(jobs).resume(experiment, who.name, budget_usd=_budget(budget_usd))
    return back(request, experiment)


@router.post("/experiments/{experiment:index}/retry")
def retry(request: Request, jobs: JobsDep, who: WhoDep, experiment: int) -> Response:
    """Try again what failed."""
    Experiments(jobs).retry_failed(experiment, who.name)
    return back(request, experiment)


def back(request: Request, experiment: int) -> Response:
    """After a form: to the experiment's page; htmx is told to go there."""
    here = f"/experiments/{experiment}"
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": here})
    return RedirectResponse(here, 303)


def _budget(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"“{text[:30]}” is no budget: give US dollars, such as 2.50.") from None


def _part(store: Store, standing: Standing) -> FollowedPart:
    row = standing.row
    running = row.state is ExperimentState.RUNNING
    return FollowedPart(
        standing,
        row,
        state_words(standing),
        view(standing.job),
        progress(standing),
        tuple(UnitState),
        running and left_alone(store, [standing.job]),
        running,
    )
