"""What every request passes: host, origin, headers, ETag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.errors import AppError
from app.web.middleware import CSP, ConditionalAnswers, Guard, SecurityHeaders, host_name, is_loopback

HERE = "http://127.0.0.1:8000"


def refuse(request: Request, error: AppError) -> Response:
    return PlainTextResponse(str(error), error.status)


async def show(request: Request) -> Response:
    return HTMLResponse("<p>same</p>" * 100)


async def stream(request: Request) -> Response:
    return StreamingResponse(iter(["a", "b"]), media_type="text/html")


async def change(request: Request) -> Response:
    return PlainTextResponse("changed")


def client(any_address: bool = False) -> TestClient:
    guard = Middleware(
        Guard, hosts=frozenset({"neurons.example.org"}), any_address=any_address, answer=refuse
    )
    app = Starlette(
        routes=[
            Route("/", show),
            Route("/stream", stream),
            Route("/change", change, methods=["POST", "DELETE"]),
        ],
        middleware=[Middleware(SecurityHeaders), guard, Middleware(ConditionalAnswers)],
    )
    return TestClient(app, base_url=HERE)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "neurons.example.org"]
)
def test_known_hosts_are_answered(host):
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "10.0.0.5", ""]
)
def test_foreign_hosts_are_refused_by_name(host):
    answer = client().get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "NEURONARIUM_ALLOWED_HOSTS" in answer.text
    assert answer.headers["content-security-policy"] == CSP


def test_a_bare_address_is_answered_where_the_server_listens_on_all():
    assert client(any_address=True).get("/", headers={"host": "10.0.0.5:8000"}).status_code == 200
    assert client(any_address=True).get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": HERE}, 403),
        ({"origin": HERE}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_our_own_pages_may_change_anything(method, headers, status):
    assert client().request(method, "/change", headers=headers).status_code == status


def test_reading_is_free_to_all_origins():
    assert client().get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_an_unchanged_page_is_304_with_its_headers():
    first = client().get("/")
    again = client().get("/", headers={"if-none-match": f'W/"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["content-security-policy"] == CSP
    assert client().get("/", headers={"if-none-match": 'W/"other"'}).content == first.content


def test_streams_pass_untouched():
    answer = client().get("/stream")
    assert answer.text == "ab"
    assert "etag" not in answer.headers


def test_the_policy_allows_nothing_from_elsewhere():
    directives = dict(part.strip().split(" ", 1) for part in CSP.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["img-src"] == "'self' data:"
    assert directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert directives["form-action"] == "'self'"
    assert "unsafe" not in CSP


@given(st.text(max_size=40))
def test_no_host_header_breaks_the_check(text):
    guard = Guard(client().app, hosts=frozenset(), any_address=False, answer=refuse)
    problem = guard.problem("GET", Headers({"host": text.encode("latin-1", "replace").decode("latin-1")}))
    assert problem is None or problem.status in (421, 422)


def test_loopback():
    assert [is_loopback(h) for h in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert not any(is_loopback(h) for h in ("0.0.0.0", "::", "", "10.0.0.1", "example.org"))
    assert host_name("Example.ORG.:80") == "example.org"
