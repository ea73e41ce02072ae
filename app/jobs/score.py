"""Simulating a neuron from a stored explanation and scoring that; also the second half of an explain job."""

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.domain import protocols, scoring
from app.domain.explanations import (
    COMPUTED_METRICS,
    Protocol,
    Sample,
    ScoreOptions,
    ScoreValue,
    Simulated,
    SimulatorName,
    State,
    Usage,
)
from app.domain.neurons import Float32, Int32, Records
from app.domain.token_lookup import lookup_records, token_means
from app.errors import AnswerError, AppError, BadInput, EndpointError, ModelError
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import ExplainRequest, Kind, ScoreRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.service import ASKING_SIMULATORS
from app.store import collections, explanations, heldout, jobs, ledger, scores, simulations
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow

if TYPE_CHECKING:
    from app.simulate import Simulator

CHUNK = 8  # records handed to a simulator at once: progress is shown and kept between chunks
# What may go wrong with a simulation and is stored as its failure. Refused is none: nothing was tried.
FAILURES = (AnswerError, EndpointError, ModelError)


@engine.workflow("score")
async def score_explanation(job_id: str) -> None:
    """Simulate and score as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _score(runtime, row))


async def _score(runtime: Runtime, row: JobRow) -> dict[str, object]:
    request = loads(ScoreRequest, row.parameters_json)
    simulation = await simulate(row.id, request.explanation_id)
    defined = await score(row.id, request.explanation_id, simulation)
    return {"explanation": request.explanation_id, "simulation": simulation, "defined": defined}


@engine.step("score.simulate")
async def simulate(job_id: str, explanation_id: int) -> int:
    """Predict the neuron's activations on the protocol's records and the dev records; id of the stored simulation.

    A failure is stored with its reason and raised again; so are records that allow no score, before anything is asked.
    BadInput, before anything is spent, where the explanation's maker saw what would be scored on. Calls that have been
    answered once are found in the ledger.
    """
    runtime = current()
    row = await runtime.db(lambda s: jobs.get(s, job_id))
    options = _options(row)
    explanation = await runtime.db(lambda s: explanations.get(s, explanation_id))
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, explanation.ref))
    scored, dev = _chosen(neuron, explanation, options)
    await runtime.db(  # `scores.add` demands it too, but then the simulation has been paid for
        lambda s: heldout.demand(
            s, explanation_id, scored.excerpts.tolist(), neuron.collection_id, {options.protocol}
        )
    )
    strata = _score_records(neuron, explanation, options)[1]
    few = scoring.unscorable(scored, strata, options.protocol, explanation.polarity, neuron.statistics)
    wanted = _distinct(scored, dev)
    progress = Progress(runtime, job_id, len(wanted), "excerpts")
    parameters = json.dumps({"protocol": options.protocol})
    simulated: Simulated | None = None
    failure: AppError | None = BadInput(few[0].reason) if few else None
    asked = options.simulator in ASKING_SIMULATORS
    by = endpoint(runtime.settings, options.endpoint).title if asked else ""
    if failure is None:
        try:
            simulator = await _simulator(runtime, options, neuron)
            simulated = await _simulate(simulator, explanation, neuron, wanted, options, job_id, progress)
            said = json.loads(simulated.parameters_json)
            by = by or said.get("model", "")
            parameters = json.dumps({**said, "protocol": options.protocol})
        except FAILURES as error:
            failure = error
    without = State.TOO_FEW_RECORDS if few else State.FAILED
    state, reason = (State.OK, "") if failure is None else (without, str(failure))
    simulation_id = await keep(
        runtime,
        job_id,
        lambda s: simulations.add(
            s,
            explanation_id,
            options.simulator,
            by,
            parameters,
            options.seed,
            simulated,
            state,
            reason,
            job_id,
            f"{job_id}/simulation",
            usage=ledger.usage(s, job_id, "simulate"),
            collection_id=neuron.collection_id,
        ),
    )
    stored = await runtime.db(lambda s: simulations.get(s, simulation_id))
    if stored.state is not State.OK:
        values = few or _failed(options.protocol, stored.reason)
        await runtime.db(
            lambda s: scores.add(s, explanation_id, simulation_id, values, job_id, f"{job_id}/scores")
        )
        raise failure or AnswerError(stored.reason)
    return simulation_id


@engine.step("score.score")
async def score(job_id: str, explanation_id: int, simulation_id: int) -> int:
    """Compare the stored simulation with what the neuron did; how many scores are defined.

    Conflict where the model was collected anew since it was simulated.
    """
    runtime = current()
    row = await runtime.db(lambda s: jobs.get(s, job_id))
    options = _options(row)

    def work(stop: threading.Event) -> int:
        with runtime.store.session() as session:
            explanation = explanations.get(session, explanation_id)
            stored = simulations.get(session, simulation_id)
        simulated = stored.simulated
        if simulated is None:
            raise AnswerError("The simulation failed: there is nothing to score.")
        neuron = load_neuron(runtime.store, explanation.ref)
        collections.demand_current(stored.collection_id, neuron.collection_id)
        scored, dev = _chosen(neuron, explanation, options)
        strata = _score_records(neuron, explanation, options)[1]
        calibration = (dev, expected_of(simulated, dev)) if len(dev) else None
        values = scoring.score(
            scored,
            strata,
            expected_of(simulated, scored),
            options.protocol,
            explanation.polarity,
            calibration,
            neuron.statistics,
            options.seed,
        )
        with runtime.store.session() as session:
            scores.add(session, explanation_id, simulation_id, values, job_id, f"{job_id}/scores")
        return sum(value.state is State.OK for value in values)

    return await in_thread(work)


def expected_of(simulated: Simulated, records: Records) -> Float32:
    """The simulation of these records, float32 [R, T], whatever the order in which excerpts were simulated."""
    place = {excerpt: row for row, excerpt in enumerate(simulated.excerpts.tolist())}
    return simulated.expected[[place[excerpt] for excerpt in records.excerpts.tolist()]]


def _options(row: JobRow) -> ScoreOptions:
    """What a job of either kind says about scoring."""
    if row.kind == Kind.SCORE:
        return loads(ScoreRequest, row.parameters_json).score
    options = loads(ExplainRequest, row.parameters_json).score
    assert options is not None, "an explain job without scoring has no such step"
    return options


def _score_records(
    neuron: Neuron, explanation: ExplanationRow, options: ScoreOptions
) -> tuple[Records, Int32]:
    return protocols.score_records(
        neuron.records, options.protocol, explanation.polarity, bands=neuron.statistics.band_excerpts
    )


def _chosen(neuron: Neuron, explanation: ExplanationRow, options: ScoreOptions) -> tuple[Records, Records]:
    """(records scored on, records calibrated on). Raises BadInput, before anything is spent, where there are none."""
    scored = _score_records(neuron, explanation, options)[0]
    if not len(scored):
        raise BadInput(f"{neuron.ref} has no records for {options.protocol}: choose another protocol.")
    return scored, protocols.dev_records(neuron.records, explanation.polarity)


def _distinct(scored: Records, dev: Records) -> Records:
    """Every excerpt of both once: one that is kept both as top and at random is simulated once."""
    both = replace(
        scored,
        excerpts=np.concatenate([scored.excerpts, dev.excerpts]),
        documents=np.concatenate([scored.documents, dev.documents]),
        kinds=np.concatenate([scored.kinds, dev.kinds]),
        splits=np.concatenate([scored.splits, dev.splits]),
        tokens=np.concatenate([scored.tokens, dev.tokens]),
        activations=np.concatenate([scored.activations, dev.activations]),
        gates=None,
    )
    _, first = np.unique(both.excerpts, return_index=True)
    return both.take(np.sort(first))


async def _simulator(runtime: Runtime, options: ScoreOptions, neuron: Neuron) -> "Simulator":
    from app.simulate import make

    asks = options.simulator in ASKING_SIMULATORS
    local = options.simulator is SimulatorName.LOCAL
    seen = lookup_records(neuron.records)
    return make(
        options.simulator,
        await runtime.client(options.endpoint) if asks else None,
        await runtime.service(neuron.ref.model) if local else None,
        token_means(seen.tokens, seen.activations, position0=neuron.statistics.position0)
        if options.simulator is SimulatorName.TOKEN_LOOKUP
        else None,
    )


async def _simulate(
    simulator: "Simulator",
    explanation: ExplanationRow,
    neuron: Neuron,
    wanted: Records,
    options: ScoreOptions,
    job_id: str,
    progress: Progress,
) -> Simulated:
    parts: list[Simulated] = []
    usage = Usage()
    progress.report(0, f"simulating with {options.simulator}")
    for start in range(0, len(wanted), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(wanted)))
        part = await simulator.simulate(
            explanation.text, wanted.take(rows), neuron.vocabulary, explanation.polarity, options.seed, job_id
        )
        parts.append(part)
        usage = usage.plus(part.usage)
        progress.report(start + len(rows))
    progress.flush()
    return Simulated(
        wanted.excerpts, np.concatenate([p.expected for p in parts]), usage, parts[0].parameters_json
    )


def _failed(protocol: Protocol, reason: str) -> list[ScoreValue]:
    samples = (
        (Sample.POPULATION,)
        if protocol is Protocol.POPULATION
        else (Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY)
    )
    return [
        ScoreValue(metric, protocol, sample, State.FAILED, reason=reason)
        for metric in COMPUTED_METRICS
        for sample in samples
    ]
