"""Home, model, layer, the ways to a neuron, jobs: what they say and where they lead."""

import re

import pytest
from starlette.testclient import TestClient

from app.domain.explanations import ExplainOptions, Method
from app.domain.neurons import NeuronRef
from app.errors import BadInput
from app.store import Store, jobs
from app.store.rows import JobState
from app.web import vega
from app.web.pages.go import Place, parse
from tests import factories
from tests.web.markup import read

MODEL = "/m/tiny-random"
LAYER = f"{MODEL}/0-mlp"


def indices(html: str) -> list[int]:
    """The neurons of a layer's list, in order."""
    return [int(found) for found in re.findall(r'class="at num" href="/m/tiny-random/0-mlp/(\d+)"', html)]


def test_home_shows_models_and_what_was_said(client: TestClient):
    html = client.get("/").text
    assert f'href="{MODEL}"' in html
    assert "64" in read(html).one("header", cls="hero").text


def test_an_empty_store_says_what_to_do(client: TestClient, tmp_path):
    from app.main import create_app
    from app.settings import Settings
    from tests.web.conftest import BASE

    store = Store.open(f"sqlite:///{tmp_path}/empty.sqlite")
    empty = TestClient(create_app(Settings(data_dir=tmp_path), store=store), base_url=BASE)
    assert "neuronarium collect" in empty.get("/").text
    assert empty.get("/random").status_code == 404
    store.close()


def test_the_model_page_draws_distributions_and_leads_to_layers(client: TestClient):
    html = client.get(MODEL).text
    assert html.count('class="chart"') == 2
    assert f'href="{LAYER}?sort=density&amp;order=down"' in html
    assert "neuronarium.invalid" not in html
    assert "with" in html and "constant prediction" in html


def test_every_measure_that_has_scores_can_be_chosen_and_is_named(client: TestClient):
    html = client.get(MODEL).text
    keys = re.findall(r'<option value="([^"]+)"', html)
    assert len(keys) >= 4 and len(set(keys)) == len(keys)
    for key in keys:
        protocol, _, _ = key.partition(".")
        assert protocol in client.get(MODEL, params={"measure": key}).text


def test_charts_are_files_and_data(client: TestClient):
    svg = client.get("/charts/tiny-random/density.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml") and b"#0101" not in svg.content
    assert client.get("/charts/tiny-random/score.png").content.startswith(b"\x89PNG")
    assert client.get("/charts/tiny-random/score.pdf").content.startswith(b"%PDF")
    rows = client.get("/charts/tiny-random/density.json").json()
    assert [row["layer"] for row in rows] == [0, 1] and rows[0]["q25"] <= rows[0]["q75"]
    csv = client.get("/charts/tiny-random/density.csv").text.splitlines()
    assert csv[0].startswith("layer,q05") and len(csv) == 3
    assert client.get("/charts/tiny-random/density.exe").status_code == 404


def test_a_chart_s_words_are_escaped():
    row = {"layer": 0, "q05": 0, "q25": 0.1, "q50": 0.2, "q75": 0.3, "q95": 0.4, "mean": 0.2}
    spec = vega.layers_spec([{**row, "href": "/m/x", "label": '<script>"&'}], "score")
    svg = vega.inline(spec, '"><script>alert(1)</script>')
    assert "<script" not in svg and 'href="/m/x"' in svg


@pytest.mark.parametrize(
    "sort", ["index", "score", "density", "maximum", "minimum", "mean", "variance", "kurtosis"]
)
def test_a_layer_sorts_both_ways(client: TestClient, sort):
    up = indices(client.get(LAYER, params={"sort": sort}).text)
    down = indices(client.get(LAYER, params={"sort": sort, "order": "down"}).text)
    assert sorted(up) == sorted(down) == list(range(factories.NEURONS))
    if sort != "score":  # neurons without a score come last either way
        values = client.get(
            "/api/v1/models/tiny-random/layers/0-mlp/neurons", params={"sort": sort, "limit": 100}
        ).json()["items"]
        assert [line["index"] for line in values] == up
        kept = [line[sort] for line in values]
        assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("query", "says"),
    [({"sort": "shoe-size"}, "They can by"), ({"cursor": "junk"}, ""), ({"cursor": "%00"}, "")],
)
def test_a_list_that_cannot_be_made_says_why(client: TestClient, query, says):
    answer = client.get(LAYER, params=query)
    assert answer.status_code == 422
    assert says in answer.text


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("8:101", Place("", "8", 101)),
        (" 8 101 ", Place("", "8", 101)),
        ("8-mlp/101", Place("", "8-mlp", 101)),
        ("tiny 8:101", Place("tiny", "8", 101)),
        ("/m/Tiny-Random/0-mlp/3", Place("tiny-random", "0-mlp", 3)),
    ],
)
def test_a_place_can_be_written_in_many_ways(typed, place):
    assert parse(typed) == place


@pytest.mark.parametrize("typed", ["", "8", "8:", "eight:one", "8:1:2", "<script>", "8:9999999999", "\0"])
def test_what_names_no_neuron_says_how_to_write_one(typed):
    with pytest.raises(BadInput, match="8:101"):
        parse(typed)


@pytest.mark.parametrize(
    ("query", "status", "goes"),
    [
        ("1:20", 303, "/m/tiny-random/1-mlp/20"),
        ("tiny 0:3", 303, "/m/tiny-random/0-mlp/3"),
        ("other 0:3", 404, "tiny-random"),
        ("9:3", 404, "0-mlp"),
        ("0:99", 404, "31"),
    ],
)
def test_go(client: TestClient, query, status, goes):
    answer = client.get("/go", params={"q": query})
    assert answer.status_code == status
    assert goes in (answer.headers["location"] if status == 303 else answer.text)


@pytest.mark.parametrize("path", ["/random", f"{MODEL}/random", f"{LAYER}/random"])
def test_chance_leads_to_a_neuron(client: TestClient, path):
    answer = client.get(path)
    assert re.fullmatch(r"/m/tiny-random/[01]-mlp/\d+", answer.headers["location"])
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/m/nothing", f"{MODEL}/9-mlp", "/jobs/nothing", "/jobs/nothing/events"])
def test_unknown_things_are_404(client: TestClient, path):
    assert client.get(path).status_code == 404


def explain_job(client: TestClient) -> str:
    service = client.app.state.jobs  # type: ignore[attr-defined]
    return service.enqueue_explain(
        NeuronRef("tiny-random", "0-mlp", 3), ExplainOptions(Method.SUMMARY, explainer="local"), None
    )


def test_a_job_is_shown_cancelled_and_retried(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    job = explain_job(client)
    assert "No worker is alive" not in client.get("/jobs").text  # one may be starting
    monkeypatch.setattr("app.jobs.alive.START_SECONDS", 0.0)
    html = client.get("/jobs").text
    assert job in html and "No worker is alive" in html
    assert client.post(f"/jobs/{job}/cancel", headers={"origin": "http://127.0.0.1:8000"}).status_code == 303
    shown = client.get(f"/jobs/{job}").text
    assert "Cancelled" in shown and "/retry" in shown
    retried = client.post(f"/jobs/{job}/retry", headers={"origin": "http://127.0.0.1:8000"}).headers[
        "location"
    ]
    assert retried != f"/jobs/{job}"
    assert job in client.get(retried).text  # it names the one that it repeats


def test_a_job_s_end_closes_the_stream(client: TestClient, tiny_store: Store):
    job = explain_job(client)
    with tiny_store.session() as session:
        jobs.set_state(session, job, JobState.FAILED, reason="the endpoint <b>is</b> down")
    stream = client.get(f"/jobs/{job}/events").text
    assert "event: close" in stream
    assert "&lt;b&gt;is&lt;/b&gt;" in stream and "<b>is</b>" not in stream


def test_the_list_s_stream_ends_when_nothing_runs(client: TestClient):
    assert "event: close" in client.get("/jobs/events").text
