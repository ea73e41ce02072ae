"""The API says what the pages say, pages through lists exactly, and documents itself completely."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.store import Store, jobs
from tests import factories
from tests.web.api import API, NEURONS, get, message


def test_models_and_layers(client: TestClient):
    [model] = get(client, f"{API}/models")["items"]
    assert model == get(client, f"{API}/models/tiny-random")
    assert (model["layers"], model["neurons"]) == (2, 64)
    layers = get(client, f"{API}/models/tiny-random/layers")["items"]
    assert [layer["slug"] for layer in layers] == ["0-mlp", "1-mlp"]
    assert get(client, f"{API}/models/tiny-random/layers/1-mlp") == layers[1]


@pytest.mark.parametrize("sort", ["index", "score", "density"])
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_of_a_list_join_without_gap_or_repeat(client: TestClient, sort: str, limit: int):
    seen, cursor = [], None
    while True:
        page = get(client, NEURONS, sort=sort, limit=limit, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == factories.NEURONS and len(page["items"]) <= limit
        seen += [line["index"] for line in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == list(range(factories.NEURONS))
    assert seen == [line["index"] for line in get(client, NEURONS, sort=sort, limit=500)["items"]]


def test_pages_of_jobs_join_without_gap_or_repeat(client: TestClient, tiny_store: Store):
    with tiny_store.session() as session:
        for i in range(5):
            jobs.add(session, f"j{i}", "explain", "Explain", "{}")
    whole = [job["id"] for job in get(client, f"{API}/jobs")["items"]]
    first = get(client, f"{API}/jobs", limit=4)
    second = get(client, f"{API}/jobs", limit=4, cursor=first["next"])
    assert [job["id"] for job in first["items"] + second["items"]] == whole
    assert len(whole) == first["total"] == 6
    assert (first["previous"], second["next"]) == (None, None)
    assert get(client, f"{API}/jobs", limit=4, cursor=second["previous"])["items"] == first["items"]
    assert client.get(f"{API}/jobs", params={"cursor": "junk"}).status_code == 422


def test_the_neuron_is_the_same_as_on_its_page(client: TestClient, tiny: factories.Tiny):
    ref = tiny.explained
    neuron = get(client, f"{API}/models/{ref.model}/layers/{ref.layer}/neurons/{ref.index}")
    page = client.get(f"/m/{ref.model}/{ref.layer}/{ref.index}").text
    texts = {e["text"] for e in neuron["explanations"] if e["state"] == "ok"}
    assert len(texts) >= 2
    statements = re.findall(r'class="statement"><bdi>(.*?)</bdi>', page)
    assert len(statements) == len([e for e in neuron["explanations"] if e["state"] == "ok"])
    maximum = f"{neuron['statistics']['maximum']:.2f}"
    assert f"+{maximum}" in page


def test_records_hold_tokens_values_and_their_source(client: TestClient):
    records = get(client, f"{NEURONS}/3/records")["items"]
    kept = factories.layer_result(0, factories.corpus()[1]).excerpts[3] >= 0
    assert len(records) == kept.sum()
    assert {record["split"] for record in records} == {"explain", "dev", "score"}
    for record in records:
        assert len(record["tokens"]) == len(record["activations"]) == len(record["gate_positive"]) == 64
        assert record["source"]
        assert record["start"] == (record["excerpt"] % 2) * 64  # every document has two excerpts
    top = [r for r in records if r["kind"] == "top" and r["split"] == "explain"]
    assert [r["rank"] for r in top] == list(range(len(top)))
    peaks = [max(r["activations"]) for r in top]
    assert peaks == sorted(peaks, reverse=True)


def test_an_excerpt_begins_where_its_page_says(client: TestClient):
    page = client.get(
        "/m/tiny-random/0-mlp/3", params={"show": "random", "more": "1", "duplicates": "1"}
    ).text
    shown = re.findall(r"</a><small>token ([0-9,]+)", page)
    records = [r for r in get(client, f"{NEURONS}/3/records")["items"] if r["kind"] == "random"]
    assert [int(start.replace(",", "")) for start in shown] == [r["start"] for r in records]
    assert len(set(shown)) == 2


def test_an_explanation_can_be_traced(client: TestClient, tiny: factories.Tiny):
    explanation = get(client, f"{API}/explanations/{tiny.explanation}")
    assert explanation["messages_json"] and explanation["excerpts"] and explanation["explainer"]
    [simulation] = get(client, f"{API}/explanations/{tiny.explanation}/simulations")["items"]
    assert len(simulation["expected"]) == len(simulation["excerpts"]) > 0
    scores = get(client, f"{API}/explanations/{tiny.explanation}/scores")["items"]
    assert scores and all((s["value"] is None) == (s["state"] != "ok") for s in scores)
    assert all(s["reason"] for s in scores if s["value"] is None)


def test_recent_explanations_are_those_of_home(client: TestClient):
    shown = re.findall(r'href="(/m/tiny-random/[01]-mlp/[0-9]+)"', client.get("/").text)
    everything = get(client, f"{API}/explanations")
    items = everything["items"]
    assert list(dict.fromkeys(shown)) == list(
        dict.fromkeys(f"/m/{e['model']}/{e['layer']}/{e['index']}" for e in items)
    )
    assert everything["total"] == len(items) == 3 and everything["next"] is everything["previous"] is None
    assert [e["id"] for e in items] == sorted((e["id"] for e in items), reverse=True)
    first = get(client, f"{API}/explanations", limit=2)
    rest = get(client, f"{API}/explanations", limit=2, cursor=first["next"])
    assert first["items"] + rest["items"] == items
    assert get(client, f"{API}/explanations", limit=2, cursor=rest["previous"]) == first
    assert "first page" in message(client, f"{API}/explanations", 422, cursor="junk")


def test_a_failed_explanation_is_a_state_with_a_reason(client: TestClient, tiny: factories.Tiny):
    failed = get(client, f"{API}/explanations/{tiny.failed_explanation}")
    assert (failed["state"], failed["text"], failed["scores"]) == ("failed", "", [])
    assert failed["reason"]


def test_asking_starts_a_job_that_the_pages_show(client: TestClient, tiny: factories.Tiny):
    body = {"method": "summary", "explainer": "local", "score": {"simulator": "local"}}
    started = client.post(f"{NEURONS}/3/explanations", json=body)
    assert started.status_code == 202
    job = started.json()["job_id"]
    assert get(client, f"{API}/jobs/{job}")["state"] == "queued"
    assert job in client.get("/jobs").text
    again = client.post(f"{API}/explanations/{tiny.explanation}/scores", json={"simulator": "local"})
    assert again.status_code == 202
    assert client.post(f"{API}/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{API}/jobs/{job}/retry").status_code == 202
    assert {j["id"] for j in get(client, f"{API}/jobs", state="cancelled")["items"]} == {job}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (f"{NEURONS}/99/explanations", {"method": "summary", "explainer": "local"}, 404, "31"),
        (f"{NEURONS}/3/explanations", {"method": "summary", "explainer": "nobody"}, 404, "paid"),
        (f"{NEURONS}/3/explanations", {"method": "astrology"}, 422, "method"),
        (
            f"{NEURONS}/3/explanations",
            {"method": "summary", "explainer": "local", "cut_off": "x"},
            422,
            "token_q99",
        ),
        (f"{NEURONS}/3/explanations", {"method": "summary", "more": 1}, 422, "more"),
        (f"{API}/explanations/999999/scores", {}, 404, "999999"),
        (f"{API}/jobs/none/retry", {}, 404, "none"),
    ],
)
def test_bad_requests_say_what_is_wrong(client: TestClient, path, body, status, says):
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]


def test_unchanged_answers_are_not_sent_again(client: TestClient):
    first = client.get(f"{NEURONS}/3")
    second = client.get(f"{NEURONS}/3", headers={"if-none-match": first.headers["etag"]})
    assert (second.status_code, second.content) == (304, b"")


def shows(field: dict[str, Any]) -> bool:
    """Whether an example of the field can be made."""
    if field.keys() & {"examples", "default", "enum", "const", "$ref"}:
        return True
    if field.get("type") == "boolean" or field.get("format") == "date-time":
        return True
    inner = field.get("anyOf") or [field["items"]] if "items" in field or "anyOf" in field else []
    return any(shows(each) for each in inner)


def test_every_field_has_an_example_and_every_parameter_a_description(client: TestClient):
    document = get(client, f"{API}/openapi.json")
    for name, schema in document["components"]["schemas"].items():
        without = [field for field, each in schema.get("properties", {}).items() if not shows(each)]
        assert not without, (name, without)
    for path, methods in document["paths"].items():
        for each in methods.values():
            without = [p["name"] for p in each.get("parameters", []) if not p.get("description")]
            assert not without, (path, without)


def test_the_document_is_complete_and_has_a_page_of_its_own(client: TestClient):
    document = get(client, f"{API}/openapi.json")
    operations = [
        (path, method, each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]
    assert len(operations) >= 27
    page = client.get("/api").text
    for path, method, each in operations:
        assert each.get("summary") and each.get("description"), (path, method)
        [answer] = [r for code, r in each["responses"].items() if code.startswith("2")]
        lines = "application/x-ndjson" if "/export/" in path else "application/json"
        assert answer["content"][lines]["schema"], (path, method)
        assert path in page
