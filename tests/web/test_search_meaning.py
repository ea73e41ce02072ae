"""Search by meaning on the page and in the API: the local model, an endpoint, and every way in which there is none."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.domain.embeddings import Embedder, text_hash, unit
from app.domain.explanations import Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.embed import local
from app.jobs import embedders
from app.main import create_app
from app.settings import Settings
from app.store import Store, embeddings, explanations
from tests import factories
from tests.scripted_server import Recorded, Reply, ScriptedServer, server_error
from tests.scripted_server import embeddings as reply
from tests.web import markup
from tests.web.api import API, get, message
from tests.web.conftest import BASE

SEARCH = f"{API}/search"
TEXTS = {1: "storms at sea", 2: "thunder and rain", 3: "legal contracts", 4: "closing brackets"}
needs_model = pytest.mark.skipif(local.embedder() is None, reason=f"{local.PACKAGE} is not installed")
Open = Callable[[Settings], TestClient]


def say(store: Store) -> dict[int, int]:
    """Four statements on neurons of layer 0; explanation ids by neuron."""
    made = Provenance(method="summary", explainer="someone / model")
    with store.session() as s:
        return {
            index: explanations.add(
                s,
                NeuronRef(factories.SLUG, "0-mlp", index),
                text,
                Polarity.POSITIVE,
                made,
                State.OK,
                "",
                None,
                text,
            )
            for index, text in TEXTS.items()
        }


def embed(store: Store, by: Embedder, vectors: Callable[[list[str]], np.ndarray], left: int = 0) -> None:
    """Embeds all explanations but the last few, as the job does."""
    with store.session() as s:
        newest = embeddings.newest(s, slug=factories.SLUG)
        waiting = embeddings.waiting(s, factories.SLUG, by, newest)
        waiting = waiting[: len(waiting) - left]
        texts = [text for _, text in waiting]
        found = vectors(texts)
        embeddings.register(s, by, found.shape[1])
        there = embeddings.space(s, factories.SLUG, by)
        assert there is not None
        ids = [id_ for id_, _ in waiting]
        hashes = [text_hash(text) for text in texts]
        embeddings.append(s, there, ids, list(range(len(ids))), hashes, found, None, 0)


@pytest.fixture
def opened(tiny_store: Store) -> Iterator[Open]:
    clients: list[TestClient] = []

    def make(settings: Settings) -> TestClient:
        clients.append(
            TestClient(create_app(settings, store=tiny_store), base_url=BASE, follow_redirects=False)
        )
        return clients[-1].__enter__()

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@needs_model
def test_meaning_finds_what_words_do_not(opened: Open, tiny_store: Store, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    said = say(tiny_store)
    by = embedders.embedder(settings)
    client = opened(settings)
    nothing = get(client, SEARCH, q="bad weather", mode="meaning")
    assert nothing["total"] == 0 and "neuronarium embed tiny-random" in nothing["notes"][0]
    embed(tiny_store, by, local.load().embed, left=1)
    answer = get(client, SEARCH, q="bad weather", mode="meaning")
    assert {i["index"] for i in answer["items"][:2]} == {1, 2} and answer["sort"] == "relevance"
    near = [i["similarity"] for i in answer["items"]]
    assert near == sorted(near, reverse=True) and all(i["found_by"] == ["meaning"] for i in answer["items"])
    assert "are embedded" in answer["notes"][0] and "neuronarium embed" in answer["notes"][0]
    assert said[4] not in {
        i["said"]["explanation_id"] for i in answer["items"]
    }  # the one that has no vector yet

    page = markup.read(client.get("/search?q=bad+weather&mode=meaning").text)
    assert [e["href"] for e in page.find("a", "at")][:2] == [
        f"/m/tiny-random/0-mlp/{i['index']}" for i in answer["items"][:2]
    ]
    assert page.find("span", "near")[0].text == f"similarity {near[0]:.2f}" and not page.find(
        "span", "found-by"
    )
    assert "nearest in meaning" in page.one("p", "summed").text
    assert [e["value"] for e in page.find("input", type="radio") if "checked" in e.attributes] == ["meaning"]

    both = get(client, SEARCH, q="storms", mode="both")
    first = both["items"][0]
    assert first["index"] == 1 and first["found_by"] == ["words", "meaning"]
    shown = markup.read(client.get("/search?q=storms&mode=both").text)
    ways = [e.text for e in shown.find("span", "found-by")]
    assert ways[0] == "by words and meaning" and set(ways[1:]) == {"by meaning"}

    for filters in (
        {"layers": "1"},
        {"method": "summary", "layers": "0"},
        {"has": "summary"},
        {"kurtosis_min": "1e9"},
    ):
        for mode in ("meaning", "both"):
            plain = {(i["layer"], i["index"]) for i in get(client, SEARCH, limit=500, **filters)["items"]}
            found = get(client, SEARCH, q="storms", mode=mode, limit=500, **filters)["items"]
            assert {(i["layer"], i["index"]) for i in found} <= plain
            if "method" in filters:
                assert {i["index"] for i in found} == {1, 2, 3} and {i["said"]["method"] for i in found} == {
                    "summary"
                }

    anything = get(client, SEARCH, q='- " * anything 🤖', mode="meaning")
    assert anything["total"] and "no word" in message(client, SEARCH, 422, q="🤖", mode="both")


@needs_model
def test_it_loads_no_torch(tiny_store: Store, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    say(tiny_store)
    embed(tiny_store, embedders.embedder(settings), local.load().embed)
    code = """
import sys
from starlette.testclient import TestClient
from app.main import create_app
from app.settings import Settings
from app.store import Store
store = Store.open("sqlite:///" + sys.argv[1])
with TestClient(create_app(Settings(data_dir=sys.argv[2]), store=store), base_url="http://127.0.0.1:8000") as client:
    found = client.get("/api/v1/search?q=bad+weather&mode=both").json()
    assert found["items"][0]["similarity"] is not None, found["notes"]
print(",".join(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "transformers", "openai", "dbos"})))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "store.sqlite"), str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def vectors_of(texts: list[str]) -> np.ndarray:
    seeds = (int.from_bytes(text_hash(text)[:8], "little") for text in texts)
    return unit(np.array([np.random.default_rng(seed).standard_normal(6) for seed in seeds]))


def answers(request: Recorded) -> Reply:
    return reply(vectors_of(request.body["input"]).astype(float).tolist())


def remote(server: ScriptedServer, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, endpoints=[server.endpoint()], embedding_endpoint="scripted")


def test_an_endpoint_embeds_the_question_and_may_fail(
    opened: Open, tiny_store: Store, tmp_path: Path
) -> None:
    say(tiny_store)
    failing = False
    with ScriptedServer(lambda request: server_error() if failing else answers(request)) as server:
        settings = remote(server, tmp_path)
        embed(tiny_store, embedders.embedder(settings), vectors_of)
        client = opened(settings)
        found = get(client, SEARCH, q="legal contracts", mode="meaning")
        assert found["items"][0]["index"] == 3 and found["items"][0]["similarity"] == pytest.approx(
            1, abs=1e-3
        )
        assert not found["notes"]
        failing = True
        for mode in ("meaning", "both"):
            answer = get(client, SEARCH, q="storms", mode=mode, sort="relevance")
            assert [i["index"] for i in answer["items"]] == [1] and answer["items"][0]["found_by"] == [
                "words"
            ]
            assert "did not work" in answer["notes"][0] and "by words" in answer["notes"][0]
            page = markup.read(client.get(f"/search?q=storms&mode={mode}").text)
            assert "did not work" in page.one("div", id="results").text
            assert [e["href"] for e in page.find("a", "at")] == ["/m/tiny-random/0-mlp/1"]
        kept = client.post("/search/keep", data={"search": "q=storms&mode=meaning", "name": "x"})
        assert kept.status_code == 422 and "did not work" in kept.text
        assert client.get(f"{SEARCH}/export/neurons?q=storms&mode=both").status_code == 422


def test_where_nothing_embeds_it_says_what_to_install(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "embedder", lambda: None)
    client = opened(Settings(data_dir=tmp_path))
    page = markup.read(client.get("/search?q=words&mode=meaning").text)
    assert "pip install" in page.one("div", id="results").text
    plain: dict[str, Any] = get(client, SEARCH, q="words")
    assert get(client, SEARCH, q="words", mode="both")["items"] == plain["items"]
    assert not markup.read(client.get("/search?q=words").text).find("input", type="radio")
