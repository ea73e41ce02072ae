"""The laboratory: where experiments, puzzles, trust checks and costs are found."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.store import experiments as stored
from app.store.experiment_rows import ExperimentRow
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.experiment_words import STATE_WORDS
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class LabPage:
    """`lab.html`."""

    chrome: Chrome
    rows: tuple[tuple[ExperimentRow, str], ...]  # the newest, with the state in words
    total: int


@router.get("/lab")
def show(request: Request, store: StoreDep) -> HTMLResponse:
    """The hub."""
    with store.session() as session:
        found = stored.page(session, limit=5)
    rows = tuple((row, STATE_WORDS[row.state]) for row in found.items)
    return page("lab.html", LabPage(chrome(request, "Laboratory", "lab"), rows, found.total))
