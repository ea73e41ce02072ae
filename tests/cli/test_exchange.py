"""`import explanations` and `export …` as people type them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.cli import exports as _exports  # noqa: F401 - adds its commands
from app.cli import imports as _imports  # noqa: F401
from app.errors import BadInput


def do(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(app, [*words, "--data-dir", str(folder / "store")])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def test_in_and_out_again(tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_text("L,n,what,score\n0,1, words,0.5\n0,1.5,x,\n0,2,others,\n")
    told = tmp_path / "report.tsv"
    words = (
        "import",
        "explanations",
        str(file),
        "--model",
        "little",
        "--shape",
        "2x32",
        "--report",
        str(told),
    )
    more = (
        "--columns",
        "layer=L,neuron=n,explanation=what",
        "--explainer",
        "gpt-4",
        "--protocol",
        "bills-5+5",
    )
    result = do(tmp_path, *words, *more)
    assert result.output.splitlines() == [
        "Read 2 explanations of little with 1 scores (csv): 2 added, 0 there already, 1 rows skipped.",
        "  row 3: neuron “1.5” is no whole number from 0",
    ]
    assert told.read_text() == "line\treason\n3\tneuron “1.5” is no whole number from 0\n"
    out = tmp_path / "out.jsonl"
    do(tmp_path, "export", "explanations", "little", "-o", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["neuron"], r["explanation"], r["explainer"]) for r in rows] == [
        (1, " words", "gpt-4"),
        (2, "others", "gpt-4"),
    ]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    printed = do(tmp_path, "export", "neurons", "little", "--format", "csv").output
    assert printed.splitlines()[1] == "little,0-mlp,1,,,,,,,,[]"


def test_wrong_usage_and_wrong_files(tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text("{}\n")
    start = ("import", "explanations", str(file))
    assert "write --columns as" in do(tmp_path, *start, "--columns", "layer").output
    assert "write --shape as" in do(tmp_path, *start, "--shape", "12by7").output
    with pytest.raises(BadInput, match="no column for layer and neuron and explanation"):
        do(tmp_path, *start, "--model", "gpt2")
    with pytest.raises(BadInput, match="cannot be written"):
        do(tmp_path, *start, "--model", "gpt2", "--report", str(tmp_path / "no" / "file"))
