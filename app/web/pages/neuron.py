"""The neuron page: what makes it fire, what it is said to do, and asking again."""

import math
from dataclasses import replace

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.domain.explanations import Method, State
from app.domain.neurons import Float32, Int32, Kind, NeuronRef, Polarity, Records, Split
from app.domain.token_lookup import token_means
from app.errors import NotFound
from app.store import Session, explanations, jobs, neurons, simulations
from app.store.rows import ExplanationRow, SimulationRow, StoredTokens
from app.web import charts, heatmap
from app.web.dependencies import FactsDep, JobsDep, StoreDep
from app.web.exemplars import Exemplars, shares
from app.web.explanation_items import explain_form, explanation_list, path_of
from app.web.live import live
from app.web.model_cache import ModelFacts
from app.web.neuron_contexts import Choice, NeuronPage, Section, Share, TopToken, Value
from app.web.neuron_view import Context, Scale, Show, View, ViewDep
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

TABS = {
    Show.TOP: "Strongest",
    Show.BOTTOM: "Most negative",
    Show.QUANTILES: "Quantiles",
    Show.RANDOM: "Random",
    Show.SIGNS: "Signs",
    Show.ALL: "All",
}
SCALES = {Scale.SHARED: "one scale", Scale.OWN: "own scale"}
CONTEXTS = {Context.NARROW: "±8", Context.AROUND: "±18", Context.WHOLE: "whole"}


@router.get("/m/{model}/{layer}/{index:int}")
def show_neuron(
    request: Request,
    model: str,
    layer: str,
    index: int,
    view: ViewDep,
    store: StoreDep,
    jobs_: JobsDep,
    facts_of: FactsDep,
) -> HTMLResponse:
    """Everything about one neuron."""
    facts = facts_of.get(model)
    its_layer = facts.layer(layer)
    if not 0 <= index < its_layer.neurons:
        raise NotFound(
            f"Layer {layer} of {facts.card.name} has no neuron {index}. There is: 0 to {its_layer.neurons - 1}."
        )
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        records = neurons.records(session, facts.excerpts, ref)
        statistics = neurons.statistics(session, ref)
        histogram = neurons.histogram(session, ref)
        top_tokens = neurons.top_tokens(session, ref)
        rows = explanations.of_neuron(session, ref)
        job = jobs.get(session, view.job) if view.job else None
        compared = _compared(session, rows, view) if view.show is Show.COMPARE else None
    endpoints = jobs_.endpoints()
    imported = bool((records.splits == Split.UNSPLIT).any())
    combinations = shares(statistics.sign_shares)
    exemplars = Exemplars(facts, ref, records, view)
    sections, values, note = _main(exemplars, compared, combinations)
    here = path_of(ref)
    ordinal = facts.layers.index(its_layer)
    return page(
        "neuron.html",
        NeuronPage(
            chrome(request, f"{its_layer.ordinal}:{index} in {facts.card.name}", "browse"),
            model,
            facts.card.name,
            layer,
            its_layer.ordinal,
            index,
            here,
            index - 1 if index else None,
            index + 1 if index + 1 < its_layer.neurons else None,
            _beside(facts, ordinal - 1, index),
            _beside(facts, ordinal + 1, index),
            statistics,
            math.sqrt(max(0.0, statistics.variance)),
            charts.histogram(histogram),
            statistics.position0,
            combinations,
            _tabs(here, view, gated=bool(combinations)),
            tuple(Choice(w, here + view.query(scale=s), s is view.scale) for s, w in SCALES.items()),
            tuple(Choice(w, here + view.query(context=c), c is view.context) for c, w in CONTEXTS.items()),
            Choice("line breaks", here + view.query(breaks=not view.breaks), view.breaks),
            Choice("duplicates", here + view.query(duplicates=not view.duplicates), view.duplicates),
            sections,
            values,
            note,
            _top_tokens(facts, top_tokens),
            explanation_list(ref, rows, view, endpoints, imported),
            view.explanation,
            explain_form(ref, view, endpoints, imported),
            live(job, here),
            view.carried(),
            f"/api/v1/models/{model}/layers/{layer}/neurons/{index}",
        ),
    )


def _beside(facts: ModelFacts, position: int, index: int) -> str:
    """The same index in the layer at this position, empty where there is none."""
    if not 0 <= position < len(facts.layers) or index >= facts.layers[position].neurons:
        return ""
    return f"/m/{facts.card.slug}/{facts.layers[position].slug}/{index}"


def _tabs(here: str, view: View, gated: bool) -> tuple[Choice, ...]:
    plain = replace(view, explanation=None, simulation=None, excerpt=None, more=False)
    tabs = [
        Choice(words, here + plain.query(show=show), show is view.show)
        for show, words in TABS.items()
        if gated or show is not Show.SIGNS
    ]
    if view.show is Show.COMPARE:
        tabs.append(Choice("Actual against simulated", here + view.query(), True))
    if view.show is Show.VALUES:
        tabs.append(Choice("Values", here + view.query(), True))
    return tuple(tabs)


def _main(
    exemplars: Exemplars,
    compared: tuple[ExplanationRow, SimulationRow | None] | None,
    combinations: tuple[Share, ...],
) -> tuple[tuple[Section, ...], tuple[Value, ...], str]:
    """Sections, listed values, and a note on what is shown."""
    view = exemplars.view
    if view.show is Show.VALUES:
        if view.excerpt is None:
            raise NotFound("Which excerpt? Follow the link beside one of them.")
        sections, values = exemplars.values(view.excerpt)
        if not sections:
            raise NotFound(f"Excerpt {view.excerpt} is not among the records of this neuron.")
        return sections, values, ""
    if compared is None:
        return exemplars.sections(combinations), (), ""
    row, simulation = compared
    sign = row.polarity.sign
    if simulation is not None and simulation.simulated is not None:
        excerpts, expected = simulation.simulated.excerpts, simulation.simulated.expected
        note = f"“{row.text}” simulated by {simulation.simulator}"
    else:
        excerpts, expected = _looked_up(exemplars.records, row.polarity)
        note = f"“{row.text}” predicted from token means"
    return exemplars.compared(excerpts, expected, sign), (), note


def _compared(
    session: Session, rows: list[ExplanationRow], view: View
) -> tuple[ExplanationRow, SimulationRow | None]:
    """The explanation of the view and the simulation that is compared. Raises NotFound."""
    row = next((r for r in rows if r.id == view.explanation), None)
    if row is None:
        raise NotFound("This neuron has no such explanation to compare.")
    held = [s for s in simulations.of_explanation(session, row.id) if s.state is State.OK]
    chosen = next((s for s in held if s.id == view.simulation), held[0] if held else None)
    if chosen is None and row.method != Method.TOKEN_LOOKUP:
        raise NotFound("Nothing has been simulated from this explanation yet: score it first.")
    return row, chosen


def _looked_up(records: Records, polarity: Polarity) -> tuple[Int32, Float32]:
    """What token lookup predicts for the records that are scored, on the 0-10 scale."""
    explain = records.where(splits=(Split.EXPLAIN,))
    scored = records.where((Kind.TOP, Kind.BOTTOM, Kind.RANDOM), (Split.SCORE,))
    means = token_means(explain.tokens, explain.activations * polarity.sign)
    strongest = float((explain.activations * polarity.sign).max(initial=0))
    expected = means.predict(scored.tokens) * (10 / strongest if strongest > 0 else 0)
    return scored.excerpts, np.clip(expected, 0, 10).astype(np.float32)


def _top_tokens(facts: ModelFacts, stored: StoredTokens) -> tuple[TopToken, ...]:
    colours = heatmap.palette(facts.vocabulary)
    strongest = float(np.abs(stored.means).max(initial=0))
    steps = heatmap.levels(stored.means[:, None], np.full(len(stored.means), strongest, np.float32))[:, 0]
    return tuple(
        TopToken(heatmap.token_chip(colours, token), step, mean, n)
        for token, step, mean, n in zip(
            stored.ids.tolist(), steps.tolist(), stored.means.tolist(), stored.counts.tolist(), strict=True
        )
    )
