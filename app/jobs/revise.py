"""Revising an explanation in the light of the explainer's own test sentences (BILLS), and its two controls."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app import __version__
from app.domain.explanations import ExplainOptions, Method, Provenance, ScoreOptions, State, Step, Usage
from app.domain.live_texts import (
    SENTENCE,
    Role,
    Sentence,
    divided,
    from_step,
    is_active,
    threshold_of,
    to_step,
)
from app.domain.probing import rejected_step
from app.domain.revising import ASKED_AT_MOST, KEPT, SENTENCES
from app.errors import AnswerError, AppError, BadInput, Refused
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.explain import explained
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.live_run import run_tokens, tokens_of
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.old_evidence import old_evidence
from app.jobs.random_sentences import draw
from app.jobs.requests import ExplainRequest, ProbeRequest, ReviseRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES, scored, simulated
from app.jobs.service import ASKING_SIMULATORS
from app.store import explanations, revisions
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow

if TYPE_CHECKING:
    from app.explain import Prompt
    from app.llm.messages import Message

Tried = list[list[str]]  # steps as JSON has them: kind, data
Took = list[list[float]]  # what each answer took, as JSON has a `Usage`
PURPOSE = "sentences"  # of the calls, in the ledger
TEMPERATURES = (1.0, 0.7, 0.4)  # of each answer asked for: colder where that was no use


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
        if tried or not isinstance(error, Refused):
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


def sum_took(took: Took) -> Usage:
    """What all these answers took."""
    total = Usage()
    for tokens_in, tokens_out, cost_usd, seconds, calls in took:
        total = total.plus(Usage(int(tokens_in), int(tokens_out), cost_usd, seconds, int(calls)))
    return total


def no_use(endpoint_name: str, what: str, reasons: list[str]) -> str:
    """That an explainer was asked as often as it may be."""
    said = reasons[0] if len(set(reasons)) == 1 else "; ".join(f"{i}) {r}" for i, r in enumerate(reasons, 1))
    return (
        f"“{endpoint_name}” did not write {what} that can be used in {len(reasons)} tries: {said}."
        " Try again, or take a stronger model."
    )


@engine.step("revise.first")
async def first(job_id: str) -> int:
    """The explanation to begin from, made here; its id. A failure is stored and raised as an explain job's."""
    runtime = current()
    return await first_of(runtime, job_id, await runtime.asked(ReviseRequest, job_id))


async def first_of(runtime: Runtime, job_id: str, request: ReviseRequest | ProbeRequest) -> int:
    """The explanation that a request begins from, where it says how one is made; its id."""
    assert request.first is not None, "a request names an explanation, or says how one is made"
    asked = ExplainRequest(request.ref, request.first, None, request.author)
    return await explained(runtime, job_id, asked, f"{job_id}/first")


@engine.step("revise.ask")
async def ask(job_id: str, source_id: int, attempt: int) -> dict[str, Any]:
    """Ask once for test sentences: `texts`, or the `problem` with the `answer`. Raises EndpointError, ModelError."""
    from app.explain.revise import SENTENCES_NAME, sentences_prompt, sentences_schema
    from app.explain.texts import longest_answer, read_lists
    from app.llm.messages import ChatRequest

    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    Progress(runtime, job_id, 0, "calls").report(0, "writing test sentences")
    client = await runtime.client(request.revise.explainer)
    chat = ChatRequest(
        endpoint=client.endpoint.name,
        messages=sentences_prompt(source.text, SENTENCES),
        temperature=TEMPERATURES[attempt],
        max_tokens=longest_answer(1, SENTENCES),
        seed=request.revise.seed + attempt,
        schema_json=sentences_schema(SENTENCES),
        nonce=f"sentences/{attempt}",
    )
    answer = await client.chat(chat, PURPOSE, job_id)
    known = await runtime.db(lambda s: revisions.written_texts(s, source_id))
    try:
        [texts] = read_lists(answer, (SENTENCES_NAME,), SENTENCES, frozenset(known))
        await tokens_of(runtime, neuron, texts)
    except AnswerError as error:
        return {"texts": [], "problem": str(error), "answer": answer.text, "took": list(answer.usage)}
    return {"texts": texts, "problem": "", "took": list(answer.usage)}


@engine.step("revise.run")
async def run_sentences(job_id: str, source_id: int, texts: list[str]) -> Tried:
    """Have the subject model read the sentences; steps with roles drawn by the seed."""
    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    Progress(runtime, job_id, 0, "calls").report(0, "reading the sentences with the subject model")
    lives = await run_tokens(runtime, neuron, texts, await tokens_of(runtime, neuron, texts))
    roles = divided(len(texts), KEPT, request.revise.seed)
    threshold = threshold_of(neuron.statistics, source.polarity)
    return [
        list(
            to_step(
                Sentence(
                    live, role, is_active(live.activations, neuron.statistics, source.polarity), threshold
                )
            )
        )
        for live, role in zip(lives, roles, strict=True)
    ]


@engine.step("revise.draw")
async def drawn(job_id: str, source_id: int) -> Tried:
    """The control's sentences: drawn from the explain split, each active; all of them evidence."""
    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    progress = Progress(runtime, job_id, 0, "sentences")
    old = old_evidence(neuron, source)
    known = await runtime.db(lambda s: revisions.written_texts(s, source_id))
    found = await draw(
        runtime,
        neuron,
        source.polarity,
        SENTENCES - KEPT,
        set(old.excerpts.tolist()),
        known,
        request.revise.seed,
        progress,
    )
    return [list(to_step(sentence)) for sentence in found]


@engine.step("revise.statement")
async def revised(job_id: str, source_id: int, tried: Tried, took: Took) -> int:
    """Ask for the revised statement and store it, once; its id. A failure is stored with what was tried, and raised."""
    from app.explain import explain as ask_for

    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    Progress(runtime, job_id, 0, "calls").report(0, "asking for the revised statement")
    prompt = _prompt(neuron, source, request, tried)
    options = ExplainOptions(
        request.revise.method, source.polarity, request.revise.explainer, seed=request.revise.seed
    )
    client = await runtime.client(request.revise.explainer)
    try:
        made = await ask_for(client, prompt, options, job_id)
    except (*FAILURES, Refused) as error:
        if not tried and isinstance(error, Refused):
            raise
        asked = _attempted(
            runtime, request, prompt.messages, prompt.version, prompt.excerpts, prompt.parameters_json
        )
        spent = await runtime.db(lambda s: runtime.usage(s, job_id, "explain"))
        if source.job_id == runtime.job_of(job_id):  # the first explanation's calls are its own
            spent = spent.minus(source.provenance.usage)
        asked = replace(asked, usage=spent)
        await _store(runtime, job_id, request, source, neuron, tried, None, str(error), asked, took)
        raise
    stored = await _store(
        runtime, job_id, request, source, neuron, tried, made.text, "", made.provenance, took
    )
    row = await runtime.db(lambda s: explanations.get(s, stored))
    if row.state is not State.OK:  # stored by a try before this one, which was cut short before it said so
        raise AnswerError(row.reason)
    return stored


@engine.step("revise.failed")
async def failed(job_id: str, source_id: int, reason: str, tried: Tried, took: Took) -> int:
    """Store that no revision came about, with why and what was tried; its id."""
    from app.explain.revise import SENTENCES_VERSION, sentences_prompt

    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    asked = _attempted(
        runtime, request, (), "", (), json.dumps({"polarity": source.polarity, "source": source.id})
    )
    if (
        request.revise.method is Method.REVISION
    ):  # what was asked for, and what the statement was not asked with
        messages = sentences_prompt(source.text, SENTENCES)
        asked = _attempted(runtime, request, messages, SENTENCES_VERSION, (), asked.parameters_json)
    return await _store(runtime, job_id, request, source, neuron, tried, None, reason, asked, took)


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


async def _loaded(
    runtime: Runtime, job_id: str, source_id: int
) -> tuple[ReviseRequest, ExplanationRow, Neuron]:
    request = await runtime.asked(ReviseRequest, job_id)
    source = await runtime.db(lambda s: explanations.get(s, source_id))
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, source.ref))
    return request, source, neuron


def _prompt(neuron: Neuron, source: ExplanationRow, request: ReviseRequest, tried: Tried) -> "Prompt":
    from app.explain.revise import revision_prompt, shown_evidence, shown_sentence

    old = old_evidence(neuron, source)
    statistics, vocabulary, polarity = neuron.statistics, neuron.vocabulary, source.polarity
    evidence = [s for s in _sentences(tried) if s.role is Role.EVIDENCE]
    shown = shown_evidence(old, statistics, vocabulary, polarity)
    parameters: dict[str, object] = {
        "polarity": polarity,
        "source": source.id,
        "cut_off": "token_q99",
        "cut_off_value": shown.cut_off,
        "new_evidence": len(evidence),
    }
    if statistics.position0:
        parameters["position0_left_out"] = True
    drawn_from = sorted({s.excerpt for s in evidence if s.excerpt >= 0} - set(old.excerpts.tolist()))
    return revision_prompt(
        request.revise.method,
        source.text,
        shown,
        [shown_sentence(s, statistics, vocabulary, polarity) for s in evidence],
        (*old.excerpts.tolist(), *drawn_from),
        json.dumps(parameters, allow_nan=False),
    )


def _attempted(
    runtime: Runtime,
    request: ReviseRequest,
    messages: tuple["Message", ...],
    version: str,
    excerpts: tuple[int, ...],
    parameters_json: str,
) -> Provenance:
    """What can be said of a revision that came to nothing."""
    from app.llm.messages import messages_hash, messages_json

    return Provenance(
        method=request.revise.method,
        explainer=endpoint(runtime.settings, request.revise.explainer).title,
        prompt_version=version,
        messages_hash=messages_hash(messages) if messages else "",
        messages_json=messages_json(messages) if messages else "",
        parameters_json=parameters_json,
        seed=request.revise.seed,
        excerpts=excerpts,
        code_version=__version__,
    )


def _sentences(tried: Tried) -> list[Sentence]:
    return [from_step(Step(kind, data)) for kind, data in tried if kind == SENTENCE]


async def _store(
    runtime: Runtime,
    job_id: str,
    request: ReviseRequest,
    source: ExplanationRow,
    neuron: Neuron,
    tried: Tried,
    text: str | None,
    reason: str,
    made: Provenance,
    took: Took,
) -> int:
    """The revision, or its failure, with all that was tried; what it took includes the sentences."""
    provenance = replace(made, author=request.author, usage=sum_took(took).plus(made.usage))
    return await keep(
        runtime,
        job_id,
        lambda s: explanations.add(
            s,
            source.ref,
            text,
            source.polarity,
            provenance,
            State.OK if text else State.FAILED,
            reason,
            runtime.job_of(job_id),
            job_id,
            collection_id=neuron.collection_id,
            source_id=source.id,
            steps=[Step(kind, data) for kind, data in tried],
        ),
    )
