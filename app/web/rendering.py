"""Templates: one environment, typed contexts in, a string out."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.errors import AppError
from app.settings import Settings
from app.web import formats, trust_marks
from app.web.contexts import Chrome

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
NPM_DIR = Settings().npm_dir
# Files of npm packages that pages may load, by the name they are served under. Nothing else there is served.
VENDOR_FILES = {
    "htmx.min.js": Path("htmx.org/dist/htmx.min.js"),
    "hx-sse.min.js": Path("htmx.org/dist/ext/hx-sse.min.js"),
}
THEMES = ("light", "dark")
# Where a template leaves room for HTML made before it; nobody can write it, since nobody knows it.
INSERT = Markup(f"<!--{secrets.token_hex(16)}-->")  # noqa: S704


def vendor_file(name: str) -> Path | None:
    """An allowed file of an npm package, None where it is not allowed or not installed."""
    inside = VENDOR_FILES.get(name)
    return NPM_DIR / inside if inside is not None and (NPM_DIR / inside).is_file() else None


def check_files() -> None:
    """Raises AppError when what pages are made of is not installed."""
    if not (TEMPLATES.is_dir() and STATIC.is_dir()):
        raise AppError(
            "Neuronarium was installed without its pages: clone it, and run `pip install -e .` or `make viewer` there."
        )
    if missing := [name for name in VENDOR_FILES if vendor_file(name) is None]:
        raise AppError(
            f"The front-end files are not in {NPM_DIR} ({', '.join(missing)}): run `make viewer` or `make run`, "
            "which fetch them, or set NEURONARIUM_NPM_DIR to the node_modules that has them."
        )


@cache
def static_url(path: str) -> str:
    """Address of a static file with a mark of its content, so that it may be cached for good."""
    file = vendor_file(path.removeprefix("vendor/")) if path.startswith("vendor/") else STATIC / path
    if file is None or not file.is_file():
        return f"/static/{path}"
    return f"/static/{path}?v={hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest()}"


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.globals["static_url"] = static_url
    env.globals["insert"] = INSERT
    env.filters.update(formats.FILTERS)
    env.filters["trust"] = trust_marks.of_key
    return env


ENVIRONMENT = _environment()


def render(template: str, context: "DataclassInstance") -> str:
    """A template filled with one frozen dataclass: its fields are the template's names."""
    values: dict[str, Any] = {field.name: getattr(context, field.name) for field in fields(context)}
    return ENVIRONMENT.get_template(template).render(values)


def page(
    template: str, context: "DataclassInstance", status: int = 200, inserts: Sequence[bytes] = ()
) -> HTMLResponse:
    """A rendered template as an answer. `inserts` is safe HTML, one for each `{{ insert }}` that the template writes."""
    frame = render(template, context).encode()
    if not inserts:
        return HTMLResponse(frame, status)
    first, *others = frame.split(INSERT.encode())
    pairs = zip(inserts, others, strict=True)
    return HTMLResponse(b"".join([first, *(piece for pair in pairs for piece in pair)]), status)


def chrome(request: Request, title: str, section: str = "", model: str = "") -> Chrome:
    """What the frame around every page needs; `section` marks the current entry of the navigation, `model` is what it is about."""
    theme = request.cookies.get("theme", "")
    outside = request.scope.get("neuronarium.outside", False)
    counter = None if outside else getattr(request.app.state, "running_jobs", None)
    return Chrome(
        title=title,
        section=section,
        theme=theme if theme in THEMES else "",
        running_jobs=counter() if counter is not None else 0,
        query=request.query_params.get("q", ""),
        model=model or request.query_params.get("model", ""),
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        login=request.scope.get("neuronarium.login", False),
    )
