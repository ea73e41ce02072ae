"""Pages of neurons with examples that came beside an explanation, and of puzzles with their sentences."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.exchange import puzzles
from app.exchange.importing import Asked, run
from app.main import create_app
from app.settings import Settings
from app.store import Store
from app.store.imported_neurons import Shape
from tests.web.api import API, get
from tests.web.conftest import BASE
from tests.web.markup import read

NEURON = "/m/pub-tiny/1-mlp/3"


def sequence(word: str, peak: float, *, simulated: bool = False) -> dict[str, Any]:
    actual = [
        {"token": f" {word}", "strength": peak},
        *[{"token": f"{i}", "strength": 0.25} for i in range(7)],
    ]
    return (
        {"actual": actual, "simulated": [{**each, "strength": 8} for each in actual]}
        if simulated
        else {"actual": actual}
    )


@pytest.fixture
def client(sqlite_store: Store, tmp_path: Path) -> TestClient:
    row = {
        "layer": 1, "neuron": 3, "explanation": "shops", "score": 0.5,
        "explain_sequences": [sequence("store", 3.5)], "score_sequences": [sequence("<b>", 2.25, simulated=True)],
    }  # fmt: skip
    sentences = [["We", [" tea", 9], "."], ["<i>", [" milk", 7.5]]]
    puzzle = {
        "name": "drinks", "explanation": "what one drinks", "sentences": sentences, "false_explanations": ["food"],
    }  # fmt: skip
    for name, value in (("six.json", [row]), ("drinks.json", {"drinks": puzzle})):
        (tmp_path / name).write_text(json.dumps(value))
    run(sqlite_store, Asked(tmp_path / "six.json", "pub-tiny", shape=Shape(2, 10)))
    puzzles.import_file(sqlite_store, tmp_path / "drinks.json")
    return TestClient(create_app(Settings(data_dir=tmp_path), store=sqlite_store), base_url=BASE)


def test_examples_stand_on_the_page_as_what_they_are(client: TestClient) -> None:
    text = read(client.get(NEURON).text).one("body").text
    assert "Given as examples" in text and "how they were chosen is not told" in text
    assert "+3.50" in text and "+2.25" in text
    assert "Statistics" not in text and "Explain again" not in text and "strongest –" not in text
    records = get(client, f"{API}/models/pub-tiny/layers/1-mlp/neurons/3/records")["items"]
    assert [(each["kind"], each["split"], each["activations"][0]) for each in records] == [
        ("given", "unsplit", 3.5),
        ("given", "unsplit", 2.25),
    ]
    assert client.get(f"{NEURON}?show=all").text.count("Given as examples") == 1
    assert "Every token" in client.get(f"{NEURON}?show=values&excerpt=0").text


def test_what_was_simulated_is_shown_beside_it(client: TestClient) -> None:
    page = read(client.get(NEURON).text)
    (link,) = [a["href"] for a in page.find("a") if "show=compare" in a.attributes.get("href", "")]
    compared = client.get(link)
    assert compared.status_code == 200 and "“shops” simulated, as published" in compared.text
    compared_page = read(compared.text)
    assert len(compared_page.find("li", cls="actual")) == len(compared_page.find("li", cls="simulated")) == 1


def test_a_puzzle_shows_its_sentences(client: TestClient) -> None:
    answer = client.get("/m/drinks/puzzles/0")
    text = read(answer.text).one("body").text
    assert "Sentences of the puzzle" in text and "only explanations were imported" not in text
    assert "+9.00" in text and "+7.50" in text and "&lt;i&gt;" in answer.text
    related = get(client, f"{API}/models/drinks/layers/puzzles/neurons/0")["related"]
    assert [(x["kind"], x["side"], x["names"], x["values"]) for x in related] == [
        ("sentences", "1", ["We", " tea", "."], [0, 9, 0]),
        ("sentences", "2", ["<i>", " milk"], [0, 7.5]),
    ]


@pytest.mark.parametrize("path", ["", "/similar", "/kept", "?show=quantiles", "?show=random", "?show=bottom"])
def test_every_view_of_such_neurons_answers(client: TestClient, path: str) -> None:
    for neuron in (NEURON, "/m/drinks/puzzles/0"):
        assert client.get(neuron + path).status_code == 200
    compared = client.get(
        "/compare?n=pub-tiny/1-mlp/3&n=drinks/puzzles/0"
    )  # a puzzle is compared with nothing
    assert compared.status_code == 422 and "names no neuron" in compared.text
