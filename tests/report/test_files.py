"""Files say where they come from, hold every number unrounded, and nothing in them can be more than text."""

import csv
import io
import re

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.report import files, latex
from app.report.build import Report, build
from app.report.values import Kind
from app.report.written import written
from tests.experiment_results import TOP_EVALUATION, experiment, plan, result

HOSTILE = '\\input{/etc/passwd} 100 % of $x_1^2$ & #1 ~ {}\u202e\n\x07 "quoted" é ≥ 0.5 \U0001f9e0'


@pytest.fixture(scope="module")
def report() -> Report:
    made = [*experiment(6), result(3, "summary", None, reason=HOSTILE)]
    made[-1] = made[-1]._replace(seed=7)
    return build(plan(name=f"Five {HOSTILE}"), made)


def test_csv_holds_every_number_as_it_is_and_where_it_is_from(report: Report) -> None:
    for table in report.tables:
        rows = list(csv.DictReader(io.StringIO(files.table_csv(table, report.heading).decode(), newline="")))
        assert len(rows) == max(1, len(table.rows))
        for row in rows:
            assert row["experiment"] == "7" and row["definition_sha256"] == "0f" * 32
            assert row["all_models"] == "tiny-random" and row["all_explainers"] == "paid / big; none"
            assert (
                row["all_protocols"] == "heldout-full"
                and int(row["all_without_value"]) == report.heading.failed
            )
        if not table.rows:
            assert rows[0]["needs"] == table.needs
        for row, given_ in zip(rows, files.records(table), strict=False):
            for key, value in given_.items():
                if isinstance(value, float):
                    assert float(row[key]) == value
                elif value is None:
                    assert row[key] == ""


def test_parquet_holds_the_same_with_types(report: Report) -> None:
    for table in report.tables:
        read = pq.read_table(io.BytesIO(files.table_parquet(table, report.heading)))
        assert len(set(read.column_names)) == len(read.column_names), table.key
        assert [column.key for column in table.columns] == read.column_names[: len(table.columns)]
        rows = read.select(read.column_names[: len(table.columns)]).to_pylist()
        assert rows == files.records(table)
        said = {key.decode(): value.decode() for key, value in read.schema.metadata.items()}
        assert said["definition_sha256"] == "0f" * 32 and said["title"] == table.title
        assert said["needs"] == table.needs
    figure = report.figure("means", TOP_EVALUATION)
    read = pq.read_table(io.BytesIO(files.figure_parquet(figure, report.heading)))
    assert read["y"].to_pylist() == [point.y for point in figure.points]


def test_json_holds_tables_and_figures(report: Report) -> None:
    made = orjson.loads(files.report_json(report, TOP_EVALUATION, [report.figure("best", TOP_EVALUATION)]))
    assert made["report"]["definition_sha256"] == "0f" * 32 and made["report"]["results_expected"] is None
    assert [each["key"] for each in made["tables"]] == [table.key for table in report.tables]
    assert made["figures"][0]["points"] and made["figures_of"]["metric"] == "correlation"


def test_latex_is_tables_with_their_origin_and_no_foreign_command(report: Report) -> None:
    for table in report.tables:
        text = latex.table(table, report.heading)
        assert text.startswith("% Neuronarium, experiment 7") and "% definition sha256: " + "0f" * 32 in text
        assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
        assert r"\input" not in re.sub(r"^%.*$", "", text, flags=re.M)
        body = [line for line in text.splitlines() if not line.startswith("%")]
        opened = sum(len(re.findall(r"(?<!\\)\{", line)) for line in body)
        closed = sum(len(re.findall(r"(?<!\\)\}", line)) for line in body)
        assert opened == closed, table.key
        if table.rows:
            head = next(line for line in body if line.endswith(r"\\"))
            rows = [line for line in body if line.endswith(r"\\") and "multicolumn" not in line]
            assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {
                len(re.findall(r"(?<!\\)&", head))
            }
        else:
            assert latex.escape_long(table.needs) in text


@given(st.text())
def test_escaped_text_has_nothing_that_latex_acts_on(text: str) -> None:
    made = latex.escape(text)
    for ours in sorted(set(latex._SPECIAL.values()), key=len, reverse=True):
        made = made.replace(ours, "")
    assert not set(made) & set("\\{}$&#%_^\n\r")
    assert all(sign.isprintable() for sign in made)


def test_the_same_signs_come_out_as_themselves() -> None:
    assert latex.escape("a_b ± 5 %") == r"a\_b $\pm$ 5 \%"
    assert latex.escape("é\u202e") == "é[U+202E]"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, Kind.SCORE, "–"),
        (-0.0004, Kind.SCORE, "0.000"),
        (-0.25, Kind.SCORE, "−0.250"),
        (0.25, Kind.SIGNED, "+0.250"),
        (0.00004, Kind.P, "< 0.001"),
        (True, Kind.YES_NO, "yes"),
        (1234, Kind.COUNT, "1,234"),
        (2.5, Kind.RANK, "2.5"),
        (0.1234, Kind.SHARE, "12.3 %"),
        (0.0042, Kind.USD, "$0.0042"),
        (0, Kind.SECONDS, "0 s"),
        (5400, Kind.SECONDS, "1 h 30 min"),
    ],
)
def test_values_as_people_read_them(value: float | None, kind: Kind, text: str) -> None:
    assert written(value, kind) == text
