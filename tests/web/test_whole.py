"""The model page's numbers of all neurons at once: each is what the search behind it finds."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.domain.explanations import Metric, Protocol, Provenance, Sample, ScoreValue, State
from app.domain.neurons import NeuronRef, Polarity, Profile
from app.jobs import import_published
from app.jobs.import_published import ImportRequest
from app.main import create_app
from app.published.layout import What
from app.settings import Settings
from app.store import Store, collections, explanations, scores
from app.store import models as stored_models
from app.store.imported_neurons import Shape
from tests import factories
from tests.published_world import World
from tests.web import markup
from tests.web.api import API, MODEL, get
from tests.web.conftest import BASE

CHARTS = "/charts/tiny-random"
MODELS = f"{API}/models"


def say(store: Store, index: int, value: float, protocol: Protocol = Protocol.HELDOUT_FULL) -> None:
    """One more explanation, with a score."""
    ref, text = NeuronRef("tiny-random", "0-mlp", index), f"statement {index} {value}"
    with store.session() as s:
        id_ = explanations.add(
            s,
            ref,
            text,
            Polarity.POSITIVE,
            Provenance(method="summary", explainer="x"),
            State.OK,
            "",
            None,
            text,
        )
        made = ScoreValue(Metric.CORRELATION, protocol, Sample.TOP_AND_RANDOM, State.OK, value, value, value)
        scores.add(s, id_, None, [made], None, text)


def total(client: TestClient, address: str) -> int:
    found: dict[str, Any] = client.get(API + address).json()
    page = markup.read(client.get(address).text)
    assert f"{found['total']} neuron" in page.one("p", "summed").text
    return int(found["total"])


def test_every_bar_leads_to_the_neurons_that_it_counts(client: TestClient, tiny_store: Store) -> None:
    for index, value in ((1, 0.3), (2, -1.0), (3, 0.4), (4, 1.0), (5, 0.9), (6, -0.9), (7, 0.0)):
        say(tiny_store, index, value)
    found = get(client, f"{MODEL}/distributions")
    bars = found["bars"]
    assert sum(bar["neurons"] for bar in bars) == found["overall"]["defined"] and len(bars) == 20
    for bar in bars:
        assert total(client, bar["address"]) == bar["neurons"], bar
    page = markup.read(client.get("/m/tiny-random").text)
    links = [e["href"] for e in page.find("a") if e.attributes.get("href", "").startswith("/search?")]
    assert {bar["address"] for bar in bars if bar["neurons"]} <= set(links)
    for measure in get(client, f"{MODEL}/measures")["items"][:6]:
        words = {name: measure[name] for name in ("protocol", "sample", "metric")}
        for bar in get(client, f"{MODEL}/distributions", **words)["bars"]:
            assert client.get(API + bar["address"]).json()["total"] == bar["neurons"], (measure, bar)


def test_methods_lead_to_their_explanations(client: TestClient) -> None:
    lines = get(client, f"{MODEL}/distributions")["methods"]
    assert [line["explanations"] for line in lines] == sorted(
        (x["explanations"] for x in lines), reverse=True
    )
    rows = client.get("/m/tiny-random/export/explanations.jsonl").text.count
    for line in lines:
        assert total(client, line["address"]) == line["neurons"]
        assert rows(f'"method":"{line["method"]}"') == line["explanations"]
    page = markup.read(client.get("/m/tiny-random").text)
    links = [e["href"] for e in page.find("a")]
    assert all(line["address"] in links for line in lines)


@pytest.mark.parametrize(
    ("chart", "columns"),
    [("histogram", ["low", "high", "neurons"]), ("methods", ["method", "explanations", "neurons"])],
)
def test_what_is_downloaded_is_what_the_api_says(client: TestClient, chart: str, columns: list[str]) -> None:
    said = get(client, f"{MODEL}/distributions")["bars" if chart == "histogram" else "methods"]
    wanted = [{column: each[column] for column in columns} for each in said]
    assert client.get(f"{CHARTS}/{chart}.json").json() == wanted
    rows = list(csv.reader(io.StringIO(client.get(f"{CHARTS}/{chart}.csv").text)))
    assert rows[0] == columns and [row[-1] for row in rows[1:]] == [str(each["neurons"]) for each in said]
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        answer = client.get(f"{CHARTS}/{chart}.{kind}")
        assert answer.status_code == 200 and answer.content.startswith(begins)
        assert f'filename="tiny-random-{chart}.{kind}"' in answer.headers["content-disposition"]
    assert client.get(f"{CHARTS}/{chart}.exe").status_code == 404


def test_a_measure_without_scores_has_no_histogram(client: TestClient) -> None:
    none = "bills-5+5.random-only.correlation"
    assert get(client, f"{MODEL}/distributions", protocol="bills-5+5", sample="random-only")["bars"] == []
    assert "Neurons by their best score" not in client.get("/m/tiny-random", params={"measure": none}).text
    assert client.get(f"{CHARTS}/histogram.svg", params={"measure": none}).status_code == 404
    assert client.get(f"{CHARTS}/histogram.json", params={"measure": none}).json() == []


def test_a_model_without_neurons_has_none_of_it(client: TestClient, tiny_store: Store) -> None:
    documents, table = factories.corpus()
    with tiny_store.session() as s:
        stored_models.add_model(s, factories.card("bare"), factories.vocabulary())
        collections.begin(s, "bare", "Chapters", documents, table, Profile(), "{}", None)
    assert client.get("/m/bare").status_code == 200
    assert "A collection is under way" in client.get("/m/bare").text
    for path in (f"{MODELS}/bare/distributions", "/charts/bare/methods.json"):
        answer = client.get(path)
        assert answer.status_code == 404 and "has not ended" in answer.text


def test_the_paper_s_counts_stand_by_its_own_model_alone(client: TestClient) -> None:
    assert get(client, f"{MODEL}/distributions")["stated"] == []
    assert "What the paper counted" not in client.get("/m/tiny-random").text


def test_the_paper_s_counts_stand_beside_what_was_imported(tmp_path: Path) -> None:
    World(2, 10).write(tmp_path / "published")
    store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}")

    def bring(*what: What) -> None:
        request = ImportRequest(
            str(tmp_path / "published"), "gpt2-xl", what, shape=Shape(3, 10), layers=(0, 1)
        )
        import_published.run(store, request, lambda _: None, processes=1)

    with TestClient(create_app(Settings(data_dir=tmp_path), store=store), base_url=BASE) as client:
        bring(What.ACTIVATIONS)
        lines = get(client, f"{MODELS}/gpt2-xl/distributions")["stated"]
        assert [line["stated"] for line in lines] == [5203, 732, 189, 86]
        assert {(line["here"], line["scored"]) for line in lines} == {(None, 0)}
        section = markup.read(client.get("/m/gpt2-xl").text).one(
            "section", **{"aria-labelledby": "stated-title"}
        )
        assert "20 of 30 neurons imported" in section.text and not [e for e in section.inside if e.tag == "a"]
        bring(What.EXPLANATIONS)
        with store.session() as s:
            for index, value in ((1, 0.7), (2, 0.95), (3, 0.69)):
                ref, text = NeuronRef("gpt2-xl", "0-mlp", index), f"statement {index}"
                made = Provenance(method="import", explainer="gpt-4")
                id_ = explanations.add(s, ref, text, Polarity.POSITIVE, made, State.OK, "", None, text)
                score = ScoreValue(
                    Metric.CORRELATION, Protocol.BILLS_5_5, Sample.RANDOM_ONLY, State.OK, value, None, None
                )
                scores.add(s, id_, None, [score], None, text)
        lines = get(client, f"{MODELS}/gpt2-xl/distributions")["stated"]
        assert all(line["here"] is not None and line["scored"] for line in lines)
        assert [line["here"] >= least for line, least in zip(lines, (0, 2, 0, 1), strict=True)] == [True] * 4
        page = markup.read(client.get("/m/gpt2-xl").text).one(
            "section", **{"aria-labelledby": "stated-title"}
        )
        assert [e["href"] for e in page.inside if e.tag == "a"] == [line["address"] for line in lines]
        for line in lines:
            assert total(client, line["address"]) == line["here"]
    store.close()
