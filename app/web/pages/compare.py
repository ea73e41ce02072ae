"""The compare page: two to six neurons, or two to six explanations of one neuron. Its whole state is in the address."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from app.domain.explanations import Protocol
from app.domain.neurons import Kind, NeuronRef
from app.store import Store
from app.web import compare_address, compare_asked, compare_neurons, heatmap
from app.web.compare_contexts import Block, Column, ComparedToken, ComparePage
from app.web.compare_neurons import SharedExcerpt, Side
from app.web.dependencies import FactsDep, StoreDep
from app.web.exemplars import Exemplars
from app.web.explanation_items import explanation_list, path_of, usual_view
from app.web.heat_lines import line, place_of
from app.web.model_cache import ModelCache
from app.web.neuron_contexts import Choice, ExplanationItem
from app.web.neuron_view import Context, Scale, View, parse
from app.web.pages import compare_explanations
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

STRONGEST = 5  # records shown of each neuron
BLOCKS = 10  # shared excerpts shown before "all"
CONTEXTS = {Context.NARROW: "±8", Context.AROUND: "±18", Context.WHOLE: "whole"}


@router.get(compare_address.PATH)
def show(
    request: Request,
    store: StoreDep,
    facts: FactsDep,
    n: Annotated[list[str] | None, Query()] = None,
    explanations: Annotated[list[str] | None, Query()] = None,
    model: str = "",
) -> HTMLResponse:
    """Neurons, or explanations of one neuron. With fewer than two neurons, a form that asks for another."""
    compare_asked.not_both(n or [], explanations or [])
    view = parse(request.query_params)
    if any(each.strip() for each in explanations or []):
        ids = compare_asked.ids(explanations or [])
        return compare_explanations.answer(request, store, facts, ids, more=view.more)
    if "context" not in request.query_params:
        view = replace(view, context=Context.NARROW)
    return _neurons(request, store, facts, n or [], model, view)


def _neurons(
    request: Request, store: Store, facts_of: ModelCache, texts: Sequence[str], model: str, view: View
) -> HTMLResponse:
    with store.session() as session:
        refs = compare_asked.refs(session, facts_of, texts, model)
    sides = compare_neurons.look(store, facts_of, refs)
    several = len({ref.model for ref in refs}) > 1
    shared = compare_neurons.shared_excerpts(sides)
    shown = shared if view.more else shared[:BLOCKS]
    columns = tuple(_column(side, refs, several, view) for side in sides)
    names = [column.name for column in columns]
    usual = refs[0].model if refs else model
    title = f"Compare {', '.join(names)}" if names else "Compare neurons"
    context = ComparePage(
        chrome(request, title, "browse", usual),
        columns,
        several,
        tuple(
            Choice(words, _address(refs, replace(view, context=each)), each is view.context)
            for each, words in CONTEXTS.items()
        ),
        tuple(_block(sides, names, each) for each in shown),
        len(shared),
        _address(refs, replace(view, more=True)) if len(shared) > len(shown) else "",
        tuple(str(ref) for ref in refs),
        usual,
        len(refs) >= compare_address.MOST,
        f"/api/v1{compare_address.of_neurons(refs)}" if len(refs) >= compare_address.FEWEST else "",
    )
    return page("compare.html", context, inserts=[column.rows for column in columns])


def _address(refs: Sequence[NeuronRef], view: View) -> str:
    context = "" if view.context is Context.NARROW else view.context.value
    scale = view.scale.value if view.scale is Scale.OWN else ""
    return compare_address.of_neurons(refs, context=context, scale=scale, more="1" if view.more else "")


def _column(side: Side, refs: Sequence[NeuronRef], several: bool, view: View) -> Column:
    ref, evidence = side.ref, side.sheet
    exemplars = Exemplars(side.facts, ref, evidence.records, replace(view, more=False))
    top = exemplars.plan("Strongest", "", Kind.TOP, 1, STRONGEST)
    return Column(
        f"{side.ordinal}:{ref.index}",
        side.facts.card.name if several else "",
        ref.model,
        path_of(ref),
        _address([each for each in refs if each != ref], view),
        best_said(side, view),
        evidence.statistics,
        _tokens(side),
        exemplars.lines(top),
        f"{len(top.rows)} of {top.available}" if top.available else "no strong record was kept",
    )


def best_said(side: Side, view: View) -> ExplanationItem | None:
    """The explanation that the neuron's page leads with; None where nobody said anything."""
    if view.protocol is Protocol.HELDOUT_FULL:
        view = usual_view(view, side.sheet.explanations, side.facts.imported)
    listed = explanation_list(side.ref, side.sheet.explanations, view, (), side.facts.imported)
    return next((item for item in listed.items if not item.failed), None)


def _tokens(side: Side) -> tuple[ComparedToken, ...]:
    stored = side.sheet.top_tokens
    colours = heatmap.palette(side.facts.vocabulary)
    strongest = float(np.abs(stored.means).max(initial=0))
    steps = heatmap.levels(stored.means[:, None], np.full(len(stored.means), strongest, np.float32))[:, 0]
    return tuple(
        ComparedToken(heatmap.token_chip(colours, token), step, mean, token, token in side.shared_tokens)
        for token, step, mean in zip(stored.ids.tolist(), steps.tolist(), stored.means.tolist(), strict=True)
    )


def _block(sides: Sequence[Side], names: Sequence[str], shared: SharedExcerpt) -> Block:
    lines = []
    for each in shared.sharing:
        side = sides[each.side]
        values = side.sheet.records.activations[each.row]
        tokens = side.sheet.records.tokens[each.row]
        lines.append(
            line(side.facts, names[each.side], path_of(side.ref), tokens, values, side.largest, each.peak)
        )
    source, start = place_of(shared.facts, shared.ordinal)
    return Block(source, start, tuple(lines))
