"""The keys and the words, as a page for browsers without scripts; with scripts it opens over any page by `?`."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.web.contexts import HelpPage
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)


@router.get("/help")
def show_help(request: Request) -> HTMLResponse:
    """Keys, words and how to read a heatmap."""
    return page("help.html", HelpPage(chrome(request, "Help")))
