"""One neuron: statistics, activation records, explanations, and asking for another explanation."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.domain.explanations import Protocol
from app.domain.neurons import NeuronRef
from app.store import excerpts as stored_excerpts
from app.store import explanations as stored_explanations
from app.store import models as stored_models
from app.store import neurons as stored_neurons
from app.store import relations as stored_relations
from app.web import relation_views
from app.web.api import convert
from app.web.api.asking import ExplainIn, explain_options, score_options
from app.web.api.explanation_schemas import ExplanationOut
from app.web.api.neuron_schemas import CardOut, NeuronOut, RecordOut, RelatedOut, StatisticsOut
from app.web.api.parameters import Layer, Model, NeuronIndex
from app.web.api.schemas import JobStarted, ListOf
from app.web.dependencies import FactsDep, JobsDep, StoreDep
from app.web.neuron_card import card_of

router = APIRouter(tags=["neurons"], prefix="/models/{model}/layers/{layer}/neurons/{index}")


@router.get("")
def get_neuron(store: StoreDep, model: Model, layer: Layer, index: NeuronIndex) -> NeuronOut:
    """Statistics, histogram, top tokens and explanations with their scores."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        statistics = stored_neurons.statistics(session, ref)
        position0 = stored_neurons.position0(session, ref)
        histogram = stored_neurons.histogram(session, ref)
        tokens = stored_neurons.top_tokens(session, ref)
        explanations = stored_explanations.of_neuron(session, ref)
        related = stored_relations.of(session, ref)
    vocabulary = stored_models.cached_vocabulary(store, model)
    return NeuronOut(
        model=model,
        layer=layer,
        index=index,
        statistics=convert.statistics(statistics, position0),
        histogram=convert.histogram(histogram),
        top_tokens=convert.top_tokens(vocabulary, tokens),
        related=[
            RelatedOut(kind=kind, side=side, names=names, values=values)
            for kind, side, names, values in relation_views.tables(related)
        ],
        explanations=[convert.explanation(row) for row in explanations],
    )


@router.get("/card")
def get_card(
    store: StoreDep,
    facts_of: FactsDep,
    model: Model,
    layer: Layer,
    index: NeuronIndex,
    explanation: Annotated[
        int | None, Query(ge=1, lt=2**31, description="Which explanation; the page's first if none is said.")
    ] = None,
    protocol: Annotated[
        Protocol | None, Query(description="Which scores; the page's usual ones if none is said.")
    ] = None,
) -> CardOut:
    """The neuron's card: evidence, explanation and scores on one page, with a hash that anybody can check."""
    card = card_of(store, facts_of.get(model), NeuronRef(model, layer, index), explanation, protocol)
    return CardOut(card=asdict(card), sha256=card.hash(), citation=card.citation())


@router.get("/statistics")
def get_statistics(store: StoreDep, model: Model, layer: Layer, index: NeuronIndex) -> StatisticsOut:
    """The neuron's statistics alone."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        return convert.statistics(
            stored_neurons.statistics(session, ref), stored_neurons.position0(session, ref)
        )


@router.get("/records")
def list_records(store: StoreDep, model: Model, layer: Layer, index: NeuronIndex) -> ListOf[RecordOut]:
    """All activation records that are kept for the neuron, with their split, kind and source."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        stored_models.layer(session, model, layer)
        excerpts = stored_excerpts.ExcerptCache.get(store, model)
        records = stored_neurons.records(session, excerpts, ref)
        documents = stored_excerpts.documents(session, model)
    vocabulary = stored_models.cached_vocabulary(store, model)
    return ListOf(items=convert.records(records, vocabulary, documents, excerpts.starts))


@router.get("/explanations")
def list_explanations(
    store: StoreDep, model: Model, layer: Layer, index: NeuronIndex
) -> ListOf[ExplanationOut]:
    """All explanations of the neuron, newest first, the failed ones too."""
    with store.session() as session:
        rows = stored_explanations.of_neuron(session, NeuronRef(model, layer, index))
    return ListOf(items=[convert.explanation(row) for row in rows])


@router.post("/explanations", status_code=202)
def explain(
    jobs: JobsDep, store: StoreDep, model: Model, layer: Layer, index: NeuronIndex, request: ExplainIn
) -> JobStarted:
    """Start a job that explains the neuron and, where `score` says how, scores what comes out."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        stored_neurons.statistics(session, ref)
    score = None if request.score is None else score_options(request.score)
    job = jobs.enqueue_explain(ref, explain_options(request), score, author="api", fresh=request.fresh)
    return JobStarted(job_id=job)
