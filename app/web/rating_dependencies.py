"""What the handlers of raters' pages ask for by type, and whom a browser shows to be."""

from typing import Annotated

from fastapi import Depends, Request

from app.errors import NotFound
from app.settings import Settings
from app.study.rating import Rating
from app.web import rating_links as links
from app.web.rating_frame import code_of
from app.web.rating_views import Paintings


async def get_rating(request: Request) -> Rating:
    rating: Rating = request.app.state.rating
    return rating


async def get_paintings(request: Request) -> Paintings:
    paintings: Paintings = request.app.state.paintings
    return paintings


async def get_code(request: Request) -> str:
    """The study's code in the address. NotFound for what can be none."""
    code = code_of(request.url.path)
    if not code:
        raise NotFound("There is no study at this address. Check the link, or ask whoever sent it to you.")
    return code


RatingDep = Annotated[Rating, Depends(get_rating)]
PaintingsDep = Annotated[Paintings, Depends(get_paintings)]
CodeDep = Annotated[str, Depends(get_code)]


def secret_of(request: Request, settings: Settings, code: str) -> str:
    """What the browser shows to be a rater of this study; empty where it shows nothing that is ours."""
    return links.read_cookie(settings, code, request.cookies.get(links.COOKIE, ""))
