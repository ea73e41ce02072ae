"""Neurons that resemble one. Fetched by the neuron's page when its place there comes into view; without scripts, a page of its own."""

from dataclasses import dataclass
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.neurons import NeuronRef, Polarity
from app.store.similar import Alike
from app.web import compare_address, similar_view
from app.web.contexts import Chrome
from app.web.dependencies import SettingsDep, StoreDep
from app.web.explanation_items import path_of
from app.web.formats import number, statement, words
from app.web.pages.neuron_actions import is_htmx
from app.web.rendering import chrome, page
from app.web.similar_view import Similar

router = APIRouter(include_in_schema=False)


class Line(NamedTuple):
    """A neuron that resembles this one."""

    name: str
    address: str
    said: str  # empty where nothing was said of it
    method: str
    negative: bool
    score: str  # of what was said; empty without one
    value: str
    shared: str
    compare: str


class WayShown(NamedTuple):
    """One way in which neurons resemble each other."""

    key: str
    title: str
    how: str
    lines: tuple[Line, ...]
    why_none: str
    preparing: bool


class Shown(NamedTuple):
    """All of it."""

    here: str
    ways: tuple[WayShown, ...]
    preparing: bool
    api: str


@dataclass(frozen=True)
class SimilarFragment:
    """`_similar.html`."""

    similar: Shown


@dataclass(frozen=True)
class SimilarPage:
    """`similar.html`."""

    chrome: Chrome
    name: str
    similar: Shown


@router.get("/m/{model}/{layer}/{index:index}/similar")
def show(
    request: Request, model: str, layer: str, index: int, store: StoreDep, settings: SettingsDep
) -> Response:
    """By explanation, by shared excerpts, by tokens."""
    found = similar_view.look(store, settings, NeuronRef(model, layer, index))
    if is_htmx(request):
        return page("_similar.html", SimilarFragment(_shown(found)))
    name = f"{found.ordinal}:{index}"
    return page(
        "similar.html",
        SimilarPage(chrome(request, f"Similar to {name}", "browse", model), name, _shown(found)),
    )


def _shown(found: Similar) -> Shown:
    ways = tuple(
        WayShown(
            way.key,
            way.title,
            way.how,
            tuple(_line(found, way, each) for each in way.found.items),
            way.found.why_none,
            way.found.preparing,
        )
        for way in found.ways
    )
    ref = found.ref
    api = f"/api/v1/models/{ref.model}/layers/{ref.layer}/neurons/{ref.index}/similar"
    return Shown(path_of(ref), ways, found.preparing, api)


def _line(found: Similar, way: similar_view.Way, each: Alike) -> Line:
    row = each.found
    said = row.said
    return Line(
        f"{row.ordinal}:{row.ref.index}",
        path_of(row.ref),
        statement(said.text) if said else "",
        words(said.method) if said else "",
        said is not None and said.polarity is Polarity.NEGATIVE,
        number(said.value) if said is not None and said.value is not None else "",
        number(each.value, 3),
        similar_view.shared_words(way, each),
        compare_address.of_neurons((found.ref, row.ref)),
    )
