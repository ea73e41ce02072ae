"""Simulating a neuron from a stored explanation and scoring that; also the second half of an explain job."""

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.domain import protocols, scoring
from app.domain.augmented import score_augmented
from app.domain.explanations import (
    ASKING_SIMULATORS,
    COMPUTED_METRICS,
    Protocol,
    Sample,
    ScoreOptions,
    ScoreValue,
    Simulated,
    SimulatorName,
    State,
    Usage,
    measured,
)
from app.domain.neurons import Float32, Int32, Polarity, Records
from app.domain.next_token import by_next_token, compared, counted
from app.domain.token_lookup import lookup_records, token_means
from app.errors import AnswerError, AppError, BadInput, EndpointError, ModelError
from app.jobs import augmented, engine
from app.jobs.asking import weights_of
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import ExplainRequest, Kind, ScoreRequest, TransferRequest, loads
from app.jobs.runtime import Runtime, current
from app.store import collections, explanations, heldout, jobs, scores, simulations
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
    """Predict as the job's request says; id of the stored simulation. See `simulated`."""
    runtime = current()
    options = _options(await runtime.db(lambda s: jobs.get(s, job_id)))
    return await simulated(runtime, job_id, explanation_id, options, job_id)


@engine.step("score.score")
async def score(job_id: str, explanation_id: int, simulation_id: int) -> int:
    """Score the stored simulation as the job's request says; how many scores are defined. See `scored`."""
    runtime = current()
    options = _options(await runtime.db(lambda s: jobs.get(s, job_id)))
    return await scored(runtime, job_id, explanation_id, simulation_id, options, job_id)


async def simulated(
    runtime: Runtime, job_id: str, explanation_id: int, options: ScoreOptions, key: str
) -> int:
    """Predict the neuron's activations on the protocol's records and the dev records; id of the stored simulation.

    Where the options name a revision, its kept sentences are predicted too. `key` tells what is stored from all else,
    so that what is repeated after a kill finds it.
    A failure is stored with its reason and raised again; so are records that allow no score, before anything is asked.
    BadInput, before anything is spent, where the explanation's maker saw what would be scored on. Calls that have been
    answered once are found in the ledger.
    """
    explanation = await runtime.db(lambda s: explanations.get(s, explanation_id))
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, explanation.ref))
    scored, dev = _chosen(neuron, explanation, options)
    sentences = await runtime.db(lambda s: augmented.kept(s, options, explanation))
    beside = _beside(neuron, explanation, options)
    await runtime.db(  # `scores.add` demands it too, but then the simulation has been paid for
        lambda s: heldout.demand(
            s,
            explanation_id,
            [*scored.excerpts.tolist(), *beside.excerpts.tolist()],
            neuron.collection_id,
            {options.protocol},
        )
    )
    few = _unscorable(neuron, explanation, options)
    wanted = distinct(scored, dev, beside)
    progress = Progress(runtime, job_id, len(wanted) + len(sentences), "excerpts")
    parameters = json.dumps({"protocol": options.protocol})
    simulated: Simulated | None = None
    failure: AppError | None = BadInput(few[0].reason) if few else None
    asked = options.simulator in ASKING_SIMULATORS
    by = endpoint(runtime.settings, options.endpoint).title if asked else ""
    if failure is None:
        try:
            simulator = await simulator_of(runtime, options, neuron, explanation.method)
            simulated = await predict(
                simulator, explanation.text, explanation.polarity, neuron, wanted, options, job_id, progress
            )
            simulated = await augmented.simulated(
                simulator, explanation, neuron, sentences, options, job_id, simulated
            )
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
            runtime.job_of(job_id),
            f"{key}/simulation",
            usage=runtime.usage(s, job_id, "simulate"),
            collection_id=neuron.collection_id,
        ),
    )
    stored = await runtime.db(lambda s: simulations.get(s, simulation_id))
    if stored.state is not State.OK:
        values = few or _failed(options, stored.reason)
        await runtime.db(
            lambda s: scores.add(
                s, explanation_id, simulation_id, values, runtime.job_of(job_id), f"{key}/scores"
            )
        )
        raise failure or AnswerError(stored.reason)
    return simulation_id


async def scored(
    runtime: Runtime, job_id: str, explanation_id: int, simulation_id: int, options: ScoreOptions, key: str
) -> int:
    """Compare the stored simulation with what the neuron did; how many scores are defined.

    Conflict where the model was collected anew since it was simulated.
    """

    def work(stop: threading.Event) -> int:
        with runtime.store.session() as session:
            explanation = explanations.get(session, explanation_id)
            stored = simulations.get(session, simulation_id)
            sentences = augmented.kept(session, options, explanation)
        simulated = stored.simulated
        if simulated is None:
            raise AnswerError("The simulation failed: there is nothing to score.")
        neuron = load_neuron(runtime.store, explanation.ref)
        collections.demand_current(stored.collection_id, neuron.collection_id)
        scored, dev = _chosen(neuron, explanation, options)
        strata = _score_records(neuron, explanation, options)[1]
        method = explanation.method
        calibration = compared(method, dev, expected_of(simulated, dev)) if len(dev) else None
        values: tuple[ScoreValue, ...] = ()
        if options.protocol is not Protocol.GENERATED:
            actual, expected = compared(method, scored, expected_of(simulated, scored))
            values = scoring.score(
                actual,
                strata,
                expected,
                options.protocol,
                explanation.polarity,
                calibration,
                neuron.statistics,
                options.seed,
            )
        if options.revision:
            beside, strata = protocols.score_records(neuron.records, Protocol.GENERATED, explanation.polarity)
            actual, expected = compared(method, beside, expected_of(simulated, beside))
            values += score_augmented(
                actual,
                strata,
                expected,
                [counted(method, each) for each in augmented.tested(sentences, simulated)],
                options.revision,
                explanation.polarity,
                calibration,
                neuron.statistics,
                options.seed,
            )
        with runtime.store.session() as session:
            scores.add(
                session, explanation_id, simulation_id, values, runtime.job_of(job_id), f"{key}/scores"
            )
        return sum(value.state is State.OK for value in values)

    return await in_thread(work)


def expected_of(simulated: Simulated, records: Records) -> Float32:
    """The simulation of these records, float32 [R, T], whatever the order in which excerpts were simulated."""
    place = {excerpt: row for row, excerpt in enumerate(simulated.excerpts.tolist())}
    return simulated.expected[[place[excerpt] for excerpt in records.excerpts.tolist()]]


def _options(row: JobRow) -> ScoreOptions:
    """What a job says about scoring, of whichever kind it is."""
    if row.kind == Kind.SCORE:
        return loads(ScoreRequest, row.parameters_json).score
    if row.kind == Kind.TRANSFER:
        return loads(TransferRequest, row.parameters_json).score
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


def _unscorable(neuron: Neuron, explanation: ExplanationRow, options: ScoreOptions) -> tuple[ScoreValue, ...]:
    """What will be said of the protocol's records whatever is simulated; empty where it may differ."""
    generated = options.protocol is Protocol.GENERATED
    chosen = replace(options, protocol=Protocol.HELDOUT_5_5) if generated else options
    scored, strata = _score_records(neuron, explanation, chosen)
    few = scoring.unscorable(scored, strata, chosen.protocol, explanation.polarity, neuron.statistics)
    if not generated:
        return few
    return tuple(
        value._replace(protocol=Protocol.GENERATED, sample=Sample.GENERATED)
        for value in few
        if value.sample is Sample.TOP_AND_RANDOM
    )


def _beside(neuron: Neuron, explanation: ExplanationRow, options: ScoreOptions) -> Records:
    """The records that a revision's sentences are scored beside; none where no revision is named."""
    if not options.revision:
        return neuron.records.take(np.zeros(0, np.intp))
    return protocols.score_records(neuron.records, Protocol.GENERATED, explanation.polarity)[0]


def distinct(*parts: Records) -> Records:
    """Every excerpt of all of them once: one that is kept both as top and at random is simulated once."""
    both = replace(
        parts[0],
        excerpts=np.concatenate([part.excerpts for part in parts]),
        documents=np.concatenate([part.documents for part in parts]),
        kinds=np.concatenate([part.kinds for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
        tokens=np.concatenate([part.tokens for part in parts]),
        activations=np.concatenate([part.activations for part in parts]),
        gates=None,
    )
    _, first = np.unique(both.excerpts, return_index=True)
    return both.take(np.sort(first))


async def simulator_of(
    runtime: Runtime, options: ScoreOptions, neuron: Neuron, method: str, purpose: str = "simulate"
) -> "Simulator":
    """Who predicts from a statement of this method, with what it needs; `purpose` is what the ledger calls its calls."""
    from app.simulate import NextToken, make

    asks = options.simulator in ASKING_SIMULATORS
    local = options.simulator is SimulatorName.LOCAL
    seen = lookup_records(neuron.records)
    made = make(
        options.simulator,
        (await runtime.client(options.endpoint)).entered_as(purpose) if asks else None,
        await runtime.service(neuron.ref.model) if local else None,
        token_means(seen.tokens, seen.activations, position0=neuron.statistics.position0)
        if options.simulator is SimulatorName.TOKEN_LOOKUP
        else None,
        await weights_of(runtime, neuron.ref) if options.simulator is SimulatorName.TOKEN_LINEAR else None,
    )
    return NextToken(made) if by_next_token(method) else made


async def predict(
    simulator: "Simulator",
    statement: str,
    polarity: Polarity,
    neuron: Neuron,
    wanted: Records,
    options: ScoreOptions,
    job_id: str,
    progress: Progress,
    note: str = "",
) -> Simulated:
    """Expected activations of records that hold every excerpt once, a chunk at a time with progress between."""
    parts: list[Simulated] = []
    usage = Usage()
    progress.report(0, note or f"simulating with {options.simulator}")
    # Where nobody looks at the progress of one simulation, no answer waits for those that were asked for beside it.
    unseen = not progress.followed and options.simulator in ASKING_SIMULATORS
    chunk = max(1, len(wanted)) if unseen else CHUNK
    for start in range(0, len(wanted), chunk):
        rows = np.arange(start, min(start + chunk, len(wanted)))
        part = await simulator.simulate(
            statement, wanted.take(rows), neuron.vocabulary, polarity, options.seed, job_id
        )
        parts.append(part)
        usage = usage.plus(part.usage)
        progress.report(start + len(rows))
    progress.flush()
    return Simulated(
        wanted.excerpts, np.concatenate([p.expected for p in parts]), usage, parts[0].parameters_json
    )


def _failed(options: ScoreOptions, reason: str) -> list[ScoreValue]:
    """The scores that were asked for, as failures."""
    asked = {options.protocol, Protocol.GENERATED} if options.revision else {options.protocol}
    return [
        ScoreValue(
            metric,
            protocol,
            sample,
            State.FAILED,
            reason=reason,
            parameters_json=_asked_of(protocol, options),
        )
        for protocol in sorted(asked)
        for sample, metric in measured(protocol)
        if metric in COMPUTED_METRICS
    ]


def _asked_of(protocol: Protocol, options: ScoreOptions) -> str:
    """Which sentences a failed score is about."""
    return json.dumps({"revision": options.revision} if protocol is Protocol.GENERATED else {})
