"""Studies on pages and over the API: made, looked at, started, followed and ended by their owners, seen by others, refused clearly."""

import json
import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.domain import study_files
from app.domain.definition_files import FileKind
from app.domain.studies import Gold, GoldKind, StudyDefinition
from app.domain.study_replies import Reply, ReplyKind
from app.main import create_app
from app.settings import Settings
from app.store import Store, experiments, studies, study_raters
from app.store.study_rows import Identity, StudyRow, StudyState
from app.study.rating import Rating
from app.study.service import Studies
from app.web import rating_links
from tests import factories
from tests import study_world as w
from tests.web.api import API, get, message
from tests.web.conftest import BASE
from tests.web.markup import read

FORM = {
    "name": "Which <b>format</b>?",
    "question": "Is shorter better?",
    "title": "Descriptions",
    "instructions": "Look, then rate.",
    "statement": "[description] is good",
    "best_question": "Which is best?",
    "rule": "neurons",
    "neurons": " ".join(str(ref) for ref in w.refs()),
    "arms": ["original", "summary", "avhs|scripted / test-model"],
    "against": "original",
    "tasks": ["rate", "best"],
    "top": "4",
    "random": "3",
    "raters": "3",
    "raters_per_item": "2",
    "repeats": "1",
    "practice": "1",
    "timeout_hours": "12",
    "seed": "7",
    "gold_puzzles": "1",
    "gold_false": "1",
    "gold_neuron": "tiny-random/1-mlp/9",
    "gold_right": "planted",
    "gold_wrong": "not it\r\n\r\nnor this",
    "consent_text": "You may stop.",
    "consent_contact": "ada@example.org",
    "code_completed": "C1",
    "min_gold": "0.5",
    "min_seconds": "1",
    "stopping": "when done",
}


def opened(store: Store, **changes: object) -> StudyRow:
    """A study of whoever browses on loopback."""
    w.describe(store, w.refs())
    made = Studies(store)
    by = w.Actor("me", "local")
    return made.start(made.make(w.definition(**changes), by).id, by)


def definition_in(page: str) -> StudyDefinition:
    [area] = read(page).find("textarea")
    return study_files.read(area.text.lstrip("\n"), FileKind.TOML)


def test_the_form_becomes_a_definition_with_what_it_comes_to(client: TestClient, tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs())
    assert "New study" in client.get("/lab").text
    form = read(client.get("/studies/new").text)
    assert {"tiny-random"} <= {e["value"] for e in form.find("input", name="models")}
    assert "avhs|scripted / test-model" in {e["value"] for e in form.find("input", name="arms")}
    looked = client.post("/studies/new", data=FORM)
    assert looked.status_code == 200, looked.text
    made = definition_in(looked.text)
    assert made.name == FORM["name"] and "<b>format" not in looked.text
    assert [arm.label for arm in made.arms] == ["original", "summary", "avhs by scripted / test-model"]
    assert [tuple(c) for c in made.contrasts] == [(label, "original") for label in made.arm_labels()[1:]]
    assert (made.raters, made.per_item, made.repeats, made.timeout_hours, made.seed) == (3, 2, 1, 12.0, 7)
    assert made.gold == (
        Gold(GoldKind.PUZZLES, 1),
        Gold(GoldKind.FALSE, 1),
        Gold(GoldKind.GIVEN, 1, "tiny-random/1-mlp/9", "planted", ("not it", "nor this")),
    )
    assert (made.exclusions.min_gold, made.exclusions.min_seconds, made.exclusions.max_straight) == (
        0.5,
        1.0,
        None,
    )
    assert (made.consent.contact, made.codes.completed) == ("ada@example.org", "C1")
    for words in ("3 neurons, 3 ways of explaining", "Nothing stands in its way", "In 1 of 3 neurons two or more arms say the same"):  # fmt: skip
        assert words in looked.text
    kept = client.post("/studies", data={"text": study_files.write(made, FileKind.TOML)})
    assert kept.status_code == 303 and kept.headers["location"] == "/studies/1"
    page = read(client.get("/studies/1").text)
    assert page.one("h1").text == FORM["name"]
    assert "Nothing stands in its way" in client.get("/studies/1/material").text
    for kind in FileKind:
        answer = client.get(f"/studies/1/definition.{kind}")
        assert study_files.read(answer.text, kind) == made
        assert answer.headers["content-disposition"].endswith(f'"study-1.{kind}"')


def test_lee_s_study_is_one_step(client: TestClient, tiny_store: Store) -> None:
    asked = {
        "models": factories.SLUG,
        "methods": ["original", "summary", "avhs"],
        "design": "nested",
        "raters": "5",
        "above": "-1",
        "measure": "heldout-full.top-and-random.correlation",
        "chosen_by": "token_lookup",
        "explainer": "",
        "seed": "2",
    }
    looked = client.post("/studies/preset", data=asked)
    assert looked.status_code == 200, looked.text
    made = definition_in(looked.text)
    assert (made.raters, made.per_item, made.samples[0].n, made.name_neuron) == (5, 1, 5, True)
    assert "10 neurons, 3 ways of explaining, nested: 5 raters, each neuron is seen by one" in looked.text
    assert "“summary” says nothing of" in looked.text
    for change, words in (
        ({"methods": ["hs"]}, "There is no arm “original”"),
        ({"design": "both"}, "Choose a design"),
        ({"measure": "x"}, "Choose a design"),
        ({"raters": "many"}, "is no whole number"),
        ({"models": []}, "models is empty"),
    ):
        answer = client.post("/studies/preset", data={**asked, **change})
        assert answer.status_code == 422 and words in answer.text, words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name: it is missing"),
        ({"raters": "0"}, "0 is not between 1 and 1000"),
        ({"raters": "few"}, "is no whole number"),
        ({"arms": []}, "best needs descriptions of at least two methods"),
        ({"against": "hs"}, "“hs” is to be compared with"),
        ({"tasks": []}, ""),
        ({"min_gold": "7"}, "min_gold is a share from 0 to 1"),
        ({"gold_wrong": ""}, "at least one wrong one"),
        ({"rule": "sometimes"}, "there is no “sometimes”"),
        ({"neurons": ""}, "neurons"),
        ({"statement": "no place"}, "write [description]"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_says_why(client: TestClient, change: dict[str, object], words: str) -> None:
    answer = client.post("/studies/new", data={**FORM, **change})
    if words:
        assert answer.status_code == 422 and words in answer.text
        read(answer.text)
    else:  # nothing ticked is what the file leaves out: the usual tasks
        assert answer.status_code == 200


def test_a_file_is_looked_at_and_its_faults_are_said(client: TestClient, tiny_store: Store) -> None:
    text = study_files.write(w.definition(), FileKind.TOML)
    lacking = client.post("/studies/look", files={"file": ("x.toml", text.encode())})
    assert lacking.status_code == 200 and "“original” says nothing of 3 of 3 neurons" in lacking.text
    unknown = client.post("/studies/look", data={"text": f"raterz = 3\n{text}"})
    assert unknown.status_code == 422 and "raterz: unknown key" in unknown.text
    empty = text.replace(json.dumps([str(ref) for ref in w.refs()], ensure_ascii=False), "[]")
    assert empty != text and client.post("/studies/look", data={"text": empty}).status_code == 422
    assert client.post("/studies", data={"text": "name ="}).status_code == 422
    assert client.post("/studies/look", files={"file": ("x", b"\xff\xfe")}).status_code == 422
    with tiny_store.reading() as s:
        assert studies.page(s).total == 0


def test_missing_explanations_are_made_by_an_experiment(client: TestClient, tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs(1))
    text = study_files.write(w.definition(), FileKind.TOML)
    client.post("/studies", data={"text": text})
    page = client.get("/studies/1/material").text
    assert "Make what is lacking" in page and "<option>paid</option>" in page
    refused = client.post("/studies/1/start")
    assert refused.status_code == 422 and "make these explanations first" in refused.text
    begun = client.post("/studies/1/explain", data={"explainer": "paid"})
    assert begun.status_code == 303 and begun.headers["location"] == "/experiments/1"
    with tiny_store.reading() as s:
        row = experiments.get(s, 1)
        assert [each.ref for each in experiments.sample(s, 1)] == w.refs()[1:]
    assert row.definition.explainers == ("paid",) and row.units == 2 * 3
    shown = client.get("/experiments/1").text
    assert "nobody: it only explains" in shown and "/experiments/1/report" not in shown
    assert "only explains" in client.get("/experiments/1/report").text
    assert client.post("/studies/1/explain", data={"explainer": "nobody"}).status_code == 422
    [lacks, *_] = get(client, f"{API}/studies/1/material")["lacking"]
    assert lacks == {"arm": "original", "neurons": [str(ref) for ref in w.refs()[1:]]}


def test_a_study_is_followed_and_ended(client: TestClient, tiny_store: Store, web_settings: Settings) -> None:
    study = opened(tiny_store, gold=(Gold(GoldKind.PUZZLES, 1),))
    assert client.post(f"/studies/{study.id}/start").status_code == 409
    changed = client.post(f"/studies/{study.id}/change", data={"text": study_files.write(study.definition, FileKind.TOML)})  # fmt: skip
    assert changed.status_code == 409 and "make a new version" in changed.text
    assert client.post(f"/studies/{study.id}/invite", data={"names": "Grace\n\nAlan <b>", "days": "2"}).status_code == 303  # fmt: skip
    rater = w.rate_all(tiny_store, study)
    half = w.come(tiny_store, study)
    Rating(tiny_store).save(study.code, half.secret, 1, [Reply(ReplyKind.COMMENT, "", "secret words")])
    page = client.get(f"/studies/{study.id}").text
    for words in ("3 of 6 items answered", "2 invited, 1 rating, 1 done", "3 neurons by 1", "1 comment", study.registered_hash, "summary against original"):  # fmt: skip
        assert words in page, words
    assert "secret words" not in page and rater.secret not in page and "Results</a>" not in page
    raters = client.get(f"/studies/{study.id}/raters").text
    markup = read(raters)
    links = [e["value"] for e in markup.find("input") if "readonly" in e.attributes]
    with tiny_store.reading() as s:
        invited = study_raters.of_study(s, study.id)[0]
    assert links[:3] == [
        BASE + rating_links.open_link(web_settings, study),
        BASE + rating_links.prolific_link(web_settings, study),
        BASE + rating_links.invitation(web_settings, study, invited),
    ]
    assert "Grace" in raters and "Alan &lt;b&gt;" in raters and "1 of 1" in raters
    assert rater.secret not in raters and half.secret not in raters

    assert (
        client.post(f"/studies/{study.id}/close").status_code == 409
    )  # nobody said to close it all the same
    asked = client.get(f"/studies/{study.id}/close").text
    assert "3 of 6 items are unfinished" in asked and "1 rater is at work" in asked
    assert client.post(f"/studies/{study.id}/unblind", data={"why": " "}).status_code == 422
    assert client.post(f"/studies/{study.id}/unblind", data={"why": "a pilot"}).status_code == 303
    assert "Unblinded before the close" in client.get(f"/studies/{study.id}").text
    erasing = f"/studies/{study.id}/raters/{half.number}/erase"
    assert "deleted for good" in client.get(erasing).text
    assert client.post(erasing).status_code == 422
    assert client.post(erasing, data={"sure": "yes"}).status_code == 303
    assert client.post(erasing, data={"sure": "yes"}).status_code == 409
    assert client.post(f"/studies/{study.id}/close", data={"sure": "yes"}).status_code == 303
    page = client.get(f"/studies/{study.id}").text
    assert f"/studies/{study.id}/results" in page and "Start the study" not in page
    log = client.get(f"/studies/{study.id}/log").text
    for words in ("registered as", "invited", "a pilot", "erased", "3 items unfinished"):
        assert words in log
    # A change is a new version, which says what it was made of.
    again = client.post(f"/studies/{study.id}/version", data={"text": study_files.write(w.definition(), FileKind.TOML)})  # fmt: skip
    assert again.headers["location"] == f"/studies/{study.id + 1}"
    assert "later versions" in client.get(f"/studies/{study.id}").text
    assert "Change the draft" in client.get(f"/studies/look?of={study.id + 1}").text
    assert "Keep as version 2" in client.get(f"/studies/look?of={study.id}").text


def test_an_invitation_is_renewed_once_it_was_opened(client: TestClient, tiny_store: Store) -> None:
    study = opened(tiny_store)
    made = Studies(tiny_store)
    [rater] = made.invite(study.id, w.Actor("me", "local"), ["Grace"])
    assert client.post(f"/studies/{study.id}/raters/1/renew").status_code == 303
    Rating(tiny_store).accept(study.code, rater.number)
    assert "Let it be opened again" in client.get(f"/studies/{study.id}/raters").text
    assert client.post(f"/studies/{study.id}/raters/1/renew").status_code == 303
    assert "Link of rater 1" in client.get(f"/studies/{study.id}/raters").text
    for names, days in (("", ""), ("x", "soon"), ("x", "-1")):
        answer = client.post(f"/studies/{study.id}/invite", data={"names": names, "days": days})
        assert answer.status_code == 422


def test_the_api_says_and_does_the_same(
    client: TestClient, tiny_store: Store, web_settings: Settings
) -> None:
    w.describe(tiny_store, w.refs())
    preset = get(client, f"{API}/studies/presets/lee", model=factories.SLUG, design="nested", above=-1)
    look = client.post(f"{API}/studies/look", json=preset).json()
    assert look["neurons"] == 10 and look["problems"] and look["lacking"]
    values = study_files.to_values(w.definition())
    look = client.post(f"{API}/studies/look", json={"definition": values}).json()
    assert (look["neurons"], look["same_texts"], look["texts"], look["problems"]) == (3, 1, 8, [])
    made = client.post(f"{API}/studies", json={"definition": json.dumps(values)})
    assert made.status_code == 201, made.text
    here = f"{API}/studies/{made.json()['id']}"
    changed = {**values, "seed": 9}
    assert client.put(here, json={"definition": changed}).json()["version"] == 1
    assert get(client, here)["definition"] == changed
    started = client.post(f"{here}/start").json()
    assert started["state"] == "open" and len(started["registered_hash"]) == 64
    for again in (client.post(f"{here}/start"), client.put(here, json={"definition": values})):
        assert again.status_code == 409 and again.json()["error"]["status"] == 409
    [grace] = client.post(f"{here}/raters", json={"names": ["Grace"], "days": 3}).json()["items"]
    study = Studies(tiny_store).get(made.json()["id"])
    assert rating_links.invited(web_settings, study.code, grace["link"].rpartition("/")[2]) == grace["number"]
    rater = w.rate_all(tiny_store, study)
    standing = get(client, here)
    assert (standing["items_done"], standing["items_wanted"]) == (3, 6)
    assert {(r["state"], r["raters"]) for r in standing["raters"]} == {("invited", 1), ("done", 1)}
    assert [item["done"] for item in standing["items"]] == [1, 1, 1]
    assert standing["items"][0]["neuron"] == str(w.refs()[0])
    everybody = get(client, f"{here}/raters")
    assert [r["label"] for r in everybody["items"]] == ["Grace", ""]
    assert everybody["links"]["open"] == rating_links.open_link(web_settings, study)
    for body in (standing, everybody, get(client, f"{here}/log")):
        assert rater.secret not in json.dumps(body)
    assert message(client, f"{here}/../9", 404)
    assert client.post(f"{here}/raters/1/renew").json()["number"] == 1
    refused = client.post(f"{here}/close")
    assert refused.status_code == 409 and "3 of 6 items are unfinished" in refused.json()["error"]["message"]
    assert client.post(f"{here}/unblind", json={"why": ""}).status_code == 422
    assert client.post(f"{here}/unblind", json={"why": "a pilot"}).json()["results_open"]
    assert client.delete(f"{here}/raters/{rater.number}").json()["answers_deleted"] > 0
    assert client.post(f"{here}/close", json={"anyway": True}).json()["state"] == "closed"
    assert get(client, f"{here}/log")["items"][-1]["detail"] == "6 items unfinished"
    version = client.post(f"{API}/studies", json={"definition": values, "version_of": study.id}).json()
    assert (version["version"], version["version_of"]) == (2, study.id)
    assert [s["id"] for s in get(client, f"{API}/studies")["items"]] == [study.id + 1, study.id]
    for body in ({"definition": {}}, {"definition": {**values, "raterz": 1}}, {"definition": "name ="}, {}):
        assert client.post(f"{API}/studies", json=body).status_code == 422


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for address in ("", "/raters", "/log", "/close", "/material", "/definition.toml", "/raters/1/erase"):
        assert client.get(f"/studies/7{address}").status_code == 404
    for act in ("start", "close", "unblind", "explain", "invite", "raters/1/renew"):
        answer = client.post(f"/studies/7{'' if act == '' else '/'}{act}", data={"why": "x", "names": "x"})
        assert answer.status_code == 404
    for number in ("0", "9" * 30, str(2**63)):
        assert client.get(f"/studies/{number}").status_code == 404
    assert "There are no studies yet" in client.get("/studies").text


@pytest.fixture
def walled(tiny_store: Store, web_settings: Settings) -> FastAPI:
    """The same behind a login that a team shares."""
    settings = web_settings.model_copy(update={"host": "192.0.2.1", "password": _secret("open sesame")})
    return create_app(settings, store=tiny_store)


def _secret(text: str) -> object:
    from pydantic import SecretStr

    return SecretStr(text)


def logged_in(app: FastAPI) -> TestClient:
    client = TestClient(app, base_url="http://192.0.2.1:8000", follow_redirects=False)
    name = app.state.settings.username
    assert client.post("/login", data={"username": name, "password": "open sesame"}).status_code == 303
    return client


def test_others_see_a_study_and_change_nothing(walled: FastAPI, tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs())
    ada, eve = logged_in(walled), logged_in(walled)
    text = study_files.write(w.definition(), FileKind.TOML)
    assert ada.post("/studies", data={"text": text}).status_code == 303
    assert ada.post("/studies/1/start").status_code == 303  # the mark that came with the draft is hers
    study = Studies(tiny_store).get(1)
    Studies(tiny_store).invite(1, w.Actor("command line"), ["Grace Hopper"])
    arrived = Rating(tiny_store).arrive(study.code, Identity("", "prolific", "5f3aPID", "st", "se"))
    with tiny_store.reading() as s:
        before = (studies.get(s, 1), study_raters.of_study(s, 1), len(studies.logged(s, 1)))
    page = eve.get("/studies/1").text
    for words in ("Close the study", "Unblind", "Raters and links", "New version", "Change"):
        assert words not in page, words
    assert "registered" in page and "Preview as a rater" in page
    bodies = [page, eve.get("/studies/1/log").text, eve.get(f"{API}/studies/1").text, eve.get("/studies/1/material").text]  # fmt: skip
    refused = [
        eve.get("/studies/1/raters"),
        eve.get("/studies/1/close"),
        eve.get("/studies/1/raters/1/erase"),
        eve.post("/studies/1/close", data={"sure": "yes"}),
        eve.post("/studies/1/unblind", data={"why": "curious"}),
        eve.post("/studies/1/invite", data={"names": "me"}),
        eve.post("/studies/1/explain"),
        eve.post("/studies/1/version", data={"text": text}),
        eve.post("/studies/1/change", data={"text": text}),
        eve.post("/studies/1/raters/1/renew"),
        eve.post("/studies/1/raters/1/erase", data={"sure": "yes"}),
        eve.get(f"{API}/studies/1/raters"),
        eve.post(f"{API}/studies/1/close", json={"anyway": True}),
        eve.post(f"{API}/studies/1/unblind", json={"why": "curious"}),
        eve.post(f"{API}/studies/1/raters", json={"names": ["me"]}),
        eve.put(f"{API}/studies/1", json={"definition": text}),
        eve.delete(f"{API}/studies/1/raters/1"),
        eve.post(f"{API}/studies", json={"definition": text, "version_of": 1}),
    ]
    for answer in refused:
        assert answer.status_code == 403 and "Only who made the study" in answer.text, answer.request.url
    for body in [*bodies, *(answer.text for answer in refused)]:
        assert "Grace Hopper" not in body and "5f3aPID" not in body and arrived.secret not in body
        assert study.code not in body
    with tiny_store.reading() as s:
        assert (studies.get(s, 1), study_raters.of_study(s, 1), len(studies.logged(s, 1))) == before
    assert "Grace Hopper" in ada.get("/studies/1/raters").text
    # What the command line makes is no browser's here.
    Studies(tiny_store).make(w.definition(), w.Actor("command line"))
    assert ada.post("/studies/2/start").status_code == 403


def test_nobody_gets_in_without_the_login(walled: FastAPI, tiny_store: Store) -> None:
    study = opened(tiny_store)
    stranger = TestClient(walled, base_url="http://192.0.2.1:8000", follow_redirects=False)
    for address in (
        "/studies",
        f"/studies/{study.id}",
        f"/studies/{study.id}/raters",
        f"/studies/{study.id}/log",
    ):
        answer = stranger.get(address, headers={"accept": "text/html"})
        assert answer.status_code == 303 and re.search("/login", answer.headers["location"])
    assert stranger.post(f"/studies/{study.id}/close", data={"sure": "yes"}).status_code in (303, 401, 403)
    assert stranger.get(f"{API}/studies/{study.id}/raters").status_code == 401
    assert Studies(tiny_store).get(study.id).state is StudyState.OPEN


def test_power_s_page_and_api_say_the_same(client: TestClient) -> None:
    asked = {
        "neurons": 240,
        "raters": 5,
        "per_neuron": 1,
        "method_rater": 0,
        "method_neuron": 0,
        "residual": 0.70711,
    }
    page = client.get("/studies/power", params=asked).text
    assert "A difference of 0.22 points is found by 80 % of such studies." in page
    assert read(page).one("input", name="neurons")["value"] == "240"
    found = get(client, f"{API}/studies/power", **asked)
    assert round(found["detectable"], 2) == 0.22 and (found["blocks"], found["alpha"]) == (240, 0.0125)
    assert [each["power"] for each in found["effects"]] == sorted(each["power"] for each in found["effects"])
    for change in (
        {"neurons": 1},
        {"per_neuron": 6},
        {"residual": "nan"},
        {"alpha": 2},
        {"raters": 10**6},
        {"residual": "inf"},
    ):
        answer = client.get("/studies/power", params=change)
        assert answer.status_code == 422 and "cannot be simulated" in answer.text, change
        read(answer.text)
    assert client.get("/studies/power", params={"neurons": "many"}).status_code == 422
    assert (
        client.get("/studies/power").status_code == 200
        and "/studies/power" in client.get("/studies/new").text
    )
