"""Lists as files: what is written reads back the same, and what is no list is said line by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.list_files import Entry, Format, Line, read, write
from app.errors import BadInput

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
notes = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=60)
lines = st.lists(
    st.builds(
        Line,
        model=st.from_regex("[a-z0-9._-]{1,12}", fullmatch=True),
        layer=st.from_regex("[0-9]{1,2}-[a-z]{1,6}", fullmatch=True),
        neuron=st.integers(0, 2**24 - 1),
        note=notes,
        author=words,
        added_at=st.just("2026-11-22T05:31:33+00:00"),
        explanation=words,
        method=st.sampled_from(["", "summary", "human"]),
        score=st.none() | st.floats(-1, 1),
        measure=st.sampled_from(["", "heldout-full.top-and-random.correlation"]),
    ),
    max_size=8,
)


@given(lines, st.sampled_from(Format))
def test_what_is_written_reads_back(written: list[Line], format: Format) -> None:
    found = read(write(written, format, {"name": "x"}), format)
    assert found.skipped == []
    assert [entry[1:] for entry in found.entries] == [(w.model, w.layer, w.neuron, w.note) for w in written]


@given(st.text(max_size=300), st.sampled_from(Format))
def test_any_text_is_read_or_refused(text: str, format: Format) -> None:
    try:
        found = read(text, format)
    except BadInput as error:
        assert "\n" not in str(error)
        return
    assert all(entry.layer and 0 <= entry.neuron < 10**8 for entry in found.entries)
    assert all(each.reason for each in found.skipped)


def test_columns_come_in_any_order_and_may_be_more_or_fewer() -> None:
    text = '\ufeffNote, index ,LAYER,score\n"two\nlines",5,0-mlp,1\nplain,6,1,\n\nx,-7,1,\ny,1.5,1\n,,,\n'
    found = read(text, Format.CSV)
    assert found.entries == [Entry(2, "", "0-mlp", 5, "two\nlines"), Entry(4, "", "1", 6, "plain")]
    assert [(each.line, each.reason) for each in found.skipped] == [
        (6, "“-7” is no neuron's index"),
        (7, "“1.5” is no neuron's index"),
        (8, "layer or neuron is missing"),
    ]
    assert read("layer\tneuron\n0\t1\n", Format.CSV).entries == [Entry(2, "", "0", 1, "")]


def test_json_comes_as_an_array_or_under_items() -> None:
    rows = [
        {"layer": 3, "neuron": 5, "note": "n"},
        {"layer": True, "neuron": 1},
        7,
        {"layer": 1, "neuron": 10**5000},
    ]
    text = json.dumps(rows[:3])
    assert read(text, Format.JSON).entries == [Entry(1, "", "3", 5, "n")]
    assert read(json.dumps({"items": rows[:3]}), Format.JSON) == read(text, Format.JSON)
    assert [each.line for each in read(text, Format.JSON).skipped] == [2, 3]
    jsonl = '{"layer": "0", "neuron": 1}\n\nnonsense\n{"layer": "0", "neuron": 1' + "0" * 5000 + "}\n"
    found = read(jsonl, Format.JSONL)
    assert [entry.line for entry in found.entries] == [1]
    assert [each.line for each in found.skipped] == [3, 4]


@pytest.mark.parametrize(
    ("text", "format", "says"),
    [
        ("", Format.CSV, "name the columns"),
        ("a,b\n1,2\n", Format.CSV, "name the columns"),
        ("<!doctype html>", Format.CSV, "name the columns"),
        ('layer,neuron\n0,1\n"0,1\n', Format.CSV, "line 3 is no CSV"),
        ("{", Format.JSON, "no JSON"),
        ("3", Format.JSON, "array"),
        ('{"items": 3}', Format.JSON, "array"),
        ("[" * 100_000, Format.JSON, "no JSON"),
    ],
)
def test_a_file_of_another_kind_is_refused(text: str, format: Format, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read(text, format)
