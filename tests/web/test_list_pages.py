"""Pages of lists, bookmarks, comments: forms without scripts, what is refused, and what nobody outside may see."""

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.domain.neurons import NeuronRef
from app.main import create_app
from app.settings import Settings
from app.store import Store, bookmarks, comments, explanations, jobs, list_items, lists
from app.web.counters import RunningJobs
from tests import factories
from tests.web.conftest import BASE
from tests.web.markup import Markup, read

NEURON = "/m/tiny-random/0-mlp/3"
NASTY = "<script>alert(1)</script> \"'&amp; {{ 7 * 7 }}"
HTMX = {"hx-request": "true", "accept": "text/html"}


def shown(client: TestClient, path: str) -> Markup:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def post(client: TestClient, path: str, **data: object) -> str:
    """Where a form leads to."""
    answer = client.post(path, data=data)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def refused(client: TestClient, path: str, status: int, **data: object) -> str:
    """What is said to a form that is refused, as a page and as a fragment alike."""
    answer = client.post(path, data=data, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    fragment = client.post(path, data=data, headers=HTMX)
    assert fragment.status_code == status
    said = read(fragment.text).one("div", role="alert").text
    assert said.strip() and "\n" not in said.strip()
    return said


def test_a_list_by_forms_alone(client: TestClient) -> None:
    assert "No list yet" in client.get("/lists").text
    here = post(client, "/lists", name=f"A {NASTY}", description=NASTY)
    assert "This list is empty" in client.get(here).text
    assert post(client, f"{here}/items", q="0:3", note=NASTY) == here
    assert post(client, f"{here}/items", q="1:7", back=f"{here}?cursor=a1#n-1") == f"{here}?cursor=a1#n-1"
    page = shown(client, here)
    assert NASTY in page.one("h1").text
    assert [a.text for a in page.find("a", cls="at")] == ["0:3", "1:7"]
    assert page.one("p", cls="note-text").text == NASTY
    item = f"{here}/items/tiny-random/0-mlp/3"
    assert post(client, f"{item}/move", to="down", back="https://evil.example/") == "/"
    assert [a.text for a in shown(client, here).find("a", cls="at")] == ["1:7", "0:3"]
    post(client, f"{item}/note", note="one\r\ntwo", seen=NASTY)
    assert shown(client, here).one("p", cls="note-text").text == "one\ntwo"
    assert "meanwhile" in refused(client, f"{item}/note", 409, note="late", seen=NASTY)
    post(client, f"{item}/remove")
    assert [a.text for a in shown(client, here).find("a", cls="at")] == ["1:7"]
    assert client.post(f"{item}/remove").status_code == 404
    post(client, f"{here}/edit", name="Plain", description="")
    assert shown(client, "/lists").one("a", cls="title").text == "Plain"
    assert shown(client, here).one("a", aria_current="page").text == "Lists"
    assert post(client, f"{here}/delete") == "/lists"
    assert "deleted meanwhile" in client.get(here, headers={"accept": "text/html"}).text


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("", 422, "empty"),
        ("  ", 422, "empty"),
        ("x" * 10_000, 422, "at most 120"),
        ("a\nb", 422, "U+000A"),
        ("a\u202eb", 422, "U+202E"),
        ("STORES", 409, "already"),
    ],
)
def test_names_that_will_not_do(client: TestClient, name: str, status: int, says: str) -> None:
    post(client, "/lists", name="Stores")
    assert says in refused(client, "/lists", status, name=name)
    assert says in refused(client, f"{NEURON}/lists", status, name=name, to="")
    assert len(shown(client, "/lists").find("a", cls="title")) == 1


def test_a_long_list_has_pages(
    client: TestClient, tiny_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.list_answers.PAGE_SIZE", 5)
    here = post(client, "/lists", name="long")
    with tiny_store.session() as s:
        for index in range(12):
            list_items.add(s, "long", NeuronRef("tiny-random", "0-mlp", index), "", "ada")
    seen, at = [], here
    while at:
        page = shown(client, at)
        seen += [a.text for a in page.find("a", cls="at")]
        following = page.find("a", rel="next")
        at = following[0]["href"] if following else ""
    assert seen == [f"0:{i}" for i in range(12)]
    assert client.get(f"{here}?cursor=junk").status_code == 422


@pytest.mark.parametrize("format", ["csv", "jsonl", "json"])
def test_files_to_keep(client: TestClient, format: str) -> None:
    here = post(client, "/lists", name="Stores")
    post(client, f"{here}/items", q="0:3", note="n")
    answer = client.get(f"{here}/export?format={format}")
    assert answer.headers["content-disposition"] == f'attachment; filename="stores.{format}"'
    assert "tiny-random" in answer.text and '"n"' in answer.text.replace(",n,", '"n"')
    assert client.get(f"{here}/export?format=exe").status_code == 422


def test_a_neuron_s_page_fetches_what_people_keep(client: TestClient) -> None:
    page = shown(client, NEURON)
    place = page.one("section", id="kept")
    assert (place["hx-get"], place["hx-trigger"]) == (f"{NEURON}/kept", "load")
    assert [a["href"] for a in place.inside if a.tag == "a"] == [f"{NEURON}/kept"]  # without scripts
    fragment = client.get(f"{NEURON}/kept", headers=HTMX).text
    assert "<html" not in fragment and read(fragment).one("button", data_key="b")["aria-pressed"] == "false"
    assert client.get("/m/tiny-random/0-mlp/99/kept").status_code == 404
    assert client.get("/m/none/0-mlp/9/kept").status_code == 404
    assert client.get("/m/tiny-random/0-mlp/99999999999/kept").status_code == 404


def test_keeping_a_neuron_without_scripts(client: TestClient, tiny_store: Store) -> None:
    kept = f"{NEURON}/kept"
    assert post(client, f"{NEURON}/bookmark", on="1") == kept
    assert shown(client, kept).one("button", data_key="b")["aria-pressed"] == "true"
    assert shown(client, "/bookmarks").one("a", cls="at")["href"] == NEURON
    assert post(client, f"{NEURON}/bookmark", on="0") == kept
    assert "No bookmark yet" in client.get("/bookmarks").text
    assert post(client, f"{NEURON}/lists", name="New one", note=NASTY) == kept
    [inside] = shown(client, kept).find("ul", cls="inside")
    assert "New one" in inside.text and NASTY in inside.text
    post(client, f"{NEURON}/lists/new-one/remove")
    assert not shown(client, kept).find("ul", cls="inside")
    post(client, f"{NEURON}/lists", to="new-one", name="")
    assert post(client, f"{NEURON}/comments", text=f"{NASTY}\r\ntwo") == kept
    comment = shown(client, kept).one("ol", cls="comments")
    assert f"{NASTY}\ntwo" in comment.text and "local" in comment.text
    withdrawing = next(e["action"] for e in comment.inside if e.tag == "form")
    assert post(client, withdrawing) == kept
    comment = shown(client, kept).one("ol", cls="comments")
    assert "Withdrawn" in comment.text and "two" not in comment.text
    said = post(client, f"{NEURON}/say", text="words about\nrain", polarity="negative")
    assert re.fullmatch(rf"{NEURON}#explanation-[0-9]+", said)
    page = shown(client, NEURON)
    article = page.one("article", id=said.partition("#")[2])
    assert (
        "words about rain" in article.text and "by local" in article.text and "negative side" in article.text
    )
    assert "no language model" not in article.text
    alone = shown(client, f"/explanations/{said.rpartition('-')[2]}")
    assert (
        "not known" in alone.one("dl", cls="stats").text and "written by" in alone.one("dl", cls="stats").text
    )
    options = page.one("select", id="scorable").inside
    assert any("words about rain" in option.text for option in options)
    with tiny_store.session() as s:
        [newest, *_] = explanations.of_neuron(s, NeuronRef("tiny-random", "0-mlp", 3))
    refused = client.post(f"{NEURON}/score", data={"explanation": newest.id, "simulator": "local"})
    assert refused.status_code == 422 and "which text its maker saw" in refused.text
    blind = post(client, f"{NEURON}/say", text="words about rain", polarity="negative", blind="true")
    data = {"explanation": blind.rpartition("-")[2], "simulator": "local"}
    job = client.post(f"{NEURON}/score", data=data)
    assert job.status_code == 303 and "job=score-" in job.headers["location"]


@pytest.mark.parametrize(
    ("path", "data", "status", "says"),
    [
        ("comments", {"text": ""}, 422, "empty"),
        ("comments", {"text": "x" * 5001}, 422, "5,000"),
        ("comments/99/withdraw", {}, 404, "no comment 99"),
        ("say", {"text": ""}, 422, "empty"),
        ("say", {"text": "x" * 1001}, 422, "1,000"),
        ("say", {"text": "a\u202e"}, 422, "U+202E"),
        ("lists", {"to": "none"}, 404, "no list"),
        ("lists", {"name": "fine", "note": "x" * 2001}, 422, "2,000"),
        ("lists/none/remove", {}, 404, "no list"),
    ],
)
def test_what_is_refused_leaves_the_store_as_it_was(
    client: TestClient, tiny_store: Store, path: str, data: dict[str, str], status: int, says: str
) -> None:
    ref = NeuronRef("tiny-random", "0-mlp", 3)
    with tiny_store.session() as s:
        before = len(explanations.of_neuron(s, ref))
    assert says in refused(client, f"{NEURON}/{path}", status, **data)
    assert (
        says in refused(client, f"/m/tiny-random/0-mlp/99/{path}", status, **data) if status == 422 else True
    )
    assert client.post(f"/m/tiny-random/0-mlp/99/{path}", data=data).status_code in (404, 422)
    with tiny_store.session() as s:
        assert (lists.every(s), comments.of_neuron(s, ref)) == ([], [])
        assert len(explanations.of_neuron(s, ref)) == before


def test_a_change_by_htmx_answers_with_the_fragment(client: TestClient) -> None:
    answer = client.post(f"{NEURON}/bookmark", data={"on": "1"}, headers=HTMX)
    assert answer.status_code == 200
    assert read(answer.text).one("button", data_key="b")["aria-pressed"] == "true"
    now = {**HTMX, "hx-current-url": f"{BASE}{NEURON}?show=random&job=x"}
    said = read(client.post(f"{NEURON}/say", data={"text": "rain"}, headers=now).text)
    [fetch] = [e for e in said.all if e.attributes.get("hx-target") == "#explanations"]
    assert fetch["hx-get"] == f"{NEURON}?show=random"


def test_a_name_is_a_label_that_its_cookie_carries(client: TestClient) -> None:
    assert post(client, "/who", name=" Ada  L. ", back="/lists") == "/lists"
    cookie = client.cookies["who"]
    assert shown(client, "/lists").one("input", name="name", autocomplete="nickname")["value"] == "Ada L."
    post(client, "/lists", name="x")
    assert "Ada L." in client.get("/lists/x").text
    client.cookies.clear()
    client.headers["cookie"] = f"who={cookie}"
    assert shown(client, "/lists").one("input", name="name", autocomplete="nickname")["value"] == "Ada L."
    client.headers["cookie"] = f"who={cookie[:-2]}xx"
    assert shown(client, "/lists").one("input", name="name", autocomplete="nickname")["value"] == "local"
    assert "U+202E" in refused(client, "/who", 422, name="a\u202e")


@pytest.fixture
def walled(tiny_store: Store, web_settings: Settings) -> FastAPI:
    settings = web_settings.model_copy(update={"host": "0.0.0.0"})
    settings = Settings(**{**settings.model_dump(), "password": "correct horse"})
    return create_app(settings, store=tiny_store)


def inside(app: FastAPI) -> TestClient:
    client = TestClient(app, base_url="http://10.0.0.5", follow_redirects=False)
    answer = client.post("/login", data={"username": "neuronarium", "password": "correct horse"})
    assert answer.status_code == 303
    return client


def test_a_shared_link_shows_its_list_and_opens_nothing_else(walled: FastAPI, tiny_store: Store) -> None:
    ada = inside(walled)
    here = post(ada, "/lists", name="Stores")
    post(ada, f"{here}/items", q="0:3", note="n")
    post(ada, "/lists", name="Secret")
    assert post(ada, f"{here}/share") == f"{here}#share"
    link = shown(ada, here).one("input", id="shared-link")["value"]
    assert re.fullmatch(r"http://10\.0\.0\.5/shared/[\w-]{43}", link)
    path = link.removeprefix("http://10.0.0.5")
    with tiny_store.session() as s:
        jobs.add(s, "job-1", "explain", "Explain", "{}")
        jobs.claim(s, "job-1", "worker-1")
    walled.state.running_jobs = RunningJobs(tiny_store)
    assert shown(ada, here).find("span", cls="pill")
    outside = TestClient(walled, base_url="http://10.0.0.5", follow_redirects=False)
    answer = outside.get(path)
    page = read(answer.text)
    assert answer.status_code == 200 and page.one("h1").text == "Stores"
    assert (answer.headers["cache-control"], answer.headers["x-robots-tag"]) == ("no-store", "noindex")
    assert [a.text for a in page.find("a", cls="at")] == ["0:3"]
    assert not page.find("span", cls="pill")
    assert "Secret" not in answer.text and "/lists/" not in answer.text
    assert [e["action"] for e in page.find("form") if "action" in e.attributes] == ["/go", "/theme"]
    assert outside.get(f"{path}/export?format=csv").text.count("tiny-random") == 1
    for closed in (
        "/lists",
        here,
        f"{here}/export",
        "/",
        NEURON,
        f"{NEURON}/kept",
        "/bookmarks",
        "/api/v1/lists",
    ):
        assert outside.get(closed, headers={"accept": "text/html"}).status_code in (303, 401), closed
    for target in (f"{path}/delete", f"{path}/items", path, "/shared/../lists", "/shared/%2e%2e/lists"):
        assert outside.post(target).status_code in (401, 404, 405), target
    assert outside.get("/shared/%2e%2e/lists").status_code in (303, 401, 404)
    for wrong in (path[:-1], path + "x", "/shared/", "/shared/%00"):
        assert outside.get(wrong).status_code in (404, 307), wrong
    post(ada, f"{here}/unshare")
    gone = outside.get(path, headers={"accept": "text/html"})
    assert gone.status_code == 404 and "no longer shared" in gone.text and "Stores" not in gone.text


def test_behind_the_login_a_comment_is_its_browser_s(walled: FastAPI, tiny_store: Store) -> None:
    ada, bob = inside(walled), inside(walled)
    post(ada, f"{NEURON}/comments", text="mine")
    assert "who" in ada.cookies
    [said] = shown(ada, f"{NEURON}/kept").find("li", id="comment-1")
    assert "neuronarium" in said.text  # the login's name until another is chosen
    assert "/comments/1/withdraw" in ada.get(f"{NEURON}/kept").text
    assert "/comments/1/withdraw" not in bob.get(f"{NEURON}/kept").text
    assert "another's" in refused(bob, f"{NEURON}/comments/1/withdraw", 403)
    post(ada, "/who", name="Ada")
    post(ada, f"{NEURON}/bookmark", on="1")
    assert "No bookmark yet" in bob.get("/bookmarks").text and NEURON in ada.get("/bookmarks").text
    post(ada, f"{NEURON}/comments/1/withdraw")
    with tiny_store.session() as s:
        assert bookmarks.page(s, "local").total == 0
        assert [row.text for row in comments.of_neuron(s, NeuronRef("tiny-random", "0-mlp", 3))] == [""]


def test_human_is_no_method_to_be_asked_for(client: TestClient) -> None:
    menu = shown(client, NEURON).one("select", data_key="e")
    methods = [o["value"] for o in menu.inside if o.tag == "option"]
    assert methods and "human" not in methods
    assert factories.SLUG in client.get("/").text
