"""create_app: the only place where the web is put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.errors import AppError, NotFound, Refused
from app.jobs.service import Jobs
from app.settings import Settings
from app.store import Store
from app.study.rating import Rating
from app.web import errors, login, routes
from app.web.author import Names
from app.web.counters import RunningJobs
from app.web.middleware import ConditionalAnswers, Guard, HeadAnswers, SecurityHeaders, is_loopback
from app.web.model_cache import ModelCache
from app.web.rating_door import RatersDoor
from app.web.rating_views import Paintings
from app.web.rendering import STATIC, VENDOR_FILES, vendor_file
from app.web.report_shelf import Shelf

FOR_GOOD = "public, max-age=31536000, immutable"


class CachedStatic(StaticFiles):
    """Static files that may be kept for good when asked for by the mark of their content (`?v=`)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = FOR_GOOD if b"v=" in scope["query_string"] else "no-cache"
        return response


async def vendor(name: str, v: str = "") -> Response:
    """A file of an npm package, from a fixed list."""
    file = vendor_file(name)
    if file is None:
        raise NotFound(f"No such file is served. There is: {', '.join(VENDOR_FILES)}.")
    return FileResponse(
        file, media_type="text/javascript", headers={"cache-control": FOR_GOOD if v else "no-cache"}
    )


def error_answer(request: Request, error: AppError) -> Response:
    """An error of the middleware, in the same form as those of the handlers."""
    return errors.answer(request, error.status, error.sentence)


def create_app(settings: Settings, store: Store | None = None, jobs: Jobs | None = None) -> FastAPI:
    """The whole web application.

    `store` and `jobs` are opened from the settings when not given; what was opened here is closed at shutdown.
    Raises Refused when the address to listen on is not loopback and no password is set, StoreError when the store
    cannot be opened.
    """
    walled = not is_loopback(settings.host)
    if walled and settings.password is None:
        raise Refused(
            f"Listening on {settings.host} would open this to others without a login: "
            "set NEURONARIUM_PASSWORD, or listen on 127.0.0.1."
        )
    opened = store is None
    store = Store.open(settings.store_url) if store is None else store
    jobs = Jobs(settings, store) if jobs is None else jobs

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if opened:
            store.close()

    app = FastAPI(
        title="Neuronarium",
        version="0.1.0",
        summary="Neurons of language models: what makes them fire, what they are said to do, and how well that predicts them.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.settings = settings
    app.state.store = store
    app.state.jobs = jobs
    app.state.facts = ModelCache(store)
    app.state.reports = Shelf(store)
    app.state.rating = Rating(store)
    app.state.paintings = Paintings()
    app.state.running_jobs = RunningJobs(store)
    app.state.names = Names(settings, walled)
    app.state.credentials = login.credentials(settings) if walled else None
    errors.install(app)
    routes.install(app)
    app.add_api_route("/static/vendor/{name}", vendor, include_in_schema=False)
    app.mount("/static", CachedStatic(directory=STATIC), name="static")

    # The last one added is the first to see a request.
    app.add_middleware(RatersDoor, answer=error_answer)
    app.add_middleware(ConditionalAnswers)
    if walled:
        app.add_middleware(login.LoginWall, credentials=app.state.credentials, answer=error_answer)
    hosts = frozenset(host.lower() for host in [settings.host, *settings.allowed_hosts])
    app.add_middleware(Guard, hosts=hosts, any_address=walled, answer=error_answer)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadAnswers)
    return app
