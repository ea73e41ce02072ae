"""An experiment's report as a page that fills while the experiment runs, and its tables and figures as files."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from app.domain.report_plan import Evaluation
from app.report import files
from app.report.build import FIGURES, Report
from app.web import report_files, report_views, wording
from app.web.dependencies import ReportsDep
from app.web.rendering import chrome, page
from app.web.report_contexts import ReportPage, ReportPartPage, ReportTables
from app.web.report_downloads import download, figure_file, table_file
from app.web.report_shelf import Shelved
from app.web.report_views import home

router = APIRouter(include_in_schema=False, prefix="/experiments/{experiment:index}")

Of = Annotated[str, Query(max_length=1000)]


@router.get("/report")
def show(request: Request, reports: ReportsDep, experiment: int, of: Of = "") -> HTMLResponse:
    """Every table, and the figures of one evaluation. A figure is drawn when it comes into view."""
    shelved = reports.get(experiment)
    report = shelved.report
    chosen = report_views.evaluation_of(report, of)
    name = str(experiment)
    context = ReportPage(
        chrome(request, f"Report of {report.heading.name}", "experiments"),
        home(name),
        name,
        report.heading,
        shelved.standing,
        tuple(report_views.table_view(report, each, name) for each in report.tables),
        _again(shelved, name),
        ()
        if chosen is None
        else tuple(
            report_views.figure_view(report.figure(key, chosen), name, chosen, fetched=False)
            for key in FIGURES
        ),
        report_views.evaluation_choices(report, chosen),
        _caveat(chosen),
        f"{home(name)}.zip",
        f"/api/v1/experiments/{experiment}/report",
    )
    return page("report.html", context)


@router.get("/report/live")
def live(reports: ReportsDep, experiment: int, seen: str = "") -> Response:
    """The tables again, if anything has come since."""
    shelved = reports.get(experiment)
    if shelved.standing.version == seen and shelved.standing.running:
        return Response(status_code=204)
    name, report = str(experiment), shelved.report
    context = ReportTables(
        home(name),
        report.heading,
        shelved.standing,
        tuple(report_views.table_view(report, each, name) for each in report.tables),
        _again(shelved, name),
    )
    return page("_report_tables.html", context)


@router.get("/report.zip")
def whole(reports: ReportsDep, experiment: int, of: Of = "", formats: str = "") -> Response:
    """Everything in one file; `formats` are those wanted, joined by commas."""
    report = reports.get(experiment).report
    chosen = report_views.evaluation_of(report, of)
    wanted = report_files.formats(formats)
    body = report_files.packed(report, [] if chosen is None else [chosen], wanted)
    return download(body, f"experiment-{experiment}-report.zip", "zip")


@router.get("/report.json")
def as_json(reports: ReportsDep, experiment: int, of: Of = "") -> Response:
    """All tables and the figures of one evaluation as JSON."""
    report = reports.get(experiment).report
    return download(
        report_files.json(report, report_views.evaluation_of(report, of)),
        f"experiment-{experiment}-report.json",
        "json",
    )


@router.get("/report/tables/{table}")
def show_table(request: Request, reports: ReportsDep, experiment: int, table: str) -> Response:
    """One table with all its rows; with an ending, as a file."""
    shelved = reports.get(experiment)
    report = shelved.report
    key, _, format = table.partition(".")
    found = report_views.table_named(report, key)
    if format:
        return download(_table_file(report, key, format), f"experiment-{experiment}-{key}.{format}", format)
    context = ReportPartPage(
        chrome(request, f"{found.title}: {report.heading.name}", "experiments"),
        home(str(experiment)),
        report.heading,
        shelved.standing,
        report_views.table_view(report, found, str(experiment), None),
        None,
        (),
        "",
        (),
    )
    return page("report_part.html", context)


def _table_file(report: Report, key: str, format: str) -> bytes:
    origin = {"report": files.heading_json(report.heading)}
    return table_file(report_views.table_named(report, key), report.heading, format, origin)


@router.get("/report/figures/{figure}")
def show_figure(
    request: Request, reports: ReportsDep, experiment: int, figure: str, of: Of = "", seen: str = ""
) -> Response:
    """One figure with what its marks say; with an ending, as a file. 204 where nothing has changed since `seen`."""
    shelved = reports.get(experiment)
    report, standing = shelved.report, shelved.standing
    if seen and seen == standing.version and standing.running:
        return Response(status_code=204)
    key, _, format = figure.partition(".")
    chosen = report_views.evaluation_of(report, of)
    found = report_views.figure_named(report, key, chosen)
    assert chosen is not None
    if format:
        body = _figure_file(report, key, chosen, format)
        return download(body, f"experiment-{experiment}-{key}.{format}", format)
    name = str(experiment)
    context = ReportPartPage(
        chrome(request, f"{found.title}: {report.heading.name}", "experiments"),
        home(name),
        report.heading,
        standing,
        None,
        report_views.figure_view(found, name, chosen, version=standing.version if standing.running else ""),
        report_views.evaluation_choices(report, chosen),
        _caveat(chosen),
        tuple(
            (point.label, report_views.neurons_address(name, point.where) if point.where is not None else "")
            for point in found.points
        ),
    )
    return page("report_part.html", context)


def _figure_file(report: Report, key: str, evaluation: Evaluation, format: str) -> bytes:
    origin = {"report": files.heading_json(report.heading)}
    return figure_file(report.figure(key, evaluation), report.heading, format, origin)


def _again(shelved: Shelved, experiment: str) -> str:
    standing = shelved.standing
    return f"{home(experiment)}/live?seen={standing.version}" if standing.running else ""


def _caveat(evaluation: Evaluation | None) -> str:
    return "" if evaluation is None else wording.CAVEATS[evaluation.protocol]
