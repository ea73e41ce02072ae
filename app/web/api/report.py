"""Reports of experiments: every table, and the figures of one evaluation."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.report import files
from app.report.build import FIGURES
from app.web import report_views
from app.web.api.report_schemas import (
    ReportEvaluation,
    ReportFigure,
    ReportHeading,
    ReportOut,
    ReportTable,
)
from app.web.dependencies import ReportsDep

router = APIRouter(tags=["experiments"])


@router.get("/experiments/{experiment}/report")
def get_report(
    reports: ReportsDep,
    experiment: Annotated[int, Path(description="Number of the experiment.", ge=0)],
    of: Annotated[
        str,
        Query(
            max_length=1000,
            description="Which evaluation the figures are of: model|protocol|sample|metric|simulator. The primary one without it.",
        ),
    ] = "",
) -> ReportOut:
    """All tables of an experiment's report, and its figures as points; it may be a few seconds old while results come in."""
    report, standing = reports.get(experiment)
    chosen = report_views.evaluation_of(report, of)
    figures = [] if chosen is None else [report.figure(key, chosen) for key in FIGURES]
    return ReportOut(
        state=standing.state,
        report=ReportHeading.model_validate(files.heading_json(report.heading)),
        tables=[ReportTable.model_validate(files.table_json(each)) for each in report.tables],
        figures_of=None if chosen is None else ReportEvaluation.model_validate(chosen._asdict()),
        figures=[ReportFigure.model_validate(files.figure_json(each)) for each in figures],
    )
