"""Revising an explanation in the light of the explainer's own test sentences (BILLS), and its two controls."""

import json
from dataclasses import replace

from app.domain.explanations import (
    ASKING_SIMULATORS,
    Method,
    ScoreOptions,
    State,
)
from app.domain.probing import rejected_step
from app.domain.revising import ASKED_AT_MOST, SENTENCES
from app.errors import AnswerError, AppError, BadInput, Refused
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import run
from app.jobs.live_tries import Took, Tried, ends, first_of, no_use
from app.jobs.requests import ReviseRequest, loads
from app.jobs.revise_steps import ask, drawn, failed, revised, run_sentences
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES, scored, simulated
from app.store import explanations
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow


@engine.workflow("revise")
async def revise_explanation(job_id: str) -> None:
    """Revise, and score what came out beside what it was made from unless the request says not to."""
    runtime = current()
    await run(runtime, job_id, lambda row: _revise(runtime, row))


async def _revise(runtime: Runtime, row: JobRow) -> dict[str, object]:
    return await revise(row.id, loads(ReviseRequest, row.parameters_json))


async def revise(job_id: str, request: ReviseRequest) -> dict[str, object]:
    """All of it, step by step; `job_id` is the job's, or names a piece of a larger one. What was made, by name."""
    source = request.explanation_id or await first(job_id)
    tried: Tried = []
    took: Took = []
    try:
        if request.revise.method is Method.REVISION:
            tried += await _tested(job_id, source, tried, took)
        elif request.revise.method is Method.REVISION_RANDOM:
            tried += await drawn(job_id, source)
    except (*FAILURES, Refused) as error:  # the spending cap can be met on the way
        if ends(current(), error, bool(tried)):
            await failed(job_id, source, str(error), tried, took)
        raise
    revision = await revised(job_id, source, tried, took)
    result: dict[str, object] = {"explanation": revision, "source": source}
    if request.score is None:
        return result
    on = revision if request.revise.method is Method.REVISION else request.score.revision
    failure: AppError | None = None
    for explanation in (revision, source):  # one that cannot be scored keeps the other from nothing
        try:
            simulation, defined = await measured(job_id, explanation, on)
        except (*FAILURES, BadInput) as error:
            failure = failure or error
            continue
        if explanation == revision:
            result |= {"simulation": simulation, "defined": defined}
    if failure is not None:
        raise failure
    return result


async def _tested(job_id: str, source: int, tried: Tried, took: Took) -> Tried:
    """The sentences with what the neuron did. Answers that were no use are added to `tried` as they come, and what each
    answer took to `took`.
    """
    reasons: list[str] = []
    for attempt in range(ASKED_AT_MOST):
        asked = await ask(job_id, source, attempt)
        took.append(asked["took"])
        if not asked["problem"]:
            return await run_sentences(job_id, source, asked["texts"])
        reasons.append(asked["problem"])
        tried.append(list(rejected_step("sentences", asked["problem"], asked["answer"])))
    name = (await current().asked(ReviseRequest, job_id)).revise.explainer
    raise AnswerError(no_use(name, f"{SENTENCES} sentences", reasons))


@engine.step("revise.first")
async def first(job_id: str) -> int:
    """The explanation to begin from, made here; its id. A failure is stored and raised as an explain job's."""
    runtime = current()
    return await first_of(runtime, job_id, await runtime.asked(ReviseRequest, job_id))


@engine.step("revise.score")
async def measured(job_id: str, explanation_id: int, revision: int) -> tuple[int, int]:
    """Simulate and score one side of the revision: (simulation, how many scores are defined).

    (0, 0) for the explanation that was revised where it has these scores already.
    """
    runtime = current()
    request = await runtime.asked(ReviseRequest, job_id)
    assert request.score is not None
    options = replace(request.score, revision=revision)
    explanation = await runtime.db(lambda s: explanations.get(s, explanation_id))
    if explanation.job_id != runtime.job_of(job_id) and _has(runtime, explanation, options):
        return 0, 0
    key = f"{job_id}/{explanation_id}"
    simulation = await simulated(runtime, job_id, explanation_id, options, key)
    return simulation, await scored(runtime, job_id, explanation_id, simulation, options, key)


def _has(runtime: Runtime, row: ExplanationRow, options: ScoreOptions) -> bool:
    """Whether the same simulator with the same seed was scored on the same already."""
    asks = options.simulator in ASKING_SIMULATORS
    title = endpoint(runtime.settings, options.endpoint).title if asks else None
    mine = [
        score.value
        for score in row.scores
        if (score.simulator, score.seed) == (options.simulator, options.seed)
        and title in (None, score.simulator_model)
        and score.value.state is not State.FAILED
    ]
    there = {value.protocol for value in mine}
    sets = {json.loads(value.parameters_json).get("revision") for value in mine}
    return options.protocol in there and (not options.revision or options.revision in sets)
