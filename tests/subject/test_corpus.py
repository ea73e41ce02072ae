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
from app.settings import Settings
from app.subject import corpus
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


# A gzip header, then a stored block whose length contradicts itself.
DAMAGED = gzip.compress(b"", mtime=0)[:10] + b"\x01\x05\x00\x05\x00hello"
SOTU = "Fellow citizens of the Senate and House of Representatives, since your last annual assembling another year"
WHALE = (
    "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse"
)


def test_npm_corpora_by_their_json_twins(tmp_path: Path) -> None:
    """The layout of the stdlib packages: metadata beside data/, each document as .json and .txt."""
    folder = tmp_path / "node_modules" / "@stdlib" / "datasets-sotu"
    (folder / "data").mkdir(parents=True)
    (folder / "node_modules" / "x").mkdir(parents=True)
    for name in ("package.json", "datapackage.json", "README.md", "node_modules/x/data.txt"):
        (folder / name).write_text('{"text": "metadata"}')
    row = {"year": 1862, "name": "Abraham Lincoln", "party": "Republican", "text": SOTU}
    (folder / "data" / "1862_abraham_lincoln_r.json").write_text(json.dumps(row))
    (folder / "data" / "1862_abraham_lincoln_r.txt").write_text(SOTU)
    (folder / "data" / "chapter_1.json").write_text(
        json.dumps({"chapter": "1", "title": "Loomings.", "text": WHALE})
    )
    (folder / "data" / "chapter_1.txt").write_text(f"CHAPTER 1\n\n{WHALE}")
    (folder / "data" / "years.json").write_text("[1790, 1791]")
    both = f"{SOTU}\n\n{WHALE}".replace("citizens", "citizens,\n")
    (folder / "data" / "data.txt").write_text(both)  # all of it once more
    assert next(path.name for path in corpus_files(folder)) == "1862_abraham_lincoln_r.json"
    assert read(folder) == [
        RawDocument("1862, Abraham Lincoln", "datasets-sotu/data/1862_abraham_lincoln_r.json", SOTU),
        RawDocument("Chapter 1: Loomings", "datasets-sotu/data/chapter_1.json", WHALE),
    ]


def test_the_demo_corpora_keep_their_documents() -> None:
    packages = Settings().npm_dir / "@stdlib"
    counts = [len(read(packages / name / "data")) for name in ("datasets-sotu", "datasets-moby-dick")]
    assert counts == [233, 139]


def test_metadata_leaves_no_text_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(5):
        (tmp_path / f"{i}.txt").write_text(f"{i} {WHALE}")
    (tmp_path / "0.json").write_text('{"author": "Melville", "year": 1851}')
    (tmp_path / "1.json").write_text('{"text": "A summary of the document, in words of its own."}')
    (tmp_path / "index.json").write_text('["0.txt", "1.txt"]')
    with caplog.at_level("INFO"):
        assert len(read(tmp_path)) == 6
        assert "left out" not in caplog.text
        (tmp_path / "2.json").write_text(json.dumps({"text": f"2 {WHALE}"}))
        assert len(read(tmp_path)) == 6
    assert "left out 1 text files, such as 2.txt" in caplog.text


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    for name, content in (
        ("a.txt", b"one"), ("b.json", b'{"text": "one"}'), ("c.jsonl", b'{"text": "one"}\n'),
        ("d.jsonl.gz", b'{"text": "one"}\n'),
    ):  # fmt: skip
        whole = mark + content
        (tmp_path / name).write_bytes(gzip.compress(whole) if name.endswith(".gz") else whole)
        assert [d.text for d in read(tmp_path / name)] == ["one"]


def test_rows_without_their_text_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": null}\n{"text": "one"}\n{"text": null, "id": 3}\n')
    assert [d.text for d in read(tmp_path / "x.jsonl")] == ["one"]
    with pytest.raises(CorpusError, match=r"Line 1 of .* has no text field “story”"):
        read(tmp_path / "x.jsonl", column="story")


def test_of_a_data_set_no_more_is_read_than_the_excerpts_need(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "STREAM_ROWS", 20)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.jsonl").write_text(f'{{"text": "{"word " * 2048}"}}\n' * 60)  # 10,240 characters each
    heard: list[int] = []
    monkeypatch.setattr(corpus, "REPORT_DOCUMENTS", 10)
    assert len(list(read_corpus(f"hf:{folder}"))) == 60
    with caplog.at_level("INFO"):
        assert len(list(read_corpus(f"hf:{folder}", wanted=40, on_read=heard.append))) == 40
    assert "read its first 40 rows" in caplog.text and heard == [10, 20, 30, 40]
    assert len(list(read_corpus(f"hf:{folder}", wanted=1))) == 20
    assert len(list(read_corpus(str(folder / "train.jsonl"), wanted=1))) == 60


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
@settings(max_examples=25)
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
        (
            "x.jsonl.gz",
            gzip.compress(b'{"text": "a"}' * 999, mtime=0)[:-20],
            "Cannot read the corpus file .*end",
        ),
        ("x.jsonl.gz", DAMAGED, "Cannot read the corpus file .* decompressing"),
        ("x.json", b"[" * 200_000, "nested too deeply"),
        ("x.jsonl", b"[" * 200_000, "nested too deeply"),
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
