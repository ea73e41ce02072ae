"""Experiments on pages and over the API: made, looked at, stopped, without a worker."""

import json

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.domain import experiment_files
from app.domain.definition_files import FileKind
from app.domain.experiments import Rule, SampleRule
from app.store import Store, experiment_ends, experiment_units, experiments
from app.store.experiment_rows import Ended, ExperimentState, UnitState
from tests import factories
from tests.jobs.experiment_world import PLAN
from tests.web.api import API, get
from tests.web.markup import read

FORM = {
    "name": "Which <b>format</b>?",
    "question": "Is shorter better?",
    "models": factories.SLUG,
    "rule": "random",
    "n": "2",
    "methods": ["summary", "original"],
    "explainers": "local",
    "simulators": ["chat_json@paid", "local"],
    "protocols": "heldout-5+5",
    "band": "top",
    "excerpts": "5",
    "tokens": "64",
    "candidates": "1",
    "seeds": "0 1",
    "against": "original",
    "margin": "0.02",
    "budget_usd": "3",
    "attempts": "2",
}


def definition_in(page: str) -> str:
    [area] = read(page).find("textarea")
    return area.text.lstrip("\n")


def test_the_form_becomes_a_definition_with_what_it_would_take(client: TestClient) -> None:
    assert "New experiment" in client.get("/lab").text
    form = client.get("/experiments/new")
    assert form.status_code == 200 and "tiny-random" in form.text
    looked = client.post("/experiments/new", data=FORM)
    assert looked.status_code == 200, looked.text
    made = experiment_files.read(definition_in(looked.text), FileKind.TOML)
    assert made.name == FORM["name"] and made.seeds == (0, 1) and made.margin == 0.02
    assert [tuple(pair) for pair in made.contrasts] == [("summary", "original")]
    assert "nothing has been sent" in looked.text and "<b>format" not in looked.text
    assert "may not be enough" in looked.text or "at most" in looked.text
    api = client.post(f"{API}/experiments/dry-run", json={"definition": definition_in(looked.text)}).json()
    assert api["neurons"] == 4 and api["units"] == 4 * 2 * 2 * 3
    assert api["total"]["most_usd"] > 0 and api["seconds"] is None  # nobody has asked these endpoints yet
    assert [arm["arm"] for arm in api["arms"]] == ["summary", "original"]

    methods = {"methods": ["summary", "revision", "probing"], "revise_from": "summary"}
    revising = client.post(
        "/experiments/new", data=FORM | methods | {"protocols": ["heldout-5+5", "heldout-5+5+generated"]}
    )
    again = experiment_files.read(definition_in(revising.text), FileKind.TOML)
    assert again.revise_from == "summary" and [arm.name for arm in again.arms()] == methods["methods"]

    begun = client.post("/experiments", data={"text": definition_in(looked.text)})
    assert begun.status_code == 303 and begun.headers["location"] == "/experiments/1"
    page = client.get("/experiments/1").text
    for words in (
        "waiting for a worker",
        "Is shorter better?",
        "summary against original",
        "Pause",
        "random 2 a layer",
    ):
        assert words in page
    for address in ("/experiments", "/lab", "/experiments/1/units?arm=0&scorer=-1&state=pending"):
        assert client.get(address).status_code == 200
    for kind in FileKind:
        text = client.get(f"/experiments/1/definition.{kind}").text
        assert experiment_files.read(text, kind) == made
    assert "Change and begin anew" in page and client.get("/experiments/look?of=1").status_code == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget_usd": "0"}, "a budget of zero"),
        ({"n": "0"}, "the sample would be empty"),
        ({"rule": "random_above", "above": "9", "measure": "heldout-full.top-and-random.correlation"}, "is empty"),
        ({"seeds": "one"}, "give whole numbers"),
        ({"margin": "big"}, "is no number"),
        ({"simulators": []}, "Nothing would be scored"),
        ({"protocols": "bills-5+5"}, "bills-5+5 is for imported data"),
    ],
)  # fmt: skip
def test_what_cannot_begin_says_why(client: TestClient, change: dict[str, object], words: str) -> None:
    answer = client.post("/experiments/new", data={**FORM, **change})
    assert answer.status_code == 422 and words in answer.text


def test_a_file_is_looked_at_and_its_faults_are_said(client: TestClient) -> None:
    text = experiment_files.write(PLAN, FileKind.TOML).replace("scripted", "local")
    good = client.post("/experiments/look", files={"file": ("x.toml", text.encode())})
    assert good.status_code == 200 and "What it would take" in good.text
    bad = client.post("/experiments/look", data={"text": text.replace("rule =", "role =")})
    assert bad.status_code == 422 and "role: unknown key" in bad.text
    assert client.post("/experiments", data={"text": "name ="}).status_code == 422
    assert client.post("/experiments/look", files={"file": ("x", b"\xff\xfe")}).status_code == 422


def test_pages_and_api_say_the_same_and_stop_it(
    client: TestClient, tiny_store: Store, web_app: FastAPI
) -> None:
    values = experiment_files.to_values(PLAN)
    text = json.dumps(values).replace("scripted", "local")
    made = client.post(f"{API}/experiments", json={"definition": json.loads(text)})
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    with tiny_store.session() as s:
        row = experiments.get(s, id)
        assert experiment_units.plan(s, row) == 0
        first, second, *_ = experiment_units.take(s, id, 2, 9)
        failed = Ended(first.id, UnitState.FAILED, "<i>no words</i> came", final=True)
        experiment_ends.end(s, row, [failed, Ended(second.id, UnitState.OK, explanation_id=None)])
    page = client.get(f"/experiments/{id}").text
    assert "&lt;i&gt;no words&lt;/i&gt; came" in page and "3 of 8 units" in page
    standing = get(client, f"{API}/experiments/{id}")
    assert standing["ended"] == 3 and {f["reason"][:5] for f in standing["failures"]} == {"<i>no", "there"}
    assert standing["definition"] == json.loads(text)
    results = get(client, f"{API}/experiments/{id}/results", metric="correlation")["items"]
    assert {(r["state"], r["value"]) for r in results} == {("failed", None)}
    units = client.get(f"/experiments/{id}/units?state=failed").text
    assert "no words" in units and client.get(f"/experiments/{id}/units?arm=9").status_code == 422
    assert get(client, f"{API}/experiments")["items"][0]["id"] == id

    assert client.post(f"/experiments/{id}/cancel").headers["location"] == f"/experiments/{id}"
    assert "cancelled" in client.get(f"/experiments/{id}").text
    assert client.post(f"/experiments/{id}/pause").status_code == 409
    again = client.post(f"{API}/experiments/{id}/retry", json={"budget_usd": 2.5}).json()
    assert (again["state"], again["budget_usd"]) == (ExperimentState.RUNNING, 2.5)
    assert client.post(f"/experiments/{id}/pause").status_code == 303
    assert "Resume" in client.get(f"/experiments/{id}").text
    assert client.post(f"/experiments/{id}/resume", data={"budget_usd": "much"}).status_code == 422
    assert client.post(f"/experiments/{id}/resume", data={"budget_usd": ""}).status_code == 303


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for address in (
        "/experiments/7",
        "/experiments/7/events",
        "/experiments/7/units",
        "/experiments/7/definition.toml",
    ):
        assert client.get(address).status_code == 404
    assert client.get("/experiments/1/definition.xml").status_code in (404, 422)
    assert "There are no experiments yet" in client.get("/experiments").text


def test_a_list_may_be_the_sample(client: TestClient) -> None:
    client.post(f"{API}/lists", json={"name": "Mine", "description": ""})
    assert 'value="mine" selected' in client.get("/experiments/new?list=mine").text
    empty = client.post("/experiments/new", data={**FORM, "rule": Rule.LIST.value, "list": "mine"})
    assert empty.status_code == 422 and "is empty" in empty.text
    client.post("/lists/mine/items", data={"q": f"{factories.SLUG} 0:1"})
    assert 'href="/experiments/new?list=mine"' in client.get("/lists/mine").text
    assert SampleRule(Rule.LIST, list="mine").label == "list mine"
