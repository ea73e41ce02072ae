"""`neuronarium puzzles` and `import puzzles`, in this process: nothing here needs a worker."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import app
from app.domain.puzzles import OWN_SET
from app.errors import AppError
from app.store import Store
from tests.web.puzzle_world import fill

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    importlib.import_module("app.cli.puzzles")
    monkeypatch.setenv("NEURONARIUM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, list(words))


def test_sets_come_in_and_are_listed(run: Run, tmp_path: Path) -> None:
    assert "`neuronarium puzzles add` brings" in run("puzzles", "list").output
    assert "25 puzzles added, 0 there already" in run("puzzles", "add").output
    assert "0 puzzles added, 25 there already" in run("puzzles", "add").output
    file = tmp_path / "theirs.json"
    puzzle = {"explanation": "rain", "sentences": [[["Rain", 9], "!"]], "false_explanations": ["snow"]}
    file.write_text(json.dumps({"one": puzzle}), "utf-8")
    assert "some: 1 puzzle added" in run("import", "puzzles", str(file), "--model", "some").output
    assert [line.split("  ")[0] for line in run("puzzles", "list").output.splitlines()] == [OWN_SET, "some"]
    file.write_text("[]", "utf-8")
    failed = run("import", "puzzles", str(file))
    assert isinstance(failed.exception, AppError)


def test_results_are_k_of_n_with_who_judged(run: Run, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'neuronarium.sqlite'}")
    fill(store)
    store.close()
    lines = run("puzzles", "results").output.splitlines()
    assert lines[0].endswith(
        "summary by secretive / oracle-7b, seed 0, 5 of 6 puzzles explained, 2 revised, 2 with nothing to revise"
    )
    assert lines[1].strip() == (
        "right 2/4, with revision 3/4 (+1, −0); 1 statement without a verdict; judged by similarity: the truth is nearest,"
        " by all-MiniLM-L6-v2 (a blind guess: 0.8)"
    )
    assert lines[2].strip() == "truth ranked first 2/3, in the top two 3/3; simulated by local TinyLM"
    assert "failed, 1 × “secretive” gave no usable explanation" in lines[3]


def test_a_run_that_cannot_be_ends_in_one_line(run: Run) -> None:
    run("puzzles", "add")
    for words, why in (
        (("--explainer", "none"), "nothing to do"),
        (("--explainer", "nobody"), "No language model is configured"),
        (("--explainer", "none", "--rank-with", "local"), "local simulator needs a model"),
        (("--run", "x"), "no run over puzzles"),
    ):
        failed = run("puzzles", "run", *words)
        assert isinstance(failed.exception, AppError) and why in str(failed.exception)
    assert run("puzzles", "run", "--only", "a", "--explainer", "none").exit_code == 2
