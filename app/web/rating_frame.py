"""Where raters' addresses are, and what is around each of their pages. It tells nothing of the rest of the server."""

import re

from starlette.requests import Request

from app.web.rating_contexts import Frame
from app.web.rendering import THEMES

FOLDER = "/rate/"
# Nobody keeps a rater's page, so that the way back shows what is stored; and no search engine lists one.
UNKEPT = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}
_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")


def is_for_raters(path: str) -> bool:
    """Whether an address is of the raters' side."""
    return path.startswith(FOLDER)


def code_of(path: str) -> str:
    """The study's code in a rater's address; empty where there is none that could be one."""
    code = path.removeprefix(FOLDER).partition("/")[0] if is_for_raters(path) else ""
    return code if _CODE.fullmatch(code) else ""


def landing(code: str) -> str:
    """Where a rater of the study with this code finds the next thing to do."""
    return f"{FOLDER}{code}"


def frame(request: Request, title: str, home: str = "") -> Frame:
    """The frame of a rater's page; `home` is the study's first page where there is one to go to."""
    theme = request.cookies.get("theme", "")
    return Frame(title, theme if theme in THEMES else "", home)
