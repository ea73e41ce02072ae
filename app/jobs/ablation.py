"""The ablation score of a stored simulation: the live model run as it is, with the simulation in the neuron's place, and
with the neuron's mean there.
"""

import numpy as np

from app.domain import ablation, protocols
from app.domain.explanations import Metric, Protocol, ScoreValue, State, measured
from app.domain.neurons import Float32, Int32, Records
from app.errors import AnswerError, AppError, ModelError
from app.jobs import engine
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.live_requests import protocol_of_simulation
from app.jobs.live_subject import live_subject
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import AblationRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.score import expected_of
from app.store import collections, explanations, heldout, scores, simulations
from app.store.explanation_rows import ExplanationRow, SimulationRow
from app.store.rows import JobRow

CHUNK = 4  # excerpts between two words of progress


@engine.workflow("ablation")
async def score_by_ablation(job_id: str) -> None:
    """Score a simulation by ablation as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _score(row))


async def _score(row: JobRow) -> dict[str, object]:
    request = loads(AblationRequest, row.parameters_json)
    defined = await ablate(row.id)
    return {
        "explanation": request.explanation_id,
        "simulation": request.simulation_id,
        "defined": defined,
    }


@engine.step("ablation.ablate")
async def ablate(job_id: str) -> int:
    """Score as the job's request says; how many scores are defined. See `ablated`."""
    runtime = current()
    request = await runtime.asked(AblationRequest, job_id)
    return await ablated(runtime, job_id, request.explanation_id, request.simulation_id, job_id)


async def ablated(runtime: Runtime, job_id: str, explanation_id: int, simulation_id: int, key: str) -> int:
    """Run the live model and store the scores; how many are defined. A model that cannot be run is stored as the reason for
    having none, and raised again.

    `key` tells what is stored from all else, so that what is repeated after a kill finds it. Conflict where the model was
    collected anew since it was simulated.
    """
    explanation = await runtime.db(lambda s: explanations.get(s, explanation_id))
    stored = await runtime.db(lambda s: simulations.get(s, simulation_id))
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, explanation.ref))
    collections.demand_current(stored.collection_id, neuron.collection_id)
    protocol = protocol_of_simulation(stored)
    if protocol is None or stored.simulated is None:
        raise AnswerError(
            "This simulation has no predictions of this neuron's records: score the explanation first."
        )
    scored, strata = protocols.score_records(
        neuron.records, protocol, explanation.polarity, bands=neuron.statistics.band_excerpts
    )
    await runtime.db(
        lambda s: heldout.demand(
            s, explanation.id, scored.excerpts.tolist(), neuron.collection_id, {protocol}
        )
    )
    failure: AppError | None = None
    try:
        values = await _values(runtime, job_id, explanation, stored, neuron, scored, strata, protocol)
    except ModelError as error:
        failure = error
        values = _undefined(protocol, State.FAILED, str(error))
    await keep(
        runtime,
        job_id,
        lambda s: scores.add(s, explanation.id, stored.id, values, runtime.job_of(job_id), f"{key}/ablation"),
    )
    if failure is not None:
        raise failure
    return sum(value.state is State.OK for value in values)


async def _values(
    runtime: Runtime,
    job_id: str,
    explanation: ExplanationRow,
    stored: SimulationRow,
    neuron: Neuron,
    scored: Records,
    strata: Int32,
    protocol: Protocol,
) -> tuple[ScoreValue, ...]:
    assert stored.simulated is not None
    polarity, stats = explanation.polarity, neuron.statistics
    dev = protocols.dev_records(neuron.records, polarity)
    fitted = ablation.calibration_of(dev, expected_of(stored.simulated, dev), polarity, stats)
    if isinstance(fitted, str):
        return _undefined(protocol, State.NO_CALIBRATION, fitted)
    _, first, place = np.unique(scored.excerpts, return_index=True, return_inverse=True)
    once = scored.take(first)  # an excerpt kept both as top and at random is run once
    simulated, mean = ablation.replacements(expected_of(stored.simulated, once), fitted, polarity, stats)
    progress = Progress(runtime, job_id, len(once), "excerpts")
    progress.report(0, f"loading {explanation.ref.model}")
    service, layer = await live_subject(runtime, explanation.ref)
    progress.report(
        0, f"running {explanation.ref.model} with the neuron as it is, as predicted, and at its mean"
    )
    parts: list[Float32] = []
    for start in range(0, len(once), CHUNK):
        here = slice(start, start + CHUNK)
        given = [simulated[here], mean[here]]
        parts.append(await service.divergences(layer, explanation.ref.index, once.tokens[here], given))
        progress.report(min(start + CHUNK, len(once)))
    progress.flush()
    to_simulated, to_mean = np.concatenate(parts, 1)[:, place]  # [R, T] twice
    card = await service.card()
    parameters = {
        "slope": fitted.slope,
        "intercept": fitted.intercept,
        "dev_records": len(dev),
        "mean": stats.mean,
        "model": card.name,
        "revision": card.revision,
        "dtype": card.dtype,
    }
    return ablation.score(
        scored, strata, to_simulated, to_mean, protocol, polarity, stats, stored.seed, parameters
    )


def _undefined(protocol: Protocol, state: State, reason: str) -> tuple[ScoreValue, ...]:
    return tuple(
        ScoreValue(Metric.ABLATION, protocol, sample, state, reason=reason)
        for sample, metric in measured(protocol)
        if metric is Metric.ABLATION
    )
