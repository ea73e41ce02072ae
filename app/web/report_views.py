"""A report's tables and figures as templates and addresses have them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.report_plan import Evaluation
from app.domain.report_selection import Selection
from app.errors import BadInput, NotFound
from app.report.build import FIGURES, Report
from app.report.values import Column, Figure, Table
from app.report.written import blocks, heads
from app.web import report_charts, trust_marks, wording

TABLE_FORMATS = ("csv", "parquet", "tex", "json")
FIGURE_FORMATS = ("svg", "png", "pdf", "csv", "parquet", "json")
CAUTIONED = ("scores", "counts", "ranks")
ROWS_SHOWN = 150  # of a table on the page of all; its own page has them all


class CellView(NamedTuple):
    """One cell."""

    text: str
    address: str  # empty: no results behind it alone
    number: bool


class BlockView(NamedTuple):
    """Rows that share something, in words."""

    words: str
    mark: Markup  # of a metric that a trust check fails
    rows: tuple[tuple[CellView, ...], ...]


class TableView(NamedTuple):
    """`_report_table.html`."""

    key: str
    title: str
    source: str
    how: str
    needs: str
    heads: tuple[Column, ...]
    numbers: tuple[bool, ...]  # which columns hold numbers
    blocks: tuple[BlockView, ...]
    left_out: int  # rows that are on its own page alone
    caveats: tuple[tuple[str, str], ...]  # protocol, what its scores can miss
    address: str
    files: tuple[tuple[str, str], ...]  # format, address


class FigureView(NamedTuple):
    """`_report_figure.html`."""

    key: str
    title: str
    source: str
    how: str
    needs: str
    chart: Markup | None  # None: it is fetched when it comes into view, or there is nothing to draw
    fetch: str  # address that fetches it; empty: it is here
    again: str  # address that asks whether it has changed; empty: it does not any more
    address: str
    files: tuple[tuple[str, str], ...]


class EvaluationChoice(NamedTuple):
    """One entry of the menu above the figures."""

    key: str
    label: str
    chosen: bool


def home(experiment: str) -> str:
    """The report's address."""
    return f"/experiments/{experiment}/report"


def neurons_address(experiment: str, where: Selection) -> str:
    """The list of the results behind a number."""
    return f"/experiments/{experiment}/neurons?{urlencode(where.query())}"


def key_of(evaluation: Evaluation) -> str:
    """As addresses have it."""
    return "|".join(evaluation)


def evaluation_of(report: Report, key: str) -> Evaluation | None:
    """The one that an address names, the primary one where it names none; None where there is none at all. BadInput for an unknown one."""
    if not key:
        return report.evaluations[0] if report.evaluations else None
    for each in report.evaluations:
        # An address typed by hand has a bare plus (heldout-5+5), which is read as a blank.
        if key_of(each).replace("+", " ") == key.replace("+", " "):
            return each
    there = ", ".join(key_of(each) for each in report.evaluations[:10]) or "none yet"
    raise BadInput(f"This experiment has no scores by “{key[:120]}”. It has: {there}.")


def evaluation_choices(report: Report, chosen: Evaluation | None) -> tuple[EvaluationChoice, ...]:
    """The menu."""
    several = len({each.model for each in report.evaluations}) > 1
    return tuple(
        EvaluationChoice(key_of(each), evaluation_words(each, model=several), each == chosen)
        for each in report.evaluations
    )


def evaluation_words(evaluation: Evaluation, *, model: bool) -> str:
    """An evaluation as people read it."""
    parts = [
        wording.METRICS[evaluation.metric],
        f"{wording.SAMPLES[evaluation.sample]} ({evaluation.protocol})",
    ]
    if evaluation.simulator:
        parts.append(f"by {evaluation.simulator}")
    if model:
        parts.append(f"of {evaluation.model}")
    return ", ".join(parts)


def table_named(report: Report, key: str) -> Table:
    """NotFound says which there are."""
    for each in report.tables:
        if each.key == key:
            return each
    raise NotFound(
        f"A report has no table “{key[:60]}”. There are: {', '.join(each.key for each in report.tables)}."
    )


def figure_named(report: Report, key: str, evaluation: Evaluation | None) -> Figure:
    """NotFound says which there are, or that there is nothing to draw at all."""
    if key not in FIGURES:
        raise NotFound(f"A report has no figure “{key[:60]}”. There are: {', '.join(FIGURES)}.")
    if evaluation is None:
        raise NotFound("There is nothing to draw yet: this experiment has no results.")
    return report.figure(key, evaluation)


def table_view(report: Report, table: Table, experiment: str, most: int | None = ROWS_SHOWN) -> TableView:
    """A table with the address of what is behind each number; no more than `most` rows."""
    return view_at(
        table,
        f"{home(experiment)}/tables/{table.key}",
        most,
        lambda where: neurons_address(experiment, where),
        _caveats(table) if table.key in CAUTIONED else (),
    )


def view_at(
    table: Table,
    address: str,
    most: int | None = ROWS_SHOWN,
    behind: Callable[[Selection], str] = lambda _: "",
    caveats: tuple[tuple[str, str], ...] = (),
    query: str = "",
) -> TableView:
    """A table whose own page is at `address`, and its files there too, with `query` behind their endings."""
    shown: list[BlockView] = []
    rows = 0
    for block in blocks(table):
        room = len(block.rows) if most is None else max(0, most - rows)
        if not room:
            break
        taken = block.rows[:room]
        rows += len(taken)
        values = dict(block.shared)
        cells = tuple(
            tuple(CellView(c.text, behind(c.where) if c.where is not None else "", c.number) for c in row)
            for row in taken
        )
        shown.append(BlockView(_block_words(values), _mark(values), cells))
    first = shown[0].rows[0] if shown else ()
    return TableView(
        table.key,
        table.title,
        table.source,
        table.how,
        table.needs,
        heads(table),
        tuple(cell.number for cell in first),
        tuple(shown),
        len(table.rows) - rows,
        caveats,
        f"{address}{query}",
        tuple((format, f"{address}.{format}{query}") for format in TABLE_FORMATS),
    )


def _caveats(table: Table) -> tuple[tuple[str, str], ...]:
    """What each protocol in the table can miss."""
    at = [column.key for column in table.columns].index("protocol")
    protocols = dict.fromkeys(str(row[at].value) for row in table.rows)
    return tuple((each, wording.CAVEATS[Protocol(each)]) for each in protocols)


def _block_words(values: dict[str, str]) -> str:
    said = []
    for label, value in values.items():
        if label == "metric":
            value = wording.METRICS.get(Metric(value), value)
        elif label == "predicted or judged by":
            value = f"by {value}" if value != "nobody" else ""
        elif label == "trust check":
            continue  # its mark stands beside
        elif label == "second protocol":
            value = f"against {value}"
        said.append(value)
    return " · ".join(filter(None, said))


def _mark(values: Mapping[str, str]) -> Markup:
    if not {"protocol", "records", "metric"} <= values.keys():
        return Markup("")
    return trust_marks.html(Protocol(values["protocol"]), Sample(values["records"]), Metric(values["metric"]))


def figure_view(
    figure: Figure,
    experiment: str,
    evaluation: Evaluation,
    *,
    version: str = "",
    fetched: bool = True,
) -> FigureView:
    """A figure drawn, or (not `fetched`) with the address that draws it. `version`: ask again whether that is still so."""
    base = f"{home(experiment)}/figures/{figure.key}"
    query = urlencode({"of": key_of(evaluation)})
    drawable = bool(figure.points)
    chart = None
    if drawable and fetched:
        chart = report_charts.inline(figure, lambda where: neurons_address(experiment, where))
    return FigureView(
        figure.key,
        figure.title,
        figure.source,
        figure.how,
        "" if drawable else figure.needs,
        chart,
        "" if fetched or not drawable else f"{base}?{query}",
        f"{base}?{query}&{urlencode({'seen': version})}" if version else "",
        f"{base}?{query}",
        tuple(
            (format, f"{base}.{format}?{query}")
            for format in (FIGURE_FORMATS if drawable else ("csv", "json"))
        ),
    )
