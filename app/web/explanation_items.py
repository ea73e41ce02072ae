"""Stored explanations and scores -> what stands beside them on the neuron page."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from markupsafe import Markup

from app.domain.explain_options import ASKING_METHODS, needs_weights
from app.domain.explanations import (
    ASKING_SIMULATORS,
    ExplainOptions,
    Method,
    Metric,
    Protocol,
    Sample,
    SimulatorName,
    State,
    TokenSource,
    measured,
)
from app.domain.imported import NOT_TOLD, claims
from app.domain.judging import JUDGED
from app.domain.neurons import NeuronRef, Polarity
from app.settings import Endpoint
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.web import charts, compare_address, trust_marks, wording
from app.web.formats import moment, number, plural, seconds, usd
from app.web.formats import shown as made_visible
from app.web.neuron_contexts import Choice, ExplainForm, ExplanationItem, ExplanationList, ScoreChoices, Shown
from app.web.neuron_view import Show, View
from app.web.rendering import render
from app.web.score_notes import note

# Protocols that a simulation can be asked for: the others come of revisions, judges and comparisons.
SIMULATED = (Protocol.HELDOUT_5_5, Protocol.HELDOUT_FULL, Protocol.POPULATION, Protocol.BILLS_5_5)


def path_of(ref: NeuronRef) -> str:
    """Address of a neuron's page."""
    return f"/m/{ref.model}/{ref.layer}/{ref.index}"


def main_sample(protocol: Protocol) -> Sample:
    """The sample that stands beside an explanation."""
    return measured(protocol)[0][0]


def _main(scores: Iterable[ScoreRow], protocol: Protocol) -> tuple[Sample, Metric]:
    """The measure that stands beside an explanation: the protocol's first that there is, the correlation before others."""
    if protocol is not Protocol.AS_IMPORTED:
        mine = {(s.value.sample, s.value.metric) for s in scores if s.value.protocol is protocol}
        asked = measured(protocol)
        return next((each for each in asked if each in mine), asked[0])
    samples, metrics = list(Sample), list(Metric)
    there = [(s.value.sample, s.value.metric) for s in scores if s.value.protocol is protocol]
    places = ((metrics.index(metric), samples.index(sample)) for sample, metric in there)
    metric, sample = min(places, default=(0, 0))
    return samples[sample], metrics[metric]


def _attempts(
    scores: Iterable[ScoreRow], protocol: Protocol, sample: Sample, metric: Metric = Metric.CORRELATION
) -> tuple[ScoreRow | None, ScoreRow | None]:
    """Scores of this protocol, sample and metric: (the newest defined one if there is any, the newest)."""
    mine = [
        row
        for row in scores
        if row.value.metric is metric and row.value.protocol is protocol and row.value.sample is sample
    ]
    defined = [row for row in mine if row.value.state is State.OK]
    newest = max(mine, key=lambda row: row.id, default=None)
    return max(defined, key=lambda row: row.id, default=newest), newest


def shown(scores: Sequence[ScoreRow], protocol: Protocol) -> tuple[Shown, ScoreRow | None]:
    """The score of one protocol as it is shown, and its row."""
    sample, metric = _main(scores, protocol)
    row, newest = _attempts(scores, protocol, sample, metric)
    if row is None or newest is None:
        others = sorted({s.value.protocol.value for s in scores})
        words = "not scored yet" if not others else f"no {protocol} score; there is {', '.join(others)}"
        return Shown(None, Markup(""), words, "", False, ""), None
    score = row.value
    also = ""
    if protocol is Protocol.AS_IMPORTED:
        also = _claimed(row)
    elif protocol in (Protocol.WINDOWS, Protocol.REFERENCE):
        also = "; ".join(filter(None, (note(score), _second(scores, row))))
    elif protocol is not Protocol.POPULATION:
        same = [s for s in scores if s.simulator == row.simulator]
        alone, _ = _attempts(same, protocol, Sample.RANDOM_ONLY)
        if alone is not None:
            value = alone.value.value
            also = f"random only: {number(value) if value is not None else 'undefined'}"
    if newest is not row:  # the last attempt came to nothing, and nobody is to take this for it
        failed = f"newest, by {wording.name(newest.simulator)}: {wording.STATES[newest.value.state]}"
        also = f"{also}; {failed}" if also else failed
    if score.value is None:
        return Shown(None, Markup(""), wording.STATES[score.state], also, False, score.reason), row
    line = charts.interval(score.value, score.low, score.high)
    unit = "window" if protocol is Protocol.WINDOWS else "record"
    on = plural(score.n_records, unit) if score.n_records else "records not told"
    if protocol is Protocol.REFERENCE:
        on = "no records"
    trust = trust_marks.html(protocol, sample, metric)
    words = f"{wording.METRICS[metric]}, {on}"
    return Shown(score.value, line, words, also, score.indicative, "", trust), row


def _second(scores: Iterable[ScoreRow], first: ScoreRow) -> str:
    """Fuzzing beside detection, by the same judge."""
    if first.value.metric is not Metric.DETECTION:
        return ""
    same = [s for s in scores if s.simulator_model == first.simulator_model]
    row, _ = _attempts(same, Protocol.WINDOWS, Sample.WINDOWS, Metric.FUZZING)
    if row is None:
        return ""
    return f"fuzzing: {number(row.value.value) if row.value.value is not None else 'undefined'}"


def _claimed(row: ScoreRow) -> str:
    said = claims(row.value.parameters_json).get("protocol")
    return f"{said} as its maker says" if said else "as imported"


def item(row: ExplanationRow, view: View) -> ExplanationItem:
    """One explanation of the list."""
    score, of = shown(row.scores, view.protocol)
    made = row.provenance
    usage = ""
    if made.usage.calls:
        tokens = made.usage.tokens_in + made.usage.tokens_out
        usage = f"{plural(tokens, 'token')}, {usd(made.usage.cost_usd)}, {seconds(made.usage.seconds)}"
    scored_by = ""
    if of is not None and of.simulator != NOT_TOLD:
        scored_by = wording.simulated_by(of.simulator, of.simulator_model)
    compare = ""
    if row.method == Method.TOKEN_LOOKUP or row.simulated:
        compare = path_of(row.ref) + view.query(
            show=Show.COMPARE,
            explanation=row.id,
            simulation=of.simulation_id if of else None,
            excerpt=None,
            job="",
        )
    return ExplanationItem(
        row.id,
        row.text,
        row.state is not State.OK,
        row.reason,
        row.polarity is Polarity.NEGATIVE,
        wording.name(row.method),
        _maker(row),
        scored_by,
        moment(row.created_at),
        row.created_at.isoformat(timespec="seconds"),
        made.author,
        usage,
        score,
        False,
        bool(view.job) and (row.job_id == view.job or any(s.job_id == view.job for s in row.scores)),
        compare,
        row.job_id or "",
    )


def _maker(row: ExplanationRow) -> str:
    """Who said it: a language model or a person; empty for neither."""
    if row.method == Method.HUMAN:
        return f"by {made_visible(row.provenance.author)}, who may have seen the records that scores are computed on"
    explainer = row.provenance.explainer
    if explainer == NOT_TOLD:
        return "explainer not told"
    return "" if explainer in ("", "none") else explainer


def usual_view(view: View, rows: Sequence[ExplanationRow], imported: bool) -> View:
    """The view with the protocol that imported data is scored by: as published, or where no score is, as it came with its file."""
    if not imported:
        return view
    used = {score.value.protocol for row in rows for score in row.scores}
    alone = Protocol.AS_IMPORTED in used and Protocol.BILLS_5_5 not in used
    return replace(view, protocol=Protocol.AS_IMPORTED if alone else Protocol.BILLS_5_5)


def explanation_list(
    ref: NeuronRef,
    rows: Sequence[ExplanationRow],
    view: View,
    endpoints: Sequence[Endpoint],
    imported: bool = False,
    *,
    scorable: bool = True,
) -> ExplanationList:
    """The list: defined scores first, best on top; then those without; failed ones last."""
    items = [item(row, view) for row in rows]
    # Stable sorts keep the newest first among equals.
    items.sort(key=lambda i: (i.failed, i.score.value is None, -(i.score.value or 0.0)))
    if items and items[0].score.value is not None:
        items[0] = items[0]._replace(best=True)
    used = {score.value.protocol for row in rows for score in row.scores} | {view.protocol}
    here = path_of(ref)
    protocols = tuple(
        Choice(wording.PROTOCOLS[p], here + view.query(protocol=p), p is view.protocol, p.value)
        for p in Protocol
        if p in used
    )
    return ExplanationList(
        tuple(items),
        protocols if len(protocols) > 1 else (),
        wording.CAVEATS[view.protocol] if items else "",
        here,
        _score_choices(view.protocol, tuple((e.name, e.model) for e in endpoints), imported),
        scorable,
        _together([i.id for i in items if not i.failed]),
    )


def _together(ids: Sequence[int]) -> str:
    """The address that compares the first ones of the list."""
    if len(ids) < compare_address.FEWEST:
        return ""
    return compare_address.of_explanations(ids[: compare_address.MOST])


@lru_cache(maxsize=64)
def _score_choices(protocol: Protocol, endpoints: tuple[tuple[str, str], ...], imported: bool) -> Markup:
    """The same for thousands of neurons: rendered once."""
    choices = ScoreChoices(
        simulator_choices(endpoints, imported),
        protocol_choices(protocol, imported, asks=bool(endpoints)),
        endpoint_choices(endpoints),
        judge_choices() if endpoints and not imported else (),
    )
    return Markup(render("_score_choices.html", choices))  # noqa: S704


def simulator_choices(endpoints: Sequence[object], imported: bool = False) -> tuple[Choice, ...]:
    """Simulators that can predict from a statement here; imported data has no weights."""
    names = [SimulatorName.LOCAL, *(ASKING_SIMULATORS if endpoints else ()), SimulatorName.TOKEN_LOOKUP]
    if not imported:
        names.append(SimulatorName.TOKEN_LINEAR)
    return tuple(Choice(wording.SIMULATORS[n], n.value, n is SimulatorName.LOCAL) for n in names)


def judge_choices() -> tuple[Choice, ...]:
    """Metrics that a language model judges. They have windows of their own for records."""
    return tuple(Choice(wording.JUDGED[metric], metric.value, False) for metric in JUDGED)


def endpoint_choices(endpoints: Sequence[tuple[str, str]]) -> tuple[Choice, ...]:
    """Language models by endpoint: its name and its model's."""
    return tuple(Choice(f"{name} · {model}", name, i == 0) for i, (name, model) in enumerate(endpoints))


def protocol_choices(current: Protocol, imported: bool, *, asks: bool) -> tuple[Choice, ...]:
    """Protocols that fit the data: imported data has no documents to hold out.

    Where a language model may be asked for money (`asks`), what is usual for the simulator comes first.
    """
    fitting = [p for p in SIMULATED if (p is Protocol.BILLS_5_5) == imported]
    usual = asks and not imported
    chosen = None if usual else current if current in fitting else fitting[0]
    ordered = sorted(fitting, key=list(wording.PROTOCOLS).index)
    first = (Choice(wording.USUAL_PROTOCOL, "", True),) if usual else ()
    return (*first, *(Choice(wording.PROTOCOLS[p], p.value, p is chosen) for p in ordered))


def explain_form(
    here: str, protocol: Protocol, endpoints: Sequence[tuple[str, str]], imported: bool
) -> ExplainForm:
    """Explain again: what may be chosen, with its defaults."""
    simulators = simulator_choices(endpoints, imported)
    return ExplainForm(
        here,
        _method_groups(asks=bool(endpoints), imported=imported),
        endpoint_choices(endpoints),
        tuple(Choice(p.value, p.value, p is Polarity.POSITIVE) for p in Polarity),
        (*simulators, Choice("do not score", "", False)),
        endpoint_choices(endpoints),
        protocol_choices(protocol, imported, asks=bool(endpoints)),
        tuple(Choice(words, c.value, i == 0) for i, (c, words) in enumerate(wording.CUT_OFFS.items())),
        tuple(Choice(words, m.value, i == 0) for i, (m, words) in enumerate(wording.MAXIMA.items())),
        tuple(Choice(words, b.value, i == 0) for i, (b, words) in enumerate(wording.BANDS.items())),
        tuple(
            Choice(words, source.value, source is TokenSource.ACTIVATION)
            for source, words in wording.TOKEN_SOURCES.items()
            if source is TokenSource.ACTIVATION or not imported
        ),
    )


def _method_groups(*, asks: bool, imported: bool) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    """Methods by what they show, those left out whose needs are not met: a language model, or the model's weights."""
    groups = []
    for title, methods in wording.METHOD_GROUPS.items():
        there = tuple(
            Choice(wording.METHODS[m], m.value, m is Method.SUMMARY)
            for m in methods
            if (asks or m not in ASKING_METHODS) and not (imported and needs_weights(ExplainOptions(m)))
        )
        if there:
            groups.append((title, there))
    return tuple(groups)
