"""`report` as people type it."""

import shutil
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.cli import exports as _exports  # noqa: F401 - a command alone has no name
from app.cli import report as _report  # noqa: F401 - adds its command
from app.errors import BadInput, NotFound
from app.store import Store
from tests import factories, stored_experiment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, _tiny_template: tuple[Path, factories.Tiny]) -> Path:
    """A data folder with one experiment that has ended."""
    made = tmp_path_factory.mktemp("report")
    shutil.copy(_tiny_template[0], made / "neuronarium.sqlite")
    store = Store.open(f"sqlite:///{made / 'neuronarium.sqlite'}")
    stored_experiment.filled(store, stored_experiment.definition(1, seeds=(0,)))
    store.close()
    return made


def do(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(app, ["report", *words, "--data-dir", str(folder)])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def test_a_folder_of_files_and_the_same_as_a_zip(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    said = do(folder, "1", "--out", str(out), "--format", "csv,latex").stderr
    assert "experiment 1 is done, 54 results" in said
    assert (out / "tables/scores.csv").read_text().startswith("model,protocol,sample,metric,simulator,trust,")
    assert (out / "tables/contrasts.tex").exists() and not (out / "tables/contrasts.parquet").exists()
    assert "definition sha256" in (out / "about.txt").read_text()
    packed = tmp_path / "all.zip"
    do(folder, "1", "--out", str(packed), "--format", "csv", "--every-measure")
    with zipfile.ZipFile(packed) as archive:
        names = set(archive.namelist())
        assert archive.read("tables/scores.csv") == (out / "tables/scores.csv").read_bytes()
    assert {"figures/1/means.csv", "figures/9/means.csv"} <= names and "figures/10/means.csv" not in names


def test_what_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="choose of csv, parquet"):
        do(folder, "1", "--out", str(tmp_path), "--format", "xls")
    with pytest.raises(NotFound, match="no experiment 7"):
        do(folder, "7", "--out", str(tmp_path))
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        do(folder, "1", "--out", str(in_the_way), "--format", "csv")
