"""Tables and figures as files for programs: CSV, Parquet, JSON. Each says where it is from."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import orjson

from app.domain.report_plan import Evaluation
from app.errors import BadInput
from app.report.build import Report
from app.report.values import Column, Figure, Heading, Kind, Table, Value, Whence

LACKS_PYARROW = "Parquet needs pyarrow: pip install 'neuronarium[exchange]', or choose CSV."
Record = dict[str, Any]


def records(table: Table) -> list[dict[str, Value]]:
    """The rows by column."""
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, (entry.value for entry in row), strict=True)) for row in table.rows]


FIGURE_COLUMNS = (
    Column("series", "series"),
    Column("x", "x"),
    Column("y", "y", Kind.SCORE),
    Column("low", "low", Kind.SCORE),
    Column("high", "high", Kind.SCORE),
    Column("n", "n", Kind.COUNT),
    Column("says", "says"),
)


def points(figure: Figure) -> list[dict[str, Value]]:
    """The points of a figure by column."""
    return [
        {"series": p.series, "x": p.x, "y": p.y, "low": p.low, "high": p.high, "n": p.n, "says": p.label}
        for p in figure.points
    ]


def table_csv(table: Table, whence: Whence) -> bytes:
    """RFC 4180 in UTF-8. A table without rows has one that says what it would need."""
    return _csv([column.key for column in table.columns], records(table), whence, table.needs)


def figure_csv(figure: Figure, whence: Whence) -> bytes:
    """The points behind a figure."""
    return _csv([column.key for column in FIGURE_COLUMNS], points(figure), whence, figure.needs)


def _csv(keys: Sequence[str], rows: Sequence[Record], whence: Whence, needs: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    origin = whence.record()
    writer.writerow([*keys, *origin, *([] if rows else ["needs"])])
    for row in rows:
        writer.writerow([*(_plain(row[key]) for key in keys), *origin.values()])
    if not rows:
        writer.writerow([*([""] * len(keys)), *origin.values(), needs])
    return text.getvalue().encode()


def _plain(value: Value) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else repr(value) if isinstance(value, float) else value


def table_parquet(table: Table, whence: Whence) -> bytes:
    """One row group; what the table is stands in the schema's metadata. BadInput without pyarrow."""
    said = {"title": table.title, "source": table.source, "how": table.how, "needs": table.needs}
    return _parquet(table.columns, records(table), whence, said)


def figure_parquet(figure: Figure, whence: Whence) -> bytes:
    """The points behind a figure; x as words. BadInput without pyarrow."""
    said = {"title": figure.title, "source": figure.source, "how": figure.how, "needs": figure.needs}
    said |= {"x": figure.x, "y": figure.y}
    rows = [{**row, "x": str(row["x"])} for row in points(figure)]
    return _parquet(FIGURE_COLUMNS, rows, whence, said)


def _parquet(
    columns: Sequence[Column], rows: Sequence[Record], whence: Whence, said: dict[str, str]
) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(LACKS_PYARROW) from None
    kinds = {Kind.TEXT: pa.string(), Kind.YES_NO: pa.bool_(), Kind.COUNT: pa.int64()}
    fields = [(column.key, kinds.get(column.kind, pa.float64())) for column in columns]
    origin = whence.record()
    fields += [(key, pa.int64() if isinstance(value, int) else pa.string()) for key, value in origin.items()]
    metadata = {**{key: str(value) for key, value in origin.items()}, **said}
    schema = pa.schema(fields, metadata=metadata)
    arrays = [pa.array([{**row, **origin}[name] for row in rows], kind) for name, kind in fields]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def heading_json(heading: Heading) -> Record:
    """Where it comes from."""
    return {
        "experiment": heading.experiment,
        "name": heading.name,
        "definition_sha256": heading.definition,
        "models": list(heading.models),
        "explainers": list(heading.explainers),
        "simulators": list(heading.simulators),
        "protocols": list(heading.protocols),
        "neurons": heading.neurons,
        "neurons_asked": heading.neurons_asked or None,
        "results": heading.results,
        "results_expected": heading.expected or None,
        "results_without_value": heading.failed,
        "failures": {state.value: n for state, n in heading.failures},
    }


def table_json(table: Table) -> Record:
    """A table with what it says of itself."""
    return {
        "key": table.key,
        "title": table.title,
        "source": table.source,
        "how": table.how,
        "needs": "" if table.rows else table.needs,
        "columns": [
            {"key": each.key, "label": each.label, "kind": each.kind.value, "about": each.about}
            for each in table.columns
        ],
        "rows": records(table),
    }


def figure_json(figure: Figure) -> Record:
    """A figure's points with what it says of itself."""
    return {
        "key": figure.key,
        "title": figure.title,
        "source": figure.source,
        "how": figure.how,
        "needs": "" if figure.points else figure.needs,
        "x": figure.x,
        "y": figure.y,
        "spread": figure.spread,
        "points": points(figure),
    }


def report_json(report: Report, evaluation: Evaluation | None, figures: Sequence[Figure]) -> bytes:
    """Everything: where it comes from, all tables, and the figures of one evaluation."""
    return orjson.dumps(
        {
            "report": heading_json(report.heading),
            "tables": [table_json(each) for each in report.tables],
            "figures_of": None
            if evaluation is None
            else dict(zip(evaluation._fields, evaluation, strict=True)),
            "figures": [figure_json(each) for each in figures],
        },
        option=orjson.OPT_INDENT_2,
    )
