"""From what a person types, or from chance, to a neuron."""

import re
from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from app.domain.neurons import NeuronRef
from app.errors import BadInput, NotFound
from app.store import Session
from app.store import models as stored_models
from app.store import neurons as stored_neurons
from app.web.dependencies import StoreDep
from app.web.neuron_view import ViewDep

router = APIRouter(include_in_schema=False)

_PLACE = re.compile(
    r"^(?:(?P<model>\S+?)[\s/]+)?(?P<layer>\d+(?:-[a-z0-9-]+)?)[\s:/]+(?P<index>\d+)$", re.IGNORECASE
)
FORMS = "Write a layer and an index, such as 8:101, with a model before it where there are several: smollm2-135m-instruct 8:101."


@dataclass(frozen=True)
class Place:
    """What was typed: a model by any part of its name, a layer by ordinal or slug, an index."""

    model: str
    layer: str
    index: int


def parse(text: str) -> Place:
    """`8:101`, `8 101`, `8-mlp/101`, `model 8:101`, `model/8-mlp/101`. Raises BadInput that says how to write it."""
    match = _PLACE.match(text.strip().removeprefix("/m/").removeprefix("m/"))
    if match is None or len(match["index"]) > 9 or len(match["layer"]) > 100:
        raise BadInput(f"“{text[:80]}” names no neuron. {FORMS}")
    return Place((match["model"] or "").lower(), match["layer"].lower(), int(match["index"]))


def resolve(session: Session, place: Place) -> NeuronRef:
    """The neuron that is meant. Raises NotFound that says what exists, BadInput where several models fit."""
    models = stored_models.models(session)
    fitting = [m for m in models if m.slug == place.model] or [m for m in models if place.model in m.slug]
    if not fitting:
        there = ", ".join(m.slug for m in models) or "none yet"
        raise NotFound(
            f"No model is called {place.model!r}. There is: {there}." if models else "There is no model yet."
        )
    if len(fitting) > 1:
        raise BadInput(f"Which model? There is: {', '.join(m.slug for m in fitting)}. {FORMS}")
    slug = fitting[0].slug
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
    return RedirectResponse(
        f"/m/{ref.model}/{ref.layer}/{ref.index}{query}", 303, {"cache-control": "no-store"}
    )


@router.get("/go")
def go(store: StoreDep, q: str = "", model: str = "") -> RedirectResponse:
    """The search box of every page."""
    place = parse(q)
    with store.session() as session:
        return redirect(resolve(session, replace(place, model=place.model or model)))


@router.get("/random")
def random_anywhere(store: StoreDep) -> RedirectResponse:
    """Any neuron of the store."""
    with store.session() as session:
        ready = [model for model in stored_models.models(session) if model.neurons]
        if not ready:
            raise NotFound("There are no neurons yet: a collection has to end first. See the jobs page.")
        return redirect(stored_neurons.random_ref(session, ready[0].slug))


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
