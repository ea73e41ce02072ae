"""What can be asked for is listed, and what would be sent is shown, as on the pages: with nothing of a key."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.explain.prompt import MAX_TOKENS
from app.main import create_app
from app.settings import Endpoint, Settings
from app.store import Store
from tests.factories import Tiny
from tests.scripted_server import ScriptedServer
from tests.web.api import API, MODEL, NEURONS, get, message
from tests.web.conftest import BASE
from tests.web.markup import read

PREVIEW = f"{NEURONS}/3/preview"


def test_language_models_are_listed_by_name_and_price(client: TestClient):
    [local, paid] = get(client, f"{API}/endpoints")["items"]
    assert (local["name"], local["model"], local["price_in"]) == ("local", "small", 0)
    assert paid == {
        "name": "paid",
        "model": "big",
        "price_in": 2.5,
        "price_out": 10,
        "chat": True,
        "completions": False,
    }


def test_nothing_of_a_key_or_an_address_is_told(tiny_store: Store, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HIDDEN_VARIABLE", "hidden-key")
    endpoint = Endpoint(
        name="secretive",
        base_url="http://ada:hidden-password@127.0.0.1:9/v1",
        model="m",
        api_key_env="HIDDEN_VARIABLE",
        extra={"user": "hidden-user"},
    )
    app = create_app(Settings(data_dir=tmp_path, endpoints=[endpoint]), store=tiny_store)
    with TestClient(app, base_url=BASE) as client:
        for path in (f"{API}/endpoints", f"{MODEL}/choices", f"{PREVIEW}?explainer=secretive", f"{API}/work"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "hidden" not in answer.text.lower() and "127.0.0.1" not in answer.text, path


def test_every_choice_can_be_asked_for(client: TestClient):
    choices = get(client, f"{MODEL}/choices")
    for name in ("polarity", "cut_off", "scale_maximum"):
        for choice in choices[name]:
            seen = get(client, PREVIEW, explainer="paid", **{name: choice["value"]})
            assert seen["explaining"]["messages"]
    for method in choices["method"]:
        for simulator in choices["simulator"]:
            score = {"simulator": simulator["value"], "endpoint": "local" if simulator["asks"] else ""}
            for protocol in choices["protocol"]:
                body = {
                    "method": method["value"],
                    "explainer": "local" if method["asks"] else "",
                    "score": {**score, "protocol": protocol["value"]},
                }
                only_own = simulator["value"] in ("token_lookup", "token_linear")
                fits = not only_own or method["value"] == simulator["value"]
                status = client.post(f"{NEURONS}/3/explanations", json=body).status_code
                assert status == (202 if fits else 422), body


def test_the_choices_are_those_of_the_page(client: TestClient):
    page = read(client.get("/m/tiny-random/0-mlp/3").text)
    choices = get(client, f"{MODEL}/choices")
    for name in ("method", "polarity", "cut_off", "scale_maximum", "simulator", "protocol"):
        [select] = [e for e in page.find("select") if e["name"] == name][:1]
        shown = [e["value"] for e in select.inside if e.tag == "option" and e["value"]]
        assert [choice["value"] for choice in choices[name]] == shown, name


@pytest.mark.parametrize(
    ("score", "protocol"),
    [
        ({"simulator": "local"}, "heldout-full"),
        ({"simulator": "chat_json", "endpoint": "paid"}, "heldout-5+5"),
        ({"simulator": "chat_json", "endpoint": "paid", "protocol": "heldout-full"}, "heldout-full"),
    ],
)
def test_where_no_protocol_is_named_it_is_the_usual_one(client: TestClient, score, protocol: str):
    body = {"method": "summary", "explainer": "paid", "score": score}
    job = client.post(f"{NEURONS}/3/explanations", json=body).json()["job_id"]
    asked = json.loads(get(client, f"{API}/jobs/{job}")["parameters_json"])
    assert asked["score"]["protocol"] == protocol


def test_without_a_language_model_only_what_needs_none_is_listed(tiny_store: Store, tmp_path: Path):
    app = create_app(Settings(data_dir=tmp_path), store=tiny_store)
    with TestClient(app, base_url=BASE) as client:
        choices = get(client, f"{MODEL}/choices")
        assert [choice["value"] for choice in choices["method"]] == ["token_lookup", "token_linear"]
        assert [c["value"] for c in choices["simulator"]] == ["local", "token_lookup", "token_linear"]
        assert [choice["value"] for choice in choices["protocol"] if choice["suggested"]] == ["heldout-full"]
        assert get(client, f"{API}/endpoints")["items"] == []


@pytest.mark.parametrize("polarity", ["positive", "negative"])
def test_the_dry_run_is_that_of_the_page(client: TestClient, polarity: str):
    query = {"method": "hs", "polarity": polarity, "explainer": "paid", "seed": 7}
    seen = get(client, PREVIEW, **query)
    assert seen["scoring"] is None
    explaining = seen["explaining"]
    page = read(client.get("/m/tiny-random/0-mlp/3/preview", params=query).text)
    assert f"about {explaining['tokens_in']:,} tokens to paid (big)" in page.one("p", cls="price").text
    assert len(explaining["messages"]) == len(page.find("pre"))
    assert (explaining["endpoint"], explaining["model"], explaining["exact"]) == ("paid", "big", False)
    assert explaining["max_tokens_out"] == MAX_TOKENS
    price = (explaining["tokens_in"] * 2.5 + MAX_TOKENS * 10) / 1e6
    assert explaining["price_usd"] == pytest.approx(price)


@pytest.mark.parametrize("protocol", [{}, {"protocol": "heldout-full"}])
def test_what_scoring_takes_is_that_of_the_page(client: TestClient, tiny: Tiny, protocol):
    scoring = {"simulator": "chat_json", "endpoint": "paid", **protocol}
    query = {"method": "summary", "explainer": "paid", **scoring}
    with_explaining = get(client, PREVIEW, **query)["scoring"]
    ref = tiny.explained
    here = f"/m/{ref.model}/{ref.layer}/{ref.index}/score/preview"
    alone = get(client, f"{API}/explanations/{tiny.explanation}/scores/preview", **scoring)["scoring"]
    for seen, address, asked in (
        (with_explaining, "/m/tiny-random/0-mlp/3/preview", query),
        (alone, here, {"explanation": tiny.explanation, **scoring}),
    ):
        tokens = seen["tokens_in"] + seen["max_tokens_out"]
        page = client.get(address, params=asked).text
        assert f"{seen['calls']} calls" in page and f"{tokens:,} tokens" in page
        price = (seen["tokens_in"] * 2.5 + seen["max_tokens_out"] * 10) / 1e6
        assert seen["price_usd"] == pytest.approx(price)
        assert (seen["endpoint"], seen["model"]) == ("paid", "big")


def test_a_server_on_this_machine_counts_and_no_model_is_asked(tiny_store: Store, tmp_path: Path):
    with ScriptedServer() as server:
        server.tokenize = lambda text: range(1234)
        endpoint = server.endpoint()
        app = create_app(Settings(data_dir=tmp_path, endpoints=[endpoint]), store=tiny_store)
        scoring = {"simulator": "chat_json", "endpoint": endpoint.name}
        with TestClient(app, base_url=BASE) as client:
            seen = get(client, PREVIEW, explainer=endpoint.name, **scoring)["explaining"]
        assert (seen["tokens_in"], seen["exact"]) == (1234, True)
        assert server.calls == 0


def test_a_dry_run_that_asks_nobody_costs_nothing(client: TestClient, tiny: Tiny):
    nothing = {"explaining": None, "choosing": None, "scoring": None}
    assert get(client, PREVIEW, method="token_lookup", simulator="token_lookup") == nothing
    alone = get(client, f"{API}/explanations/{tiny.explanation}/scores/preview")
    assert alone == {"scoring": None}


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        (PREVIEW, {"explainer": "nobody"}, 404, "local, paid"),
        (PREVIEW, {}, 422, "local, paid"),
        (PREVIEW, {"explainer": "paid", "method": "astrology"}, 422, "summary"),
        (PREVIEW, {"explainer": "paid", "cut_off": "x"}, 422, "token_q99"),
        (PREVIEW, {"explainer": "paid", "seed": -1}, 422, "seed"),
        (PREVIEW, {"explainer": "paid", "score": "local"}, 422, "score"),
        (PREVIEW, {"explainer": "paid", "simulator": "chat_json"}, 422, "local, paid"),
        (PREVIEW, {"explainer": "paid", "simulator": "logprobs", "endpoint": "no"}, 404, "local, paid"),
        (f"{API}/explanations/999999/scores/preview", {}, 404, "999999"),
        (f"{NEURONS}/99/preview", {"explainer": "paid"}, 404, "31"),
        (f"{API}/models/nothing/choices", {}, 404, "tiny-random"),
    ],
)
def test_a_bad_question_says_what_is_wrong(client: TestClient, path, query, status, says):
    assert says in message(client, path, status, **query)


def test_a_failed_explanation_has_nothing_to_score(client: TestClient, tiny: Tiny):
    path = f"{API}/explanations/{tiny.failed_explanation}/scores/preview"
    assert "Explain the neuron again" in message(client, path, 422)
