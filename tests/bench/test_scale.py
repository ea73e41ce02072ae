import http.client
import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.domain.neurons import Kind, NeuronRef, Split
from app.errors import Conflict
from app.main import create_app
from app.settings import Settings
from app.store import Store, best, explanations, models, neurons, scores
from app.store.excerpts import ExcerptCache
from app.store.rows import NeuronSort
from bench import browse, scale, scale_place, scale_source, scale_texts
from bench import page as bench_page
from bench import store as bench_store
from bench.__main__ import main
from bench.scale import SLUG, Shape
from bench.scale_source import Source
from tests import factories

SHAPE = Shape(layers=2, neurons=64, excerpts=3 * factories.EXCERPTS, explanations=60)
TEXTS = ["words about rivers and <b>boats</b>", "the word “not”", "one"]


@pytest.fixture(scope="module")
def source() -> Source:
    """The real neurons of a small model, as `bench.scale` collects those of a larger one: 20 strongest and 20 random."""
    _, table = factories.corpus()
    results = []
    for layer in range(2):
        result = factories.layer_result(layer, table, gated=False)
        keep = np.flatnonzero(np.isin(result.kinds, (Kind.TOP, Kind.RANDOM)))[:40]
        results.append(_only(result, keep))
    joined = scale_source.joined(results)
    ids, means, counts = scale_source.top_tokens(joined, table.tokens)
    return Source("a small model", joined, table.tokens, ids, means, counts, factories.vocabulary())


def _only(result: Any, slots: np.ndarray) -> Any:
    return replace(
        result,
        kinds=result.kinds[slots],
        splits=result.splits[slots],
        excerpts=result.excerpts[:, slots],
        activations=result.activations[:, slots],
    )


@pytest.fixture
def made(store: Store, source: Source) -> Iterator[Store]:
    """A tiny store made for measuring, on both databases in turn."""
    scale.build(store, source, SHAPE, TEXTS)
    yield store


def test_everything_is_there_and_says_what_it_is(made: Store, source: Source) -> None:
    with made.session() as s:
        [model] = models.models(s)
        assert model.slug == SLUG and "made for measuring" in model.card.name
        assert "made for measuring" in model.card.source and source.said in model.card.source
        assert model.collection is not None and "made for measuring" in model.collection.corpus
        assert (model.layers, model.neurons) == (2, 128)
        assert model.collection.excerpts == SHAPE.excerpts
        spread = scores.by_layer(s, SLUG, *scores.measures(s, SLUG)[0])
        found = [
            row
            for layer in ("0-mlp", "1-mlp")
            for i in range(64)
            for row in explanations.of_neuron(s, NeuronRef(SLUG, layer, i))
        ]
    assert len(found) == SHAPE.explanations
    assert {row.provenance.explainer for row in found} == {"made for measuring"}
    assert {row.method for row in found} == {"original", "summary", "avhs"}
    assert all(len(row.scores) == 1 and row.scores[0].value.value is not None for row in found)
    assert sum(each.defined for each in spread) == len({row.ref for row in found})


def test_neurons_are_the_real_ones_under_new_names(made: Store, source: Source) -> None:
    table = ExcerptCache.get(made, SLUG)
    assert np.array_equal(table.tokens, np.tile(source.tokens, (3, 1)))
    used = set()
    with made.session() as s:
        for layer in range(2):
            for i in range(64):
                real = (layer * 64 + i) % source.result.neurons
                held = neurons.records(s, table, NeuronRef(SLUG, f"{layer}-mlp", i))
                assert np.array_equal(
                    held.activations, source.result.activations[real].astype(np.float16).astype(np.float32)
                )
                # Text and activations still belong together, whichever copy of the text it is.
                assert np.array_equal(held.tokens, source.tokens[source.result.excerpts[real]])
                assert (held.splits == Split.UNSPLIT).all()
                used.update(held.excerpts.tolist())
                top = neurons.top_tokens(s, NeuronRef(SLUG, f"{layer}-mlp", i))
                assert top.ids.tolist() == source.top_ids[real].tolist()
    assert len({one // len(source.tokens) for one in used}) == 3  # all copies are in use


def test_best_scores_are_those_that_are_derived(made: Store) -> None:
    with made.session() as s:
        measure = scores.measures(s, SLUG)[0]
        before = [vars(each) for each in scores.by_layer(s, SLUG, *measure)]
        listed = neurons.page(
            s, SLUG, "1-mlp", NeuronSort.SCORE, True, None, 50, measure[0], measure[2], measure[1]
        )
        best.rebuild(s)
        assert [vars(each) for each in scores.by_layer(s, SLUG, *measure)] == before
        again = neurons.page(
            s, SLUG, "1-mlp", NeuronSort.SCORE, True, None, 50, measure[0], measure[2], measure[1]
        )
    assert listed.items == again.items


def test_pages_render_from_it(made: Store, tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, database_url=str(_address(made))))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for path in ("/", f"/m/{SLUG}", f"/m/{SLUG}/1-mlp?sort=score&order=down", f"/m/{SLUG}/0-mlp/63"):
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert "made for measuring" in answer.text
        neuron = client.get(f"/m/{SLUG}/0-mlp/63?show=all").text
    assert len(re.findall(r'<li class="rec ', neuron)) > 10


def test_a_store_is_never_filled_twice(made: Store, source: Source) -> None:
    with pytest.raises(Conflict, match="collect this one under another"):
        scale.build(made, replace(source, said="another model"), SHAPE, TEXTS)


def test_sizes_add_up(made: Store) -> None:
    found = scale_place.sizes(made)
    assert found.tables["exemplars"] > 128 * 40 * 100  # 64 values a record, of a little less than two bytes
    assert found.total >= found.tables["exemplars"] + found.tables["neurons"]
    figures = {each.figure: each.value for each in scale.measured(made, SHAPE, 40, 1.0)}
    assert figures["store_gb"] == found.total / 1e9
    assert figures["record_bytes"] == found.tables["exemplars"] / 128 / 40


def test_statements_are_recombined_of_real_ones() -> None:
    assert scale_texts.recombined(TEXTS, 0, 3) == TEXTS
    later = scale_texts.recombined(TEXTS, 3, 300)
    halves = {"words about rivers", "the word", "one"}
    assert all(any(text.startswith(half) for half in halves) for text in later)
    assert scale_texts.recombined(TEXTS, 100, 5) == scale_texts.recombined(TEXTS, 0, 105)[100:]


def test_a_source_is_kept_and_read_as_it_was(source: Source, tmp_path: Path) -> None:
    file = tmp_path / "source.npz"
    scale_source._save(source, file)
    back = scale_source._read(file)
    assert back.said == source.said
    assert back.vocabulary.pieces == source.vocabulary.pieces
    assert back.vocabulary.special == source.vocabulary.special
    for name, value in vars(source.result).items():
        other = getattr(back.result, name)
        assert (
            np.array_equal(other, value, equal_nan=True) if isinstance(value, np.ndarray) else other == value
        )
    assert back.statements() == source.statements()


def test_the_benches_run_on_it(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For their form alone: times of a test mean nothing."""
    monkeypatch.setattr(scale, "QUICK", SHAPE)
    monkeypatch.setattr(scale, "source", lambda *_: source)
    folder = tmp_path / "made"
    assert scale.main(["--quick", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "made for measuring, not of a model" in said and "bytes a neuron" in said
    with pytest.raises(SystemExit, match="is there already"):
        scale.main(["--quick", "--out", str(folder)])
    monkeypatch.setattr(bench_store, "PER_CHUNK", 16)
    monkeypatch.setattr(bench_store, "FETCHES", 8)
    file = tmp_path / "figures.json"
    main(["store", "--quick", "--store", str(folder), "--json", str(file)])
    figures = json.loads(file.read_text())
    assert [each["figure"] for each in figures] == ["size_ratio", "fetch_ratio", "load_ratio"]
    assert all("GPT-2 XL's shape, made for measuring, 40 records" in each["detail"] for each in figures)
    with scale_place.address(str(folder)) as url:
        refs = bench_page.spread(url, 8)
        assert len(set(refs)) == 8 and {ref.layer for ref in refs} == {"0-mlp", "1-mlp"}
        store = Store.open(url)
        app = create_app(Settings(data_dir=tmp_path, database_url=url), store)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert all(client.get(bench_page.path("ours", i, refs)).status_code == 200 for i in range(8))
        store.close()


def test_a_folder_without_a_store_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["start", "--store", str(tmp_path)]) == 1
    assert "there is no store in" in capsys.readouterr().err
    assert main(["simulate", "--store", f"sqlite:///{tmp_path / 'x'}"]) == 1
    assert "takes no --store" in capsys.readouterr().err


def _address(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def test_every_kind_of_page_is_there(made: Store, tmp_path: Path) -> None:
    """The addresses that `bench.browse` asks for; further pages of a list need more neurons than there are here."""
    with made.session() as s:
        layers = models.layers(s, SLUG)
    app = create_app(Settings(data_dir=tmp_path, database_url=_address(made)))
    dice = random.Random(0)
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        for kind in browse.kinds(SLUG, layers, http.client.HTTPConnection("127.0.0.1", 9)):
            if kind.name != "by_score_next":
                assert client.get(kind.address(dice)).status_code in (200, 303), kind.name
