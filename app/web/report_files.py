"""A whole report as files: every table and every drawn figure in every form that was asked for."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from app.domain.report_plan import Evaluation
from app.errors import BadInput
from app.report import files, latex
from app.report.build import FIGURES, Report
from app.web import report_charts
from app.web.drawing import Format
from app.web.report_downloads import zipped


class ReportFormat(StrEnum):
    """What is written."""

    CSV = "csv"
    PARQUET = "parquet"
    LATEX = "latex"
    JSON = "json"
    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


EVERY_FORMAT = tuple(ReportFormat)
DRAWN: tuple[Format, ...] = ("svg", "png", "pdf")


def formats(text: str) -> tuple[ReportFormat, ...]:
    """Those named, joined by commas; all where none is. BadInput says which there are."""
    wanted = [each.strip().lower() for each in text.split(",") if each.strip()]
    unknown = [each for each in wanted if each not in list(ReportFormat)]
    if unknown:
        raise BadInput(f"there is no format “{unknown[0][:40]}”: choose of {', '.join(EVERY_FORMAT)}")
    return tuple(ReportFormat(each) for each in wanted) or EVERY_FORMAT


def json(report: Report, evaluation: Evaluation | None) -> bytes:
    """All tables and the figures of one evaluation."""
    figures = [] if evaluation is None else [report.figure(key, evaluation) for key in FIGURES]
    return files.report_json(report, evaluation, figures)


def written(
    report: Report, evaluations: Sequence[Evaluation], wanted: Sequence[ReportFormat]
) -> Iterator[tuple[str, bytes]]:
    """Names and contents. Figures are of `evaluations`, in a folder for each where there are several. BadInput without pyarrow."""
    yield "about.txt", _about(report, evaluations)
    heading = report.heading
    if ReportFormat.JSON in wanted:
        yield "report.json", json(report, evaluations[0] if evaluations else None)
    for table in report.tables:
        if ReportFormat.CSV in wanted:
            yield f"tables/{table.key}.csv", files.table_csv(table, heading)
        if ReportFormat.PARQUET in wanted:
            yield f"tables/{table.key}.parquet", files.table_parquet(table, heading)
        if ReportFormat.LATEX in wanted:
            yield f"tables/{table.key}.tex", latex.table(table, heading).encode()
    for number, evaluation in enumerate(evaluations, 1):
        folder = "figures" if len(evaluations) == 1 else f"figures/{number}"
        for key in FIGURES:
            figure = report.figure(key, evaluation)
            if ReportFormat.CSV in wanted:
                yield f"{folder}/{key}.csv", files.figure_csv(figure, heading)
            for format in DRAWN if figure.points else ():
                if format in wanted:
                    yield f"{folder}/{key}.{format}", report_charts.file(figure, heading, format)


def packed(report: Report, evaluations: Sequence[Evaluation], wanted: Sequence[ReportFormat]) -> bytes:
    """The same as one zip file."""
    return zipped(written(report, evaluations, wanted))


def _about(report: Report, evaluations: Sequence[Evaluation]) -> bytes:
    """What each file is, how its numbers come about, and what those would need that are empty."""
    lines = [*report.heading.lines(), ""]
    for table in report.tables:
        source = f" ({table.source})" if table.source else ""
        lines += [f"tables/{table.key}: {table.title}{source}. {table.how}"]
        lines += [f"  Empty: {table.needs}"] if not table.rows else []
    for number, evaluation in enumerate(evaluations, 1):
        lines += ["", f"figures{f'/{number}' if len(evaluations) > 1 else ''}: {' | '.join(evaluation)}"]
        for key in FIGURES:
            figure = report.figure(key, evaluation)
            lines.append(f"  {key}: {figure.title} ({figure.source}). {figure.how}")
            lines += [f"    Not drawn: {figure.needs}"] if not figure.points else []
    return "\n".join([*lines, ""]).encode()
