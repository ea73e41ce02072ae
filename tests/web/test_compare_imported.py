"""Comparisons of published data: simulations bring their own actual values and scale, nothing has a document."""

from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.imported import NOT_TOLD, ImportedExplanation, ImportedScore, ImportSource
from app.jobs import import_published
from app.jobs.import_published import ImportRequest
from app.main import create_app
from app.settings import Settings
from app.store import Store
from app.store.imported import add_explanations
from app.store.imported_neurons import Shape
from tests.published_world import World, put
from tests.web.api import API, get
from tests.web.conftest import BASE
from tests.web.markup import read


@pytest.fixture
def published(sqlite_store: Store, tmp_path: Path) -> TestClient:
    """Four neurons over 60 excerpts, with two simulated explanations each."""
    root, world = tmp_path / "published", World(1, 4, excerpts=60)
    for neuron in range(4):
        record = world.record(0, neuron)
        put(root, f"data/collated-activations/0/{neuron}.json", record)
        results = world.results(record, (" words about shops", " letters, mostly"))
        put(root, f"data/explanations/0/{neuron}.jsonl", results)
        put(root, f"data/related-tokens/activation-based/0/{neuron}.json", world.token_table())
    request = ImportRequest(str(root), "pub-tiny", shape=Shape(1, 5))
    import_published.run(sqlite_store, request, lambda at: None, processes=1)
    return TestClient(create_app(Settings(data_dir=tmp_path), store=sqlite_store), base_url=BASE)


def test_published_simulations_are_paired_on_their_own_values(published: TestClient) -> None:
    rows = get(published, f"{API}/models/pub-tiny/layers/0-mlp/neurons/1/explanations")["items"]
    ids = [row["id"] for row in rows if row["method"] != "token_lookup"]
    query = "&".join(f"explanations={i}" for i in ids)
    data = published.get(f"{API}/compare?{query}").json()["explanations"]
    [pair] = data["pairs"]
    assert (pair["protocol"], pair["n_records"], pair["state"]) == ("bills-5+5", 10, "ok")
    assert pair["indicative"] and pair["low"] < pair["difference"] < pair["high"]
    for id_, value in zip(ids, pair["values"], strict=True):
        row = next(each for each in rows if each["id"] == id_)
        main = "top-and-random", "correlation"
        said = next(s["value"] for s in row["scores"] if (s["sample"], s["metric"]) == main)
        assert value == pytest.approx(said, abs=1e-4)
    for excerpt in data["excerpts"]:
        assert all(each["own_scale"] for each in excerpt["predicted"]) and len(excerpt["predicted"]) == 2
        for each in excerpt["predicted"]:
            assert np.corrcoef(excerpt["actual"], each["expected"])[0, 1] > 0.5
    page = published.get(f"/compare?{query}")
    assert page.status_code == 200 and "in the neuron’s own units" in page.text
    read(page.text)


def test_published_neurons_stand_side_by_side(published: TestClient) -> None:
    answer = published.get("/compare?n=pub-tiny/0-mlp/1&n=0:2&n=0:3")
    page = read(answer.text)
    assert answer.status_code == 200 and len(page.find("section", cls="neuron")) == 3
    assert (
        page.find("li", cls="block")
        and "as published" in answer.text
        and "bills" not in page.find("h1")[0].text
    )
    assert "nan" not in answer.text.lower().replace("n=pub", "")
    data = published.get(f"{API}/compare?n=pub-tiny/0-mlp/1&n=0:2").json()["neurons"]
    assert all(each["start"] is None for each in data["excerpts"])
    assert data["neurons"][0]["explanation"]["text"]


def test_similar_published_neurons(published: TestClient) -> None:
    ways = get(published, f"{API}/models/pub-tiny/layers/0-mlp/neurons/1/similar")["ways"]
    assert [len(way["items"]) > 0 for way in ways[1:]] == [True, True]
    assert all(0 < each["value"] <= 1 for way in ways[1:] for each in way["items"])
    assert published.get("/m/pub-tiny/0-mlp/1/similar").status_code == 200


def test_neurons_that_an_import_brings_are_found_at_once(
    published: TestClient, sqlite_store: Store, tmp_path: Path
) -> None:
    """What is held in memory for searching is read again once the collection has grown."""
    assert published.get("/m/pub-tiny/0-mlp/1/similar").status_code == 200
    assert published.get("/m/pub-tiny/0-mlp/4/similar").status_code == 404
    root, world = tmp_path / "more", World(1, 5, excerpts=60, seed=1)
    put(root, "data/collated-activations/0/4.json", world.record(0, 4))
    put(root, "data/related-tokens/activation-based/0/4.json", world.token_table())
    request = ImportRequest(str(root), "pub-tiny", shape=Shape(1, 5))
    import_published.run(sqlite_store, request, lambda at: None, processes=1)
    assert published.get("/m/pub-tiny/0-mlp/4/similar").status_code == 200
    assert "0:4" in published.get("/search?model=pub-tiny").text


def test_a_neuron_of_which_only_explanations_came_is_shown_with_their_own_scores(
    published: TestClient, sqlite_store: Store
) -> None:
    measured = Protocol.AS_IMPORTED, Sample.AS_IMPORTED
    source = ImportSource("import", NOT_TOLD, NOT_TOLD)
    score = ImportedScore(Metric.CORRELATION, *measured, 0.625)
    rows = [ImportedExplanation(0, 4, "boats", scores=(score,)), ImportedExplanation(0, 4, "ships")]
    with sqlite_store.session() as s:
        ids = add_explanations(s, "pub-tiny", source, rows).ids
    words = published.get(f"/compare?explanations={ids[0]}&explanations={ids[1]}").text
    assert "whose activations are not in this store" in words and "Score it" not in words
    page = published.get("/m/pub-tiny/0-mlp/4").text
    assert "0.62" in page and "explainer not told" in page and "nobody can tell here" in page
    assert "no bills-5+5 score" in published.get("/m/pub-tiny/0-mlp/4?protocol=bills-5%2B5").text
    assert "nobody can tell here" not in published.get("/m/pub-tiny/0-mlp/1").text
    published.post("/lists", data={"name": "Boats"})
    published.post("/lists/boats/items", data={"q": "0:4"})
    listed = published.get("/lists/boats").text
    assert "0.62" in listed and "as-imported" in listed and "not scored" not in listed
    beside = published.get("/compare?n=pub-tiny/0-mlp/4&n=pub-tiny/0-mlp/1").text
    assert "0.62" in beside and "undefined" not in beside and "fewer than two" in beside


def test_imported_data_has_nothing_held_out_to_ask_for_a_word_on(published: TestClient) -> None:
    kept = published.get("/m/pub-tiny/0-mlp/1/kept").text
    assert "It stays for good" in kept and "marked “explain”" not in kept
    assert "token-lookup baseline" not in published.get("/").text


def test_collected_data_has(client: TestClient) -> None:
    assert "marked “explain”" in client.get("/m/tiny-random/0-mlp/3/kept").text


def test_an_imported_model_has_no_weights_to_work_from(published: TestClient) -> None:
    choices = get(published, f"{API}/models/pub-tiny/choices")
    assert "token_linear" not in {each["value"] for part in ("method", "simulator") for each in choices[part]}
    assert [each["value"] for each in choices["token_source"]] == ["activation"]
    neuron = f"{API}/models/pub-tiny/layers/0-mlp/neurons/1"
    refused = published.post(f"{neuron}/explanations", json={"method": "token_linear"})
    assert refused.status_code == 422
    assert "pub-tiny was imported without it" in refused.json()["error"]["message"]
