"""The login that any address other than loopback needs: a signed session cookie for people, HTTP Basic for programs."""

import base64
import binascii
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError, Refused
from app.settings import Settings
from app.web.contexts import LoginPage
from app.web.failed_logins import FailedLogins, TooManyFailures
from app.web.middleware import ErrorAnswer
from app.web.preferences import local_path
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

COOKIE = "session"
NO_MATCH = "That name and password do not match."
LIFETIME_S = 14 * 24 * 3600
OPEN_PATHS = ("/login", "/theme")
# A list is shared by the secret word in its address; a rater's link opens that study and nothing else.
OPEN_FOLDERS = ("/static/", "/shared/", "/rate/")


def is_open(path: str) -> bool:
    """Whether a path needs no login: the login page and what it looks like, lists that are shared by their link, and studies for raters."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


class LoginNeeded(AppError):
    """Nobody is logged in."""

    status = 401


class Credentials:
    """Checks name and password, and signs sessions with a key that changes with the password."""

    def __init__(self, username: str, password: str, secret: bytes) -> None:
        self.username = username
        self._password = password
        self._failed = FailedLogins()
        key = hashlib.sha256(secret + hashlib.sha256(f"{username}\0{password}".encode()).digest()).digest()
        self._signer = URLSafeTimedSerializer(base64.b64encode(key).decode(), salt="neuronarium.session")

    def match(self, username: str, password: str, address: str) -> bool:
        """Compares in constant time. Raises TooManyFailures where this address has guessed too often."""
        self._failed.check(address)
        same_name = hmac.compare_digest(username.encode(), self.username.encode())
        same = hmac.compare_digest(password.encode(), self._password.encode()) and same_name
        if not same:
            self._failed.add(address)
        return same

    def session(self) -> str:
        """A new session's cookie value."""
        return str(self._signer.dumps(self.username))

    def holds(self, cookie: str) -> bool:
        """Whether the cookie is a session that we signed, not too long ago, under the current password."""
        try:
            return bool(self._signer.loads(cookie, max_age=LIFETIME_S) == self.username)
        except BadSignature:
            return False

    def basic(self, authorization: str, address: str) -> bool:
        """Whether an Authorization header carries the right HTTP Basic credentials. Raises TooManyFailures."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            username, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self.match(username, password, address)


def credentials(settings: Settings) -> Credentials:
    """Credentials from settings; the signing secret is made once and kept in the data folder, readable by us alone."""
    assert settings.password is not None
    return Credentials(settings.username, settings.password.get_secret_value(), secret(settings.data_dir))


def secret(folder: Path) -> bytes:
    """What cookies are signed with: made once and kept in the data folder, readable by us alone."""
    file = folder / "session.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        fresh = folder / f"session.key.{secrets.token_hex(4)}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.replace(file)
    return file.read_bytes()


class LoginWall:
    """Lets nobody past without a session or HTTP Basic credentials, but for what `is_open`."""

    def __init__(self, app: ASGIApp, *, credentials: Credentials, answer: ErrorAnswer) -> None:
        self.app = app
        self.credentials = credentials
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if is_open(scope["path"]):
            scope["neuronarium.outside"] = True  # the frame around the page tells nothing of the store
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if self.credentials.holds(request.cookies.get(COOKIE, "")):
            scope["neuronarium.login"] = True
        else:
            try:
                known = self.credentials.basic(
                    Headers(scope=scope).get("authorization", ""), _address(request)
                )
            except TooManyFailures as error:
                response = self.answer(request, error)
                response.headers["retry-after"] = str(error.wait_s)
                await response(scope, receive, send)
                return
            if not known:
                await self.refuse(request)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def refuse(self, request: Request) -> Response:
        """People are sent to the login page, programs are told how to authenticate.

        A part of an open page is asked for by neither: htmx is told to leave the page for the login, and no challenge
        is made, which a browser would answer with a window of its own.
        """
        if "hx-request" in request.headers:
            shown = urlsplit(request.headers.get("hx-current-url", ""))
            here = (shown.path or "/") + (f"?{shown.query}" if shown.query else "")
            response = self.answer(request, LoginNeeded("Log in at /login."))
            response.headers["hx-redirect"] = f"/login?{urlencode({'next': here})}"
            return response
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?{urlencode({'next': here})}", 303)
        response = self.answer(request, LoginNeeded("Log in at /login, or send HTTP Basic credentials."))
        response.headers["www-authenticate"] = 'Basic realm="neuronarium"'
        return response


@router.get("/login")
def show_login(request: Request, next: str = "/") -> Response:
    """The login form."""
    return page("login.html", LoginPage(chrome(request, "Log in"), local_path(next), ""))


@router.post("/login")
def log_in(
    request: Request,
    username: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Starts a session."""
    known: Credentials | None = request.app.state.credentials
    if known is None:
        raise Refused("This server listens on loopback only and needs no login.")
    try:
        problem = "" if known.match(username, password, _address(request)) else NO_MATCH
        status, headers = 401, {}
    except TooManyFailures as error:
        problem, status, headers = str(error), error.status, {"retry-after": str(error.wait_s)}
    if problem:
        answer = page("login.html", LoginPage(chrome(request, "Log in"), local_path(next), problem), status)
        answer.headers.update(headers)
        return answer
    response = RedirectResponse(local_path(next), 303)
    response.set_cookie(
        COOKIE,
        known.session(),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
def log_out() -> Response:
    """Ends the session in this browser."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
