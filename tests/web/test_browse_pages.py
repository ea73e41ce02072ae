"""Home, model, layer, the ways to a neuron, jobs: what they say and where they lead."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from app.domain.explanations import ExplainOptions, Method
from app.domain.neurons import NeuronRef, Profile
from app.errors import BadInput
from app.store import Store, collections, jobs, models, tables
from app.store.rows import JobState
from app.web import vega
from app.web.formats import short
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
    assert html.count('class="chart"') == 3
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
    [
        ({"sort": "shoe-size"}, "They can by"),
        ({"cursor": "junk"}, ""),
        ({"cursor": "%00"}, ""),
        ({"order": "sideways"}, "up or down"),
        ({"measure": "foo"}, "heldout-full.top-and-random.correlation"),
        ({"measure": "heldout-full.top-and-random"}, "heldout-full.top-and-random.correlation"),
        ({"measure": "heldout-full.top-and-random.correlation.foo"}, "heldout-5+5"),
    ],
)
def test_a_list_that_cannot_be_made_says_why(client: TestClient, query, says):
    answer = client.get(LAYER, params=query)
    assert answer.status_code == 422
    assert says in answer.text


@pytest.mark.parametrize("path", [MODEL, "/charts/tiny-random/score.json"])
def test_a_measure_that_there_is_not_says_which_there_are(client: TestClient, path):
    answer = client.get(path, params={"measure": "foo"})
    assert answer.status_code == 422
    assert "heldout-full.top-and-random.correlation" in answer.text


def test_a_measure_without_scores_yet_is_shown_as_such(client: TestClient):
    key = "bills-5+5.top-and-random.correlation"
    for path in (MODEL, LAYER):
        page = client.get(path, params={"measure": key})
        assert page.status_code == 200
        assert f'<option value="{key}" selected>' in page.text
        raw = client.get(f"{path}?measure={key}")  # typed by hand: a plus in an address is read as a blank
        assert raw.status_code == 200 and f'<option value="{key}" selected>' in raw.text
    assert "not scored" in page.text and "no explanation yet" not in page.text


@pytest.mark.parametrize("sort", ["mean", "variance", "skewness", "kurtosis"])
def test_what_a_list_is_sorted_by_is_in_it(client: TestClient, sort):
    values = client.get(
        "/api/v1/models/tiny-random/layers/0-mlp/neurons", params={"sort": sort, "limit": 50}
    ).json()["items"]
    page = read(client.get(LAYER, params={"sort": sort}).text)
    shown = [each.text for each in page.find("span", cls="sorted")]
    assert shown == [sort, *(f"{sort} {short(line[sort])}" for line in values)]
    assert not read(client.get(LAYER).text).find("span", cls="sorted")


def test_the_list_and_the_neuron_use_the_same_words(client: TestClient):
    html = client.get(LAYER).text
    assert "weakest" not in html
    sorts = read(html).one("div", cls="chips").text
    assert "most negative" in sorts


def test_fires_strongly_is_defined_where_it_is_said(client: TestClient):
    assert "a tenth of its maximum" in read(client.get("/help").text).one("main").text
    for path in (LAYER, MODEL):
        terms = [each for each in read(client.get(path).text).find("abbr") if each.text == "fires strongly"]
        assert terms and all("a tenth of" in each["title"] for each in terms)


@pytest.mark.parametrize("measure", ["", "heldout-5+5.top-and-random.r_squared"])
def test_the_list_as_json_is_the_list_of_the_page(client: TestClient, measure, monkeypatch):
    monkeypatch.setattr("app.web.pages.layer.PAGE_SIZE", 7)
    query = {"sort": "score", "order": "down", **({"measure": measure} if measure else {})}
    first = client.get(LAYER, params=query).text
    [following] = [a["href"] for a in read(first).find("a", rel="next")]
    for html in (first, client.get(following).text):
        [json] = [a["href"] for a in read(html).find("a") if a.text == "JSON"]
        lines = client.get(json).json()["items"]
        assert [line["index"] for line in lines][:7] == indices(html)
        scores = [
            line["best"]["value"] for line in lines if line["best"] and line["best"]["value"] is not None
        ]
        shown = read(html).find("ol", cls="neurons")[0]
        for value in scores[:3]:
            assert f"{value:.2f}".replace("-", "−") in shown.text


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("8:101", Place("", "8", 101)),
        (" 8 101 ", Place("", "8", 101)),
        ("8-mlp/101", Place("", "8-mlp", 101)),
        ("tiny 8:101", Place("tiny", "8", 101)),
        ("/m/Tiny-Random/0-mlp/3", Place("tiny-random", "0-mlp", 3)),
        ("http://host:8000/m/x/8-mlp/101", Place("x", "8-mlp", 101)),
        (
            "https://host/m/a%2Bb/8-mlp/101/?show=all&more=1#exemplars",
            Place("a+b", "8-mlp", 101, "show=all&more=1"),
        ),
        ("/m/x/8-mlp/101?show=random", Place("x", "8-mlp", 101, "show=random")),
    ],
)
def test_a_place_can_be_written_in_many_ways(typed, place):
    assert parse(typed) == place


@pytest.mark.parametrize(
    "typed",
    [
        "", "8", "8:", "eight:one", "8:1:2", "<script>", "8:9999999999", "\0",
        "http://host/jobs", "http://host/", "http://host/m/x/8-mlp",
    ],
)  # fmt: skip
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
        ("http://host/m/tiny-random/1-mlp/20?show=all", 303, "/m/tiny-random/1-mlp/20?show=all"),
    ],
)
def test_go(client: TestClient, query, status, goes):
    answer = client.get("/go", params={"q": query})
    assert answer.status_code == status
    assert goes in (answer.headers["location"] if status == 303 else answer.text)


@pytest.mark.parametrize("typed", ["legal", '"the store" -law', "8", "1:2:3", "<script>", "\0", "x" * 3000])
def test_what_names_no_neuron_is_searched_for(client: TestClient, typed):
    answer = client.get("/go", params={"q": typed, "model": "tiny-random"})
    assert answer.status_code == 303
    path, _, query = answer.headers["location"].partition("?")
    assert path == "/search" and parse_qs(query) == {"model": ["tiny-random"], "q": [typed]}
    assert client.get(answer.headers["location"]).status_code in (200, 422)


@pytest.mark.parametrize("path", ["/random", f"{MODEL}/random", f"{LAYER}/random"])
def test_chance_leads_to_a_neuron(client: TestClient, path):
    answer = client.get(path)
    assert re.fullmatch(r"/m/tiny-random/[01]-mlp/\d+", answer.headers["location"])
    assert answer.headers["cache-control"] == "no-store"


@pytest.fixture
def two(tiny_store: Store) -> None:
    """A second model beside the first, with one layer of four neurons."""
    _, excerpts = factories.corpus()
    documents, _ = factories.corpus()
    with tiny_store.session() as s:
        models.add_model(s, factories.card("other"), factories.vocabulary())
        id_ = collections.begin(s, "other", "Chapters", documents, excerpts, Profile(), "{}", None)
        collections.write_layer(s, id_, factories.layer_result(0, excerpts, neurons=4))
        collections.finish(s, id_)


def test_chance_knows_every_model_and_gives_each_neuron_its_due(client: TestClient, two):
    """4 of 68 neurons are the other model's: of 300 draws none with a chance of 1e-8, 60 with less."""
    drawn = [client.get("/random").headers["location"] for _ in range(300)]
    assert 1 <= sum(each.startswith("/m/other/") for each in drawn) <= 60


@pytest.mark.parametrize("path", ["/m/other", "/m/other/0-mlp", "/m/other/0-mlp/1"])
def test_the_search_box_of_a_model_s_page_means_that_model(client: TestClient, two, path):
    page = client.get(path)
    form = read(page.text).one("form", cls="find")
    [model] = [e for e in form.inside if e.attributes.get("name") == "model"]
    assert (model["type"], model["value"]) == ("hidden", "other")
    assert client.get("/go?q=0:3&model=other").headers["location"] == "/m/other/0-mlp/3"
    assert client.get("/go?q=tiny+0:3&model=other").headers["location"] == "/m/tiny-random/0-mlp/3"
    # What is mistyped there is corrected in the box of the answer, which still means that model.
    wrong = client.get("/go?q=0:99&model=other").text
    assert any(e["value"] == "other" for e in read(wrong).find("input", name="model"))


def test_a_page_of_no_model_says_none(client: TestClient):
    assert not read(client.get("/").text).find("input", name="model")


def test_which_model_is_answered_by_a_link(client: TestClient, two):
    answer = client.get("/go?q=0:3", headers={"accept": "text/html"})
    assert answer.status_code == 422 and "Which model?" in answer.text
    links = [a["href"] for a in read(answer.text).one("div", cls="blank").inside if a.tag == "a"]
    assert {"/m/other/0-mlp/3", "/m/tiny-random/0-mlp/3"} <= set(links)
    assert client.get("/go?q=0:20").headers["location"] == "/m/tiny-random/0-mlp/20"  # the only one
    nowhere = client.get("/go?q=0:99")
    assert nowhere.status_code == 404 and "other" in nowhere.text and "tiny-random" in nowhere.text


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


def test_a_job_says_when_it_was_asked_for_and_when_it_began(client: TestClient, tiny_store: Store):
    job = explain_job(client)
    waiting = read(client.get(f"/jobs/{job}").text).one("dl", cls="pairs").text
    assert "asked for" in waiting and "begun" not in waiting
    with tiny_store.session() as session:
        row = jobs.claim(session, job, "worker")
        asked, begun = datetime(2026, 1, 2, 3, 4, tzinfo=UTC), datetime(2026, 1, 2, 5, 6, tzinfo=UTC)
        session.execute(
            update(tables.jobs).where(tables.jobs.c.id == row.id).values(created_at=asked, started_at=begun)
        )
    pairs = read(client.get(f"/jobs/{job}").text).one("dl", cls="pairs")
    terms = [each.text for each in pairs.inside if each.tag == "dt"]
    said = dict(zip(terms, [each.text for each in pairs.inside if each.tag == "dd"], strict=True))
    assert said["asked for"] == "2 Jan 2026, 03:04 UTC"
    assert said["begun"] == "2 Jan 2026, 05:06 UTC"


def test_a_job_that_never_began_shows_when_it_ended_and_nothing_before(client: TestClient, tiny_store: Store):
    [id] = queued(tiny_store, 1)
    with tiny_store.session() as session:
        jobs.set_state(session, id, JobState.CANCELLED)
    [line] = [each for each in read(client.get("/jobs").text).find("div", cls="cancelled")]
    [when] = [each for each in line.inside if each.tag == "small"]
    assert re.fullmatch(r"\d+ \w+ \d+, \d\d:\d\d UTC", when.text)


def test_a_job_s_end_closes_the_stream(client: TestClient, tiny_store: Store):
    job = explain_job(client)
    with tiny_store.session() as session:
        jobs.set_state(session, job, JobState.FAILED, reason="the endpoint <b>is</b> down")
    stream = client.get(f"/jobs/{job}/events").text
    assert "event: close" in stream
    assert "&lt;b&gt;is&lt;/b&gt;" in stream and "<b>is</b>" not in stream


def queued(store: Store, n: int) -> list[str]:
    """So many waiting jobs, the oldest first."""
    ids = [f"wait-{i:02}" for i in range(n)]
    with store.session() as session:
        for id in ids:
            jobs.add(session, id, "explain", f"Explain {id}", "{}")
    return ids


def listed(html: str) -> list[str]:
    """The jobs of a page in its order."""
    return re.findall(r'class="title" href="/jobs/([^"]+)"', html)


def test_a_long_queue_shows_what_runs_first_and_how_much_more_waits(client: TestClient, tiny_store: Store):
    ids = queued(tiny_store, 25)
    with tiny_store.session() as session:
        jobs.claim(session, ids[2], "worker")
    rest = [id for id in ids if id != ids[2]]
    all_jobs = client.get("/jobs").text
    assert listed(all_jobs)[:20] == [ids[2], *rest[:19]]
    [longer] = [a for a in read(all_jobs).find("a") if a.text == "5 more waiting"]
    whole = client.get(longer.attributes["href"]).text
    assert listed(whole)[:25] == [ids[2], *rest] and "more waiting" not in whole
    home = client.get("/").text
    assert listed(home)[:8] == [ids[2], *rest[:7]]
    links = [a.text for a in read(home).find("a", href="/jobs")]
    assert "17 more waiting" in links
    assert read(home).one("span", cls="pill").text.endswith("25")


def test_the_stream_of_a_cut_list_is_the_list_of_its_page(client: TestClient, tiny_store: Store, monkeypatch):
    ids = queued(tiny_store, 12)

    async def started_and_ended(seconds: float) -> None:
        with tiny_store.session() as session:
            if jobs.get(session, ids[11]).state is JobState.QUEUED:
                jobs.claim(session, ids[11], "worker")  # pushes ids[7] out of a list of eight
            else:
                jobs.set_state(session, ids[11], JobState.DONE)

    monkeypatch.setattr("app.web.pages.jobs.asyncio.sleep", started_and_ended)
    [address] = re.findall(r'hx-sse:connect="([^"]+)"', client.get("/").text)
    stream = client.get(address.replace("&amp;", "&")).text
    first, second, end = stream.strip().split("\n\n")
    assert listed(first) == ids[:8] and 'href="/jobs">4 more waiting<' in first
    assert listed(second) == [ids[11], *ids[:7]]
    assert "close" in end


def test_older_ended_jobs_have_an_address(client: TestClient, tiny_store: Store):
    ids = queued(tiny_store, 54)
    with tiny_store.session() as session:
        for id in ids:
            jobs.set_state(session, id, JobState.DONE)
    newest = client.get("/jobs").text
    assert listed(newest) == ids[:3:-1]
    assert "50 of 55" in newest
    [older] = [a["href"] for a in read(newest).find("a", rel="next")]
    assert "before=" in older
    oldest = client.get(older).text
    assert listed(oldest) == [*ids[3::-1], "job-collect"]
    assert not read(oldest).find("a", rel="next")
    assert client.get("/jobs?before=nothing").status_code == 422


def test_the_list_s_stream_ends_when_nothing_runs(client: TestClient):
    assert "event: close" in client.get("/jobs/events").text
