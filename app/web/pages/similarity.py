"""A model's explanations beside reference explanations, by similarity, with the chance floor; the same as files."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from app.domain.explanations import Method
from app.jobs import embedders, similarity_table
from app.jobs.similarity_table import Line, Table, key
from app.settings import Settings
from app.store import Store, statements
from app.store import models as stored_models
from app.store.statements import Made
from app.web import similarity_files
from app.web.contexts import Chrome
from app.web.dependencies import SettingsDep, StoreDep
from app.web.formats import words
from app.web.measures import address
from app.web.neuron_contexts import Choice
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

Reference = Annotated[str, Query(max_length=300)]
MEDIA = {"csv": "text/csv", "json": "application/json", "txt": "text/plain; charset=utf-8"}
WRITERS = {
    "csv": similarity_files.csv_text,
    "json": similarity_files.json_text,
    "txt": similarity_files.text,
}


@dataclass(frozen=True)
class SimilarityPage:
    """`similarity.html`."""

    chrome: Chrome
    model: str
    name: str
    references: tuple[Choice, ...]
    table: Table | None
    lines: tuple[tuple[str, Line], ...]  # who, and what came of it
    problem: str  # why there is no table
    files: tuple[tuple[str, str], ...]  # form, address
    api: str


def table_of(store: Store, settings: Settings, slug: str, reference: str) -> Table:
    """The table of one reference against everyone else who explained the model, token lists left out. BadInput, NotFound."""
    with store.session() as session:
        made = statements.makers(session, slug)
    against = similarity_table.one(made, reference)
    others = [each.maker for each in made if each.maker.method != Method.TOKEN_LOOKUP]
    return similarity_table.table(store, settings, slug, against, others)


@router.get("/m/{model}/similarity")
def show(
    request: Request, store: StoreDep, settings: SettingsDep, model: str, reference: Reference = ""
) -> HTMLResponse:
    """The table by the reference that was chosen, or the choice of one."""
    with store.session() as session:
        name = stored_models.model(session, model).card.name
        made = [
            each for each in statements.makers(session, model) if each.maker.method != Method.TOKEN_LOOKUP
        ]
    problem = embedders.not_set_up(settings)
    if not problem and len(made) < 2:
        problem = "At least two ways of explaining are needed: a reference, and one to compare with it."
    found = table_of(store, settings, model, reference) if reference and not problem else None
    here = f"/m/{model}/similarity"
    context = SimilarityPage(
        chrome(request, f"Similarity of explanations of {name}", "browse", model),
        model,
        name,
        _references(made, reference),
        found,
        tuple((_who(line), line) for line in found.lines) if found else (),
        problem,
        tuple((form.upper(), address(f"{here}.{form}", reference=reference)) for form in MEDIA),
        address(f"/api/v1/models/{model}/similarity", reference=reference),
    )
    return page("similarity.html", context)


@router.get("/m/{model}/similarity.{form}")
def file(
    store: StoreDep,
    settings: SettingsDep,
    model: str,
    form: Literal["csv", "json", "txt"],
    reference: Reference,
) -> Response:
    """The same table as a file."""
    body = WRITERS[form](table_of(store, settings, model, reference))
    headers = {"content-disposition": f'attachment; filename="{model}-similarity.{form}"'}
    return Response(body, media_type=MEDIA[form], headers=headers)


def _references(made: list[Made], chosen: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            f"{words(each.maker.method)}{_by(each.maker.explainer)}, {each.neurons:,} neurons",
            key(each.maker),
            key(each.maker) == chosen,
        )
        for each in made
    )


def _who(line: Line) -> str:
    return words(line.maker.method) + _by(line.maker.explainer)


def _by(explainer: str) -> str:
    return f" by {explainer}" if explainer not in ("", "none") else ""
