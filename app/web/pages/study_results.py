"""A study's results as a page and as files: hidden until the close, or until somebody unblinds it, which every file says."""

from typing import Literal

import orjson
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from app.store import Store
from app.study.heading import unblinded
from app.study.results import Results, results
from app.web import study_results
from app.web.dependencies import StoreDep
from app.web.rendering import chrome, page
from app.web.report_downloads import download
from app.web.report_views import view_at
from app.web.study_results import StudyResultPartPage, StudyResultsPage

router = APIRouter(include_in_schema=False, prefix="/studies/{study:index}")

Everybody = Literal["", "no"]  # `exclude=no`: the registered exclusions are not applied
NO = "?exclude=no"


@router.get("/results")
def show(request: Request, store: StoreDep, study: int, exclude: Everybody = "") -> HTMLResponse:
    """Every table and figure."""
    found = _results(store, study, exclude)
    query = NO if exclude else ""
    base = study_results.home(study)
    context = StudyResultsPage(
        chrome(request, f"Results of {found.heading.study.name}", "lab"),
        found,
        base,
        study_results.table_views(found, query),
        study_results.figure_views(found, query),
        not exclude,
        base if exclude else f"{base}{NO}",
        unblinded(found.heading.study),
    )
    return page("study_results.html", context)


@router.get("/results.zip")
def whole(store: StoreDep, study: int, exclude: Everybody = "") -> Response:
    """Everything in one file."""
    body = study_results.packed(_results(store, study, exclude))
    return download(body, f"study-{study}-results.zip", "zip")


@router.get("/results.json")
def as_json(store: StoreDep, study: int, exclude: Everybody = "") -> Response:
    """Every table and figure as JSON."""
    body = orjson.dumps(study_results.whole(_results(store, study, exclude)), option=orjson.OPT_INDENT_2)
    return download(body, f"study-{study}-results.json", "json")


@router.get("/results/tables/{table}")
def show_table(
    request: Request, store: StoreDep, study: int, table: str, exclude: Everybody = ""
) -> Response:
    """One table with all its rows; with an ending, as a file."""
    key, _, format = table.partition(".")
    found = _results(store, study, exclude)
    if format:
        return download(study_results.table_file(found, key, format), f"study-{study}-{key}.{format}", format)
    made = study_results.table_named(found, key)
    base = study_results.home(study)
    context = StudyResultPartPage(
        chrome(request, f"{made.title}: {found.heading.study.name}", "lab"),
        found,
        base,
        view_at(made, f"{base}/tables/{key}", None, query=NO if exclude else ""),
    )
    return page("study_result_part.html", context)


@router.get("/results/figures/{figure}")
def figure(store: StoreDep, study: int, figure: str, exclude: Everybody = "") -> Response:
    """One figure as a file, SVG without an ending."""
    key, _, format = figure.partition(".")
    format = format or "svg"
    body = study_results.figure_file(_results(store, study, exclude), key, format)
    return download(body, f"study-{study}-{key}.{format}", format)


def _results(store: Store, study: int, exclude: str) -> Results:
    return results(store, study, exclude=not exclude)
