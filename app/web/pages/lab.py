"""The laboratory: where experiments, studies, puzzles, trust checks and costs are found."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.store import experiments as stored
from app.store import studies as stored_studies
from app.store.experiment_rows import ExperimentRow
from app.store.study_rows import StudyRow
from app.web import study_words
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.experiment_words import STATE_WORDS
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

NEWEST = 5


@dataclass(frozen=True)
class LabPage:
    """`lab.html`."""

    chrome: Chrome
    rows: tuple[tuple[ExperimentRow, str], ...]  # the newest, with the state in words
    total: int
    studies: tuple[tuple[StudyRow, str], ...]
    all_studies: int


@router.get("/lab")
def show(request: Request, store: StoreDep) -> HTMLResponse:
    """The hub."""
    with store.session() as session:
        found = stored.page(session, limit=NEWEST)
        studies = stored_studies.page(session, limit=NEWEST)
    context = LabPage(
        chrome(request, "Laboratory", "lab"),
        tuple((row, STATE_WORDS[row.state]) for row in found.items),
        found.total,
        tuple((row, study_words.STATE_WORDS[row.state]) for row in studies.items),
        studies.total,
    )
    return page("lab.html", context)
