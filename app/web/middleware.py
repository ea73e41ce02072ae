"""What every request passes before any page sees it, and the headers that every answer carries.

Pure ASGI: each layer costs microseconds, and streams (server-sent events) pass through unbuffered.
"""

import hashlib
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, BadInput, Refused

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

ErrorAnswer = Callable[[Request, AppError], Response]


def host_name(host: str) -> str:
    """The name in a Host header, without its port, lower-cased; brackets of an IPv6 address are taken off."""
    return (urlsplit(f"//{host}").hostname or "").rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(name: str) -> bool:
    """Whether a host name is a bare IP address: such a page cannot be the victim of DNS rebinding."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class SecurityHeaders:
    """Adds the content security policy and its companions to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *SECURITY_HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers)


class HeadAnswers:
    """Answers HEAD as GET is answered, without the body: routes need to know GET alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        with anyio.CancelScope() as rest:

            async def head_only(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await send(message)
                    await send({"type": "http.response.body", "body": b""})
                    rest.cancel()  # a stream would go on for as long as what it follows

            await self.app({**scope, "method": "GET"}, receive, head_only)


class Guard:
    """Refuses requests for a foreign host name, and changes asked for by a foreign page.

    The Host check stops DNS rebinding; the origin check stops cross-site forms without any token in ours:
    browsers say where an unsafe request comes from by `Sec-Fetch-Site`, older ones by `Origin`. Clients that are
    no browsers send neither and are let through.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str], any_address: bool, answer: ErrorAnswer
    ) -> None:
        self.app = app
        self.hosts = hosts | LOCAL_NAMES
        self.any_address = any_address
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self.problem(scope["method"], headers)
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await self.answer(Request(scope), problem)(scope, receive, send)

    def problem(self, method: str, headers: Headers) -> AppError | None:
        """Why this request is refused, or None."""
        host = headers.get("host", "")
        try:
            name = host_name(host)
        except ValueError:
            return BadInput("The Host header of this request cannot be read.")
        if name not in self.hosts and not (self.any_address and is_address(name)):
            return UnknownHost(
                f"This server does not answer for the host “{name}”. "
                "If it should, add the name to NEURONARIUM_ALLOWED_HOSTS."
            )
        if method in SAFE_METHODS:
            return None
        site = headers.get("sec-fetch-site")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:
            origin = headers.get("origin")
            foreign = origin is not None and (origin == "null" or urlsplit(origin).netloc != host)
        return (
            Refused("This change was asked for by another site's page, so it was not made.")
            if foreign
            else None
        )


class UnknownHost(BadInput):
    """The Host header names no host that is served."""

    status = 421


class ConditionalAnswers:
    """Gives whole GET answers an ETag, and answers 304 when the browser already has that one.

    Streams, files that bring their own validators, and what nobody may keep pass through untouched.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        held: Message | None = None

        async def with_etag(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                whole = "content-length" in headers and "etag" not in headers
                whole &= headers.get("cache-control") != "no-store"
                if (
                    message["status"] == 200
                    and whole
                    and headers.get("content-type", "").startswith(("text/html", "application/json"))
                ):
                    held = message
                    return
            elif held is not None:
                start, held = held, None
                if message.get("more_body", False):
                    await send(start)
                else:
                    await self.answer(scope, start, message, send)
                    return
            await send(message)

        await self.app(scope, receive, with_etag)

    @staticmethod
    async def answer(scope: Scope, start: Message, body: Message, send: Send) -> None:
        # The quickest of hashlib where the processor knows it, as those of the last years do: a third of blake2b's time.
        digest = hashlib.sha256(body.get("body", b"")).hexdigest()
        etag = f'W/"{digest[:24]}"'
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["etag"] = etag
        if "cache-control" not in headers:
            headers["cache-control"] = "no-cache"
        asked = Headers(scope=scope).get("if-none-match", "")
        if etag in [tag.strip() for tag in asked.split(",")]:
            del headers["content-length"]
            await send({**start, "status": 304, "headers": headers.raw})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({**start, "headers": headers.raw})
        await send(body)
