"""Detection and fuzzing: windows are drawn from held-out text, put to a language model, and its verdicts scored."""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from app.domain import judging, windows
from app.domain.explanations import Metric, Protocol, ScoreValue, State
from app.domain.judging import Asked
from app.domain.neurons import Float32, Int32, Split
from app.domain.windows import Drawn, Example, WindowSource
from app.errors import ModelError
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import JudgeRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES
from app.store import collections, explanations, heldout, models, scores
from app.store.excerpts import ExcerptCache
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow

AT_ONCE = 16  # excerpts run through the model between two reports of progress
ALIKE = 0.05  # of a stored peak: how far the live model may be from it


class Work(NamedTuple):
    """What both steps need."""

    request: JudgeRequest
    explanation: ExplanationRow
    neuron: Neuron


@engine.workflow("judge")
async def judge_explanation(job_id: str) -> None:
    """Judge a stored explanation as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _judge(row))


async def _judge(row: JobRow) -> dict[str, object]:
    request = loads(JudgeRequest, row.parameters_json)
    drawn = await draw(row.id)
    defined = await ask(row.id, drawn)
    return {"explanation": request.explanation_id, "defined": defined}


@engine.step("judge.draw")
async def draw(job_id: str) -> dict[str, Any]:
    """The windows to judge, as JSON: drawn once, so that whoever goes on after a kill asks about the same ones.

    A live model that cannot be had leaves a failed score with the reason, raised again.
    """
    runtime = current()
    work = await _work(runtime, job_id)
    try:
        drawn = await _drawn(runtime, work, job_id)
    except FAILURES as error:
        await _store(
            runtime, job_id, work, judging.without(_asked(runtime, work, {}), State.FAILED, str(error)), []
        )
        raise
    return {**drawn._asdict(), "collection": work.neuron.collection_id}


@engine.step("judge.ask")
async def ask(job_id: str, drawn: Mapping[str, Any]) -> int:
    """Ask about every window and store the score; 1 where it is defined, else 0.

    A failure is stored with its reason and raised again, never counted as a wrong verdict. Calls that have been answered once
    are found in the ledger. Conflict where the model was collected anew since the windows were drawn.
    """
    from app.judge.judge import Question, judge

    runtime = current()
    work = await _work(runtime, job_id)
    collections.demand_current(drawn["collection"], work.neuron.collection_id)
    options = work.request.judge
    examples = [Example(e, start, truth, tuple(marked)) for e, start, truth, marked in drawn["examples"]]
    asked = _asked(runtime, work, drawn)
    if drawn["state"] != State.OK:
        await _store(
            runtime, job_id, work, judging.without(asked, State(drawn["state"]), drawn["reason"]), []
        )
        return 0
    table = await in_thread(lambda stop: ExcerptCache.get(runtime.store, work.neuron.ref.model))
    collections.demand_current(drawn["collection"], table.collection_id)
    pieces = work.neuron.vocabulary.pieces
    questions = [
        Question(e, tuple(pieces[t] for t in table.tokens[e.excerpt, _span(e)].tolist())) for e in examples
    ]
    scored = sorted({e.excerpt for e in examples})
    await runtime.db(  # `scores.add` demands it too, but then the calls have been paid for
        lambda s: heldout.demand(s, work.explanation.id, scored, table.collection_id, {Protocol.WINDOWS})
    )
    progress = Progress(runtime, job_id, len(questions), "windows")
    progress.report(0, f"asking for verdicts ({options.metric})")
    try:
        judged = await judge(
            await runtime.client(options.endpoint),
            options.metric,
            work.explanation.text,
            questions,
            per_prompt=options.per_prompt,
            probabilities=options.probabilities,
            seed=options.seed,
            job_id=job_id,
            done=progress.report,
        )
    except FAILURES as error:
        await _store(runtime, job_id, work, judging.without(asked, State.FAILED, str(error)), scored)
        raise
    progress.flush()
    took = await runtime.db(lambda s: runtime.usage(s, job_id, "judge"))
    documents = table.documents[[v.example.excerpt for v in judged.verdicts]]
    counted = asked._replace(parameters={**asked.parameters, "usage": took._asdict()})
    await _store(runtime, job_id, work, judging.score(counted, judged.verdicts, documents), scored)
    return 1


async def _work(runtime: Runtime, job_id: str) -> Work:
    request = await runtime.asked(JudgeRequest, job_id)
    explanation = await runtime.db(lambda s: explanations.get(s, request.explanation_id))
    return Work(
        request, explanation, await in_thread(lambda stop: load_neuron(runtime.store, explanation.ref))
    )


async def _drawn(runtime: Runtime, work: Work, job_id: str) -> Drawn:
    options, neuron = work.request.judge, work.neuron
    polarity, position0 = work.explanation.polarity, neuron.statistics.position0
    at = windows.levels(neuron.statistics, polarity)
    if at is None:
        return Drawn(
            State.TOO_FEW_ACTIVE, f"The neuron has no {polarity} activation in the explain split.", ()
        )
    records = neuron.records.where(splits=(Split.SCORE,))
    unseen = await runtime.db(
        lambda s: heldout.unseen(s, work.explanation.id, neuron.collection_id, records.excerpts.tolist())
    )
    kept = records.take(np.flatnonzero(np.isin(records.excerpts, unseen)))
    found = windows.cut(kept.excerpts, kept.activations, polarity, position0=position0, live=False)
    if options.source is WindowSource.LIVE:
        excerpts, activations = await _live(runtime, work, job_id)
        sampled = windows.cut(excerpts, activations, polarity, position0=position0, live=True)
        found = windows.together(sampled, found)
    return windows.draw(found, at, options.metric, options.decoys, options.seed)


async def _live(runtime: Runtime, work: Work, job_id: str) -> tuple[Int32, Float32]:
    """A sample of held-out excerpts [E] and the neuron's activations there [E, T]."""
    options, neuron = work.request.judge, work.neuron

    def choose(stop: threading.Event) -> tuple[Int32, Int32, int]:
        table = ExcerptCache.get(runtime.store, neuron.ref.model)
        collections.demand_current(neuron.collection_id, table.collection_id)
        held_out = np.flatnonzero(table.splits == Split.SCORE).tolist()
        with runtime.store.session() as s:
            allowed = heldout.unseen(s, work.explanation.id, table.collection_id, held_out)
            layer = models.layer(s, neuron.ref.model, neuron.ref.layer).ordinal
        chosen = windows.sample(np.array(allowed, np.int32), options.sampled, options.seed)
        return chosen, table.tokens[chosen], layer

    excerpts, tokens, layer = await in_thread(choose)
    service = await runtime.subject(neuron.ref.model)
    # Told in words alone: what counts are windows, and how far a job is never goes back.
    progress = Progress(runtime, job_id, 0, "windows")
    progress.report(0, "running held-out text through the model")
    rows: list[Float32] = []
    try:
        await _check_alike(runtime, neuron, layer)
        for start in range(0, len(excerpts), AT_ONCE):
            part = tokens[start : start + AT_ONCE].tolist()
            rows += [row[:, 0] for row in await service.activations(layer, [neuron.ref.index], part)]
            progress.report(0, f"run through the model: {len(rows)} of {len(excerpts)} held-out excerpts")
    except ModelError as error:
        raise ModelError(
            f"{error} Windows of live text need the model itself: mend that, or judge on the stored records (source: stored)."
        ) from error
    return excerpts, np.stack(rows) if rows else np.zeros(tokens.shape, np.float32)


async def _check_alike(runtime: Runtime, neuron: Neuron, layer: int) -> None:
    """ModelError where the model that answers is not the one that was collected: its strongest record would say otherwise."""
    records = neuron.records
    if not len(records):
        return
    row, at = np.unravel_index(np.abs(records.activations).argmax(), records.activations.shape)
    service = await runtime.subject(neuron.ref.model)
    [live] = await service.activations(layer, [neuron.ref.index], [records.tokens[row].tolist()])
    peak = float(records.activations[row, at])
    if abs(float(live[at, 0]) - peak) > ALIKE * abs(peak):
        raise ModelError(
            f"The model that was loaded gives {float(live[at, 0]):.3f} where {peak:.3f} was collected: it is another one."
        )


def _asked(runtime: Runtime, work: Work, drawn: Mapping[str, Any]) -> Asked:
    from app.judge import prompts

    options, neuron = work.request.judge, work.neuron
    parameters: dict[str, object] = {
        "prompt": prompts.VERSIONS[options.metric],
        "per_prompt": options.per_prompt,
        "source": options.source,
        "collection": neuron.collection_id,
    }
    if options.source is WindowSource.LIVE:
        parameters["sampled_excerpts"] = options.sampled
    if options.metric is Metric.FUZZING:
        parameters["decoys"] = options.decoys
    at = windows.levels(neuron.statistics, work.explanation.polarity)
    if at is not None:
        parameters["threshold"] = at.active
        if options.metric is Metric.FUZZING:
            parameters["marked_from"] = at.mark
    for name in ("live_active", "stored_active", "found_active", "found_inactive"):
        if name in drawn:
            parameters[name] = drawn[name]
    return Asked(options.metric, endpoint(runtime.settings, options.endpoint).title, options.seed, parameters)


async def _store(runtime: Runtime, job_id: str, work: Work, value: ScoreValue, scored: list[int]) -> None:
    await keep(
        runtime,
        job_id,
        lambda s: scores.add(
            s, work.explanation.id, None, [value], runtime.job_of(job_id), f"{job_id}/scores", scored=scored
        ),
    )


def _span(example: Example) -> slice:
    return slice(example.start, example.start + windows.WINDOW_TOKENS)
