"""Raters' pages through the whole application: blind to the last byte, nothing lost, nothing twice, nobody else let in."""

import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.domain.neurons import Polarity
from app.domain.studies import ShownRecords, StudyArm, Task
from app.domain.study_replies import ReplyKind
from app.main import create_app, error_answer
from app.settings import Settings
from app.store import Store, studies, study_answers, study_raters
from app.store.study_rows import RaterState, StudyRow
from app.study.rating import Rating
from app.study.service import Studies
from app.web import rating_links as links
from app.web import rating_views as views
from app.web.rating_door import MOST_BYTES, RatersDoor
from app.web.rendering import STATIC
from tests.web import rating_world as w
from tests.web.markup import read
from tests.web.rating_world import Rater


@pytest.fixture
def study(tiny_store: Store) -> StudyRow:
    return w.opened(tiny_store)


@pytest.fixture
def rater(web_app: FastAPI, web_settings: Settings) -> Rater:
    return Rater(web_app, web_settings)


@pytest.fixture
def other(web_app: FastAPI, web_settings: Settings) -> Rater:
    return Rater(web_app, web_settings)


def stored(store: Store, study: StudyRow) -> list[tuple[str, str, str]]:
    """Every answer to a real item, changed ones too."""
    with store.session() as s:
        practice = {p.id for p in study_raters.places_of_study(s, study.id) if p.practice}
        return [
            (a.kind, a.subject, a.value)
            for a in study_answers.of_study(s, study.id)
            if a.place_id not in practice
        ]


def raters(store: Store, study: StudyRow) -> list[RaterState]:
    with store.session() as s:
        return [each.state for each in study_raters.of_study(s, study.id)]


def walk(rater: Rater, study: StudyRow, store: Store) -> None:
    """All that a rater may do, and much that goes wrong."""
    here = links.landing(study.code)
    for lost in (
        "/rate/",
        "/rate/nothing",
        here,
        f"{here}/1",
        f"{here}/practice",
        f"{here}/in/x",
        "/rate/a/b/c/d",
    ):
        rater.client.get(lost)
        rater.client.head(lost)
    rater.client.put(here)
    rater.client.post(f"{here}/begin", headers={"origin": "http://evil.example"})
    rater.client.post(f"{here}/1", content=b"x" * (MOST_BYTES + 1))
    rater.begin(study)
    rater.answer(rating=2, best="9")
    rater.post(rater.at, {"try": "0", "go": "next", "rate-1": "3", "rate-2": "3", "rate-3": "3", "best": "1"})
    assert "Not quite" in rater.page
    rater.get(f"{here}/practice/1")
    rater.answer()
    for _ in range(len(rater.read.find("progress")) and int(rater.read.one("progress")["max"])):
        rater.client.head(rater.at)
        etag = rater.client.get(rater.at).headers.get("etag")
        rater.client.get(rater.at, headers={"if-none-match": etag or "*"})
        rater.save(rater.at, {"rate-1": "5"})
        rater.save(rater.at, {"rate-1": "five", "comment": "a" * 2_001})
        rater.save(rater.at, {"zz": "1"})
        rater.client.get(f"{here}/99")
        rater.client.get(f"{here}/leave")
        rater.client.get(here)
        rater.answer()
    assert "DONE42" in rater.page, rater.page
    rater.client.get(f"{here}/1")
    for name in (
        "css/base.css",
        "css/neuron.css",
        "css/rating.css",
        "js/neuron.js",
        "js/rating.js",
        "icon.svg",
    ):
        rater.client.get(f"/static/{name}")
    Studies(store).close(study.id, w.OWNER, anyway=True)
    rater.client.get(here)
    rater.client.get(f"{here}/1")
    store_broken(store)
    assert rater.client.get(here).status_code == 503


def store_broken(store: Store) -> None:
    with sqlite3.connect(store.url.removeprefix("sqlite:///")) as raw:
        raw.execute("alter table study_places rename to away")


def test_not_one_byte_tells_a_rater_what_is_compared(
    tiny_store: Store, web_app: FastAPI, web_settings: Settings
) -> None:
    w.from_far(tiny_store, "explanations")
    w.from_far(tiny_store, "studies")
    w.from_far(tiny_store, "study_raters")
    w.from_far(tiny_store, "study_places")
    study = w.opened(tiny_store, gold=w.gold(), repeats=1)
    assert study.id > 65_000_000
    rater = Rater(web_app, web_settings)
    walk(rater, study, tiny_store)
    for said in rater.traffic:
        for secret in w.SECRETS:
            assert secret not in said.lower(), (secret, said[: said.index("\n")])
    pages = "\n".join(rater.traffic)
    assert "Talk about rivers 0." in pages  # it was the right thing that was searched
    assert all(each not in pages for each in ("“token_lookup”", "/m/tiny", 'href="/jobs"', 'href="/studies'))
    with tiny_store.session() as s:
        assert [e.state for e in study_raters.of_study(s, study.id)] == [RaterState.DONE]


def test_the_search_for_secrets_finds_them_where_they_are(tiny_store: Store, web_app: FastAPI) -> None:
    w.describe(tiny_store)
    page = TestClient(web_app, base_url=w.BASE).get("/m/tiny-random/0-mlp/0").text.lower()
    assert "zqmethod1" in page and "zqexplainer" in page


def test_what_two_raters_see_of_a_neuron_differs_in_order_alone(
    tiny_store: Store, study: StudyRow, rater: Rater, other: Rater
) -> None:
    seen: list[dict[str, str]] = []
    orders: list[dict[str, list[str]]] = []
    for each in (rater, other):
        each.to_the_study(study)
        pages, order = {}, {}
        for _ in range(3):
            texts = [e.text for e in each.read.find("q")]
            page = each.page
            for text in sorted(texts):
                page = page.replace(text, "A DESCRIPTION")
            page = re.sub(r"/rate/[\w-]+/\d+", "/HERE", page)
            page = re.sub(r"\b\d/3\b|(Done: |value=\"|>)\d( of 3|\")", "K", page)
            page = re.sub(r'<button class="big quiet"[^\n]*?</button>|<span></span>', "", page)
            page = re.sub(r"\s+", "\n", page.replace("Finish<", "Next<"))
            key = "".join(sorted(texts))
            pages[key], order[key] = page, texts
            each.answer()
        seen.append(pages)
        orders.append(order)
    assert len(seen[0]) == 3
    for key, page in seen[0].items():
        assert page.splitlines() == seen[1][key].splitlines()
    assert any(orders[0][key] != orders[1][key] for key in orders[0])


def test_nothing_of_a_rater_s_pages_is_kept(study: StudyRow, rater: Rater) -> None:
    rater.to_the_study(study)
    answers = [
        rater.client.get(rater.at),
        rater.client.get(links.landing(study.code)),
        rater.client.get("/rate/none"),
        rater.save(rater.at, {"rate-1": "9"}),
    ]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store" and "etag" not in answer.headers
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.parametrize("base", [w.BASE, "https://127.0.0.1:8000"])
def test_the_cookie_is_this_study_s_alone(
    study: StudyRow, web_app: FastAPI, web_settings: Settings, base: str
) -> None:
    rater = Rater(web_app, web_settings, base)
    rater.get(links.open_link(web_settings, study))
    form = rater.read.one("form")
    fields = {e["name"]: e["value"] for e in form.inside if e.tag == "input"}
    set_cookie = rater.client.post(form["action"], data=fields).headers["set-cookie"]
    assert f"Path=/rate/{study.code};" in set_cookie
    assert "HttpOnly" in set_cookie and "SameSite=lax" in set_cookie
    assert ("Secure" in set_cookie) == base.startswith("https")


def test_an_invitation_that_is_looked_at_is_not_used_up(
    tiny_store: Store, study: StudyRow, rater: Rater, other: Rater
) -> None:
    [invited] = w.invite(tiny_store, study)
    path = links.invitation(rater.settings, study, invited)
    for _ in range(3):  # a mail scanner, a preview, the rater
        assert rater.client.head(path).status_code == 200
        assert rater.get(path).status_code == 200
    assert raters(tiny_store, study) == [RaterState.INVITED] and not rater.client.cookies
    assert rater.read.one("form")["action"] == path
    assert rater.post(path, {}).status_code == 200 and rater.at.endswith("/practice/1")
    assert rater.get(path).status_code == 200 and rater.at == links.landing(study.code)  # its own again
    assert rater.post(path, {}).status_code == 200  # a second click
    for answer in (other.get(path), other.post(path, {})):
        assert answer.status_code == 403 and "opened already" in answer.text
    assert raters(tiny_store, study) == [RaterState.PRACTISING]


def test_links_that_are_no_good_say_so_and_change_nothing(
    tiny_store: Store, study: StudyRow, rater: Rater
) -> None:
    elsewhere = w.opened(tiny_store, name="another zq")
    mine, late, gone = w.invite(tiny_store, study, 3, days=1)
    foreign = links.invitation(rater.settings, study, mine).replace(study.code, elsewhere.code)
    token = links.invitation(rater.settings, study, mine).rpartition("/")[2]
    with tiny_store.session() as s:
        study_raters.change(s, late.id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    Studies(tiny_store).erase(study.id, gone.number, w.OWNER)
    cases = {
        foreign: (403, "damaged, or it is for another study"),
        f"/rate/{study.code}/in/{token[:-2]}": (403, "damaged"),
        f"/rate/{study.code}/in/1": (403, "damaged"),
        links.invitation(rater.settings, study, late): (403, "has expired"),
        links.invitation(rater.settings, study, gone): (403, "deleted on request"),
        f"/rate/{study.code}": (404, "Open the link that you were sent"),
        f"/rate/{study.code}?join=wrong": (404, "Open the link that you were sent"),
        links.open_link(rater.settings, study).replace(study.code, elsewhere.code): (404, "Open the link"),
        "/rate/no-such-study": (404, "no study at this address"),
        "/rate/%00": (404, "no study at this address"),
        f"/rate/{study.code}/nowhere": (404, "Nothing is at this address"),
    }
    for path, (status, words) in cases.items():
        answer = rater.get(path)
        assert (answer.status_code, words in answer.text) == (status, True), (path, answer.text)
        if "/in/" in path:
            assert rater.post(path, {}).status_code == status
    assert rater.post(f"/rate/{study.code}/begin", {"join": "wrong"}).status_code == 403
    assert not rater.client.cookies
    assert raters(tiny_store, study) == [RaterState.INVITED] * 2 + [RaterState.ERASED]


def test_one_browser_is_one_rater_at_a_time(tiny_store: Store, study: StudyRow, rater: Rater) -> None:
    first, second = w.invite(tiny_store, study, 2)
    rater.post(links.invitation(rater.settings, study, first), {})
    path = links.invitation(rater.settings, study, second)
    for answer in (rater.get(path), rater.post(path, {})):
        assert answer.status_code == 409 and "private window" in answer.text
    rater.post(f"/rate/{study.code}/leave", {"sure": "yes"})
    assert rater.post(path, {}).status_code == 200 and rater.at.endswith("/practice/1")


def test_the_open_link_takes_nobody_in_before_they_agree(
    tiny_store: Store, study: StudyRow, rater: Rater
) -> None:
    rater.get(links.open_link(rater.settings, study))
    rater.client.head(links.open_link(rater.settings, study))
    assert raters(tiny_store, study) == []
    for words in ("You may stop at any time.", "ada@example.org", "until May", "Then rate each description."):
        assert words in rater.page
    rater.begin(study)
    rater.get(links.open_link(rater.settings, study))
    assert "You are in the practice" in rater.page
    assert raters(tiny_store, study) == [RaterState.PRACTISING]
    with tiny_store.session() as s:
        [row] = study_raters.of_study(s, study.id)
    assert row.consent_version == study.definition.consent.version and row.consented_at is not None


def prolific(rater: Rater, study: StudyRow, participant: str) -> str:
    path = links.prolific_link(rater.settings, study)
    for name, value in zip(links.PROLIFIC, (participant, "st", "se"), strict=True):
        path = path.replace(f"{{{{%{name}%}}}}", value)
    return path


def enter(rater: Rater, path: str) -> None:
    rater.get(path)
    form = rater.read.one("form")
    rater.post(form["action"], {e["name"]: e["value"] for e in form.inside if e.tag == "input"})


def test_who_comes_from_prolific_goes_on_on_another_device_and_gets_the_code(
    tiny_store: Store, study: StudyRow, rater: Rater, other: Rater
) -> None:
    enter(rater, prolific(rater, study, "5f3a"))
    rater.answer()
    rater.answer()
    enter(other, prolific(other, study, "5f3a"))
    assert other.at == f"/rate/{study.code}/2"
    for _ in range(2):
        other.answer()
    assert 'href="https://app.prolific.com/submissions/complete?cc=DONE42"' in other.page
    enter(rater, prolific(rater, study, "5f3a"))
    assert "DONE42" in rater.page
    assert raters(tiny_store, study) == [RaterState.DONE]
    with tiny_store.session() as s:
        [who] = study_raters.identities(s, study.id).values()
    assert who == ("", "prolific", "5f3a", "st", "se")


@pytest.mark.parametrize("participant", ["{{%PROLIFIC_PID%}}", "a" * 201, "a%00b"])
def test_a_platform_s_link_must_be_filled_in(
    tiny_store: Store, study: StudyRow, rater: Rater, participant: str
) -> None:
    path = prolific(rater, study, participant)
    answer = rater.get(path)
    if answer.status_code == 200:
        form = rater.read.one("form")
        fields = {e["name"]: e["value"] for e in form.inside if e.tag == "input"}
        answer = rater.post(form["action"], fields)
    assert answer.status_code == 422
    assert raters(tiny_store, study) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate-1": "0"}, "whole number from 1 to 5"),
        ({"rate-1": "6"}, "whole number from 1 to 5"),
        ({"rate-1": "five"}, "“five” is no whole number"),
        ({"rate-1": ""}, "is no whole number"),
        ({"rate-9": "3"}, "nothing at this place"),
        ({"rate-0": "3"}, "nothing at this place"),
        ({"rate-x": "3"}, "nothing at this place"),
        ({"best": "6"}, "nothing at this place"),
        ({"best": ["1", "2"]}, "answered 2 times"),
        ({"rank-1": "1"}, "does not ask raters to rank"),
        ({"mark-1": "1"}, "does not ask raters to simulate"),
        ({"pair-1": "left"}, "nothing at this place"),
        ({"comment": "x" * 2_001}, "at most 2,000 characters"),
        ({"comment": "a\0b"}, "control character"),
        ({"<b>method": "3"}, "does not ask for “&lt;b&gt;method”"),
    ],
)
def test_what_is_no_answer_is_refused_and_the_rest_of_the_page_is_not_kept(
    tiny_store: Store, study: StudyRow, rater: Rater, fields: dict[str, str], words: str
) -> None:
    rater.to_the_study(study)
    here = rater.at
    sound = {} if "rate-1" in fields else {"rate-2": "3"}
    as_script = rater.save(here, {**sound, **fields})
    assert as_script.status_code == 422
    as_page = rater.post(here, {**sound, **fields, "go": "next"})
    assert as_page.status_code == 422 and words in as_page.text.replace("&#34;", '"')
    assert stored(tiny_store, study) == []


def test_a_page_that_is_refused_comes_back_as_it_was_filled_in(study: StudyRow, rater: Rater) -> None:
    rater.to_the_study(study)
    rater.post(rater.at, {"rate-2": "5", "best": "3", "comment": "y" * 2_001, "go": "next"})
    assert rater.read.one("textarea", id="comment").text == "y" * 2_001
    checked = rater.checked
    assert ("rate-2", "5") in checked and ("best", "3") in checked
    assert "Not saved: A comment has at most" in rater.page


def test_ten_megabytes_are_turned_away_unread(tiny_store: Store, study: StudyRow, rater: Rater) -> None:
    rater.to_the_study(study)
    answer = rater.client.post(rater.at, data={"rate-1": "3", "comment": "x" * 10_000_000})
    assert answer.status_code == 413 and "nothing was saved" in answer.text
    assert stored(tiny_store, study) == []
    files = rater.client.post(rater.at, files={"comment": b"x"})
    assert files.status_code == 422 and "ordinary form" in files.text
    broken = rater.client.post(
        rater.at, content=b"comment=%ff", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert broken.status_code == 422


def test_a_body_without_a_length_is_read_no_further_than_allowed() -> None:
    pulled, sent = 0, []

    async def receive() -> Message:
        nonlocal pulled
        pulled += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it was let through")

    scope = {"type": "http", "method": "POST", "path": "/rate/x/1", "headers": [], "query_string": b""}
    anyio.run(RatersDoor(never, answer=error_answer), scope, receive, send)
    assert sent[0]["status"] == 413 and (pulled - 1) * 10_000 <= MOST_BYTES


def test_every_answer_is_saved_by_itself_and_counted_once(
    tiny_store: Store, study: StudyRow, rater: Rater
) -> None:
    rater.to_the_study(study)
    here = rater.at
    first = rater.save(here, {"rate-1": "2"})
    assert first.json()["missing"] == ["4 of the ratings", "which description fits best"]
    assert first.json()["next"] == ""
    rater.save(here, {"rate-1": "2"})
    rater.save(here, {"rate-1": "4"})  # another tab
    assert [value for kind, _, value in stored(tiny_store, study) if kind == ReplyKind.RATE] == ["2", "4"]
    rater.get(here)
    checked = rater.checked
    assert ("rate-1", "4") in checked and ("rate-1", "2") not in checked
    assert rater.save(here, {"go": "next"}).json()["missing"]
    assert rater.post(here, {"go": "next"}).status_code == 422 and "Still to be answered: 4 of" in rater.page
    rest = {f"rate-{i}": "1" for i in range(2, 6)} | {"best": "1"}
    assert rater.save(here, {**rest, "go": "next"}).json() == {
        "missing": [],
        "next": f"/rate/{study.code}/2",
    }
    before = len(stored(tiny_store, study))
    again = rater.save(here, {**rest, "go": "next"}).json()  # a double click
    assert again["next"] == f"/rate/{study.code}/2" and len(stored(tiny_store, study)) == before
    rater.get(f"/rate/{study.code}/2")
    assert rater.post(rater.at, {"comment": "well", "go": "previous"}).status_code == 200
    assert rater.at == here and len(stored(tiny_store, study)) == before + 1


def test_items_come_in_their_order_and_none_that_is_not_there(
    tiny_store: Store, study: StudyRow, rater: Rater
) -> None:
    rater.to_the_study(study)
    here = links.landing(study.code)
    assert rater.get(f"{here}/3").status_code == 200 and rater.at == here  # not so far
    assert rater.get(f"{here}/practice/1").status_code == 200 and rater.at == here
    for n in ("0", "4", "99", "9" * 900):
        assert rater.get(f"{here}/{n}").status_code == 404
        answer = rater.save(f"{here}/{n}", {"rate-1": "3"})
        assert answer.status_code == 404 and "There is no item" in answer.json()["error"]["message"]
    assert stored(tiny_store, study) == []


def test_a_second_click_at_the_end_of_the_practice_answers_nothing_of_the_study(
    tiny_store: Store, study: StudyRow, rater: Rater
) -> None:
    rater.begin(study)
    practice = rater.at
    rater.answer()
    for attempt in ("0", "1"):
        fields = {"try": attempt, "rate-1": "1", "rate-2": "1", "rate-3": "1", "best": "1", "go": "next"}
        assert rater.save(practice, fields).status_code == 409
        assert rater.post(practice, fields).status_code == 200
    assert stored(tiny_store, study) == []


def test_the_practice_is_explained_after_a_wrong_try_and_ends_after_two(
    tiny_store: Store, study: StudyRow, rater: Rater
) -> None:
    rater.begin(study)
    wrong = {"rate-1": "3", "rate-2": "3", "rate-3": "3", "best": "1", "go": "next"}
    first = rater.at
    rater.post(first, {**wrong, "try": "0"})
    assert rater.at.endswith("/practice") and "Not quite" in rater.page
    fits = rater.read.one("p", "fits").text
    assert any(truth in fits for truth in w.TRUTHS)
    assert "you rated it 3, Neither Agree nor Disagree" in rater.page and "fires most on" in rater.page
    rater.post(first, {**wrong, "try": "0"})  # the first form once more is not the second try
    assert "You are in the practice" in rater.page
    rater.get(first)
    assert "Last try" in rater.page
    rater.post(first, {**wrong, "try": "1"})
    assert rater.at == links.landing(study.code) and "OUT42" in rater.page
    assert "app.prolific.com" not in rater.page  # did not come from there
    assert raters(tiny_store, study) == [RaterState.SCREENED_OUT]
    assert rater.get(f"{rater.at}/1").status_code == 200 and "OUT42" in rater.page


def test_leaving_is_asked_about_and_for_good(tiny_store: Store, study: StudyRow, rater: Rater) -> None:
    rater.to_the_study(study)
    rater.save(rater.at, {"rate-1": "2"})
    item, here = rater.at, f"/rate/{study.code}/leave"
    assert rater.get(here).status_code == 200 and "ada@example.org" in rater.page
    rater.post(here, {})
    assert raters(tiny_store, study) == [RaterState.RATING]
    rater.post(here, {"sure": "yes"})
    assert "You have left the study" in rater.page
    assert raters(tiny_store, study) == [RaterState.RETURNED]
    late = rater.save(item, {"rate-2": "2"})
    assert late.status_code == 409 and len(stored(tiny_store, study)) == 1
    rater.post(here, {"sure": "yes"})
    assert "You have left the study" in rater.page


def test_full_closed_and_not_begun(
    tiny_store: Store, web_app: FastAPI, web_settings: Settings, rater: Rater, other: Rater
) -> None:
    study = w.opened(tiny_store, raters=1)
    rater.to_the_study(study)
    other.get(links.open_link(web_settings, study))
    form = other.read.one("form")
    fields = {e["name"]: e["value"] for e in form.inside if e.tag == "input"}
    assert other.post(form["action"], fields).status_code == 409 and "All places are taken" in other.page
    assert other.client.cookies  # so that the way is open when a place is free again
    Studies(tiny_store).close(study.id, w.OWNER, anyway=True)
    stranger = Rater(web_app, web_settings)
    for each in (rater, other, stranger):
        assert each.get(links.open_link(web_settings, study)).status_code == 410
        assert "This study has ended" in each.page
    assert rater.get(f"/rate/{study.code}/1").status_code == 410
    late = rater.save(f"/rate/{study.code}/1", {"rate-1": "2"})
    assert late.status_code == 403 and "has ended" in late.json()["error"]["message"]
    assert stored(tiny_store, study) == []
    draft = Studies(tiny_store).make(w.definition(), w.OWNER)
    assert stranger.get(links.open_link(web_settings, draft)).status_code == 404
    assert "has not begun" in stranger.page


def test_behind_the_login_a_rater_s_link_opens_that_study_and_nothing_else(
    tiny_store: Store, web_settings: Settings, study: StudyRow
) -> None:
    settings = Settings(**{**web_settings.model_dump(), "host": "0.0.0.0", "password": "correct horse"})
    walled = create_app(settings, store=tiny_store)
    rater = Rater(walled, settings, "http://10.0.0.5")
    rater.to_the_study(study)
    for closed in (
        "/",
        "/rate",
        "/studies",
        f"/studies/{study.id}/preview",
        "/m/tiny-random/0-mlp/0",
        "/jobs",
        "/api/v1/models",
    ):
        answer = rater.client.get(closed, headers={"accept": "text/html"})
        assert answer.status_code in (303, 401), closed
        assert answer.status_code == 401 or answer.headers["location"].startswith("/login")
    for path in ("/rate/../jobs", "/rate/%2e%2e/jobs", "/rate//jobs"):
        assert "Explain" not in rater.client.get(path).text
    assert "/login" not in rater.page and 'href="/"' not in rater.page


SIMULATED = {"arms": (StudyArm(w.METHODS[0]),), "tasks": (Task.SIMULATE,), "practice": 0, "contrasts": ()}


def test_places_pairs_and_ties(tiny_store: Store, rater: Rater) -> None:
    study = w.opened(tiny_store, tasks=(Task.RANK, Task.PAIR), practice=0)
    rater.begin(study)
    n = len(rater.read.find("select"))
    pairs = n * (n - 1) // 2
    assert len({e["name"] for e in rater.read.find("input", type="radio")}) == pairs
    same = {f"rank-{i}": "1" for i in range(1, n + 1)}
    rater.post(rater.at, {**same, "go": "next"})
    assert (
        "a place of its own for every description" in rater.page
        and f"{pairs} of the comparisons" in rater.page
    )
    said = ("left", "right", "tie")
    fields = {f"rank-{i}": str(i) for i in range(1, n + 1)}
    fields |= {f"pair-{i}": said[i % 3] for i in range(1, pairs + 1)}
    here = rater.at
    rater.post(here, {**fields, "go": "next"})
    assert rater.at == f"/rate/{study.code}/2"
    _, shown = Rating(tiny_store).show(study.code, secret_of(rater, study), 1)
    first, *_ = shown.place.sitting.texts
    assert shown.given[ReplyKind.RANK, str(first)] == "1"
    left, right = shown.place.sitting.pairs[0]
    assert shown.given[ReplyKind.PAIR, f"{left}-{right}"] == "right"
    rater.get(here)
    assert [e.text for e in rater.read.find("option") if "selected" in e.attributes] == [
        str(i) for i in range(1, n + 1)
    ]


def secret_of(rater: Rater, study: StudyRow) -> str:
    cookie = next(c.value or "" for c in rater.client.cookies.jar if c.name == links.COOKIE)
    return links.read_cookie(rater.settings, study.code, cookie)


def test_an_explanation_of_one_s_own(tiny_store: Store, rater: Rater) -> None:
    study = w.opened(
        tiny_store, arms=(), contrasts=(), tasks=(Task.WRITE,), practice=0, evidence=ShownRecords()
    )
    rater.begin(study)
    assert rater.read.find("li", "rec") and not rater.read.find("q")
    rater.post(rater.at, {"write": " ", "go": "next"})
    assert "needs a letter or two" in rater.page
    rater.post(rater.at, {"write": "words about\nthe sea", "go": "next"})
    assert rater.at.endswith("/2")
    assert stored(tiny_store, study) == [(ReplyKind.WRITE, "", "words about the sea")]


def test_the_simulator_sees_no_activation_and_no_kind_of_text(tiny_store: Store, rater: Rater) -> None:
    study = w.opened(tiny_store, **SIMULATED)
    rater.begin(study)
    page = rater.read
    assert not page.find("li", "rec") and not [e for e in page.all if "data-v" in e.attributes]
    assert not re.search(r'class="a-?\d', rater.page) and "fires most" not in rater.page
    texts = len(page.find("fieldset"))
    fields = {f"none-{i}": "yes" for i in range(2, texts + 1)}
    here = rater.at
    rater.post(here, {**fields, "go": "next"})
    assert "1 of the texts" in rater.page
    both = rater.post(here, {"mark-1": ["0", "2"], "none-1": "yes", "go": "next"})
    assert both.status_code == 422 and "Choose one" in rater.page
    assert rater.save(here, {"mark-1": ["0", "99"]}).status_code == 422
    rater.post(here, {"mark-1": ["2", "0"], "go": "next"})
    assert rater.at.endswith("/2")
    _, shown = Rating(tiny_store).show(study.code, secret_of(rater, study), 1)
    values = [shown.given[ReplyKind.SIMULATE, str(i)] for i in range(texts)]
    assert sorted(values) == [""] * (texts - 1) + ["0,2"]
    rater.get(here)
    checked = rater.checked
    assert [each for each in checked if each[0] == "mark-1"] == [("mark-1", "0"), ("mark-1", "2")]
    order = views.order_of_texts(study, shown.place.sitting.item, texts)
    assert values[order[0]] == "0,2"
    kinds = [record.kind for record in shown.item.records]
    assert len(order) == len(kinds) and kinds == sorted(kinds, reverse=True)  # stored: the strongest first
    first = {views.order_of_texts(replace(study, code=str(n)), 0, texts)[0] for n in range(60)}
    assert len(first) > texts // 2


def test_the_neuron_is_named_only_where_the_study_says_so(
    tiny_store: Store, rater: Rater, other: Rater
) -> None:
    rater.to_the_study(w.opened(tiny_store))
    assert rater.read.one("h1").text == "1/3"
    other.to_the_study(w.opened(tiny_store, name_neuron=True, name="zq named"))
    assert re.fullmatch(r"1/3 - Neuron [01]:\d+", other.read.one("h1").text)


def test_what_is_described_of_a_negative_side_is_said(tiny_store: Store, rater: Rater) -> None:
    w.describe(tiny_store, polarity=Polarity.NEGATIVE)
    made = Studies(tiny_store)
    study = made.start(made.make(w.definition(polarity=Polarity.NEGATIVE), w.OWNER).id, w.OWNER)
    rater.to_the_study(study)
    assert (
        "Texts on which the neuron is lowest" in rater.page
        and "below zero there, which is what" in rater.page
    )
    top = rater.read.find("section", "kind")[0]
    assert {e.text[0] for e in top.inside if "val" in e.classes} == {"−"}


def test_a_study_is_looked_at_as_raters_will_see_it(
    tiny_store: Store, web_app: FastAPI, rater: Rater
) -> None:
    w.describe(tiny_store)
    made = Studies(tiny_store)
    draft = made.make(w.definition(), w.OWNER)
    researcher = TestClient(web_app, base_url=w.BASE)
    first = read(researcher.get(f"/studies/{draft.id}/preview").text)
    assert first.one("h1").text == "Describing units" and not first.find("form")
    practice = read(researcher.get(f"/studies/{draft.id}/preview?item=1").text)
    assert practice.one("h1").text == "Practice 1/1"
    pages = [read(researcher.get(f"/studies/{draft.id}/preview?item={n}").text) for n in (2, 3, 4)]
    assert [page.one("h1").text for page in pages] == ["1/3", "2/3", "3/3"]
    assert researcher.get(f"/studies/{draft.id}/preview?item=5").status_code == 404
    before = [[q.text for q in page.find("q")] for page in pages]
    study = made.start(draft.id, w.OWNER)
    after = [read(researcher.get(f"/studies/{study.id}/preview?item={n}").text) for n in (2, 3, 4)]
    assert [[q.text for q in page.find("q")] for page in after] == before
    rater.to_the_study(study)  # the first place is the first rater's
    assert [q.text for q in rater.read.find("q")] == before[0]
    assert "Preview" in researcher.get(f"/studies/{study.id}/preview?item=2").text
    assert "Preview" not in rater.page
    with tiny_store.session() as s:
        assert len(studies.logged(s, study.id)) == 2  # made and started


def test_the_page_asks_with_lee_s_words(study: StudyRow, rater: Rater) -> None:
    rater.to_the_study(study)
    page = rater.read
    legends = [e.text for e in page.find("legend")]
    assert legends[0].endswith("is a good explanation of this neuron's behaviour")
    assert legends[-1] == "Which description is the best match?"
    words = [e.text for e in page.find("fieldset")[0].inside if e.tag == "span"]
    assert words == ["Strongly Disagree", "Disagree", "Neither Agree nor Disagree", "Agree", "Strongly Agree"]
    rated = [e.text for e in page.find("q")]
    chosen = [e.text for e in page.find("fieldset")[-1].inside if e.tag == "span"]
    assert rated == chosen
    titles = [e.text for e in page.find("h2")]
    assert titles[:2] == ["Texts on which the neuron fires most", "Texts drawn at random"]
    assert len(page.find("div", "txt")) == len(page.find("li", "rec")) > 0


def test_what_raters_load_says_nothing_of_methods() -> None:
    for name in ("css/rating.css", "js/rating.js"):
        said = (STATIC / name).read_text().lower()
        assert not re.search(r"explainer|avhs|token_lookup|\bscore\b", said), name
