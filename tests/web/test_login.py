"""The login wall: sessions for people, HTTP Basic for programs, nobody else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.errors import AppError
from app.settings import Settings
from app.web.failed_logins import FailedLogins, TooManyFailures
from app.web.login import COOKIE, Credentials, LoginWall, credentials


def refuse(request: Request, error: AppError) -> Response:
    return PlainTextResponse(str(error), error.status)


async def show(request: Request) -> Response:
    return PlainTextResponse("inside")


KNOWN = Credentials("ada", "correct horse", b"s" * 32)


@pytest.fixture
def client() -> TestClient:
    app = Starlette(
        routes=[Route("/{path:path}", show)],
        middleware=[Middleware(LoginWall, credentials=KNOWN, answer=refuse)],
    )
    return TestClient(app, base_url="http://10.0.0.5", follow_redirects=False)


def test_people_are_sent_to_the_login_page_and_back(client):
    answer = client.get("/m/x?show=top", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fm%2Fx%3Fshow%3Dtop"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_part_of_an_open_page_leads_the_whole_page_to_the_login(client, method):
    headers = {
        "accept": "text/html, text/event-stream",
        "hx-request": "true",
        "hx-current-url": "http://10.0.0.5/m/x/0/1?show=top",
    }
    answer = client.request(method, "/m/x/0/1/preview?method=hs", headers=headers)
    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers
    assert answer.headers["hx-redirect"] == "/login?next=%2Fm%2Fx%2F0%2F1%3Fshow%3Dtop"


def test_programs_are_told_how(client):
    answer = client.get("/api/v1/models")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert client.get("/api/v1/models", auth=("ada", "correct horse")).text == "inside"
    assert client.get("/api/v1/models", auth=("ada", "wrong")).status_code == 401
    assert client.get("/api/v1/models", auth=("eve", "correct horse")).status_code == 401
    for broken in ("Basic", "Basic !!!", "Basic /w==", "Bearer x", "Basic YWRh"):
        assert client.get("/api/v1/models", headers={"authorization": broken}).status_code == 401


def test_whoever_guesses_too_often_waits_and_a_session_does_not(monkeypatch):
    now = [0.0]
    known = Credentials("ada", "correct horse", b"s" * 32)
    monkeypatch.setattr(known, "_failed", FailedLogins(lambda: now[0]))
    app = Starlette(
        routes=[Route("/{path:path}", show)],
        middleware=[Middleware(LoginWall, credentials=known, answer=refuse)],
    )
    client = TestClient(app, base_url="http://10.0.0.5", client=("10.0.0.9", 5000))
    elsewhere = TestClient(app, base_url="http://10.0.0.5", client=("10.0.0.8", 5000))
    for guess in range(10):
        assert client.get("/", auth=("ada", str(guess))).status_code == 401
        now[0] += 1
    held = client.get("/", auth=("ada", "correct horse"))
    assert (held.status_code, held.headers["retry-after"]) == (429, "50")
    assert "Try again in 50 s" in held.text
    assert client.get("/", headers={"cookie": f"{COOKIE}={known.session()}"}).text == "inside"
    assert elsewhere.get("/", auth=("ada", "correct horse")).text == "inside"
    now[0] = 60.5
    assert client.get("/", auth=("ada", "correct horse")).text == "inside"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 40)), max_size=60))
def test_no_minute_holds_more_than_ten_guesses_of_an_address(tries):
    now, made = 0.0, {"a": [], "b": []}
    failed = FailedLogins(lambda: now)
    for address, later in tries:
        now += later
        try:
            failed.check(address)
        except TooManyFailures:
            continue
        failed.add(address)
        made[address].append(now)
        assert sum(now - 60 < at for at in made[address]) <= 10


def test_addresses_are_not_remembered_without_bound(monkeypatch):
    monkeypatch.setattr("app.web.failed_logins.ADDRESSES", 3)
    failed = FailedLogins()
    for address in "abcd":
        for _ in range(10):
            failed.add(address)
    failed.check("a")  # forgotten
    with pytest.raises(TooManyFailures):
        failed.check("d")


def test_nothing_is_changed_without_a_login(client):
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, "/jobs/1/cancel", headers={"accept": "text/html"}).status_code == 401


def test_a_session_is_ours_only_when_we_signed_it(client):
    assert client.get("/", headers={"cookie": f"{COOKIE}={KNOWN.session()}"}).text == "inside"
    forged = [
        "",
        "ada",
        KNOWN.session()[:-2] + "xx",
        Credentials("ada", "correct horse", b"t" * 32).session(),
        Credentials("ada", "an older password", b"s" * 32).session(),
    ]
    for cookie in forged:
        assert client.get("/", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401, cookie


def test_the_login_page_and_its_looks_are_open(client):
    assert client.get("/login").text == "inside"
    assert client.get("/static/css/base.css").text == "inside"
    assert client.get("/loginx").status_code == 401
    assert client.get("/themes").status_code == 401


def test_the_secret_is_kept_and_private(tmp_path: Path):
    settings = Settings(data_dir=tmp_path / "new", host="0.0.0.0", password="p")
    first, second = credentials(settings), credentials(settings)
    assert second.holds(first.session())
    assert (tmp_path / "new" / "session.key").stat().st_mode & 0o077 == 0
