"""What was tried on the way to an explanation: on its page, in the API, and in the dry run before it."""

import json

import pytest
from starlette.testclient import TestClient

from app.domain.explanations import Method, State, Step
from app.domain.neurons import NeuronRef, Polarity
from app.store import Store, explanations, neurons
from app.store.excerpts import ExcerptCache
from app.web.formats import shown as made_visible
from app.web.step_views import tried
from tests.factories import Tiny, provenance
from tests.web.api import API, NEURONS, get
from tests.web.markup import read

PREVIEW = f"{NEURONS}/3/preview"


def candidate(text: str | None, value: float | None, *, kept: bool = False) -> Step:
    dev = {
        "state": "ok" if value is not None else "constant_prediction",
        "value": value,
        "reason": "" if value is not None else "The simulation predicts the same value everywhere.",
        "records": 10,
        "simulator": "chat_json",
        "simulator_model": "gpt / 4",
    }
    reason = "" if text is not None else "the model refused to answer"
    data = {"text": text, "reason": reason, "seed": 0, "temperature": 1.0, "kept": kept}
    return Step("candidate", json.dumps({**data, "dev": None if text is None else dev}))


STEPS = [
    candidate("words about <b>rain</b>", 0.25),
    candidate(None, None),
    candidate("words about the sea", 0.5, kept=True),
    candidate("anything", None),
]


@pytest.fixture
def explained(tiny_store: Store, tiny: Tiny) -> int:
    table = ExcerptCache.get(tiny_store, tiny.slug)
    ref = NeuronRef(tiny.slug, "0-mlp", 3)
    with tiny_store.session() as s:
        made = provenance(neurons.records(s, table, ref), method=Method.SUMMARY)
        return explanations.add(
            s, ref, "words about the sea", Polarity.POSITIVE, made, State.OK, "", None, "best", steps=STEPS
        )


def test_candidates_are_a_table_with_the_failed_ones(client: TestClient, explained: int):
    html = client.get(f"/explanations/{explained}").text
    page = read(html)
    assert "<b>rain</b>" not in html
    [table] = [e for e in page.find("table") if "correlation on dev" in e.text]
    rows = [
        [cell.text for cell in row.inside if cell.tag == "td"] for row in table.inside if row.tag == "tr"
    ][1:]
    assert rows[0] == ["1", "words about <b>rain</b>", "0.250", "chat json by gpt / 4"]
    assert rows[1] == ["2", "No statement: the model refused to answer", "–", ""]
    assert rows[2][:3] == ["3, kept", "words about the sea", "0.500"]
    assert rows[3][2].startswith("undefined: the prediction is the same everywhere")
    assert "10 dev records, none of which is scored on" in page.one("article").text


def test_the_api_has_every_step(client: TestClient, explained: int):
    steps = get(client, f"{API}/explanations/{explained}")["steps"]
    assert [step["kind"] for step in steps] == ["candidate"] * 4
    assert [step["data"] for step in steps] == [json.loads(step.data_json) for step in STEPS]


def test_an_explanation_without_steps_has_no_such_section(client: TestClient, tiny: Tiny):
    assert "What was tried" not in client.get(f"/explanations/{tiny.explanation}").text


def test_a_kind_without_a_view_is_shown_as_it_is_stored():
    [table] = tried([Step("strange", '{"a": "<x>"}'), Step("strange", '{"a": 2}')])
    assert (table.title, [row[1].text for row in table.rows]) == ("Strange", ['{"a": "<x>"}', '{"a": 2}'])


def test_where_no_score_is_defined_it_says_why_the_first_is_kept():
    [table] = tried([candidate("a", None, kept=True), candidate("b", None)])
    assert "so that the first is kept" in table.note


@pytest.mark.parametrize("simulator", ["chat_json", "local"])
def test_the_dry_run_prices_all_candidates_and_the_choice(client: TestClient, simulator: str):
    asks = {"endpoint": "paid"} if simulator == "chat_json" else {}
    query = {"explainer": "paid", "simulator": simulator, **asks}
    one, five = get(client, PREVIEW, **query), get(client, PREVIEW, candidates=5, **query)
    assert five["explaining"]["price_usd"] == pytest.approx(5 * one["explaining"]["price_usd"])
    assert (one["explaining"]["candidates"], five["explaining"]["candidates"]) == (1, 5)
    assert one["choosing"] is None
    page = client.get("/m/tiny-random/0-mlp/3/preview", params={**query, "candidates": 5}).text
    assert "for each of 5 candidates" in page and "to choose the best on dev records" in page
    if simulator == "local":
        assert five["choosing"] is None and "no language model is asked to choose" in page
    else:
        assert five["choosing"]["calls"] % 5 == 0 and f"{five['choosing']['calls']} calls" in page


def test_the_dry_run_shows_what_is_chosen_to_be_shown(client: TestClient):
    usual = get(client, PREVIEW, explainer="paid")["explaining"]["messages"][-1]["content"]
    chosen = {"shown_band": "mixed", "shown_excerpts": 3, "shown_tokens": 8}
    short = get(client, PREVIEW, explainer="paid", **chosen)["explaining"]["messages"][-1]["content"]
    assert short.count("Excerpt ") == 3 < usual.count("Excerpt ")
    page = read(client.get("/m/tiny-random/0-mlp/3/preview", params={"explainer": "paid", **chosen}).text)
    assert page.find("pre")[-1].text == made_visible(short)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"shown_band": "q2", "polarity": "negative"}, "choose top, random or mixed"),
        ({"method": "token_lookup", "candidates": 3}, "one statement only"),
        ({"method": "token_linear", "polarity": "negative"}, "both signs at once"),
        ({"method": "output_tokens", "shown_band": "random"}, "shows no excerpts"),
        ({"method": "summary", "token_source": "weight"}, "only token_space does"),
    ],
)
def test_what_does_not_go_together_is_said_by_page_and_api_before_any_run(
    client: TestClient, asked: dict[str, object], words: str
):
    asked = {"explainer": "paid", "method": "summary", **asked}
    assert words in client.get("/m/tiny-random/0-mlp/3/preview", params=asked).text
    answer = client.get(PREVIEW, params=asked)
    assert answer.status_code == 422 and words in answer.json()["error"]["message"]
    posted = client.post(f"{NEURONS}/3/explanations", json=asked)
    assert posted.status_code == 422 and words in posted.json()["error"]["message"]


def test_the_form_asks_for_what_it_shows(client: TestClient):
    form = {
        "method": "hs", "explainer": "paid", "simulator": "", "candidates": "3", "shown_band": "random",
        "shown_excerpts": "7", "shown_tokens": "32",
    }  # fmt: skip
    answer = client.post(
        "/m/tiny-random/0-mlp/3/explain", data=form, headers={"origin": "http://127.0.0.1:8000"}
    )
    assert answer.status_code == 303
    [job] = get(client, f"{API}/jobs")["items"][:1]
    asked = json.loads(job["parameters_json"])["explain"]
    assert asked["candidates"] == 3
    assert asked["shown"] == {"band": "random", "excerpts": 7, "tokens": 32}


@pytest.mark.parametrize(("method", "source"), [("output_tokens", "activation"), ("token_space", "weight")])
def test_what_only_the_model_knows_is_not_made_up_in_the_dry_run(
    client: TestClient, method: str, source: str
):
    query = {"method": method, "token_source": source, "explainer": "paid"}
    seen = get(client, PREVIEW, **query)["explaining"]
    assert "50 tokens, read from the model's weights" in seen["messages"][-1]["content"] and not seen["exact"]
    page = client.get("/m/tiny-random/0-mlp/3/preview", params=query).text
    assert "The prompt, without its tokens" in page and "--dry-run" in page


@pytest.mark.parametrize("method", ["token_space", "next_token"])
def test_the_exact_prompt_of_a_method_from_records_is_shown(client: TestClient, method: str):
    seen = get(client, PREVIEW, method=method, explainer="paid")["explaining"]
    page = read(
        client.get("/m/tiny-random/0-mlp/3/preview", params={"method": method, "explainer": "paid"}).text
    )
    assert page.find("pre")[-1].text == made_visible(seen["messages"][-1]["content"])
    assert "The exact prompt" in page.one("details").text


def test_methods_are_listed_by_what_they_work_from(client: TestClient):
    page = read(client.get("/m/tiny-random/0-mlp/3").text)
    menu = page.one("select", data_key="e")
    groups = {e["label"]: [o["value"] for o in e.inside] for e in menu.inside if e.tag == "optgroup"}
    assert groups == {
        "Shows excerpts to a language model": [
            "summary",
            "highlight",
            "hs",
            "avhs",
            "original",
            "next_token",
        ],
        "Shows tokens alone to a language model": ["token_space", "output_tokens"],
        "No language model": ["token_lookup", "token_linear"],
    }
