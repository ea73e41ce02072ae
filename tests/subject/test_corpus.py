"""Reading corpora of every form, and what is said of those that cannot be read."""

import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import CorpusError
from app.subject.corpus import RawDocument, corpus_files, read_corpus


def read(source: Path | str, column: str | None = None) -> list[RawDocument]:
    return list(read_corpus(str(source), column=column))


def test_a_folder_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("plain é\ntext")
    (folder / "b.jsonl").write_text('{"text": "one"}\n\n{"text": "two", "title": "Second"}\n')
    with gzip.open(folder / "c.jsonl.gz", "wt") as file:
        file.write('{"text": "packed"}\n')
    pyarrow.parquet.write_table(pyarrow.table({"id": [1, 2], "text": ["p", None]}), folder / "d.parquet")
    (folder / "deep" / "e.json").write_text('[{"text": "first"}, {"text": "second"}]')
    (folder / "deep" / "f.md").write_text("marked")
    (folder / "ignored.png").write_bytes(b"\x89PNG")
    assert read(folder) == [
        RawDocument("a", "corpus/a.txt", "plain é\ntext"),
        RawDocument("b.jsonl 1", "corpus/b.jsonl", "one"),
        RawDocument("Second", "corpus/b.jsonl", "two"),
        RawDocument("c.jsonl.gz 1", "corpus/c.jsonl.gz", "packed"),
        RawDocument("d.parquet 1", "corpus/d.parquet", "p"),
        RawDocument("deep/e.json 1", "corpus/deep/e.json", "first"),
        RawDocument("deep/e.json 2", "corpus/deep/e.json", "second"),
        RawDocument("deep/f", "corpus/deep/f.md", "marked"),
    ]


def test_npm_corpora_by_their_json_twins(tmp_path: Path) -> None:
    """The layout of the stdlib packages: metadata beside data/, each document as .json and .txt."""
    folder = tmp_path / "node_modules" / "@stdlib" / "datasets-sotu"
    (folder / "data").mkdir(parents=True)
    (folder / "node_modules" / "x").mkdir(parents=True)
    for name in ("package.json", "datapackage.json", "README.md", "node_modules/x/data.txt"):
        (folder / name).write_text('{"text": "metadata"}')
    row = {"year": 1862, "name": "Abraham Lincoln", "party": "Republican", "text": "Fellow citizens"}
    (folder / "data" / "1862_abraham_lincoln_r.json").write_text(json.dumps(row))
    (folder / "data" / "1862_abraham_lincoln_r.txt").write_text("Fellow citizens")
    (folder / "data" / "chapter_1.json").write_text(
        '{"chapter": "1", "title": "Loomings.", "text": "Call me"}'
    )
    (folder / "data" / "years.json").write_text("[1790, 1791]")
    (folder / "data" / "data.txt").write_text("Fellow citizens Call me")  # all of it once more
    assert next(path.name for path in corpus_files(folder)) == "1862_abraham_lincoln_r.json"
    assert read(folder) == [
        RawDocument(
            "1862, Abraham Lincoln", "datasets-sotu/data/1862_abraham_lincoln_r.json", "Fellow citizens"
        ),
        RawDocument("Chapter 1: Loomings", "datasets-sotu/data/chapter_1.json", "Call me"),
    ]


def test_several_sources_and_a_named_column(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "no", "story": "yes"}\n')
    (tmp_path / "b.txt").write_text("more")
    both = read_corpus([str(tmp_path / "a.jsonl"), str(tmp_path / "b.txt")], column="story")
    assert [d.text for d in both] == ["yes", "more"]


def test_a_data_set_from_a_local_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a", "other": "A"}\n{"text": "b", "other": "B"}\n')
    (folder / "test.jsonl").write_text('{"text": "c", "other": "C"}\n')
    assert read(f"hf:{folder}") == [
        RawDocument("mine train 1", f"hf:{folder}", "a"),
        RawDocument("mine train 2", f"hf:{folder}", "b"),
    ]
    assert [d.text for d in read(f"hf:{folder}::test:other")] == ["C"]
    with pytest.raises(CorpusError, match="no text column “none”; it has text, other"):
        read(f"hf:{folder}:::none")
    with pytest.raises(CorpusError, match="Cannot read the data set"):
        read(f"hf:{folder}::nosuchsplit")
    with pytest.raises(CorpusError, match="Name the data set"):
        read("hf:")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
@settings(max_examples=25, deadline=None)
def test_json_lines_keep_every_character(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    wanted = [text for text in texts if text.strip()]
    if wanted:
        assert [d.text for d in read(path)] == wanted
    else:
        with pytest.raises(CorpusError, match="holds no text"):
            read(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", b'{"text": "a"}\n{broken\n', "Line 2 of .* is not JSON"),
        ("x.jsonl", b'{"words": "a"}\n', "Line 1 of .* has no text field “text” or"),
        ("x.json", b"{", "Cannot read the corpus file"),
        ("x.jsonl.gz", b"not gzip", "Cannot read the corpus file"),
        ("x.parquet", b"not parquet", "Cannot read the corpus file"),
        ("x.json", b'{"a": 1}', "holds no text"),
        ("x.txt", b" \n ", "holds no text"),
        ("x.csv", b"a,b", "is no corpus file"),
    ],
)
def test_bad_files_in_one_line(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=says) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="There is no corpus at"):
        read(tmp_path / "nothing")
    with pytest.raises(CorpusError, match="holds no text"):
        read(tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"id": [1]}), tmp_path / "d.parquet")
    with pytest.raises(CorpusError, match=r"no text column .* it has id"):
        read(tmp_path / "d.parquet")
    with pytest.raises(CorpusError, match="none named"):
        list(read_corpus([]))


def test_text_that_is_no_utf8_is_read_with_replacement(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"caf\xe9 \xe2\x98\x83")
    assert read(tmp_path / "x.txt")[0].text == "caf\ufffd ☃"
