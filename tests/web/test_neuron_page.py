"""The neuron page: everything is there by its address alone, nothing that a token or a text holds comes alive."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Kind, Split
from app.main import create_app
from app.settings import Settings
from app.store import Store, neurons
from app.store.excerpts import ExcerptCache
from app.store.explanation_rows import ScoreRow
from app.web.explanation_items import shown
from app.web.neuron_view import Show
from tests.factories import Tiny
from tests.web.markup import read

LAYER = "/m/tiny-random/0-mlp"


def path(ref) -> str:
    return f"/m/{ref.model}/{ref.layer}/{ref.index}"


@pytest.mark.parametrize("show", [s for s in Show if s not in (Show.COMPARE, Show.VALUES)])
@pytest.mark.parametrize("extra", ["", "&scale=own&context=whole&breaks=1&duplicates=1&more=1", "&context=8"])
def test_every_view_is_sound(client: TestClient, tiny: Tiny, show, extra):
    answer = client.get(f"{path(tiny.explained)}?show={show}{extra}")
    assert answer.status_code == 200
    page = read(answer.text)
    assert page.find("div", cls="txt")
    current = [e for e in page.one("nav", cls="tabs").inside if "aria-current" in e.attributes]
    assert len(current) == 1


def test_every_kept_value_reaches_the_page_exactly(client: TestClient, tiny: Tiny, tiny_store: Store):
    excerpts = ExcerptCache.get(tiny_store, tiny.slug)
    with tiny_store.session() as session:
        records = neurons.records(session, excerpts, tiny.plain)
    kept = {np.asarray(row, ">f2").tobytes().hex() for row in records.activations}
    page = read(client.get(f"{path(tiny.plain)}?show=all&more=1&duplicates=1").text)
    assert {e["data-v"] for e in page.find("div", cls="txt")} == kept
    for excerpt in page.find("div", cls="txt"):
        marked = [i for i, t in enumerate(e for e in excerpt.inside if e.tag == "bdi") if "pk" in t.classes]
        values = np.frombuffer(bytes.fromhex(excerpt["data-v"]), ">f2")
        at = marked[0] + int(excerpt["data-o"])
        assert len(marked) == 1
        assert values[at] in (values.max(), values.min())


def test_an_excerpt_lists_its_values_without_a_script(client: TestClient, tiny: Tiny):
    page = read(client.get(path(tiny.plain)).text)
    link = next(
        e for e in page.one("section", id="exemplars").inside if "show=values" in e.attributes.get("href", "")
    )
    listed = read(client.get(link["href"]).text)
    rows = [e for e in listed.one("table", cls="values").inside if e.tag == "tr"]
    assert len(rows) == 1 + 64


def test_neighbours_keep_the_way_of_looking(client: TestClient):
    page = read(client.get(f"{LAYER}/3?show=random&scale=own").text)
    assert page.one("a", rel="prev")["href"] == f"{LAYER}/2?show=random&scale=own"
    assert page.one("a", rel="next")["href"] == f"{LAYER}/4?show=random&scale=own"
    assert page.one("a", data_key="Shift+ArrowDown")["href"] == "/m/tiny-random/1-mlp/3?show=random&scale=own"
    assert not page.find("a", data_key="Shift+ArrowUp")
    assert not read(client.get(f"{LAYER}/0").text).find("a", rel="prev")
    assert not read(client.get(f"{LAYER}/31").text).find("a", rel="next")


def test_the_links_of_a_page_lead_somewhere(client: TestClient, tiny: Tiny):
    page = read(client.get(path(tiny.explained)).text)
    links = {
        urlsplit(e["href"])._replace(fragment="").geturl() for e in page.find("a") if "href" in e.attributes
    }
    for link in sorted(links - {""}):
        assert client.get(link).status_code in (200, 303, 307), link


def test_explanations_come_best_first_with_score_interval_and_provenance(client: TestClient, tiny: Tiny):
    page = read(client.get(path(tiny.explained)).text)
    items = page.find("article", cls="ex")
    assert len(items) >= 3
    scores = [
        float(e.text.replace("−", "-"))
        for item in items
        for e in item.inside
        if e.tag == "b" and not e.classes
    ]
    defined = [s for s in scores if -1 <= s <= 1]
    assert defined[0] == max(defined[: len(defined)])
    assert [("best" in item.classes) for item in items] == [True] + [False] * (len(items) - 1)
    mine = page.one("article", id=f"explanation-{tiny.explanation}")
    assert any("95 % interval" in e.attributes.get("aria-label", "") for e in mine.inside)
    negative = page.one("article", id=f"explanation-{tiny.negative}")
    assert "negative side" in negative.text


def test_failed_explanations_are_states_with_their_reason(client: TestClient, tiny: Tiny):
    page = read(client.get(path(tiny.failed)).text)
    failed = page.one("article", id=f"explanation-{tiny.failed_explanation}")
    assert "bad" in failed.classes
    assert any("failed" in e.classes and e.text.strip() for e in failed.inside)
    assert not re.search(r"\b0\.\d", "".join(e.text for e in failed.inside if "score" in e.classes))


def test_nothing_hides_in_an_explanation(client: TestClient, tiny: Tiny):
    for where in (path(tiny.failed), path(tiny.explained)):
        text = client.get(where).text
        assert not set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\0"), where
        assert "<em>ko" not in text


def test_actual_against_simulated(client: TestClient, tiny: Tiny):
    answer = client.get(f"{path(tiny.explained)}?show=compare&explanation={tiny.explanation}")
    page = read(answer.text)
    actual, simulated = page.find("li", cls="actual"), page.find("li", cls="simulated")
    assert len(actual) == len(simulated) > 0
    lookup = next(
        e["href"]
        for e in read(client.get(path(tiny.plain)).text).find("a")
        if "show=compare" in e.attributes.get("href", "")
    )
    assert read(client.get(lookup).text).find("li", cls="simulated")


def test_each_explanation_has_a_page_with_the_exact_prompt(client: TestClient, tiny: Tiny):
    answer = client.get(f"/explanations/{tiny.explanation}")
    page = read(answer.text)
    prompt = [e for e in page.find("div", cls="prompt")]
    assert prompt
    assert prompt[0].text.strip()
    assert page.find("table")
    assert client.get("/explanations/999999").status_code == 404
    failed = read(client.get(f"/explanations/{tiny.failed_explanation}").text)
    assert failed.find("p", cls="failed")
    undefined = read(client.get(f"/explanations/{tiny.failed_explanation + 1}").text)
    assert "could not be computed. The simulator answered 63 values" in undefined.one("td", colspan="2").text


@pytest.mark.parametrize("method", ["original", "summary", "highlight", "hs", "avhs"])
@pytest.mark.parametrize("polarity", ["positive", "negative"])
def test_the_dry_run_shows_prompt_tokens_and_price(client: TestClient, tiny: Tiny, method, polarity):
    query = f"?method={method}&polarity={polarity}&explainer=paid"
    page = read(client.get(f"{path(tiny.plain)}/preview{query}").text)
    assert "$" in page.one("p", cls="price").text
    assert "tokens to paid (big)" in page.one("p", cls="price").text
    assert page.find("pre")
    fragment = client.get(f"{path(tiny.plain)}/preview{query}", headers={"hx-request": "true"})
    assert "<html" not in fragment.text
    assert "free" in client.get(f"{path(tiny.plain)}/preview?method={method}&explainer=local").text


def test_the_dry_run_without_a_model_says_so(client: TestClient, tiny: Tiny):
    assert "no language model called" in client.get(f"{path(tiny.plain)}/preview?explainer=none").text
    assert "no language model is asked" in client.get(f"{path(tiny.plain)}/preview?method=token_lookup").text


def test_the_dry_run_says_what_the_score_takes(client: TestClient, tiny: Tiny):
    def said(query: str) -> str:
        return client.get(f"{path(tiny.plain)}/preview?method=summary&explainer=paid&{query}").text

    assert "score" not in said("simulator=")
    assert "scoring asks no language model" in said("simulator=local")
    few, all_ = (said(f"simulator=chat_json&endpoint=paid&protocol={p}") for p in ("", "heldout-full"))
    calls = [int(re.search(r"(\d+) calls, about", text)[1]) for text in (few, all_)]
    assert 10 <= calls[0] <= calls[1]
    assert re.search(r"<b>\$\d+\.\d+</b> <small>at most for the score", all_)
    assert "no language model called “none”" in said("simulator=chat_json&endpoint=none")
    again = f"{path(tiny.explained)}/score/preview?explanation={tiny.explanation}"
    assert "scoring asks no language model" in client.get(f"{again}&simulator=local").text
    assert "calls, about" in client.get(f"{again}&simulator=one_at_a_time&endpoint=paid").text
    assert client.get(f"{again}&simulator=guess").status_code == 404


FORM = {
    "method": "summary",
    "explainer": "local",
    "simulator": "local",
    "protocol": "heldout-full",
    "seed": "7",
}


def test_scoring_by_a_language_model_asks_for_few_calls_unless_told(client: TestClient, tiny: Tiny):
    from app.store import jobs

    def protocol_of_job(**form: str) -> str:
        sent = {name: value for name, value in {**FORM, "protocol": "", **form}.items()}
        job = client.post(f"{path(tiny.plain)}/explain", data=sent).headers["location"]
        with client.app.state.jobs.store.session() as session:
            row = jobs.get(session, job.partition("job=")[2].partition("&")[0].partition("#")[0])
        return json.loads(row.parameters_json)["score"]["protocol"]

    assert protocol_of_job() == "heldout-full"
    assert protocol_of_job(simulator="chat_json", endpoint="local") == "heldout-5+5"
    assert protocol_of_job(simulator="chat_json", endpoint="local", protocol="heldout-full") == "heldout-full"
    for form in ("explain-again", "score-again"):
        select = read(client.get(path(tiny.plain)).text).one("form", id=form)
        usual = next(e for e in select.inside if e.tag == "option" and "5 + 5 with a language" in e.text)
        assert usual["value"] == ""
        assert "selected" in usual.attributes


def test_without_a_language_model_the_page_says_how_to_get_one(tiny_store: Store, tiny: Tiny, tmp_path):
    app = create_app(Settings(data_dir=tmp_path), store=tiny_store)
    form = read(TestClient(app, base_url="http://127.0.0.1:8000").get(path(tiny.plain)).text).one(
        "form", id="explain-again"
    )
    assert "[[endpoints]]" in form.text
    assert {e["name"] for e in form.inside if e.tag == "select"}.isdisjoint({"explainer", "cut_off"})


def test_strongest_says_how_many_of_which_text(client: TestClient, tiny: Tiny, tiny_store: Store):
    excerpts = ExcerptCache.get(tiny_store, tiny.slug)
    with tiny_store.session() as session:
        records = neurons.records(session, excerpts, tiny.plain)
    tops = records.splits[records.kinds == int(Kind.TOP)]
    wanted = ", ".join(
        f"{(tops == split).sum()} {words}"
        for split, words in ((Split.EXPLAIN, "explain"), (Split.DEV, "dev"), (Split.SCORE, "held out"))
    )
    assert f"top {wanted}" in client.get(path(tiny.plain)).text


def test_an_attempt_that_came_to_nothing_is_not_hidden_by_an_older_score():
    def row(id: int, simulator: str, state: State, value: float | None) -> ScoreRow:
        made = ScoreValue(
            Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, state, value, n_records=18
        )
        return ScoreRow(id, 1, id, simulator, "", 0, made, f"score-{id}", datetime.now(UTC))

    old = row(1, "local", State.OK, 0.41)
    new = row(2, "chat_json", State.CONSTANT_PREDICTION, None)
    score, of = shown([old, new], Protocol.HELDOUT_FULL)
    assert (score.value, of) == (0.41, old)
    assert score.also == "newest, by chat json: undefined: the prediction is the same everywhere"
    newer = row(3, "chat_json", State.OK, 0.2)
    assert shown([old, new, newer], Protocol.HELDOUT_FULL)[0][:1] == (0.2,)
    assert shown([old, new, newer], Protocol.HELDOUT_FULL)[0].also == ""


def test_explaining_starts_a_job_and_comes_back_to_the_page(client: TestClient, tiny: Tiny):
    here = path(tiny.plain)
    answer = client.post(f"{here}/explain", data=FORM)
    assert answer.status_code == 303
    target = urlsplit(answer.headers["location"])
    assert target.path == here
    page = read(client.get(answer.headers["location"]).text)
    live = page.one("section", cls="live")
    job = live["hx-sse:connect"].rsplit("/", 1)[1]
    assert "waiting for a worker" in live.text
    kept = client.app.state.jobs  # the request is kept as asked
    with kept.store.session() as session:
        from app.store import jobs

        parameters = json.loads(jobs.get(session, job).parameters_json)
    assert parameters["explain"]["seed"] == 7
    assert parameters["score"]["simulator"] == "local"


def test_with_htmx_the_panel_comes_in_place(client: TestClient, tiny: Tiny):
    answer = client.post(f"{path(tiny.plain)}/explain", data=FORM, headers={"hx-request": "true"})
    assert answer.status_code == 200
    assert read(answer.text).one("section", cls="live")["hx-sse:close"] == "close"


def test_the_stream_brings_the_end_with_the_new_list_and_closes(client: TestClient, tiny: Tiny):
    here = path(tiny.plain)
    job = client.post(f"{here}/explain", data=FORM).headers["location"].partition("job=")[2].partition("#")[0]
    assert client.post(f"{here}/jobs/{job}/cancel", headers={"hx-request": "true"}).status_code == 204
    assert client.post(f"{here}/jobs/{job}/cancel").headers["location"] == f"{here}?job={job}#live"
    answer = client.get(f"{here}/live/{job}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "Cancelled" in answer.text
    assert f'hx-get="{here}/live/{job}/result"' in answer.text
    now = {"hx-request": "true", "hx-current-url": f"http://127.0.0.1:8000{here}?show=random&job=older"}
    result = client.get(f"{here}/live/{job}/result", headers=now)
    assert result.headers["location"] == f"{here}?show=random&job={job}"
    assert "event: close" in answer.text
    again = client.post(f"{here}/jobs/{job}/retry")
    assert again.status_code == 303
    assert again.headers["location"].startswith(f"{here}?job=")
    assert job not in again.headers["location"]
    unknown = client.get(f"{here}/live/nothing")
    assert "failed" in unknown.text
    assert "event: close" in unknown.text


def test_scoring_again(client: TestClient, tiny: Tiny):
    form = {"explanation": str(tiny.explanation), "simulator": "chat_json", "endpoint": "local"}
    assert client.post(f"{path(tiny.explained)}/score", data=form).status_code == 303
    assert (
        client.post(f"/explanations/{tiny.explanation}/score", data={"simulator": "local"}).status_code == 303
    )
    assert client.post(f"{path(tiny.plain)}/score", data=form).status_code == 404
    assert (
        client.post(f"/explanations/{tiny.explanation}/score", data={"simulator": "guess"}).status_code == 404
    )


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"method": "magic"}, 422),
        ({"seed": "-1"}, 422),
        ({"seed": str(2**31)}, 422),
        ({"explainer": "none"}, 404),
        ({"protocol": "mean"}, 422),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_place(client: TestClient, tiny: Tiny, change, status):
    answer = client.post(
        f"{path(tiny.plain)}/explain", data={**FORM, **change}, headers={"hx-request": "true"}
    )
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
