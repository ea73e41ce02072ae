"""The one place where an error becomes an HTTP answer: a page, a fragment for htmx, or JSON for the API."""

import logging
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.errors import AppError, Way
from app.web.contexts import ErrorPage
from app.web.middleware import SECURITY_HEADERS
from app.web.rating_contexts import RaterErrorPage
from app.web.rating_frame import UNKEPT, code_of, frame, is_for_raters, landing
from app.web.rendering import chrome, render

log = logging.getLogger(__name__)

_HEADLINES = {
    403: "Not allowed",
    404: "There is no such page",
    409: "Not now",
    413: "Too much at once",
    421: "Unknown host",
    422: "That cannot be used",
    502: "The language model did not help",
    503: "The store cannot be used",
}
UNEXPECTED = (
    "Something went wrong here that was not foreseen. The server's log says what; nothing was half-written."
)


FOR_RATERS = "The study cannot be reached just now. What was saved is kept: try again in a minute."


def wants_json(request: Request) -> bool:
    """Whether the caller is a program: the API, or one that asks for JSON and not for HTML."""
    if request.url.path.startswith("/api/"):
        return True
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def answer(request: Request, status: int, message: str, ways: tuple[Way, ...] = ()) -> Response:
    """One error in the form the caller understands. The message is escaped where it becomes HTML.

    A rater is told nothing of what lies behind a study: neither in a frame that leads to it nor in what a fault of ours says.
    """
    rater = is_for_raters(request.url.path)
    if rater and status >= 500:
        message = FOR_RATERS
    if wants_json(request):
        said = {"error": {"status": status, "message": message}}
        return JSONResponse(said, status, UNKEPT if rater else None)
    headline = _HEADLINES.get(status) or HTTPStatus(status).phrase
    if rater:
        code = code_of(request.url.path)
        around = frame(request, headline, landing(code) if code else "")
        return HTMLResponse(
            render("rating_error.html", RaterErrorPage(around, headline, message)), status, UNKEPT
        )
    fragment = "hx-request" in request.headers
    context = ErrorPage(chrome(request, headline), status, headline, message, ways)
    return HTMLResponse(render("_error.html" if fragment else "error.html", context), status)


def app_error(request: Request, error: Exception) -> Response:
    """An expected error."""
    assert isinstance(error, AppError)
    if error.status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    return answer(request, error.status, error.sentence, error.ways)


def http_error(request: Request, error: Exception) -> Response:
    """An error that the framework raises: no route, wrong method."""
    assert isinstance(error, HTTPException)
    message = "Nothing is at this address." if error.status_code == 404 else str(error.detail)
    response = answer(request, error.status_code, message)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def validation_error(request: Request, error: Exception) -> Response:
    """Parameters that do not parse: said by name, without echoing the framework's structure."""
    assert isinstance(error, RequestValidationError)
    parts = [f"{'.'.join(str(step) for step in e['loc'][1:])}: {e['msg']}" for e in error.errors()]
    return answer(request, 422, "; ".join(parts) or "The request cannot be read.")


def unexpected(request: Request, error: Exception) -> Response:
    """A bug: logged in full, shown without any detail."""
    log.exception("%s %s", request.method, request.url.path, exc_info=error)
    response = answer(request, 500, UNEXPECTED)
    # Starlette makes this answer outside of all middleware, so the headers are added here.
    response.raw_headers.extend(SECURITY_HEADERS)
    return response


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(AppError, app_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(Exception, unexpected)
