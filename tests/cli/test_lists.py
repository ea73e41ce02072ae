"""`neuronarium lists` on a small computed store: shown, exported, imported, refused in one line."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.store import Store, list_items, lists
from tests import factories
from tests.jobs import forked
from tests.jobs.world import PROJECT

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, _tiny_template: tuple[Path, factories.Tiny]) -> Run:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(_tiny_template[0], data / "neuronarium.sqlite")
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURONARIUM_")}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return forked.run(("lists", *words), env | {"NEURONARIUM_DATA_DIR": str(data)}, PROJECT, tmp_path)

    return command


def test_a_published_list_comes_in_and_goes_out(run: Run, tmp_path: Path) -> None:
    assert "no lists yet" in run().stdout
    file = tmp_path / "interesting.csv"
    file.write_text('layer,neuron,note\n0,3,"a, b\nc"\n1-mlp,7,\n0,32,\n5,1,\n0,x,\n0,3,\n')
    done = run("import", str(file), "--name", "Interesting neurons")
    assert done.returncode == 0, done.stderr
    assert "2 neurons added" in done.stdout
    for words in (
        "Left out 4 lines",
        "line 5: layer",
        "line 6: model",
        "line 7: “x”",
        "line 8: the list has",
    ):
        assert words in done.stderr
    [shown] = run().stdout.splitlines()
    assert shown.startswith("interesting-neurons  ") and "2 neurons" in shown
    again = run("import", str(file), "--name", "interesting NEURONS")
    assert again.returncode == 1 and "already" in again.stderr and len(again.stderr.splitlines()) == 1

    out = tmp_path / "out.json"
    assert run("export", "Interesting neurons", "--format", "json", "-o", str(out)).returncode == 0
    whole = json.loads(out.read_text())
    assert whole["name"] == "Interesting neurons" and [i["note"] for i in whole["items"]] == ["a, b\nc", ""]
    copied = run("import", str(out), "--name", "copy", "--author", "Ada")
    assert copied.returncode == 0 and copied.stderr == ""
    store = Store.open(f"sqlite:///{tmp_path}/data/neuronarium.sqlite")
    with store.session() as session:
        keys = [
            lists.neuron_keys(session, lists.get(session, slug).id)
            for slug in ("interesting-neurons", "copy")
        ]
        assert keys[0] == keys[1]
        assert {item.author for item in list_items.page(session, lists.get(session, "copy").id).items} == {
            "Ada"
        }
    store.close()
    added = run("import", str(out), "--name", "copy", "--add")
    assert added.returncode == 1 and "no neuron to add" in added.stderr
    jsonl = run("export", "copy", "--format", "jsonl").stdout
    assert [json.loads(line)["neuron"] for line in jsonl.splitlines()] == [3, 7]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", b"", "name the columns"),
        ("x.csv", b"layer,neuron\n9,9\n", "no layer"),
        ("x.csv", b"\xff\xfe", "no UTF-8"),
        ("x.json", b"<html>", "no JSON"),
        ("x.txt", b"", "--format"),
    ],
)
def test_what_is_no_list_is_one_line_and_makes_none(
    run: Run, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("import", str(tmp_path / name), "--name", "new")
    assert done.returncode == 1 and says in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert "no lists yet" in run().stdout


def test_what_is_not_there_is_one_line(run: Run, tmp_path: Path) -> None:
    for words in (("export", "none"), ("import", str(tmp_path / "none.csv"), "--name", "x")):
        done = run(*words)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert run("export", "none", "--format", "xml").returncode == 2
