"""The application as a whole: its guard is in place on every answer, errors say what exists, and nothing leaks."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.errors import Refused
from app.main import create_app
from app.settings import Settings
from app.store import Store, jobs
from app.web.middleware import CSP
from tests.web.conftest import BASE
from tests.web.markup import read


@pytest.mark.parametrize(
    "path", ["/help", "/nowhere", "/m/tiny-random/0-mlp/3", "/api/v1/models", "/static/css/base.css"]
)
def test_every_answer_carries_the_policy(client: TestClient, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_a_bug_shows_nothing_of_itself_and_still_carries_the_policy(web_app: FastAPI):
    def broken() -> None:
        raise RuntimeError("secret-detail")

    web_app.get("/broken")(broken)
    web_app.get("/api/v1/broken")(broken)
    client = TestClient(web_app, base_url=BASE, raise_server_exceptions=False)
    for path in ("/broken", "/api/v1/broken"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret-detail" not in answer.text
        assert answer.headers["content-security-policy"] == CSP


@pytest.mark.parametrize(
    ("path", "there_is"),
    [
        ("/m/nothing/0-mlp/3", "tiny-random"),
        ("/m/tiny-random/9-mlp/3", "0-mlp"),
        ("/m/tiny-random/0-mlp/999", "0 to 31"),
        ("/m/tiny-random/0-mlp/99999999999999", "0 to 31"),
        ("/m/tiny-random/0-mlp/99999999999999999999", "0 to 31"),
        ("/m/tiny-random/0-mlp/" + "9" * 5000, "0 to 31"),
        ("/m/tiny-random/0-mlp/99999999999999999999/preview", "0 to 31"),
        ("/m/tiny-random/0-mlp/-1", "0 to 31"),
        ("/m/tiny-random/0-mlp/abc", "0 to 31"),
        ("/m/tiny-random/9-mlp/abc", "0-mlp"),
        ("/explanations/99999999999999999999", "the newest is"),
        ("/explanations/" + "9" * 5000, "the newest is"),
        ("/explanations/0", "the newest is"),
        ("/explanations/-1", "no explanation"),
        ("/explanations/abc", "no explanation"),
        ("/m/tiny-random/0-mlp/3?show=values&excerpt=999999", "not among"),
        ("/m/tiny-random/0-mlp/3?show=compare&explanation=999999", "no such explanation"),
    ],
)
def test_what_does_not_exist_says_what_does(client: TestClient, path, there_is):
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert there_is in read(answer.text).one("div", cls="blank").text


@pytest.mark.parametrize(
    "path",
    [
        "models/tiny-random/layers/0-mlp/neurons/99999999999999999999",
        "models/tiny-random/layers/0-mlp/neurons/99999999999999999999/records",
        "explanations/99999999999999999999",
        "explanations/99999999999999999999/scores",
        "explanations/-99999999999999999999/simulations",
    ],
)
def test_a_number_that_no_database_holds_is_one_that_is_not_there(client: TestClient, path):
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert "31" in answer.text or "the newest is" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/jobs",
        "/help",
        "/api",
        "/m/tiny-random",
        "/m/tiny-random/0-mlp",
        "/m/tiny-random/0-mlp/3",
        "/m/tiny-random/0-mlp/999",
        "/api/v1/models",
        "/static/css/base.css",
        "/static/vendor/htmx.min.js",
        "/jobs/events",
    ],
)
def test_head_is_the_answer_without_its_body(client: TestClient, path):
    whole, head = client.get(path), client.head(path)
    assert head.status_code == whole.status_code
    assert head.content == b""
    assert dict(head.headers) == dict(whole.headers)
    if "etag" in whole.headers:
        held = {"if-none-match": whole.headers["etag"]}
        assert client.head(path, headers=held).status_code == client.get(path, headers=held).status_code
    assert client.head("/login").status_code == client.get("/login").status_code


def test_head_of_a_stream_without_end_ends(client: TestClient, tiny_store: Store):
    with tiny_store.session() as session:
        jobs.add(session, "j", "explain", "Explain", "{}")
    answer = client.head("/jobs/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_an_error_takes_the_form_that_the_caller_understands(client: TestClient):
    path = "/m/<em>/0-mlp/3"
    page = client.get(path, headers={"accept": "text/html"})
    assert "<em>" not in page.text
    assert "&lt;em&gt;" in page.text
    fragment = client.get(path, headers={"hx-request": "true"})
    assert fragment.text.lstrip().startswith("<div")
    assert client.get(path, headers={"accept": "application/json"}).json()["error"]["status"] == 404
    assert client.get("/api/v1/models/none").json()["error"]["status"] == 404


def test_vendor_serves_a_fixed_list_and_nothing_else(client: TestClient):
    assert client.get("/static/vendor/package.json").status_code == 404
    assert client.get("/static/vendor/..%2f..%2fpackage.json").status_code == 404
    assert client.get("/static/../pyproject.toml").status_code == 404
    assert client.get("/static/%2e%2e/pyproject.toml").status_code == 404


def test_other_sites_cannot_change_anything_here(client: TestClient):
    form = {"theme": "dark", "back": "/"}
    assert client.post("/theme", data=form, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    answer = client.post("/theme", data=form, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 303
    assert answer.cookies["theme"] == "dark"


def test_the_theme_is_in_the_page_and_changes_its_etag(client: TestClient):
    light = client.get("/help")
    client.cookies.set("theme", "dark")
    dark = client.get("/help", headers={"if-none-match": light.headers["etag"]})
    assert dark.status_code == 200
    assert '<html lang="en" data-theme="dark">' in dark.text
    client.cookies.set("theme", '"><script>')
    assert "data-theme" not in client.get("/help").text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", ""])
def test_nobody_is_sent_elsewhere(client: TestClient, target):
    answer = client.post("/theme", data={"theme": "dark", "back": target})
    assert answer.headers["location"] == "/"


def test_without_a_password_only_loopback_is_served(tiny_store: Store, tmp_path):
    with pytest.raises(Refused, match="NEURONARIUM_PASSWORD"):
        create_app(Settings(data_dir=tmp_path, host="0.0.0.0"), store=tiny_store)


def test_beyond_loopback_everybody_logs_in(tiny_store: Store, tmp_path):
    app = create_app(Settings(data_dir=tmp_path, host="0.0.0.0", password="pass"), store=tiny_store)
    client = TestClient(app, base_url="http://10.0.0.5:8000", follow_redirects=False)
    page = client.get("/help", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fhelp")
    assert client.get("/api/v1/models").status_code == 401
    read(client.get("/login").text)
    guess = {"username": "neuronarium", "password": "no", "next": "/help"}
    wrong = client.post("/login", data=guess)
    assert wrong.status_code == 401
    assert "session" not in wrong.cookies
    right = client.post("/login", data={"username": "neuronarium", "password": "pass", "next": "/help"})
    assert (right.status_code, right.headers["location"]) == (303, "/help")
    assert "httponly" in right.headers["set-cookie"].lower()
    assert client.get("/help").status_code == 200
    client.post("/logout")
    assert client.get("/help").status_code == 401
    for _ in range(9):
        assert client.post("/login", data=guess).status_code == 401
    held = client.post("/login", data=guess | {"password": "pass"})
    assert held.status_code == 429
    assert 0 < int(held.headers["retry-after"]) <= 60
    assert "Too many failed logins from this address." in held.text
