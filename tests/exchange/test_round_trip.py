"""What is exported comes in again as it was: the same rows, from any of the three formats."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pyarrow.parquet as pq
import pytest

from app.domain.explanations import BINARY_METRICS, COMPUTED_METRICS, Metric, Protocol, Sample, State
from app.domain.imported import ImportedExplanation, ImportedScore, ImportSource
from app.domain.neurons import Polarity
from app.errors import BadInput, NotFound
from app.exchange import exporting
from app.exchange.exporting import HEADLINES, STATISTICS, WORDS, Chosen, Format
from app.exchange.importing import Asked, run
from app.store import Store, imported_neurons, neurons, scores
from app.store.imported import add_explanations
from app.store.imported_neurons import Shape
from app.store.types import clean
from tests.conftest import Full

SHAPE = Shape(2, 32)
_numbers = itertools.count()


def exported(store: Store, slug: str, chosen: Chosen = exporting.EVERYTHING) -> list[dict[str, Any]]:
    data = b"".join(exporting.explanations(store, slug, Format.JSONL, chosen))
    return [json.loads(line) for line in data.splitlines()]


def carried(store: Store, slug: str, format: Format, folder: Path) -> list[dict[str, Any]]:
    """A model's explanations by way of a file into a model of their own, exported from there under the old name."""
    number = next(_numbers)
    file = folder / f"{number}.{format}"
    file.write_bytes(b"".join(exporting.explanations(store, slug, format)))
    report = run(store, Asked(file, f"copy-{number}", shape=SHAPE))
    assert (report.same, report.skipped, report.noted) == (0, 0, 0)
    return [{**row, "model": slug} for row in exported(store, f"copy-{number}")]


@pytest.mark.parametrize("format", list(Format))
def test_everything_that_was_computed_comes_back(full: Full, format: Format, tmp_path: Path) -> None:
    before = exported(full.store, full.tiny.slug)
    with full.store.session() as s:
        first = scores.of_explanation(s, full.tiny.explanation)
    (mine,) = [
        r for r in before if r["layer"] == "1-mlp" and r["neuron"] == 3 and "(positive)" in r["explanation"]
    ]
    assert len(mine["scores"]) == len(first) > 0
    assert {each["protocol"] for each in mine["scores"]} == {"heldout-full"}
    assert mine["scores"][0]["simulator"] == "local"
    assert len(before) == 2 * 32 + 3 and all(row["explanation"].strip() for row in before)
    assert carried(full.store, full.tiny.slug, format, tmp_path) == before


def test_what_others_say_is_held_out_is_not_taken_for_it(full: Full, tmp_path: Path) -> None:
    file = tmp_path / "theirs.jsonl"
    file.write_bytes(b"".join(exporting.explanations(full.store, full.tiny.slug, Format.JSONL)))
    run(full.store, Asked(file, "theirs", shape=SHAPE))
    with full.store.session() as s:
        assert {protocol for protocol, _, _ in scores.measures(s, "theirs")} == {Protocol.AS_IMPORTED}


finite = st.floats(-1, 1)
moments = st.integers(0, 10**6).map(
    lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=n * 977)
)
texts = st.text(
    st.sampled_from('a ",;\n\r\t\0\ufeff\u202e\u2028\U0001f9e0\ud800=+-@é') | st.characters(),
    min_size=1,
    max_size=30,
)
names = st.text(st.sampled_from('a",\n\r é=@'), max_size=8)
ONLY_IMPORTED = tuple(metric for metric in Metric if metric not in COMPUTED_METRICS)


@st.composite
def given_scores(draw: st.DrawFn) -> ImportedScore:
    metric = draw(st.sampled_from(Metric))
    published = metric not in ONLY_IMPORTED and draw(st.booleans())
    return ImportedScore(
        metric,
        Protocol.BILLS_5_5 if published else Protocol.AS_IMPORTED,
        draw(st.sampled_from(Sample)),
        draw(st.none() | finite.map(abs if metric in BINARY_METRICS else float)),
        draw(st.sampled_from(["", "why, “not”\n"])),
    )


rows = st.builds(
    ImportedExplanation,
    st.integers(0, 1),
    st.integers(0, 31),
    texts.filter(lambda x: x.strip()),
    st.sampled_from(Polarity),
    st.lists(given_scores(), max_size=3).map(tuple),
    moments,
)
sources = st.builds(ImportSource, names.filter(lambda x: x.strip()), names, names, names, code_version=names)


@hypothesis.given(
    st.lists(st.tuples(sources, st.lists(rows, min_size=1, max_size=5)), min_size=1, max_size=3),
    st.sampled_from(Format),
)
@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
def test_any_explanation_comes_back(
    store: Store, tmp_path: Path, given: list[tuple[ImportSource, list[ImportedExplanation]]], format: Format
) -> None:
    slug = f"made-{next(_numbers)}"
    with store.session() as s:
        imported_neurons.ensure_model(s, slug, SHAPE)
        for source, each in given:
            add_explanations(s, slug, source, each)
    before = exported(store, slug)
    assert {row["explanation"] for row in before} == {clean(row.text) for _, each in given for row in each}
    assert carried(store, slug, format, tmp_path) == before


def test_tables_have_a_column_for_every_protocol(full: Full, tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    file.write_bytes(b"".join(exporting.explanations(full.store, full.tiny.slug, Format.PARQUET)))
    table = pq.read_table(file)
    assert table.column_names == [*WORDS, *HEADLINES]
    for row in table.to_pylist():
        given = json.loads(row["scores"])
        best = [
            x["value"] for x in given
            if (x["protocol"], x["sample"], x["metric"], x["state"]) == ("heldout-full", "top-and-random", "correlation", State.OK)
        ]  # fmt: skip
        assert row["correlation@heldout-full"] == max(best, default=None)
        assert row["correlation@as-imported"] is None


def test_some_of_it(full: Full) -> None:
    slug = full.tiny.slug
    assert {r["layer"] for r in exported(full.store, slug, Chosen(layers=["1-mlp"]))} == {"1-mlp"}
    assert {r["method"] for r in exported(full.store, slug, Chosen(methods=["summary"]))} == {"summary"}
    chosen = exported(full.store, slug, Chosen(neurons={"0-mlp": {4, 31}, "1-mlp": [3]}))
    assert {(r["layer"], r["neuron"]) for r in chosen} == {("0-mlp", 4), ("0-mlp", 31), ("1-mlp", 3)}
    with pytest.raises(NotFound, match="no layer “9-mlp”"):
        exporting.explanations(full.store, slug, Format.CSV, Chosen(layers=["9-mlp"]))
    with pytest.raises(NotFound, match="no model “nope”"):
        exporting.neurons(full.store, "nope", Format.CSV)


def test_neurons_with_their_statistics_and_tokens(full: Full) -> None:
    lines = b"".join(exporting.neurons(full.store, full.tiny.slug, Format.JSONL)).splitlines()
    assert len(lines) == 64
    row = json.loads(lines[32 + 11])
    with full.store.session() as s:
        known = neurons.statistics(s, full.tiny.plain)
    assert [row[name] for name in STATISTICS] == [getattr(known, name) for name in STATISTICS]
    assert row["top_tokens"] and set(row["top_tokens"][0]) == {"id", "token", "mean", "count"}
    with full.store.session() as s:
        into = imported_neurons.ensure_model(s, "gpt2")
        imported_neurons.ensure(s, into, {11: [5, 3000]})
    table = b"".join(exporting.neurons(full.store, "gpt2", Format.CSV)).decode().splitlines()
    assert table[1:] == ["gpt2,11-mlp,5,,,,,,,,[]", "gpt2,11-mlp,3000,,,,,,,,[]"]


def test_parquet_without_pyarrow_says_what_to_install(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"Parquet needs pyarrow: pip install .*\[exchange\]"):
        exporting.explanations(full.store, full.tiny.slug, Format.PARQUET)
