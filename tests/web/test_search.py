"""The search page and its API: the same answers, all of it in the address, and nothing typed that breaks either."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.domain.explanations import Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.domain.puzzles import OWN_SET
from app.exchange.puzzles import add_built_in
from app.main import create_app
from app.settings import Settings
from app.store import Store, explanations, models
from app.web.search_asked import Asked
from app.web.search_run import which_model
from tests import factories
from tests.web import markup
from tests.web.api import API, get, message
from tests.web.conftest import BASE

SEARCH = f"{API}/search"
MEASURE = "heldout-full.top-and-random.correlation"


def say(store: Store, index: int, text: str) -> int:
    with store.session() as s:
        made = Provenance(method="summary", explainer="someone / model")
        ref = NeuronRef(factories.SLUG, "0-mlp", index)
        return explanations.add(s, ref, text, Polarity.POSITIVE, made, State.OK, "", None, text)


def shown(client: TestClient, **params: Any) -> list[str]:
    """The neurons of the page, by address."""
    page = markup.read(client.get("/search", params=params).text)
    return [e["href"] for e in page.find("a", "at")]


def test_the_page_without_a_question_shows_every_neuron(client: TestClient) -> None:
    answer = client.get("/search")
    assert answer.status_code == 200
    page = markup.read(answer.text)
    assert "64 neurons" in page.one("p", "summed").text
    assert shown(client)[0] == "/m/tiny-random/0-mlp/0" and len(shown(client)) == 25
    assert page.one("a", rel="next")["href"].startswith("/search?cursor=")


@pytest.mark.parametrize(
    "params",
    [
        {"q": "words"},
        {"q": "that end -positive"},
        {"token": " koba"},
        {"token": "#44", "order": "up"},
        {"layers": "0", "sort": "kurtosis"},
        {"layers": "1-mlp", "min": "0.8", "measure": MEASURE, "sort": "score"},
        {"density_min": "0.05", "density_max": ".2", "kurtosis_min": "4", "sort": "gain"},
        {"has": "explanation", "lacks": "highlight"},
        {"method": "token_lookup", "polarity": "positive", "sort": "variance", "order": "down"},
        {"explainer": "scripted / test-model"},
        {"q": "nothing that anybody said"},
    ],
)
def test_the_api_has_what_the_page_has(client: TestClient, params: dict[str, str]) -> None:
    page = markup.read(client.get("/search", params=params).text)
    answer = get(client, SEARCH, **params)
    items = answer["items"][:25]
    assert [e["href"] for e in page.find("a", "at")] == [
        f"/m/{i['model']}/{i['layer']}/{i['index']}" for i in items
    ]
    assert f"{answer['total']} neuron" in page.one("p", "summed").text
    [link] = [e["href"] for e in page.find("a") if e.text == "JSON"]
    assert client.get(link).json()["items"] == answer["items"]
    said = [e.text for e in page.find("a", "said")]
    assert len(said) == len([i for i in items if i["said"]])
    marks = [e.text for e in page.find("mark")]
    assert marks == [i["said"]["text"][a:b] for i in items if i["said"] for a, b in i["said"]["matches"]]


def test_pages_join_without_gap_or_repeat(client: TestClient) -> None:
    seen, address = [], "/search?sort=density"
    while True:
        page = markup.read(client.get(address).text)
        seen += [e["href"] for e in page.find("a", "at")]
        following = page.find("a", rel="next")
        if not following:
            break
        address = following[0]["href"]
    assert len(seen) == len(set(seen)) == 64
    seen_by_api, cursor = [], ""
    while cursor is not None:
        answer = get(client, SEARCH, sort="density", limit=9, cursor=cursor)
        seen_by_api += [f"/m/{i['model']}/{i['layer']}/{i['index']}" for i in answer["items"]]
        cursor = answer["next"]
    assert seen_by_api == seen
    before = markup.read(client.get(address).text).one("a", rel="prev")["href"]
    assert [e["href"] for e in markup.read(client.get(before).text).find("a", "at")] == seen[25:50]


def test_matches_are_marked_and_everything_is_escaped(client: TestClient, tiny_store: Store) -> None:
    say(tiny_store, 3, '<script>alert("storm")</script> & <b>Storms</b> \u202egnol \0')
    answer = client.get("/search", params={"q": ["storm*", "<script>", '"><img', "src=x>"][0]})
    page = markup.read(answer.text)
    assert [e.text for e in page.find("mark")] == ["storm", "Storms"]
    assert "<script>alert" not in answer.text and "&lt;b&gt;<mark>Storms</mark>&lt;/b&gt;" in answer.text
    assert "\u202e" not in answer.text and "\0" not in answer.text
    hostile = client.get(
        "/search", params={"q": '"><img src=x onerror=alert(1)>', "token": "<script>", "explainer": "'\"><b>"}
    )
    markup.read(hostile.text)
    assert "<img src=x" not in hostile.text and '<script>"' not in hostile.text


def test_an_explanation_is_led_to(client: TestClient, tiny_store: Store) -> None:
    id_ = say(tiny_store, 3, "thunder and storms")
    page = markup.read(client.get("/search?q=storms").text)
    assert page.one("a", "said")["href"] == f"/m/tiny-random/0-mlp/3#explanation-{id_}"
    assert "best-scoring matching explanation first" in page.one("p", "summed").text
    assert "not scored" in page.find("li")[1].text


def test_empty_fields_of_a_form_leave_the_address(client: TestClient) -> None:
    answer = client.get(f"/search?q=words&token=&layers=&min=&max=&sort=score&measure={MEASURE}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/search?q=words&sort=score")
    live = client.get("/search?q=words&token=&layers=", headers={"hx-request": "true"})
    assert (live.status_code, live.headers["hx-push-url"]) == (200, "/search?q=words")


def test_the_form_says_what_was_asked(client: TestClient) -> None:
    page = markup.read(
        client.get(
            f'/search?q="the+store"&token=+koba&layers=0-1&min=0.2&method=summary&sort=gain&measure={MEASURE}'
        ).text
    )
    form = page.one("form", "search")
    values = {e["name"]: e["value"] for e in form.inside if e.tag == "input" and "name" in e.attributes}
    assert values["q"] == '"the store"' and values["token"] == " koba"
    assert (values["layers"], values["min"], values["sort"]) == ("0-1", "0.2", "gain")
    chosen = [e["value"] for e in form.inside if e.tag == "option" and "selected" in e.attributes]
    assert "summary" in chosen and MEASURE in chosen
    said = page.one("summary").text
    assert "layers 0-1" in said and "score 0.2 to …" in said and "summary" in said


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"q": "-storms"}, "wanted"),
        ({"q": '- * ""'}, "no word"),
        ({"q": "🤖"}, "no word"),
        ({"q": "s*"}, "2 letters"),
        ({"q": "x" * 10_000}, "1,000 characters"),
        ({"q": "w " * 5_000}, "1,000 characters"),
        ({"layers": "7"}, "0-mlp to 1-mlp"),
        ({"layers": "1-0"}, "no layer"),
        ({"layers": "one"}, "ordinals"),
        ({"min": "much"}, "0.3"),
        ({"min": "nan"}, "number"),
        ({"min": "9" * 5000}, "number"),
        ({"min": "1", "max": "0"}, "smaller"),
        ({"density_min": "1e999"}, "density"),
        ({"density_max": "5"}, "from 0 to 1"),
        ({"polarity": "both"}, "positive, negative"),
        ({"sort": "beauty"}, "kurtosis"),
        ({"sort": "relevance"}, "by meaning"),
        ({"sort": "token"}, "name one"),
        ({"order": "sideways"}, "up or down"),
        ({"mode": "magic"}, "meaning"),
        ({"measure": "best"}, "protocol.sample.metric"),
        ({"cursor": "junk"}, "out of date"),
        ({"best": "yes"}, "1 or nothing"),
        ({"max": "<"}, "number"),
        ({"max": "<low"}, "number"),
        ({"min": "0.5", "max": "<0.5"}, "smaller"),
        ({"token": "x" * 300}, "200 characters"),
    ],
)
def test_what_cannot_be_asked_says_why_on_the_page_and_in_the_api(
    client: TestClient, params: dict[str, str], says: str
) -> None:
    assert says in message(client, SEARCH, 422, **params)
    answer = client.get("/search", params=params)
    assert answer.status_code == 422
    page = markup.read(answer.text)
    assert says in page.one("p", role="alert").text
    assert page.one("form", "search")  # and can be asked otherwise at once


def test_what_is_not_there_is_404(client: TestClient) -> None:
    assert "tiny-random" in message(client, SEARCH, 404, model="nobody")
    assert client.get("/search?model=nobody").status_code == 404
    for word in ("3", "mine", "9" * 400, "'; --", "🤖"):
        assert "no list" in message(client, SEARCH, 404, list=word)
        assert client.get("/search", params={"list": word}).status_code == 404


@given(st.dictionaries(st.sampled_from(["q", "token", "layers", "min", "max", "method", "sort", "order", "cursor", "has", "list", "measure", "mode", "density_max"]),
                       st.text(max_size=30) | st.sampled_from(["score", "down", "0-1", "words", "0.5", "SELECT 1; --", "%", "'", "\0"]), max_size=4))  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_breaks_the_page(client: TestClient, params: dict[str, str]) -> None:
    kept = {name: value for name, value in params.items() if value}
    page = client.get("/search", params=kept)
    assert page.status_code in (200, 404, 422), page.text
    markup.read(page.text)
    assert client.get(SEARCH, params=kept).status_code == page.status_code


def test_nothing_found_says_what_else_to_try(client: TestClient) -> None:
    page = markup.read(client.get("/search?q=koba&layers=0").text)
    assert "0 neurons" in page.one("p", "summed").text
    ways = [e["href"] for e in page.one("ul", "ways").inside if e.tag == "a"]
    assert "/search?q=koba" in ways
    [token] = [way for way in ways if "token=" in way]
    assert shown(client, token=parse_qs(urlsplit(token).query)["token"][0])
    nothing = markup.read(client.get("/search?token=no+such+token").text)
    assert "No token of this model" in nothing.one("div", id="results").text


def test_tokens_lead_to_the_neurons_that_fire_on_them(client: TestClient) -> None:
    page = markup.read(client.get("/m/tiny-random/1-mlp/11").text)
    links = [e["href"] for e in page.find("a", "tok")]
    assert links and all(link.startswith("/search?model=tiny-random&token=%23") for link in links)
    found = markup.read(client.get(links[0]).text)
    assert "/m/tiny-random/1-mlp/11" in [e["href"] for e in found.find("a", "at")]
    again = [e["href"] for e in found.find("a", "tok")]
    assert links[0] in again
    chip = found.one("div", "meant")
    assert chip.inside


def test_choices_of_a_typed_token_are_links(client: TestClient) -> None:
    page = markup.read(client.get("/search?token=koba").text)
    [choice] = [e for e in page.one("div", "meant").inside if e.tag == "a"]
    assert choice["aria-current"] == "true" and "koba" in choice.text
    assert get(client, SEARCH, token="koba")["token_choices"][0]["text"] == " koba"


def test_an_empty_store_says_what_to_do(tmp_path: Any) -> None:
    app = create_app(Settings(data_dir=tmp_path), store=Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}"))
    with TestClient(app, base_url=BASE) as client:
        page = markup.read(client.get("/search").text)
        assert "collection has to end first" in page.one("p", role="alert").text
        assert client.get(SEARCH).status_code == 404


def test_a_sort_by_what_nobody_has_says_so(client: TestClient, tiny_store: Store) -> None:
    said = "None of these has a value of “score − token lookup” by this score"
    say(tiny_store, 5, "boats that sail")
    assert said in client.get("/search", params={"sort": "gain", "q": "boats"}).text
    assert "None of these" not in client.get("/search", params={"sort": "gain"}).text
    assert "None of these" not in client.get("/search", params={"sort": "kurtosis", "q": "boats"}).text


def test_without_a_model_a_real_one_is_searched_and_no_set_of_puzzles(sqlite_store: Store) -> None:
    """“Neuron puzzles” comes before “Tiny-Random” by name."""
    factories.fill(sqlite_store)
    add_built_in(sqlite_store)
    with sqlite_store.session() as session:
        assert [model.slug for model in models.models(session)] == [factories.SLUG, OWN_SET]
        assert which_model(session, Asked()) == factories.SLUG
