"""Files of other people's explanations: what is read, what is skipped and said, what is refused with nothing stored."""

import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef, Polarity
from app.errors import AppError, BadInput
from app.exchange.columns import Skipped, Wishes
from app.exchange.forms import Form
from app.exchange.importing import Asked, run
from app.exchange.report import Report
from app.store import Store, explanations, models
from app.store.explanation_rows import ExplanationRow
from app.store.imported_neurons import Shape
from tests.conftest import Full

Write = Callable[..., Path]
BILLS = Wishes(protocol=Protocol.BILLS_5_5)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(name: str, data: str | bytes) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return file

    return to


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def row(neuron: object = 9, text: object = " words", layer: object = 1, **more: object) -> dict[str, object]:
    return {"layer": layer, "neuron": neuron, "explanation": text, **more}


def come_in(
    store: Store, file: Path, wishes: Wishes = BILLS, model: str = "tiny-random", **more: object
) -> tuple[Report, list[Skipped]]:
    told: list[Skipped] = []
    report = run(store, Asked(file, model, wishes=wishes, **more), told.append)  # type: ignore[arg-type]
    return report, told


def of(store: Store, neuron: int = 9, layer: int = 1, model: str = "tiny-random") -> list[ExplanationRow]:
    """Those that were imported, oldest first."""
    with store.session() as s:
        found = explanations.of_neuron(s, NeuronRef(model, f"{layer}-mlp", neuron))
    return [x for x in reversed(found) if x.method != "token_lookup"]


def test_jsonl_as_published(full: Full, write: Write) -> None:
    file = write("some.jsonl", lines(row(score=0.94), row(8, 'the word "not"', "1-mlp", score=-0.5)))
    report, told = come_in(full.store, file)
    assert (report.read, report.added, report.same, report.scores, told) == (2, 2, 0, 2, [])
    (found,) = of(full.store)
    assert found.text == " words"
    assert (found.provenance.method, found.provenance.explainer, found.provenance.author) == (
        "import", "not told", "not told",
    )  # fmt: skip
    place = json.loads(found.provenance.parameters_json)
    assert (place["imported_from"], place["form"], len(place["sha256"])) == ("some.jsonl", "jsonl", 64)
    (score,) = found.scores
    assert (score.value.value, score.value.protocol, score.value.sample) == (
        0.94, Protocol.BILLS_5_5, Sample.TOP_AND_RANDOM,
    )  # fmt: skip
    again, _ = come_in(full.store, file)
    assert (again.added, again.same) == (0, 2)
    assert of(full.store) == [found]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_csv_with_other_names_a_mark_and_blanks(
    full: Full, write: Write, zipped: bool, delimiter: str
) -> None:
    table = '\ufeff{"Layer Index"},Index,TEXT,Score,polarity\r\n1,9,"  two\r\nlines, ""quoted""",0.5,negative\r\n1,9,b,,\r\n'
    data = table.replace('{"Layer Index"}', "Layer Index")
    if delimiter != ",":
        data = data.replace("lines, ", "lines ").replace(",", delimiter)
    file = write("some.txt", gzip.compress(data.encode()) if zipped else data)
    report, told = come_in(full.store, file, Wishes(method="ours", explainer="gpt-4", author="Ada"))
    assert (report.added, report.form, told) == (2, Form.CSV, [])
    first, second = of(full.store)
    assert first.text.startswith("  two\r\nlines") and first.text.endswith('"quoted"')
    assert (first.polarity, second.polarity) == (Polarity.NEGATIVE, Polarity.POSITIVE)
    assert (first.provenance.method, first.provenance.explainer, first.provenance.author) == (
        "ours",
        "gpt-4",
        "Ada",
    )
    assert first.scores[0].value.protocol is Protocol.AS_IMPORTED
    assert second.scores == ()  # an empty cell is no score


def test_parquet_with_chosen_columns_and_metrics(full: Full, tmp_path: Path) -> None:
    file = tmp_path / "some.parquet"
    table = {
        "L": [1, 1],
        "N": [9.0, 8.0],
        "says": ["a", "b"],
        "detection": [0.75, None],
        "fuzzing": [0.5, float("nan")],
    }
    pq.write_table(pa.table(table), file)
    wishes = Wishes(columns={"layer": "L", "neuron": "N", "explanation": "says"})
    report, _ = come_in(full.store, file, wishes)
    assert (report.added, report.scores) == (2, 4)
    (good,), (bad,) = of(full.store), of(full.store, 8)
    assert {(x.value.metric, x.value.value) for x in good.scores} == {
        (Metric.DETECTION, 0.75), (Metric.FUZZING, 0.5),
    }  # fmt: skip
    assert {(x.value.metric, x.value.state, x.value.value) for x in bad.scores} == {
        (Metric.DETECTION, State.FAILED, None), (Metric.FUZZING, State.FAILED, None),
    }  # fmt: skip


def test_rows_that_cannot_be_used_are_named_and_the_others_come_in(full: Full, write: Write) -> None:
    bad = [
        (row(32), "there is no neuron 32 in layer 1: it has 0 to 31"),
        (row(-1), "neuron “-1” is no whole number"),
        (row(1.5), "neuron “1.5” is no whole number"),
        (row(True), "neuron “True” is no whole number"),
        (row(10**20), "is no whole number"),
        (row(layer=2), "there is no layer 2"),
        (row(layer="6-res-jb"), "layer “6-res-jb” is no number"),
        (row(text=" \n"), "the explanation is empty"),
        (row(text=None), "no explanation"),
        (row(text=5), "explanation “5” is no text"),
        (row(text="x" * 1_000_000), "has 1,000,000 characters; 20,000 are the most"),
        (row(score="good"), "score “good” is no number"),
        (row(score=1.5), "a correlation of 1.5 cannot be"),
        (row(polarity="up"), "polarity is positive or negative"),
        (row(created="yesterday"), "“yesterday” is no time"),
        ({"layer": 1, "neuron": 9}, "no column for explanation"),
        (row(model="gpt2"), "of another model: “gpt2”"),
    ]
    file = write(
        "some.jsonl", lines(row(text="good"), *(each for each, _ in bad), row(8, "good too", score=None))
    )
    report, told = come_in(full.store, file)
    assert (report.added, report.skipped) == (2, len(bad))
    for (_, says), skipped, line in zip(bad, told, range(2, 100), strict=False):
        assert says in skipped.reason and skipped.line == line
    assert report.first == told[:20]
    assert [x.text for x in of(full.store)] == ["good"]
    (failed,) = of(full.store, 8)[0].scores
    assert (failed.value.state, failed.value.value) == (State.FAILED, None)


def good_gzip() -> bytes:
    return gzip.compress(lines(*(row(text=f"some {i}") for i in range(1000))).encode())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "nothing but blanks"),
        (b"<!DOCTYPE html><p>403", "is a web page"),
        (lines(row()) + '{"layer": 1, "neu', "line 2, is not JSON, or cut off"),
        (lines(row()) + "[1]\n", "line 2, is no object"),
        (lines(row()).encode() + b'{"layer": 1, "neuron": 2, "explanation": "\xff"}\n', "line 2, is not JSON"),
        ("[1, 2]", "no list of objects"),
        ("[]", "no list of objects"),
        ('{"a": [', "is not JSON, or cut off"),
        (lines(row()).encode("utf-16"), "is UTF-16"),
        (b"layer,neuron,explanation\n1,9,caf\xe9\n", "is not UTF-8"),
        ("layer,neuron,explanation\n", "holds no rows"),
        ("layer,neuron,explanation,Layer\n1,9,a,1\n", "two columns “Layer”"),
        ("layer,neuron,words\n1,9,a\n", "no column for explanation; there are layer, neuron, words"),
        ("layer,neuron,explanation\n1,9\n", "line 2, has 2 cells, its header 3"),
        ('layer,neuron,explanation\n1,9,"a\n', "is no CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is neither JSON, CSV nor Parquet"),
        (b"PAR1 and no more", "is no sound Parquet file"),
        (good_gzip()[:-200], "damaged or cut-off gzip"),
        ('{"layer": 1, "neuron": ' + "[" * 100_000 + "\n" + "x\n", "is not JSON, or cut off"),
        (lines(row(neuron="\x1b[2J\n")), "neuron “␛.2J␊?” is no whole"),
        (lines(row(text="")), "holds no explanation that can be used: the explanation is empty"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_and_leaves_nothing(
    full: Full, write: Write, data: str | bytes, says: str
) -> None:
    file = write("bad", data)
    with pytest.raises(BadInput, match=says):
        come_in(full.store, file)
    assert of(full.store) == []
    with pytest.raises(BadInput):
        come_in(full.store, file, model="gpt2")
    with full.store.session() as s:
        assert [m.slug for m in models.models(s)] == ["tiny-random"]


@pytest.mark.parametrize("name", ['x"\r\nSet-Cookie: a', "a b", "../..", "é", "x" * 200, "a/b/c"])
def test_a_models_name_is_fit_for_addresses(sqlite_store: Store, write: Write, name: str) -> None:
    file = write("some.jsonl", lines(row(model=name)))
    with pytest.raises(BadInput, match="cannot be a model's name"):
        come_in(sqlite_store, file, model="", shape=Shape(2, 32))


junk = st.binary(max_size=200) | st.text().map(str.encode) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["layer", "neuron", "explanation", "score", "scores", "modelId", "index", "sentences"]), inner),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())  # fmt: skip
tables = st.lists(st.lists(st.sampled_from(["layer", "neuron", "explanation", "score", "1", "", '"', "a", "nan"]), max_size=5)).map(
    lambda table: "\n".join(",".join(cells) for cells in table).encode()
)  # fmt: skip


@hypothesis.given(junk | tables | (junk | tables).map(gzip.compress))
@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
def test_no_file_whatever_breaks_it(sqlite_store: Store, write: Write, data: bytes) -> None:
    with contextlib.suppress(AppError):
        run(sqlite_store, Asked(write("junk", data), "tiny", shape=Shape(2, 32)))


def test_what_is_not_there_or_not_said(full: Full, write: Write, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        come_in(full.store, tmp_path / "no.jsonl")
    with pytest.raises(BadInput, match="without explanations/"):
        come_in(full.store, tmp_path)
    file = write("some.jsonl", lines(row()))
    with pytest.raises(BadInput, match="does not say of which model"):
        come_in(full.store, file, model="")
    with pytest.raises(BadInput, match="its shape is not known"):
        come_in(full.store, file, model="made-up")
    with pytest.raises(BadInput, match="not of the form csv: it looks like jsonl"):
        come_in(full.store, file, form=Form.CSV)
    with pytest.raises(BadInput, match="neuronarium import openai"):
        come_in(full.store, file, form=Form.OPENAI)
    with pytest.raises(BadInput, match="there is no column “theirs”"):
        come_in(full.store, file, Wishes(columns={"neuron": "theirs"}))
    with pytest.raises(BadInput, match="there is no “nope”"):
        Wishes(columns={"nope": "a"})
    with pytest.raises(BadInput, match="computed here"):
        Wishes(protocol=Protocol.HELDOUT_FULL)


def test_more_than_one_transaction_holds_is_refused(
    full: Full, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.exchange.importing.BATCH", 2)
    monkeypatch.setattr("app.exchange.importing.MOST", 5)
    file = write("some.jsonl", lines(*(row(text=str(i)) for i in range(6))))
    with pytest.raises(BadInput, match="holds more than 5 explanations"):
        come_in(full.store, file)
    assert of(full.store) == []
    monkeypatch.setattr("app.exchange.importing.MOST", 6)
    assert come_in(full.store, file)[0].added == 6


def test_a_model_that_is_not_in_the_store_is_made_with_the_neurons_that_are_named(
    store: Store, write: Write
) -> None:
    file = write("some.jsonl", lines(row(6399, layer=47), row(0, layer=0)))
    report, _ = come_in(store, file, model="gpt2-xl")
    assert (report.model, report.added) == ("gpt2-xl", 2)
    with store.session() as s:
        found = models.model(s, "gpt2-xl")
    assert found.collection is not None and found.collection.imported
    other = run(store, Asked(file, "Org/Other", shape=Shape(48, 6400)))
    assert other.model == "other"
    with pytest.raises(AppError, match="has 48 layers of 6400"):
        run(store, Asked(file, "gpt2-xl", shape=Shape(12, 10)))


def test_five_methods_in_one_step(full: Full, write: Write) -> None:
    table = "Layer,Neuron,Original,Summary,Highlight,HighlightSummary,AVHS\n1,9,o,s,h,hs,a\n1,8,o,,h,hs,a\n"
    report, told = come_in(full.store, write("five.csv", table), Wishes(explainer="gpt-3.5-turbo"))
    assert (report.form, report.added, report.skipped) == (Form.LEE, 9, 1)
    assert told == [Skipped(3, "summary: the explanation is empty")]
    assert {(x.method, x.text, x.provenance.explainer) for x in of(full.store)} == {
        (method, text, "gpt-3.5-turbo")
        for method, text in [
            ("original", "o"),
            ("summary", "s"),
            ("highlight", "h"),
            ("hs", "hs"),
            ("avhs", "a"),
        ]
    }


def test_puzzles_are_told_where_they_go(store: Store, write: Write) -> None:
    puzzles = {
        "colors": {"name": "colors", "explanation": "colours", "sentences": [["a", ["red", 9]]], "false_explanations": ["red"]},
        "none": {"name": "none", "explanation": "nothing", "sentences": [], "false_explanations": []},
    }  # fmt: skip
    with pytest.raises(BadInput, match=r"neuronarium import puzzles some-puzzles\.json"):
        come_in(store, write("some-puzzles.json", json.dumps(puzzles, indent=1)), model="x")


def test_neuronpedias_exports(store: Store, write: Write) -> None:
    common = {
        "modelId": "gpt2-small",
        "layer": "5-mlp",
        "typeName": "oai_token-act-pair",
        "explanationModelName": "gpt-4o-mini",
    }
    given = [
        {
            **common,
            "id": "c1",
            "index": "7",
            "authorId": "x",
            "description": " negations",
            "embedding": "[0.1]",
        },
        {**common, "index": 8, "description": "dates", "typeName": None},
        {**common, "layer": "6-res-jb", "index": "7", "description": "a latent is no neuron"},
    ]
    zipped = write("batch-0.jsonl.gz", gzip.compress(lines(*given).encode()))
    report, told = come_in(store, zipped, Wishes(), "")
    assert (report.form, report.model, report.added, report.skipped) == (Form.NEURONPEDIA, "gpt2", 2, 1)
    assert "6-res-jb" in told[0].reason
    (found,) = of(store, 7, 5, "gpt2")
    assert (found.text, found.method, found.provenance.explainer) == (
        " negations",
        "oai_token-act-pair",
        "gpt-4o-mini",
    )
    scores = [
        {"value": 0.8, "explanationScoreTypeName": "eleuther_recall", "explanationScoreModelName": "gpt-4o"},
        {"value": 0.5, "explanationScoreTypeName": "recall_alt"},
    ]
    feature = {
        "modelId": "gpt2-small",
        "layer": "5-mlp",
        "index": "9",
        "explanations": [{"description": "x", "scores": scores}],
    }
    report, told = come_in(store, write("feature.json", json.dumps(feature)), Wishes(), "")
    assert (report.added, report.noted) == (1, 1) and "recall_alt" in told[0].reason
    (score,) = of(store, 9, 5, "gpt2")[0].scores
    assert (score.value.metric, score.value.value, score.simulator_model) == (Metric.DETECTION, 0.8, "gpt-4o")
    assert (score.value.protocol, score.value.sample) == (Protocol.AS_IMPORTED, Sample.AS_IMPORTED)


def test_a_delphi_run(store: Store, write: Write, tmp_path: Path) -> None:
    def example(active: bool, said: object) -> dict[str, object]:
        return {"str_tokens": ["a"], "activating": active, "prediction": said, "correct": None}

    write("run/explanations/layers.3.mlp_latent12.txt", '"words about *sound*"')
    write("run/explanations/layers.3.mlp_latent13.txt", '"words')
    write("run/explanations/notes.txt", '"x"')
    asked = [
        (True, True),
        (True, 1.0),
        (True, False),
        (True, None),
        (False, False),
        (False, 0.9),
        (False, 0.1),
        (False, 0),
    ]
    write("run/scores/detection/layers.3.mlp_latent12.txt", json.dumps([example(*each) for each in asked]))
    write("run/scores/fuzz/layers.3.mlp_latent12.txt", json.dumps([example(True, True)]))
    report, told = come_in(store, tmp_path / "run", Wishes(explainer="llama"), "gpt2")
    assert (report.form, report.added, report.skipped) == (Form.DELPHI, 1, 2)
    assert "cut off" in told[0].reason and "its name is not such as" in told[1].reason
    (found,) = of(store, 12, 3, "gpt2")
    by = {x.value.metric: x.value for x in found.scores}
    assert by[Metric.DETECTION].value == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert by[Metric.DETECTION].n_records == 7
    assert (by[Metric.FUZZING].state, by[Metric.FUZZING].value) == (State.TOO_FEW_RECORDS, None)
