"""Making a study: LEE's in one step, a form, or a file; a look at what it comes to; then it is kept as a draft."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain import study_files
from app.domain.definition_files import LONGEST, FileKind, kind_of
from app.domain.studies import StudyDefinition
from app.errors import AppError, BadInput
from app.store import Store, study_material
from app.store import lists as stored_lists
from app.store import models as stored_models
from app.store.study_rows import StudyRow, StudyState
from app.study.material import Material
from app.study.service import Actor, Studies
from app.web import study_form
from app.web.author import NamesDep, Who, WhoDep
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.rendering import chrome, page
from app.web.study_words import material_lines

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=LONGEST)]
Of = Annotated[int, Form(ge=0, le=2**62)]


@dataclass(frozen=True)
class NewPage:
    """`study_new.html`."""

    chrome: Chrome
    form: study_form.Form
    problem: str


@dataclass(frozen=True)
class LookPage:
    """`study_look.html`: a definition, and what it comes to or what is wrong with it."""

    chrome: Chrome
    text: str
    name: str
    of: StudyRow | None  # the study that it would change, or be a new version of
    draft: bool  # of that one
    lines: tuple[str, ...]
    found: Material | None
    problem: str


@router.get("/studies/new")
def new(request: Request, store: StoreDep, list: Annotated[str, Query(max_length=100)] = "") -> HTMLResponse:
    """The form; `list` is the slug of a list that is chosen already."""
    return _form_page(request, store, list, "")


@router.get("/studies/look")
def look_again(request: Request, store: StoreDep, of: Annotated[int, Query(ge=1, le=2**62)]) -> HTMLResponse:
    """The definition of a study that is there, to change it or to make a new version."""
    row = Studies(store).get(of)
    return _look(request, store, study_files.write(row.definition, FileKind.TOML), of)


@router.post("/studies/new")
async def compose(request: Request, store: StoreDep) -> HTMLResponse:
    """A filled form as a definition, with what it comes to."""
    return await _composed(request, store, preset=False)


@router.post("/studies/preset")
async def compose_preset(request: Request, store: StoreDep) -> HTMLResponse:
    """LEE's study as a definition, with what it comes to."""
    return await _composed(request, store, preset=True)


@router.post("/studies/look")
async def look(
    request: Request, store: StoreDep, text: Text = "", of: Of = 0, file: UploadFile | None = None
) -> HTMLResponse:
    """A definition that was pasted, or comes as a file, with what it comes to."""
    if file is not None and file.filename:
        body = await file.read(4 * LONGEST + 1)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise BadInput("The file is no text: give TOML or JSON in UTF-8.") from None
    return await run_in_threadpool(_look, request, store, text, of)


@router.post("/studies")
def keep(request: Request, store: StoreDep, who: WhoDep, names: NamesDep, text: Text) -> Response:
    """Keep it as a draft."""
    return _kept(request, store, who, names, text, None)


@router.post("/studies/{study:index}/version")
def keep_version(
    request: Request, store: StoreDep, who: WhoDep, names: NamesDep, study: int, text: Text
) -> Response:
    """Keep it as a draft of a new version."""
    return _kept(request, store, who, names, text, study)


@router.post("/studies/{study:index}/change")
def change(request: Request, store: StoreDep, who: WhoDep, study: int, text: Text) -> Response:
    """Another definition for a draft."""
    try:
        Studies(store).change(study, _read(text), Actor(who.name, who.owner))
    except BadInput as error:
        return _page(request, store, text, of=study, problem=str(error))
    return RedirectResponse(f"/studies/{study}", 303)


async def _composed(request: Request, store: Store, *, preset: bool) -> HTMLResponse:
    data = await request.form()
    fields = {name: value for name, value in data.items() if isinstance(value, str)}
    several = {
        name: [each for each in data.getlist(name) if isinstance(each, str)] for name in study_form.SEVERAL
    }
    try:
        made = (study_form.preset if preset else study_form.definition)(fields, several)
    except BadInput as error:
        chosen = fields.get("list", "")
        return await run_in_threadpool(_form_page, request, store, chosen, str(error).strip(), 422)
    text = study_files.write(made, FileKind.TOML)
    return await run_in_threadpool(_look, request, store, text, 0)


def _kept(
    request: Request, store: Store, who: Who, names: NamesDep, text: str, previous: int | None
) -> Response:
    try:
        row = Studies(store).make(_read(text), Actor(who.name, who.owner), previous)
    except BadInput as error:
        return _page(request, store, text, of=previous or 0, problem=str(error))
    return names.keep(request, RedirectResponse(f"/studies/{row.id}", 303), who)


def _form_page(request: Request, store: Store, chosen: str, problem: str, status: int = 200) -> HTMLResponse:
    with store.reading() as session:
        slugs = [row.card.slug for row in stored_models.models(session)]
        lists = [(row.slug, row.name) for row in stored_lists.every(session)]
        makers = study_material.makers(session)
    made = study_form.form(slugs, lists, makers, chosen)
    return page("study_new.html", NewPage(chrome(request, "New study", "lab"), made, problem), status)


def _look(request: Request, store: Store, text: str, of: int) -> HTMLResponse:
    try:
        definition = _read(text)
        found = Studies(store).material(definition)
    except AppError as error:
        return _page(request, store, text, of=of, problem=str(error))
    return _page(request, store, text, of=of, definition=definition, found=found)


def _read(text: str) -> StudyDefinition:
    text = text.replace("\r\n", "\n")
    return study_files.read(text, kind_of(text))


def _page(
    request: Request,
    store: Store,
    text: str,
    *,
    of: int,
    definition: StudyDefinition | None = None,
    found: Material | None = None,
    problem: str = "",
) -> HTMLResponse:
    row = Studies(store).get(of) if of else None
    name = definition.name if definition else ""
    context = LookPage(
        chrome(request, name or "New study", "lab"),
        text,
        name,
        row,
        row is not None and row.state is StudyState.DRAFT,
        tuple(material_lines(definition, found)) if definition and found else (),
        found,
        problem,
    )
    return page("study_look.html", context, 422 if problem else 200)
