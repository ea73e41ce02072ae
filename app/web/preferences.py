"""What a visitor prefers, kept in a cookie: the theme."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

router = APIRouter(include_in_schema=False)
YEAR = 365 * 24 * 3600


def local_path(target: str) -> str:
    """A path on this site to send people back to; anything else becomes the home page."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    return target


@router.post("/theme")
def set_theme(
    theme: Annotated[Literal["light", "dark", "system"], Form()], back: Annotated[str, Form()] = "/"
) -> Response:
    """Chooses light, dark, or whatever the system says, and goes back to the page."""
    response = RedirectResponse(local_path(back), 303)
    if theme == "system":
        response.delete_cookie("theme")
    else:
        response.set_cookie("theme", theme, max_age=YEAR, samesite="lax")
    return response
