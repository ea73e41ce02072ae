"""The neuron page: what makes it fire, what it is said to do, and asking again."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from fastapi.concurrency import run_in_threadpool
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.domain.explanations import Method, Protocol, State
from app.domain.neurons import Kind, NeuronRef
from app.domain.puzzles import LAYER
from app.errors import NotFound
from app.settings import Endpoint
from app.store import Session, Store, puzzles, simulations
from app.store.explanation_rows import ExplanationRow, SimulationRow
from app.store.puzzles import StoredPuzzle
from app.store.rows import StoredTokens
from app.store.sheets import Sheet, sheet
from app.web import charts, heatmap, puzzle_beside, relation_views, sentence_lines, wording
from app.web.contexts import Chrome
from app.web.exemplars import Exemplars
from app.web.explanation_items import explain_form, explanation_list, path_of, usual_view
from app.web.live import NO_JOB, live
from app.web.model_cache import ModelCache, ModelFacts
from app.web.neuron_contexts import (
    Choice,
    ExemplarBar,
    ExplainFragment,
    ExplanationList,
    Live,
    NeuronPage,
    Section,
    Share,
    TopToken,
    Value,
)
from app.web.neuron_view import Context, Scale, Show, View, parse
from app.web.predictions import looked_up
from app.web.rendering import chrome, page, render
from app.web.signs import shares

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


PATH = "/m/{model}/{layer}/{index:index}"


async def show_neuron(request: Request) -> HTMLResponse:
    """Everything about one neuron.

    A plain route: to have FastAPI look for what a handler asks for costs more than the frame around the page.
    """
    state = request.app.state
    ref = NeuronRef(**request.path_params)
    view = parse(request.query_params)
    seen = await run_in_threadpool(_see, request, state.store, state.facts, ref, view)
    if seen.facts.imported and "protocol" not in request.query_params:
        view = usual_view(view, seen.evidence.explanations, imported=True)
    statistics = seen.evidence.statistics
    exemplars = Exemplars(seen.facts, ref, seen.evidence.records, view)
    main = _main(exemplars, seen.compared, shares(statistics.sign_shares), statistics.position0)
    context = neuron_page(ref, view, seen, main, state.jobs.endpoints())
    return page("neuron.html", context, inserts=main.inserts)


class Seen(NamedTuple):
    """All that has to be waited for. The rest of a page is a few milliseconds of work, which two threads at once
    would only make longer for each other.
    """

    frame: Chrome
    facts: ModelFacts
    evidence: Sheet
    live: Live = NO_JOB
    compared: tuple[ExplanationRow, SimulationRow | None] | None = None
    puzzle: StoredPuzzle | None = None


def _see(request: Request, store: Store, facts_of: ModelCache, ref: NeuronRef, view: View) -> Seen:
    facts = facts_of.get(ref.model)
    try:
        return _read(request, store, facts, ref, view)
    except NotFound:
        newer = facts_of.fresh(ref.model)  # a new collection may have been completed since
        if newer is facts:
            raise
        return _read(request, store, newer, ref, view)


def _read(request: Request, store: Store, facts: ModelFacts, ref: NeuronRef, view: View) -> Seen:
    """What the store holds for this page. Raises NotFound that says what exists."""
    with store.reading() as session:
        evidence = sheet(session, facts.excerpts, ref)
        compared = _compared(session, evidence.explanations, view) if view.show is Show.COMPARE else None
        puzzle = puzzles.of_neuron(session, ref) if ref.layer == LAYER else None
    heatmap.palette(facts.vocabulary, view.breaks)  # takes a moment when the model is first looked at
    panel = live(store, view.job, path_of(ref)) if view.job else NO_JOB
    title = f"{facts.layer(ref.layer).ordinal}:{ref.index} in {facts.card.name}"
    return Seen(chrome(request, title, "browse", ref.model), facts, evidence, panel, compared, puzzle)


class Main(NamedTuple):
    """The left column."""

    sections: tuple[Section, ...]
    values: tuple[Value, ...] = ()
    note: str = ""

    @property
    def inserts(self) -> list[bytes]:
        """What the template leaves room for."""
        return [section.rows for section in self.sections if section.rows]


def neuron_page(
    ref: NeuronRef, view: View, seen: Seen, main: Main, endpoints: Sequence[Endpoint]
) -> NeuronPage:
    """The whole page as its template takes it."""
    facts, evidence = seen.facts, seen.evidence
    layer = facts.layer(ref.layer)
    statistics = evidence.statistics
    imported = facts.imported
    bare = imported and not len(evidence.records)
    measured = not imported or bool((evidence.records.kinds != Kind.GIVEN).any())
    here = path_of(ref)
    at = facts.layers.index(layer)
    combinations = shares(statistics.sign_shares)
    return NeuronPage(
        seen.frame,
        ref.model,
        facts.card.name,
        ref.layer,
        layer.ordinal,
        ref.index,
        here,
        evidence.before,
        evidence.after,
        _beside(facts, at - 1, ref.index),
        _beside(facts, at + 1, ref.index),
        statistics,
        math.sqrt(statistics.variance) if statistics.variance >= 0 else math.nan,
        charts.histogram(evidence.histogram),
        statistics.position0,
        combinations,
        _placed(_rendered_bar(view, bool(combinations)), here),
        main.sections,
        main.values,
        main.note,
        _top_tokens(facts, evidence.top_tokens),
        _said(ref, seen, view, endpoints, measured),
        view.explanation,
        _form(view, endpoints, imported, here, seen.puzzle),
        seen.live,
        view.carried(),
        here + view.query(job=""),
        f"/api/v1/models/{ref.model}/layers/{ref.layer}/neurons/{ref.index}",
        imported,
        bare,
        measured,
        relation_views.views(evidence.relations, ref, facts),
        sentence_lines.lines(evidence.relations),
        None if seen.puzzle is None else puzzle_beside.beside(seen.puzzle),
    )


def _said(
    ref: NeuronRef, seen: Seen, view: View, endpoints: Sequence[Endpoint], measured: bool
) -> ExplanationList:
    listed = explanation_list(
        ref, seen.evidence.explanations, view, endpoints, seen.facts.imported, scorable=measured
    )
    if seen.puzzle is None:
        return listed
    return replace(listed, caveat=puzzle_beside.JUDGED if listed.items else "")


def _form(
    view: View, endpoints: Sequence[Endpoint], imported: bool, here: str, puzzle: StoredPuzzle | None
) -> Markup:
    if puzzle is not None:
        return Markup(puzzle_beside.form(here, endpoints))  # noqa: S704
    return _placed(_rendered_form(view.protocol, tuple((e.name, e.model) for e in endpoints), imported), here)


HERE = "/here/"


@lru_cache(maxsize=64)
def _rendered_form(protocol: Protocol, endpoints: tuple[tuple[str, str], ...], imported: bool) -> str:
    return render("_explain_form.html", ExplainFragment(explain_form(HERE, protocol, endpoints, imported)))


@lru_cache(maxsize=256)
def _rendered_bar(view: View, gated: bool) -> str:
    bar = ExemplarBar(
        _tabs(HERE, view, gated),
        tuple(Choice(w, HERE + view.query(scale=s), s is view.scale) for s, w in SCALES.items()),
        tuple(Choice(w, HERE + view.query(context=c), c is view.context) for c, w in CONTEXTS.items()),
        Choice("line breaks", HERE + view.query(breaks=not view.breaks), view.breaks),
        Choice("duplicates", HERE + view.query(duplicates=not view.duplicates), view.duplicates),
    )
    return render("_exemplar_bar.html", bar)


def _placed(rendered: str, here: str) -> Markup:
    """A part of one neuron's page: rendered once for many, then only its address is put in."""
    return Markup(rendered.replace(HERE, str(escape(here))))  # noqa: S704


def _beside(facts: ModelFacts, position: int, index: int) -> str:
    """The same index in the layer at this position, empty where there is none."""
    if not 0 <= position < len(facts.layers) or index >= facts.layers[position].width:
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
    position0: bool,
) -> Main:
    """What the view asks for. Raises NotFound."""
    view = exemplars.view
    if view.show is Show.VALUES:
        if view.excerpt is None:
            raise NotFound("Which excerpt? Follow the link beside one of them.")
        sections, values = exemplars.values(view.excerpt)
        if not sections:
            raise NotFound(f"Excerpt {view.excerpt} is not among the records of this neuron.")
        return Main(sections, values)
    if compared is None:
        return Main(exemplars.sections(combinations))
    row, simulation = compared
    sign = row.polarity.sign
    if simulation is not None and simulation.simulated is not None and simulation.actual is not None:
        excerpts, expected = simulation.simulated.excerpts, simulation.simulated.expected
        by = wording.simulated_by(simulation.simulator, simulation.simulator_model)
        note = f"“{row.text}” simulated{' by' if simulation.simulator_model else ','} {by}"
        there = exemplars.published(excerpts, simulation.actual)
        calibrated = "neuron_activations" in simulation.parameters_json
        return Main(there.compared(excerpts, expected, sign, own_scale=calibrated), note=note)
    if simulation is not None and simulation.simulated is not None:
        excerpts, expected = simulation.simulated.excerpts, simulation.simulated.expected
        by = " by ".join(filter(None, (wording.name(simulation.simulator), simulation.simulator_model)))
        note = f"“{row.text}” simulated: {by}"
    else:
        excerpts, expected = looked_up(exemplars.records, row.polarity, position0)
        note = f"“{row.text}” predicted from token means"
    return Main(exemplars.compared(excerpts, expected, sign), note=note)


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


def _top_tokens(facts: ModelFacts, stored: StoredTokens) -> tuple[TopToken, ...]:
    colours = heatmap.palette(facts.vocabulary)
    strongest = float(np.abs(stored.means).max(initial=0))
    steps = heatmap.levels(stored.means[:, None], np.full(len(stored.means), strongest, np.float32))[:, 0]
    return tuple(
        TopToken(heatmap.token_chip(colours, token), step, mean, n, token)
        for token, step, mean, n in zip(
            stored.ids.tolist(), steps.tolist(), stored.means.tolist(), stored.counts.tolist(), strict=True
        )
    )
