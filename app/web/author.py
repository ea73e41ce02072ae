"""Whose name stands by what people keep: a label that everyone chooses freely, never a proof of who somebody is.

On loopback there is one person, whatever they call themselves. Behind the login, which a team shares, a browser is told
apart from others by a random mark of its own, so that people withdraw their own comments alone.
"""

import base64
import hashlib
import secrets
from functools import cached_property
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Form, Request
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import RedirectResponse, Response

from app.domain import written
from app.settings import Settings
from app.web.login import secret
from app.web.preferences import YEAR, local_path

router = APIRouter(include_in_schema=False)

COOKIE = "who"
LOCAL = "local"
PROGRAM = "login"  # the owner of what comes with HTTP Basic and no browser's mark


class Who(NamedTuple):
    """Somebody who keeps something."""

    name: str
    owner: str
    mark: str  # of the browser; empty where none is needed


class Names:
    """Reads and signs the cookie that holds a name and a browser's mark."""

    def __init__(self, settings: Settings, walled: bool) -> None:
        self._settings = settings
        self._walled = walled

    @cached_property
    def _signer(self) -> URLSafeSerializer:
        key = hashlib.sha256(b"who" + secret(self._settings.data_dir)).digest()
        return URLSafeSerializer(base64.b64encode(key).decode(), salt="neuronarium.who")

    def who(self, request: Request) -> Who:
        """Who asks. A browser behind the login that has no mark yet is given one, which `keep` must hand it."""
        name, mark = self._read(request.cookies.get(COOKIE, ""))
        if not self._walled:
            return Who(name or LOCAL, LOCAL, mark)
        page = not request.url.path.startswith("/api/")  # the API hands no cookies out
        if not mark and page and request.scope.get("neuronarium.login", False):
            mark = secrets.token_hex(16)
        return Who(name or self._settings.username, f"browser-{mark}" if mark else PROGRAM, mark)

    def keep(self, request: Request, response: Response, who: Who) -> Response:
        """The same answer, with which the browser learns its name and mark where it does not know them."""
        chosen = who.name != (self._settings.username if self._walled else LOCAL)
        known = self._read(request.cookies.get(COOKIE, ""))
        wanted = (who.name if chosen else "", who.mark)
        if known != wanted and any(wanted):
            response.set_cookie(
                COOKIE,
                str(self._signer.dumps(list(wanted))),
                max_age=YEAR,
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
            )
        elif known != wanted:
            response.delete_cookie(COOKIE)
        return response

    def _read(self, cookie: str) -> tuple[str, str]:
        """Name and mark, each empty where there is none."""
        if not cookie:
            return "", ""
        try:
            found = self._signer.loads(cookie)
        except BadSignature:
            return "", ""
        match found:
            case [str(name), str(mark)]:
                return name, mark
        return "", ""


async def get_names(request: Request) -> Names:
    names: Names = request.app.state.names
    return names


async def get_who(request: Request) -> Who:
    names: Names = request.app.state.names
    return names.who(request)


NamesDep = Annotated[Names, Depends(get_names)]
WhoDep = Annotated[Who, Depends(get_who)]


@router.post("/who")
def set_name(
    request: Request,
    names: NamesDep,
    who: WhoDep,
    name: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/lists",
) -> Response:
    """Chooses the name that stands by what this browser keeps from now on."""
    chosen = written.one_line(name, "a name", written.AUTHOR)
    return names.keep(request, RedirectResponse(local_path(back), 303), who._replace(name=chosen))
