"""A study's results as templates, files and programs have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import orjson

from app.errors import NotFound
from app.report import files
from app.report.values import Figure, Table
from app.study.results import Results
from app.web import report_charts, report_downloads
from app.web.contexts import Chrome
from app.web.report_files import DRAWN
from app.web.report_views import FIGURE_FORMATS, FigureView, TableView, view_at

ROWS_SHOWN = 60


@dataclass(frozen=True)
class StudyResultsPage:
    """`study_results.html`."""

    chrome: Chrome
    results: Results
    home: str
    tables: tuple[TableView, ...]
    figures: tuple[FigureView, ...]
    excluding: bool
    other: str  # address of the results with, or without, the raters who are left out
    early: str  # who unblinded it before the close, and when; empty where nobody did


@dataclass(frozen=True)
class StudyResultPartPage:
    """`study_result_part.html`: one table with all its rows."""

    chrome: Chrome
    results: Results
    home: str
    table: TableView


def home(study_id: int) -> str:
    """The address of a study's results."""
    return f"/studies/{study_id}/results"


def table_views(results: Results, query: str) -> tuple[TableView, ...]:
    """All tables but the answers, which are for files."""
    base = home(results.heading.study.id)
    return tuple(
        view_at(each, f"{base}/tables/{each.key}", ROWS_SHOWN, query=query) for each in results.tables
    )


def figure_views(results: Results, query: str) -> tuple[FigureView, ...]:
    """All figures, drawn."""
    base = home(results.heading.study.id)
    return tuple(_figure_view(each, f"{base}/figures/{each.key}", query) for each in results.figures)


def _figure_view(figure: Figure, address: str, query: str) -> FigureView:
    drawable = bool(figure.points)
    offered = FIGURE_FORMATS if drawable else ("csv", "json")
    return FigureView(
        figure.key,
        figure.title,
        figure.source,
        figure.how,
        "" if drawable else figure.needs,
        report_charts.inline(figure, lambda _: "") if drawable else None,
        "",
        "",
        f"{address}.{'svg' if drawable else 'csv'}{query}",
        tuple((format, f"{address}.{format}{query}") for format in offered),
    )


def table_named(results: Results, key: str) -> Table:
    """NotFound says which there are."""
    found = results.files.get(key)
    if found is None:
        raise NotFound(f"There is no table “{key[:60]}”. There are: {', '.join(results.files)}.")
    return found


def figure_named(results: Results, key: str) -> Figure:
    """NotFound says which there are."""
    for each in results.figures:
        if each.key == key:
            return each
    there = ", ".join(each.key for each in results.figures) or "none"
    raise NotFound(f"There is no figure “{key[:60]}”. There are: {there}.")


def table_file(results: Results, key: str, format: str) -> bytes:
    """A table as a file. NotFound for an unknown format, BadInput without pyarrow."""
    return report_downloads.table_file(table_named(results, key), results.heading, format, _origin(results))


def figure_file(results: Results, key: str, format: str) -> bytes:
    """A figure as a file. NotFound where there is nothing to draw, or for an unknown format."""
    return report_downloads.figure_file(figure_named(results, key), results.heading, format, _origin(results))


def _origin(results: Results) -> dict[str, Any]:
    return {"results": results.heading.record()}


def whole(results: Results) -> dict[str, Any]:
    """Everything but the single answers, for programs."""
    return {
        "results": results.heading.record(),
        "about": results.heading.lines(),
        "raters_left_out": [{"rater": rater, "why": why} for rater, why in results.heading.excluded],
        "tables": [files.table_json(each) for each in results.tables],
        "figures": [files.figure_json(each) for each in results.figures],
    }


def packed(results: Results) -> bytes:
    """Everything as one zip file: what it is, all tables, single answers with their dictionary, figures. Parquet where pyarrow is there."""
    return report_downloads.zipped(_written(results, parquet=find_spec("pyarrow") is not None))


def _written(results: Results, *, parquet: bool) -> Iterator[tuple[str, bytes]]:
    yield "about.txt", _about(results)
    yield "results.json", orjson.dumps(whole(results), option=orjson.OPT_INDENT_2)
    for key in results.files:
        for format in ("csv", "json", *(("parquet",) if parquet else ())):
            yield f"tables/{key}.{format}", table_file(results, key, format)
        if key != "answers":
            yield f"tables/{key}.tex", table_file(results, key, "tex")
    for figure in results.figures:
        for format in ("csv", *(DRAWN if figure.points else ())):
            yield f"figures/{figure.key}.{format}", figure_file(results, figure.key, format)


def _about(results: Results) -> bytes:
    lines = [*results.heading.lines(), ""]
    for rater, why in results.heading.excluded:
        lines.append(f"rater {rater}, left out by the registered rules: {why}")
    for note in results.heading.study.notes:
        lines.append(f"note: {note}")
    for table in results.files.values():
        lines += ["", f"tables/{table.key}: {table.title}. {table.how}"]
        lines += [f"  Empty: {table.needs}"] if not table.rows and table.needs else []
    return "\n".join([*lines, ""]).encode()


def answers(results: Results) -> dict[str, Any]:
    """Single answers, with what each column is."""
    return {
        "results": results.heading.record(),
        "columns": {column.key: column.about for column in results.answers.columns},
        "rows": files.records(results.answers),
    }
