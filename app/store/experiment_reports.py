"""What a report needs of an experiment: what was fixed, its results, and facts of models from elsewhere in the store."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select

from app.domain.neurons import NeuronRef
from app.domain.report_plan import Contrast, Facts, NeuronGroup, Plan, Preference, Primary, Subject
from app.domain.report_preferences import RatedOnce, preferences
from app.domain.results import Result
from app.errors import Conflict, NotFound
from app.store import experiment_results, experiment_units, experiments, models, names, people, puzzle_reports
from app.store import tables as t
from app.store.experiment_rows import ExperimentRow, ExperimentState
from app.store.rows import ModelSummary
from app.store.session import Session

_STEP = re.compile(r"step[-_]?(\d{1,12})\b", re.IGNORECASE)
_CHUNK = 500  # ids asked for at once


class Standing(NamedTuple):
    """How far an experiment is."""

    version: str  # another one whenever units have ended
    running: bool
    state: str  # in words
    reason: str = ""


class Material(NamedTuple):
    """Everything that a report is made from."""

    plan: Plan
    facts: Facts
    results: tuple[Result, ...]


def standing(s: Session, experiment_id: int) -> Standing:
    """Cheap. NotFound says what there is."""
    row = experiments.get(s, experiment_id)
    counts = experiment_units.counts(s, experiment_id)
    ended = sum(each.units for each in counts if each.state.ended)
    failed = sum(each.units for each in counts if each.state.ended and each.state.value != "ok")
    return Standing(
        f"{row.job_id}-{ended}-{failed}-{row.state.value}",
        row.state is ExperimentState.RUNNING,
        row.state.value.replace("_", " "),
        row.reason,
    )


def material(s: Session, experiment_id: int) -> Material:
    """NotFound says what there is."""
    row = experiments.get(s, experiment_id)
    results = tuple(experiment_results.results(s, experiment_id))
    plan = _plan(s, row)
    return Material(plan, _facts(s, plan.primary, results), results)


def _plan(s: Session, row: ExperimentRow) -> Plan:
    definition = row.definition
    if not definition.scorers():
        raise Conflict(
            f"Experiment {row.id} only explains: nothing is scored, so that there is no report of it. Its units list what was said."
        )
    scorer, measure = definition.decided_by()
    expected = sum(
        len([metric for _, metric in each.gives() if not definition.metrics or metric in definition.metrics])
        for arm in definition.arms()
        for each in definition.scorers()
        if each.fits(arm)
    )
    return Plan(
        experiment=str(row.id),
        name=row.name,
        definition_hash=row.definition_hash,
        arms=tuple(arm.name for arm in definition.arms()),
        primary=Primary(
            measure.protocol, measure.sample, measure.metric, experiment_results.simulators(s, row, scorer)
        ),
        contrasts=tuple(Contrast(each.arm, each.against) for each in definition.contrasts),
        margin=definition.margin,
        groups=tuple(NeuronGroup(each.name, frozenset(each.refs)) for each in experiments.groups(s, row)),
        neurons=row.neurons,
        expected=expected * len(definition.seeds) * row.neurons,
    )


def _facts(s: Session, primary: Primary, results: Sequence[Result]) -> Facts:
    refs = {each.ref for each in results}
    makers = {puzzle_reports.Maker(each.method, each.explainer) for each in results}
    slugs = {ref.model for ref in refs}
    known = models.models(s)
    named = {each.card.name: each.card.parameters for each in known if each.card.parameters}
    asked = {name for each in results for name in (each.explainer, each.simulator)}
    return Facts(
        subjects=tuple(_subject(each) for each in known if each.slug in slugs),
        sizes={name: size for name in asked if (size := named.get(name.rpartition(" / ")[2]))},
        density=densities(s, refs),
        puzzles=puzzle_reports.of_makers(s, makers),
        preferences=_preferences(s, primary, results),
    )


def _preferences(s: Session, primary: Primary, results: Sequence[Result]) -> tuple[Preference, ...]:
    """What people prefer, by how far apart the primary scores are."""
    scores = {
        each.explanation_id: each.value
        for each in results
        if each.explanation_id is not None
        and each.value is not None
        and (each.protocol, each.sample, each.metric) == (primary.protocol, primary.sample, primary.metric)
        and (not primary.simulators or each.simulator in primary.simulators)
    }
    rated = [
        RatedOnce((each.study_id, each.rater_id, each.item), each.explanation_id, each.value)
        for each in people.ratings_of(s, scores)
    ]
    return preferences(rated, scores)


def _subject(model: ModelSummary) -> Subject:
    card = model.card
    said = _STEP.search(card.revision) or _STEP.search(card.slug)
    return Subject(
        card.slug, card.name, card.parameters, card.activation, card.gated, int(said[1]) if said else None
    )


def densities(s: Session, refs: Iterable[NeuronRef]) -> Mapping[NeuronRef, float]:
    """The density of each neuron that a collection counted it of."""
    by_layer: dict[tuple[str, str], list[NeuronRef]] = {}
    for ref in refs:
        by_layer.setdefault((ref.model, ref.layer), []).append(ref)
    found: dict[NeuronRef, float] = {}
    for (model, layer), members in by_layer.items():
        try:
            part = names.part(s, model, layer)
        except NotFound:  # a model that is not collected (any more) has no densities
            continue
        by_id = {names.neuron_id(part.id, ref.index): ref for ref in members}
        ids = list(by_id)
        for at in range(0, len(ids), _CHUNK):
            query = select(t.neurons.c.id, t.neurons.c.density).where(
                t.neurons.c.id.in_(ids[at : at + _CHUNK]), t.neurons.c.density.is_not(None)
            )
            found |= {by_id[row.id]: row.density for row in s.execute(query) if row.density == row.density}
    return found
