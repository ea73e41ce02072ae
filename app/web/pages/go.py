"""From what a person types, or from chance, to a neuron."""

import random
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from app.domain.neurons import NeuronRef
from app.errors import BadInput, NotFound, Way
from app.store import Session
from app.store import models as stored_models
from app.store import neurons as stored_neurons
from app.web.dependencies import StoreDep
from app.web.explanation_items import path_of
from app.web.neuron_view import ViewDep
from app.web.search_asked import Asked

router = APIRouter(include_in_schema=False)

_PLACE = re.compile(
    r"^(?:(?P<model>\S+?)[\s/]+)?(?P<layer>\d+(?:-[a-z0-9-]+)?)[\s:/]+(?P<index>\d+)$", re.IGNORECASE
)
# A neuron's address as it is copied from a browser, its view and its place on the page included.
_ADDRESS = re.compile(
    r"^(?:https?://[^/?#]*)?/?m/(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?$", re.IGNORECASE
)
FORMS = "Write a layer and an index, such as 8:101, with a model before it where there are several: smollm2-135m-instruct 8:101."


@dataclass(frozen=True)
class Place:
    """What was typed: a model by any part of its name, a layer by ordinal or slug, an index, and how to look at it."""

    model: str
    layer: str
    index: int
    query: str = ""


class WhichModel(BadInput):
    """Several models have such a neuron."""

    def __init__(self, refs: list[NeuronRef]) -> None:
        super().__init__(f"Which model? There is: {', '.join(ref.model for ref in refs)}. {FORMS}")
        self.ways = tuple(Way(f"{ref.layer}:{ref.index} in {ref.model}", path_of(ref)) for ref in refs)


def parse(text: str) -> Place:
    """`8:101`, `8 101`, `8-mlp/101`, `model 8:101`, a neuron's address. Raises BadInput that says how to write it."""
    address = _ADDRESS.match(text.strip())
    match = _PLACE.match(unquote(address["path"]).rstrip("/") if address else text.strip())
    if match is None or len(match["index"]) > 9 or len(match["layer"]) > 100:
        raise BadInput(f"“{text[:80]}” names no neuron. {FORMS}")
    query = (address["query"] or "") if address else ""
    return Place((match["model"] or "").lower(), match["layer"].lower(), int(match["index"]), query)


def resolve(session: Session, place: Place) -> NeuronRef:
    """The neuron that is meant. Raises NotFound that says what exists, WhichModel where several models have it."""
    models = stored_models.models(session)
    fitting = [m for m in models if m.slug == place.model] or [m for m in models if place.model in m.slug]
    if not fitting:
        there = ", ".join(m.slug for m in models) or "none yet"
        raise NotFound(
            f"No model is called {place.model!r}. There is: {there}." if models else "There is no model yet."
        )
    found: list[NeuronRef] = []
    problems: list[NotFound] = []
    for model in fitting:
        try:
            found.append(in_model(session, model.slug, place))
        except NotFound as error:
            problems.append(error)
    if not found:
        raise NotFound(" ".join(error.sentence for error in problems))
    if len(found) > 1:
        raise WhichModel(found)
    return found[0]


def in_model(session: Session, slug: str, place: Place) -> NeuronRef:
    """The neuron of this model that is meant. Raises NotFound that says what exists."""
    if place.layer.isdigit():
        ordinal = int(place.layer)
        named = [layer.slug for layer in stored_models.layers(session, slug) if layer.ordinal == ordinal]
        layer = named[0] if named else place.layer
    else:
        layer = place.layer
    stored_models.layer(session, slug, layer)
    ref = NeuronRef(slug, layer, place.index)
    stored_neurons.statistics(session, ref)
    return ref


def redirect(ref: NeuronRef, query: str = "") -> RedirectResponse:
    """Not kept by browsers: chance leads elsewhere the next time."""
    return RedirectResponse(path_of(ref) + query, 303, {"cache-control": "no-store"})


@router.get("/go")
def go(store: StoreDep, q: str = "", model: str = "") -> RedirectResponse:
    """The search box of every page: a neuron's address leads to it, anything else is searched for."""
    try:
        place = parse(q)
    except BadInput:
        words = Asked(model=model, q=q.strip()).address()
        return RedirectResponse(words, 303, {"cache-control": "no-store"})
    with store.session() as session:
        return redirect(
            resolve(session, replace(place, model=place.model or model)),
            f"?{place.query}" if place.query else "",
        )


@router.get("/random")
def random_anywhere(store: StoreDep) -> RedirectResponse:
    """Any neuron of the store, each as likely."""
    with store.session() as session:
        ready = [model for model in stored_models.models(session) if model.neurons]
        if not ready:
            raise NotFound("There are no neurons yet: a collection has to end first. See the jobs page.")
        [model] = random.choices(ready, [model.neurons for model in ready])
        return redirect(stored_neurons.random_ref(session, model.slug))


@router.get("/m/{model}/random")
def random_of_model(store: StoreDep, model: str, view: ViewDep) -> RedirectResponse:
    """Any neuron of this model, looked at in the same way."""
    with store.session() as session:
        return redirect(stored_neurons.random_ref(session, model), view.carried())


@router.get("/m/{model}/{layer}/random")
def random_of_layer(store: StoreDep, model: str, layer: str) -> RedirectResponse:
    """Any neuron of this layer."""
    with store.session() as session:
        stored_models.layer(session, model, layer)
        return redirect(stored_neurons.random_ref(session, model, layer))
