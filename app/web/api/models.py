"""Models, their layers and measures, and lists of neurons."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.store import models as stored_models
from app.store import neurons as stored_neurons
from app.store import scores as stored_scores
from app.store import spreads
from app.store.rows import NeuronSort
from app.web import whole
from app.web.api import convert, model_convert
from app.web.api.model_schemas import DistributionsOut, LayerOut, MeasureOut, ModelOut
from app.web.api.neuron_schemas import NeuronLine
from app.web.api.parameters import Cursor, Layer, Limit, Metric, Model, Protocol, Sample
from app.web.api.schemas import ListOf, PageOf
from app.web.dependencies import StoreDep
from app.web.measures import DEFAULT, Measure

router = APIRouter(tags=["models"])


@router.get("/models")
def list_models(store: StoreDep) -> ListOf[ModelOut]:
    """All models in the store."""
    with store.session() as session:
        return ListOf(items=[model_convert.model(row) for row in stored_models.models(session)])


@router.get("/models/{model}")
def get_model(store: StoreDep, model: Model) -> ModelOut:
    """One model with its collection."""
    with store.session() as session:
        return model_convert.model(stored_models.model(session, model))


@router.get("/models/{model}/measures")
def list_measures(store: StoreDep, model: Model) -> ListOf[MeasureOut]:
    """The measures by which any neuron of the model has a score, or a reason for having none."""
    with store.session() as session:
        stored = stored_scores.measures(session, model)
    return ListOf(items=[model_convert.measure(Measure(*each)) for each in stored])


@router.get("/models/{model}/distributions")
def get_distributions(
    store: StoreDep,
    model: Model,
    protocol: Protocol = DEFAULT.protocol,
    metric: Metric = DEFAULT.metric,
    sample: Sample = DEFAULT.sample,
) -> DistributionsOut:
    """How densities and best scores are spread over each layer's neurons: the numbers of the model page's charts.

    `protocol`, `metric` and `sample` choose the score; see the model's measures for those that it has. Each count comes with
    the search that lists what is counted.
    """
    measure = Measure(protocol, sample, metric)
    with store.session() as session:
        summary = stored_models.model(session, model)
    densities = spreads.statistic(store, model, NeuronSort.DENSITY)
    scores = spreads.by_layer(store, model, protocol, sample, metric)
    with store.session() as session:
        everything = whole.of_model(store, session, summary, measure, scores)
    seeds = spreads.by_seed(store, model, protocol, sample, metric)
    return model_convert.spreads(measure, densities, scores, seeds, everything)


@router.get("/models/{model}/layers")
def list_layers(store: StoreDep, model: Model) -> ListOf[LayerOut]:
    """A model's collected layers; empty until its collection is complete."""
    with store.session() as session:
        return ListOf(items=[model_convert.layer(row) for row in stored_models.layers(session, model)])


@router.get("/models/{model}/layers/{layer}")
def get_layer(store: StoreDep, model: Model, layer: Layer) -> LayerOut:
    """One layer."""
    with store.session() as session:
        return model_convert.layer(stored_models.layer(session, model, layer))


@router.get("/models/{model}/layers/{layer}/neurons")
def list_neurons(
    store: StoreDep,
    model: Model,
    layer: Layer,
    sort: Annotated[
        NeuronSort, Query(description="By what; neurons without the value come last.")
    ] = NeuronSort.INDEX,
    order: Annotated[
        Literal["up", "down"], Query(description="up: the smallest first; down: the largest.")
    ] = "up",
    cursor: Cursor = None,
    limit: Limit = 50,
    protocol: Protocol = DEFAULT.protocol,
    metric: Metric = DEFAULT.metric,
    sample: Sample = DEFAULT.sample,
) -> PageOf[NeuronLine]:
    """A page of the layer's neurons. `protocol`, `metric` and `sample` choose the score that is shown."""
    with store.session() as session:
        page = stored_neurons.page(
            session, model, layer, sort, order == "down", cursor, limit, protocol, metric, sample
        )
    vocabulary = stored_models.cached_vocabulary(store, model)
    return PageOf(
        items=[convert.neuron_line(row, vocabulary) for row in page.items],
        next=page.next,
        previous=page.previous,
        total=page.total,
    )
