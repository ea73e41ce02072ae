"""The table and the file of figures; what a bench says that cannot run."""

import json
from pathlib import Path

import pytest

from app.domain.neurons import Profile
from app.errors import BadInput
from app.store import Store, collections, models
from bench import store as bench_store
from bench.__main__ import main
from bench.report import figure, show
from tests import factories


def test_a_figure_holds_up_to_its_target() -> None:
    assert figure("b", "f", 14.0, ">=", 14, "").holds
    assert not figure("b", "f", 13.99, ">=", 14, "").holds
    assert figure("b", "f", 1.5, "<=", 1.5, "").holds
    assert not figure("b", "f", 1.51, "<=", 1.5, "").holds


def test_the_table_names_what_was_missed(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        [
            figure("store", "size_ratio", 22.84, ">=", 14, "a"),
            figure("page", "of_fixed_body", 0.1, ">=", 0.2, "b"),
        ]
    )
    shown = capsys.readouterr().out
    assert "22.84" in shown and "holds" in shown
    assert "of_fixed_body" in shown and "MISSED" in shown


def test_without_a_collected_store_it_is_said_and_nothing_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    monkeypatch.setenv("NEURONARIUM_DATABASE_URL", url)
    assert main(["store", "--quick", "--json", str(file)]) == 1
    assert "there is no store" in capsys.readouterr().err
    Store.open(url).close()
    assert main(["store", "--quick", "--json", str(file)]) == 1
    assert "needs a collected model" in capsys.readouterr().err
    assert json.loads(file.read_text()) == []


def test_the_store_bench_compares_equal_neurons(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a small store, for its form alone: times of a test mean nothing."""
    documents, table = factories.corpus()
    with sqlite_store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        held = collections.begin(s, factories.SLUG, "Chapters", documents, table, Profile(), "{}", None)
        collections.write_layer(s, held, factories.layer_result(0, table))
        collections.finish(s, held)
    address = str(sqlite_store.engine.url)
    with pytest.raises(BadInput, match="needs a layer of 512 neurons"):
        bench_store.read(address, 2)
    monkeypatch.setattr(bench_store, "PER_CHUNK", 16)
    monkeypatch.setattr(bench_store, "FETCHES", 8)
    monkeypatch.setenv("NEURONARIUM_DATABASE_URL", address)
    file = tmp_path / "figures.json"
    main(["store", "--quick", "--json", str(file)])
    figures = json.loads(file.read_text())
    assert [f["figure"] for f in figures] == ["size_ratio", "fetch_ratio", "load_ratio"]
    assert set(figures[0]) == {"bench", "figure", "value", "target", "sense", "holds", "detail"}
    assert all(f["value"] > 0 for f in figures)
    assert figures[0]["detail"].endswith("64 records each")
