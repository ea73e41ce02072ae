"""Making an experiment: a form, or a file; a look at what it would take; then it begins."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain import experiment_files
from app.domain.definition_files import LONGEST, FileKind, kind_of
from app.domain.experiments import Definition
from app.errors import AppError, BadInput
from app.jobs.experiment_dry_run import DryRun, dry_run
from app.jobs.experiment_service import Experiments
from app.jobs.service import Jobs
from app.store import experiments as stored
from app.store import lists as stored_lists
from app.store import models as stored_models
from app.web import experiment_form
from app.web.author import WhoDep
from app.web.contexts import Chrome
from app.web.dependencies import JobsDep, StoreDep
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

SEVERAL = ("models", "methods", "explainers", "simulators", "judges", "protocols")


@dataclass(frozen=True)
class NewPage:
    """`experiment_new.html`."""

    chrome: Chrome
    form: experiment_form.Form
    problem: str


@dataclass(frozen=True)
class LookPage:
    """`experiment_look.html`: a definition, and what it would take or what stands in its way."""

    chrome: Chrome
    text: str
    name: str
    dry: DryRun | None
    problem: str


@router.get("/experiments/new")
def new(
    request: Request,
    store: StoreDep,
    jobs: JobsDep,
    list: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """The form; `list` is the slug of a list that is chosen already."""
    return _form_page(request, jobs, list, "")


@router.get("/experiments/look")
def look_again(
    request: Request, store: StoreDep, jobs: JobsDep, of: Annotated[int, Query(ge=1)]
) -> HTMLResponse:
    """The definition of an experiment that is there, to change and begin anew."""
    with store.session() as session:
        row = stored.get(session, of)
    return _look(request, jobs, experiment_files.write(row.definition, FileKind.TOML))


@router.post("/experiments/new")
async def compose(request: Request, jobs: JobsDep) -> HTMLResponse:
    """A filled form as a definition, with what it would take."""
    data = await request.form()
    fields = {name: value for name, value in data.items() if isinstance(value, str)}
    several = {name: [each for each in data.getlist(name) if isinstance(each, str)] for name in SEVERAL}
    try:
        made = experiment_form.definition(fields, several)
    except BadInput as error:
        return await run_in_threadpool(
            _form_page, request, jobs, fields.get("list", ""), str(error).strip(), 422
        )
    text = experiment_files.write(made, FileKind.TOML)
    return await run_in_threadpool(_look, request, jobs, text)


@router.post("/experiments/look")
async def look(
    request: Request,
    jobs: JobsDep,
    text: Annotated[str, Form(max_length=LONGEST)] = "",
    file: UploadFile | None = None,
) -> HTMLResponse:
    """A definition that was pasted, or comes as a file, with what it would take."""
    if file is not None and file.filename:
        body = await file.read(4 * LONGEST + 1)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise BadInput("The file is no text: give TOML or JSON in UTF-8.") from None
    return await run_in_threadpool(_look, request, jobs, text)


@router.post("/experiments")
def begin(
    request: Request, jobs: JobsDep, who: WhoDep, text: Annotated[str, Form(max_length=LONGEST)]
) -> Response:
    """Begin it."""
    try:
        row = Experiments(jobs).begin(_read(text), who.name)
    except BadInput as error:
        return _page(request, text, "", None, str(error))
    return RedirectResponse(f"/experiments/{row.id}", 303)


def _form_page(request: Request, jobs: Jobs, chosen: str, problem: str, status: int = 200) -> HTMLResponse:
    with jobs.store.session() as session:
        slugs = [row.card.slug for row in stored_models.models(session)]
        lists = [(row.slug, row.name) for row in stored_lists.every(session)]
    made = experiment_form.form(slugs, lists, jobs.endpoints(), chosen)
    context = NewPage(chrome(request, "New experiment", "lab"), made, problem)
    return page("experiment_new.html", context, status)


def _look(request: Request, jobs: Jobs, text: str) -> HTMLResponse:
    try:
        definition = _read(text)
        made = dry_run(jobs.settings, jobs.store, Experiments(jobs).plan(definition))
    except AppError as error:
        return _page(request, text, "", None, str(error))
    return _page(request, text, definition.name, made, "")


def _read(text: str) -> Definition:
    text = text.replace("\r\n", "\n")
    return experiment_files.read(text, kind_of(text))


def _page(request: Request, text: str, name: str, dry: DryRun | None, problem: str) -> HTMLResponse:
    context = LookPage(chrome(request, name or "New experiment", "lab"), text, name, dry, problem)
    return page("experiment_look.html", context, 422 if problem else 200)
