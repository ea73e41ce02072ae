"""`neuronarium study`, in this process: from the preset to the log, every refusal in one line."""

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import app
from app.domain import study_files
from app.domain.definition_files import FileKind
from app.errors import AppError, BadInput, Conflict, NotFound
from app.settings import Settings
from app.store import Store, experiments, study_raters
from app.store.study_rows import RaterState, StudyState
from app.study.rating import Rating
from app.study.service import Studies
from app.web import rating_links
from tests import factories
from tests import study_world as w

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path, _tiny_template: tuple[Path, factories.Tiny]) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(_tiny_template[0], folder / "neuronarium.sqlite")
    return folder


@pytest.fixture
def store(data: Path) -> Store:
    return Store.open(f"sqlite:///{data}/neuronarium.sqlite")


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    importlib.import_module("app.cli.study")
    monkeypatch.setenv("NEURONARIUM_DATA_DIR", str(data))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv(
        "NEURONARIUM_ENDPOINTS", '[{"name": "local", "base_url": "http://127.0.0.1:9/v1", "model": "small"}]'
    )

    def do(*words: str) -> Result:
        result = CliRunner().invoke(app, ["study", *words])
        if isinstance(result.exception, AppError):
            assert "\n" not in result.exception.sentence
        return result

    return do


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "study.toml"
    found.write_text(study_files.write(w.definition(), FileKind.TOML), "utf-8")
    return found


def fails(result: Result, kind: type[AppError], words: str) -> None:
    assert isinstance(result.exception, kind), result.output
    assert words in result.exception.sentence


def test_a_study_from_its_file_to_its_log(run: Run, store: Store, data: Path, file: Path) -> None:
    assert "`neuronarium study make FILE`" in run("list").output
    w.describe(store, w.refs())
    assert "is kept as a draft: `neuronarium study start 1`" in run("make", str(file)).output
    assert "1  " in run("list").output and "draft" in run("list").output
    checked = run("check", str(file))
    assert checked.exit_code == 0 and "3 neurons, 3 ways of explaining, crossed" in checked.output
    assert "in 1 neuron two or more arms say the same" in checked.output
    fails(run("invite", "1", "Grace"), Conflict, "start it first")
    started = run("start", "1", "--base-url", "https://lab.example.org/")
    study = Studies(store).get(1)
    assert study.state is StudyState.OPEN and f"registered as {study.registered_hash}" in started.output
    settings = Settings(data_dir=data)
    assert f"https://lab.example.org{rating_links.open_link(settings, study)}" in started.output
    fails(run("start", "1"), Conflict, "has started already")
    fails(run("make", str(file), "--version-of", "9"), NotFound, "There is no study 9")

    invited = run("invite", "1", "Grace", "Alan T.", "--days", "3").output.splitlines()
    with store.reading() as s:
        first, second = study_raters.of_study(s, 1)
    assert invited == [
        f"Grace  http://127.0.0.1:8000{rating_links.invitation(settings, study, first)}",
        f"Alan T.  http://127.0.0.1:8000{rating_links.invitation(settings, study, second)}",
    ]
    fails(run("invite", "1", "x", "--base-url", "ftp://x"), BadInput, "is no address")
    w.rate_all(store, study)
    shown = run("show", "1").output
    for words in ("version 1: open", "3 of 6 items answered", "2 invited, 1 done", "3  done, 3 of 3 items"):
        assert words in shown
    assert "Grace" not in shown and first.secret not in shown
    assert study_files.read(run("show", "1", "--definition").output, FileKind.TOML) == study.definition

    fails(run("close", "1"), Conflict, "3 of 6 items are unfinished")
    fails(run("unblind", "1", "--why", " "), BadInput, "Say why")
    assert "open before its close" in run("unblind", "1", "--why", "a pilot").output
    assert "unblinded before the close" in run("show", "1").output
    assert run("erase", "1", "3").exit_code == 1  # nobody said yes
    assert "Rater 3 is erased" in run("erase", "1", "3", "--yes").output
    fails(run("erase", "1", "3", "--yes"), Conflict, "erased already")
    assert "is closed" in run("close", "1", "--anyway").output
    log = run("log", "1").output
    for words in ("command line: made", "started", "invited  Rater 1, Rater 2", "unblinded  a pilot", "erased  Rater 3", "closed  6 items unfinished"):  # fmt: skip
        assert words in log
    for command in ("show", "start", "log", "close"):
        fails(run(command, "7"), NotFound, "There is no study 7; the newest is 1")
    assert "Study 2" in run("make", str(file), "--version-of", "1").output
    assert "version 2: draft" in run("show", "2").output


def test_what_is_lacking_is_said_and_made_by_an_experiment(run: Run, store: Store, file: Path) -> None:
    w.describe(store, w.refs(1))
    checked = run("check", str(file))
    assert checked.exit_code == 1 and "It cannot start: “original” says nothing of 2 of 3" in checked.output
    assert "Lacking: “avhs” for 2 neurons." in checked.output
    fails(run("explain", str(file), "--explainer", "nobody"), BadInput, "There is no endpoint “nobody”")
    assert "Experiment 1: 6 explanations." in run("explain", str(file), "--detach").output
    with store.reading() as s:
        row = experiments.get(s, 1)
        sample = [each.ref for each in experiments.sample(s, 1)]
    assert sample == w.refs()[1:] and row.definition.explainers == ("local",)
    assert row.definition.scorers() == () and {m.value for m in row.definition.methods} == {a.method for a in w.definition().arms}  # fmt: skip
    w.describe(store, w.refs()[1:])
    fails(run("explain", str(file), "--detach"), BadInput, "No explanation is lacking")


def test_a_file_that_is_none_is_one_line(run: Run, tmp_path: Path, file: Path) -> None:
    fails(run("check", str(tmp_path / "nowhere.toml")), BadInput, "cannot be read")
    file.write_text("raterz = 3\n" + file.read_text("utf-8"), "utf-8")
    fails(run("make", str(file)), BadInput, "raterz: unknown key")
    fails(run("check", "4"), NotFound, "none has been made yet")


def test_lee_s_study_is_printed_as_a_file(run: Run) -> None:
    said = run("preset", "lee", "--model", factories.SLUG, "--design", "nested", "--seed", "3")
    made = study_files.read(said.output, FileKind.TOML)
    assert (made.raters, made.per_item, made.samples[0].n, made.seed) == (5, 1, 5, 3)
    assert [tuple(c) for c in made.contrasts] == [
        (m, "original") for m in ("summary", "highlight", "hs", "avhs")
    ]
    fails(
        run("preset", "lee", "--model", "x", "--method", "hs", "--method", "avhs"),
        BadInput,
        "no arm “original”",
    )
    assert run("preset", "lee").exit_code == 2


def test_a_rater_s_invitation_from_the_command_line_opens(run: Run, store: Store, data: Path) -> None:
    study = w.opened(store)
    [line] = run("invite", str(study.id), "Grace").output.splitlines()
    token = line.rpartition("/")[2]
    number = rating_links.invited(Settings(data_dir=data), study.code, token)
    assert number is not None
    assert Rating(store).accept(study.code, number).state is RaterState.ARRIVED


def test_power_is_said_before_anybody_rates(run: Run) -> None:
    """240 independent blocks, an SD of differences of 1.0 and four contrasts find .22."""
    nested = ("--neurons", "240", "--raters", "5", "--per-neuron", "1")
    alone = ("--sd-method-rater", "0", "--sd-method-neuron", "0", "--sd-residual", "0.70711")
    said = run("power", *nested, *alone).output
    assert (
        "A difference of 0.22 points is found by 80 %" in said and "240 blocks" in said and "SD 1.00" in said
    )
    fails(run("power", "--neurons", "9999999"), BadInput, "at most 5,000 neurons")
    fails(run("power", "--per-neuron", "9"), BadInput, "from 1 to 5 raters, not 9")
    fails(run("power", "--sd-residual", "-1"), BadInput, "a number from 0")
    assert "however large" in run("power", "--neurons", "3").output
