"""Comparing neurons or explanations, and neurons that resemble one: the same data as the pages."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.domain.neurons import Kind, NeuronRef
from app.store.search_lines import Said
from app.web import compare_asked, compare_explanations, compare_neurons, similar_view
from app.web.api import convert
from app.web.api.compare_schemas import (
    AlikeOut,
    ComparedNeuronOut,
    ComparedTokenOut,
    CompareOut,
    ExcerptComparedOut,
    ExplanationsComparedOut,
    MeasureComparedOut,
    NeuronsComparedOut,
    OnSharedOut,
    PairOut,
    PredictedOut,
    SharedExcerptOut,
    SimilarOut,
    WayOut,
)
from app.web.api.parameters import Layer, Model, NeuronIndex
from app.web.api.search_schemas import SaidOut
from app.web.compare_explanations import Explanations, OnExcerpt
from app.web.compare_neurons import SharedExcerpt, Side
from app.web.dependencies import FactsDep, SettingsDep, StoreDep
from app.web.exemplars import Exemplars
from app.web.heat_lines import place_of
from app.web.neuron_view import View
from app.web.pages.compare import STRONGEST, best_said

router = APIRouter(tags=["comparing"])

Neurons = Annotated[
    list[str] | None,
    Query(
        description="Neurons to compare, two to six: `MODEL/LAYER/INDEX`, or `8:101` with `model`.",
        examples=[["smollm2-135m-instruct/8-mlp/101", "8:17"]],
    ),
]
Explained = Annotated[
    list[str] | None,
    Query(
        description="Ids of explanations of one neuron to compare, two to six.", examples=[["46081", "46082"]]
    ),
]
OfModel = Annotated[
    str, Query(description="Whose neurons a short form means.", examples=["smollm2-135m-instruct"])
]
Many = Annotated[int, Query(ge=1, le=100, description="Most neurons of each way.")]


@router.get("/compare")
def compare(
    store: StoreDep, facts: FactsDep, n: Neurons = None, explanations: Explained = None, model: OfModel = ""
) -> CompareOut:
    """Either neurons beside each other, with the excerpts that several have records of, or explanations of one neuron."""
    compare_asked.not_both(n or [], explanations or [])
    if any(each.strip() for each in explanations or []):
        found = compare_explanations.look(store, facts, compare_asked.ids(explanations or []))
        return CompareOut(neurons=None, explanations=_explanations(found))
    with store.session() as session:
        refs = compare_asked.refs(session, facts, n or [], model)
    compare_asked.demand_enough(refs)
    sides = compare_neurons.look(store, facts, refs)
    return CompareOut(
        neurons=NeuronsComparedOut(
            neurons=[_side(each) for each in sides],
            excerpts=[_shared(sides, each) for each in compare_neurons.shared_excerpts(sides)],
        ),
        explanations=None,
    )


@router.get("/models/{model}/layers/{layer}/neurons/{index}/similar")
def similar(
    store: StoreDep,
    settings: SettingsDep,
    model: Model,
    layer: Layer,
    index: NeuronIndex,
    limit: Many = similar_view.MOST,
) -> SimilarOut:
    """Neurons of the same model that resemble this one: by explanation, by shared strongest excerpts, by the tokens they fire on."""
    found = similar_view.look(store, settings, NeuronRef(model, layer, index), limit)
    return SimilarOut(
        model=model,
        layer=layer,
        index=index,
        score_measure=found.measure.key,
        ways=[
            WayOut(
                way=way.key,
                measure=way.measure,
                how=way.how,
                own=way.found.own,
                why_none=way.found.why_none,
                preparing=way.found.preparing,
                items=[
                    AlikeOut(
                        model=each.found.ref.model,
                        layer=each.found.ref.layer,
                        index=each.found.ref.index,
                        value=each.value,
                        shared=each.shared,
                        said=_said(each.found.said),
                    )
                    for each in way.found.items
                ],
            )
            for way in found.ways
        ],
    )


def _said(said: Said | None) -> SaidOut | None:
    if said is None:
        return None
    return SaidOut(
        explanation_id=said.explanation_id,
        text=said.text,
        matches=[],
        method=said.method,
        explainer=said.explainer,
        polarity=said.polarity,
        state=said.state,
        value=said.value,
        low=said.low,
        high=said.high,
    )


def _side(side: Side) -> ComparedNeuronOut:
    evidence, vocabulary = side.sheet, side.facts.vocabulary
    best = best_said(side, View())
    row = next((each for each in evidence.explanations if best is not None and each.id == best.id), None)
    top = Exemplars(side.facts, side.ref, evidence.records, View()).plan(
        "Strongest", "", Kind.TOP, 1, STRONGEST
    )
    return ComparedNeuronOut(
        model=side.ref.model,
        layer=side.ref.layer,
        index=side.ref.index,
        explanation=None if row is None else convert.explanation(row),
        statistics=convert.statistics(evidence.statistics, evidence.statistics.position0),
        top_tokens=[
            ComparedTokenOut(**token.model_dump(), shared=token.id in side.shared_tokens)
            for token in convert.top_tokens(vocabulary, evidence.top_tokens)
        ],
        strongest=evidence.records.excerpts[top.rows].tolist(),
    )


def _shared(sides: tuple[Side, ...], shared: SharedExcerpt) -> SharedExcerptOut:
    source, start = place_of(shared.facts, shared.ordinal)
    ids = shared.facts.excerpts.tokens[shared.ordinal].tolist()
    on = []
    for each in shared.sharing:
        values = sides[each.side].sheet.records.activations[each.row].astype(float).tolist()
        on.append(
            OnSharedOut(
                neuron=each.side,
                peak=values[each.peak],
                largest=float(sides[each.side].largest),
                activations=values,
            )
        )
    return SharedExcerptOut(
        model=shared.facts.card.slug,
        excerpt=shared.ordinal,
        source=source,
        start=start if start >= 0 else None,
        token_ids=ids,
        tokens=[shared.facts.vocabulary.shown[token] for token in ids],
        both=shared.both,
        neurons=on,
    )


def _explanations(found: Explanations) -> ExplanationsComparedOut:
    ids = [row.id for row in found.rows]
    return ExplanationsComparedOut(
        model=found.ref.model,
        layer=found.ref.layer,
        index=found.ref.index,
        explanations=[convert.explanation(row) for row in found.rows],
        measures=[
            MeasureComparedOut(
                protocol=each.measure.protocol,
                sample=each.measure.sample,
                metric=each.measure.metric,
                scores=[[convert.score(score) for score in cell] for cell in each.cells],
            )
            for each in found.measures
        ],
        pairs=[
            PairOut(
                protocol=pair.protocol,
                first=ids[pair.first],
                second=ids[pair.second],
                simulated_by=list(pair.by),
                state=pair.found.state,
                values=None
                if pair.found.first is None or pair.found.second is None
                else [pair.found.first, pair.found.second],
                difference=pair.found.difference,
                low=pair.found.low,
                high=pair.found.high,
                n_records=pair.found.n_records,
                indicative=pair.found.indicative,
            )
            for pair in found.pairs
        ],
        excerpts=[_excerpt(found, each) for each in found.excerpts],
    )


def _excerpt(found: Explanations, excerpt: OnExcerpt) -> ExcerptComparedOut:
    predicted = []
    for row, made, expected in zip(found.rows, found.predicted, excerpt.expected, strict=True):
        if made is not None and expected is not None:
            predicted.append(
                PredictedOut(
                    explanation_id=row.id,
                    simulation_id=made.simulation,
                    own_scale=made.own_scale,
                    expected=expected.astype(float).tolist(),
                )
            )
    return ExcerptComparedOut(
        excerpt=excerpt.ordinal,
        token_ids=excerpt.tokens.tolist(),
        tokens=[found.facts.vocabulary.shown[token] for token in excerpt.tokens.tolist()],
        actual=None if excerpt.actual is None else excerpt.actual.astype(float).tolist(),
        predicted=predicted,
    )
