"""Where an explanation is wrong: the local simulator over held-out excerpts, beside what the live neuron does on them."""

import json
from typing import NamedTuple

import numpy as np

from app.domain import ablation, protocols
from app.domain import false_positives as fp
from app.domain.binary_metrics import activity
from app.domain.calibration import Calibration
from app.domain.explanations import SimulatorName
from app.domain.false_positives import Found
from app.domain.neurons import EXCERPT_TOKENS, Float32, Int32, Kind, Records, Split
from app.errors import AnswerError, BadInput
from app.jobs import engine
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.live_subject import live_subject
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import FalsePositivesRequest, loads
from app.jobs.runtime import Runtime, current
from app.simulate.local import Local
from app.store import collections, explanations, false_positives, heldout
from app.store.excerpts import ExcerptCache
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow, StoredExcerpts

CHUNK = 16  # excerpts a step: what is lost when a worker dies
AT_ONCE = 4  # of them, between two words of progress


@engine.workflow("false_positives")
async def find_false_positives(job_id: str) -> None:
    """Search as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _search(row))


async def _search(row: JobRow) -> dict[str, object]:
    request = loads(FalsePositivesRequest, row.parameters_json)
    total, collection = await plan(row.id)
    found: list[Found] = []
    for start in range(0, total, CHUNK):
        found += [_found(each) for each in await examine(row.id, start, collection)]
    worst = fp.worst(found)
    if not worst:
        raise AnswerError("The neuron is active on every token that was examined: it is silent nowhere.")
    search = await store_worst(row.id, [each.excerpt for each in worst], list(fp.tally(found)), collection)
    return {"explanation": request.explanation_id, "search": search, "examined": len(found)}


class _Searched(NamedTuple):
    """What every step needs."""

    request: FalsePositivesRequest
    explanation: ExplanationRow
    neuron: Neuron
    excerpts: StoredExcerpts
    chosen: Int32  # [n] ordinals of the excerpts to examine
    known: bool  # whether it is known what the explanation's maker saw


async def _searched(runtime: Runtime, job_id: str, collection_id: int | None) -> _Searched:
    """The same every time it is asked. Conflict where the model has been collected anew since the job began."""
    request = await runtime.asked(FalsePositivesRequest, job_id)

    def read() -> _Searched:
        with runtime.store.session() as session:
            explanation = explanations.get(session, request.explanation_id)
        neuron = load_neuron(runtime.store, explanation.ref)
        if collection_id is not None:
            collections.demand_current(collection_id, neuron.collection_id)
        excerpts = ExcerptCache.get(runtime.store, explanation.ref.model)
        collections.demand_current(excerpts.collection_id, neuron.collection_id)
        with runtime.store.session() as session:
            unseen, known = heldout.unseen_documents(
                session, explanation.id, neuron.collection_id, Split.SCORE
            )
        held = np.flatnonzero((excerpts.splits == Split.SCORE) & np.isin(excerpts.documents, unseen)).astype(
            np.int32
        )
        chosen = fp.sample(held, request.excerpts, request.seed)
        return _Searched(request, explanation, neuron, excerpts, chosen, known)

    return await in_thread(lambda stop: read())


@engine.step("false_positives.plan")
async def plan(job_id: str) -> tuple[int, int]:
    """(how many excerpts will be examined, the collection that they are of). BadInput where nothing is held out."""
    runtime = current()
    searched = await _searched(runtime, job_id, None)
    if not len(searched.chosen):
        raise BadInput(
            "No document of the score split is new to the explanation's maker: there is nothing to search."
        )
    Progress(runtime, job_id, len(searched.chosen), "excerpts").report(0, _note(searched))
    return len(searched.chosen), searched.neuron.collection_id


@engine.step("false_positives.examine")
async def examine(job_id: str, start: int, collection_id: int) -> list[list[float | None]]:
    """What the excerpts from `start` on showed, as many as belong to one step: `Found` as lists, which JSON has."""
    runtime = current()
    searched = await _searched(runtime, job_id, collection_id)
    polarity, stats = searched.explanation.polarity, searched.neuron.statistics
    progress = Progress(runtime, job_id, len(searched.chosen), "excerpts")
    progress.note = _note(searched)
    found: list[Found] = []
    for at in range(start, min(start + CHUNK, len(searched.chosen)), AT_ONCE):
        here = searched.chosen[at : min(at + AT_ONCE, start + CHUNK)]
        predicted, actual, _ = await _both(runtime, job_id, searched, here)
        found += fp.examine(
            here,
            predicted,
            polarity.sign * actual,
            activity(stats, polarity).threshold,
            position0=stats.position0,
        )
        progress.report(start + len(found))
    progress.flush()
    return [list(each) for each in found]


def _found(row: list[float | None]) -> Found:
    excerpt, prediction, token, peak, active = row
    assert excerpt is not None and token is not None and peak is not None
    return Found(int(excerpt), prediction, int(token), peak, bool(active))


@engine.step("false_positives.store")
async def store_worst(job_id: str, worst: list[int], tally: list[int], collection_id: int) -> int:
    """Store the worst excerpts, simulated and run once more, with the calibration on dev records; the search's id."""
    runtime = current()
    searched = await _searched(runtime, job_id, collection_id)
    here = np.array(worst, np.int32)
    progress = Progress(runtime, job_id, len(searched.chosen), "excerpts")
    progress.report(len(searched.chosen), f"calibrating, and keeping the worst {len(worst)}")
    predicted, actual, simulator = await _both(runtime, job_id, searched, here)
    explanation, neuron, request = searched.explanation, searched.neuron, searched.request
    dev = protocols.dev_records(neuron.records, explanation.polarity)
    expected = np.zeros_like(dev.activations)
    if len(dev):
        local = Local(await runtime.service(explanation.ref.model))
        simulated = await local.simulate(
            explanation.text, dev, neuron.vocabulary, explanation.polarity, request.seed, job_id
        )
        expected = simulated.expected
    fitted = ablation.calibration_of(dev, expected, explanation.polarity, neuron.statistics)
    parameters = {
        **json.loads(simulator),
        "split": "score",
        "asked": request.excerpts,
        "threshold": activity(neuron.statistics, explanation.polarity).threshold,
        "position0": neuron.statistics.position0,
        "seen_known": searched.known,
        **fp.Tally(*tally)._asdict(),
        **(
            {"slope": fitted.slope, "intercept": fitted.intercept, "dev_records": len(dev)}
            if isinstance(fitted, Calibration)
            else {"no_calibration": fitted}
        ),
    }
    return await keep(
        runtime,
        job_id,
        lambda s: false_positives.add(
            s,
            explanation.id,
            SimulatorName.LOCAL,
            str(parameters.get("model", "")),
            json.dumps(parameters, sort_keys=True),
            request.seed,
            here,
            predicted,
            actual,
            job_id,
            collection_id=collection_id,
        ),
    )


def _note(searched: _Searched) -> str:
    return f"simulating and running {searched.explanation.ref.model}"


async def _both(
    runtime: Runtime, job_id: str, searched: _Searched, excerpts: Int32
) -> tuple[Float32, Float32, str]:
    """(predictions [R, T] on the simulator's scale, activations [R, T] signed, the simulator's own parameters as JSON)."""
    explanation = searched.explanation
    tokens = searched.excerpts.tokens[excerpts]  # [R, T]
    local = Local(await runtime.service(explanation.ref.model))
    simulated = await local.simulate(
        explanation.text,
        _records(searched.excerpts, excerpts),
        searched.neuron.vocabulary,
        explanation.polarity,
        searched.request.seed,
        job_id,
    )
    subject, layer = await live_subject(runtime, explanation.ref)
    values = await subject.activations(layer, [explanation.ref.index], tokens.tolist())
    actual = np.stack([each[:, 0] for each in values])  # [R, T]
    return simulated.expected, actual, simulated.parameters_json


def _records(held: StoredExcerpts, excerpts: Int32) -> Records:
    """Excerpts as a simulator takes them: what the neuron does there is not among it."""
    n = len(excerpts)
    return Records(
        excerpts,
        held.documents[excerpts],
        np.full(n, Kind.RANDOM, np.uint8),
        held.splits[excerpts],
        held.tokens[excerpts],
        np.zeros((n, EXCERPT_TOKENS), np.float32),
        None,
    )
