"""`import openai` and `export openai` as they are typed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.jobs import forked
from tests.jobs.world import PROJECT
from tests.published_world import World, put

SHAPE = ("--shape", "1x6", "--model", "pub-tiny")


def neuronarium(*arguments: object, data: Path) -> subprocess.CompletedProcess[str]:
    words = (*map(str, arguments), "--data-dir", str(data))
    return forked.run(words, os.environ, PROJECT, data.parent)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    World(1, 6).write(tmp_path / "published")
    return tmp_path / "published"


def test_import_says_what_it_did_and_export_gives_it_back(source: Path, tmp_path: Path) -> None:
    bad = put(source, "data/collated-activations/0/2.json", b"<html>gone</html>")
    data, report = tmp_path / "data", tmp_path / "skipped.tsv"
    first = neuronarium("import", "openai", source, *SHAPE, "--report", report, data=data)
    assert first.returncode == 0, first.stderr
    assert "30 files read" in first.stdout and "5  activations new" in first.stdout
    assert "data/collated-activations/0/2.json is a web page" in first.stdout
    assert report.read_text().split("\t") == [
        "data/collated-activations/0/2.json",
        "is a web page or XML, not JSON\n",
    ]
    again = neuronarium("import", "openai", source, *SHAPE, data=data)
    # The chunk with the bad file is read again, the others are not.
    assert "6 files read" in again.stdout and "5  there already, and the same" in again.stdout
    assert "24  files not read again" in again.stdout
    out = tmp_path / "out"
    written = neuronarium("export", "openai", "pub-tiny", out, "--what", "activations", data=data)
    assert "Wrote 5 files" in written.stdout and not (out / bad.relative_to(source)).exists()
    one = "data/collated-activations/0/3.json"
    assert json.loads((out / one).read_text()) == json.loads((source / one).read_text())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--what", "activation"), 2, "simulations,tokens,related"),
        (("--layers", "x"), 2, "write it as all, 3"),
        (("--shape", "12"), 2, "LAYERSxNEURONS"),
        (("--layers", "4"), 1, "layers 0 to 0"),
        (("--neurons", "6"), 1, "it has 0 to 5"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    source: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    found = neuronarium("import", "openai", source, *SHAPE, *arguments, data=tmp_path / "data")
    assert found.returncode == status and words in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://example.org/data", "nothing here reads ftp:// addresses"),
        ("file:///etc", "nothing here reads file:// addresses"),
        ("az://somewhere/data", "pip install adlfs"),
        ("s3://somewhere/data", "pip install s3fs"),
        ("gs://somewhere/data", "pip install gcsfs"),
    ],
)
def test_an_address_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, address: str, words: str) -> None:
    found = neuronarium("import", "openai", address, *SHAPE, data=tmp_path / "data")
    assert found.returncode == 1 and words.lower() in found.stderr.lower()
    assert found.stderr.count("\n") == 1
