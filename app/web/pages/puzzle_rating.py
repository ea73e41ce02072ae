"""Judging statements about puzzles by hand, blind: neither page nor address tells who made one, how, or in which run."""

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.domain.neurons import NeuronRef
from app.domain.puzzles import LAYER
from app.errors import NotFound
from app.settings import Settings
from app.store import puzzle_rating, puzzles
from app.store.puzzle_rating import Statement
from app.web import sentence_lines
from app.web.author import NamesDep, WhoDep
from app.web.dependencies import SettingsDep, StoreDep
from app.web.login import secret
from app.web.puzzle_contexts import RatePage
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)


@router.get("/puzzles/rate")
def show(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    who: WhoDep,
    names: NamesDep,
    after: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The next statement; `after` one that is passed over for now."""
    with store.session() as session:
        left = puzzle_rating.waiting(session, who.owner)
        tokens = [token_of(settings, each) for each in left]
        at = (tokens.index(after) + 1) % len(left) if after in tokens else 0
        stored = None
        if left:
            stored = puzzles.of_neuron(session, NeuronRef(left[at].model, LAYER, left[at].neuron))
    context = RatePage(
        chrome(request, "Judge answers to puzzles", "puzzles"),
        tokens[at] if left else "",
        left[at].text if left else "",
        stored.puzzle.truth if stored is not None else "",
        sentence_lines.of_puzzle(stored.puzzle) if stored is not None else (),
        len(left),
        who.name,
    )
    return names.keep(request, page("puzzle_rate.html", context), who)


@router.post("/puzzles/rate")
def rate(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    who: WhoDep,
    names: NamesDep,
    token: Annotated[str, Form(max_length=64)],
    right: Annotated[Literal["yes", "no"], Form()],
) -> Response:
    """A verdict, and on to the next statement. Sent twice, it counts once."""
    with store.session() as session:
        found = next((s for s in puzzle_rating.statements(session) if token_of(settings, s) == token), None)
        if found is None:
            raise NotFound("This statement is not there any more: go on with the next one at /puzzles/rate.")
        puzzle_rating.judge(session, found, right == "yes", who.name, who.owner)
    return names.keep(request, RedirectResponse("/puzzles/rate", 303), who)


def token_of(settings: Settings, statement: Statement) -> str:
    """What stands for a statement on the page: the same for all runs that made it, and nothing can be read from it."""
    said = f"{statement.model}\n{statement.neuron}\n{statement.text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, key=secret(settings.data_dir), digest_size=12).hexdigest()
