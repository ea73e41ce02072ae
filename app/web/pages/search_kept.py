"""All results of a search as files to keep, and as a list."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from app.exchange import exporting
from app.exchange.exporting import Format
from app.web import search_asked, search_kept
from app.web.author import NamesDep, WhoDep
from app.web.dependencies import SettingsDep, StoreDep
from app.web.search_asked import Asked

router = APIRouter(include_in_schema=False)


@router.get("/search/export/{what}.{format}")
def export(
    settings: SettingsDep,
    store: StoreDep,
    what: search_kept.What,
    format: Format,
    asked: Annotated[Asked, Query()],
) -> StreamingResponse:
    """The explanations or the statistics of every neuron that a search finds, on all its pages."""
    model, chunks = search_kept.chunks(settings, store, asked, what, format)
    name = exporting.file_name(model, f"search-{what}", format)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks, media_type=exporting.MEDIA[format], headers=headers)


@router.post("/search/keep")
def keep(
    request: Request,
    settings: SettingsDep,
    store: StoreDep,
    who: WhoDep,
    names: NamesDep,
    search: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """A list of every neuron that a search finds, and on to it."""
    row = search_kept.keep(settings, store, search_asked.parse(search), name, who.name)
    return names.keep(request, RedirectResponse(f"/lists/{row.slug}", 303), who)
