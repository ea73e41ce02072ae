"""An experiment in a store whose values are drawn from a seed: explanations and scores as a job would leave them, without one."""

import json

import numpy as np

from app.domain.experiments import Contrast, Definition, Judge, Rule, SampleRule, Simulator
from app.domain.explanations import (
    Method,
    Metric,
    Protocol,
    Provenance,
    Sample,
    ScoreValue,
    SimulatorName,
    State,
    Usage,
)
from app.domain.neurons import Polarity
from app.store import (
    Session,
    Store,
    experiment_ends,
    experiment_samples,
    experiment_units,
    experiments,
    explanations,
    jobs,
    scores,
)
from app.store.experiment_rows import Ended, ExperimentState, Unit, UnitState
from tests import factories

TITLES = {"scripted": "scripted / test-model", "judge": "judge / other-model"}
NASTY = '</script><b>words</b> & "quotes" \u202egnol'
LANES = 8


def definition(
    neurons: int = 4, seeds: tuple[int, ...] = (0, 1), methods: tuple[Method, ...] = (), both: bool = True
) -> Definition:
    """Three methods on neurons of both layers, scored by a language model on two protocols and by similarity."""
    return Definition(
        name="Three <methods> & 1",
        samples=(SampleRule(Rule.RANDOM, n=neurons),),
        methods=methods or (Method.ORIGINAL, Method.SUMMARY, Method.TOKEN_LOOKUP),
        models=(factories.SLUG,),
        explainers=("scripted",),
        simulators=(Simulator(SimulatorName.CHAT_JSON, "scripted"),),
        protocols=(Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5) if both else (Protocol.HELDOUT_FULL,),
        judges=(Judge(Metric.EMBEDDING),),
        metrics=(Metric.CORRELATION, Metric.AUPRC, Metric.EMBEDDING),
        seeds=seeds,
        contrasts=(Contrast("summary", "original"), Contrast("token_lookup", "original")),
        margin=0.05,
    )


def made(store: Store, planned: Definition, job: str = "experiment-1") -> int:
    """The experiment with all its units still to be done."""
    with store.session() as s:
        sample, notes, wrong = experiment_samples.draw(s, planned.samples, planned.models)
        assert not wrong, wrong
        found = experiments.create(s, planned, sample, job, titles=TITLES, notes=notes)
        jobs.add(s, job, "experiment", planned.name, "{}")
        while experiment_units.plan(s, experiments.get(s, found)):
            continue
    return found


def go_on(store: Store, experiment: int, units: int | None = None, draw: int = 0) -> int:
    """End so many units, or all of them; how many did. Some fail, some scores are undefined."""
    rng = np.random.default_rng(draw)
    ended = 0
    with store.session() as s:
        row = experiments.get(s, experiment)
        while units is None or ended < units:
            taken: list[Unit] = []
            for lane in range(LANES):
                room = 500 if units is None else units - ended - len(taken)
                taken += experiment_units.take(s, experiment, lane, room) if room > 0 else []
            if not taken:
                break
            experiment_ends.end(s, row, [_end(s, row.definition, experiment, unit, rng) for unit in taken])
            ended += len(taken)
        if all(each.state.ended for each in experiment_units.counts(s, experiment)):
            experiments.set_state(s, experiment, ExperimentState.DONE)
    return ended


def filled(store: Store, planned: Definition | None = None) -> int:
    """One that has ended."""
    found = made(store, planned or definition())
    go_on(store, found)
    return found


def _end(s: Session, planned: Definition, experiment: int, unit: Unit, rng: np.random.Generator) -> Ended:
    arm = planned.arms()[unit.arm]
    key = unit.key(experiment)
    if unit.scorer < 0:
        if (unit.ordinal, unit.arm, unit.seed) == (0, 1, planned.seeds[0]) or rng.random() < 0.05:
            return Ended(unit.id, UnitState.FAILED, "the endpoint said: <b>no</b> & hung up")
        free = not arm.explainer
        usage = Usage() if free else Usage(900 if arm.method is Method.SUMMARY else 2300, 30, 0.01, 2.0, 1)
        by = Provenance(arm.method, "none" if free else TITLES["scripted"], seed=unit.seed, usage=usage)
        text = f"{NASTY} {unit.ordinal} by {arm.name}"
        id_ = explanations.add(s, unit.ref, text, Polarity.POSITIVE, by, State.OK, "", None, key)
        return Ended(unit.id, UnitState.OK, explanation_id=id_, usage=usage)
    assert unit.explanation_id is not None
    scorer = planned.scorers()[unit.scorer]
    ability = np.random.default_rng(unit.ordinal).beta(2, 4) + 0.05 * unit.arm
    values = []
    for sample, metric in scorer.gives():
        if planned.metrics and metric not in planned.metrics:
            continue
        value = float(np.clip(ability + rng.normal(0, 0.06), 0, 1))
        state = State.OK
        if sample is Sample.RANDOM_ONLY and rng.random() < 0.3:
            state = State.TOO_FEW_ACTIVE
        elif rng.random() < 0.05:
            state = State.CONSTANT_PREDICTION
        said = {Metric.AUPRC: {"base_rate": 0.02}, Metric.EMBEDDING: {"chance_floor": 0.2}}.get(metric, {})
        ok = state is State.OK
        reason = "" if ok else "it is <i>so</i>"
        values.append(
            ScoreValue(
                metric,
                scorer.protocol,
                sample,
                state,
                value if ok else None,
                reason=reason,
                parameters_json=json.dumps(said),
            )
        )
    scores.add(s, unit.explanation_id, None, values, None, f"{key}/scores", scored=())
    return Ended(unit.id, UnitState.OK, usage=Usage(400, 100, 0.002, 1.5, 2))
