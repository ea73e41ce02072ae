"""The steps of a revision: what is asked of the explainer, what of the subject model, and what is stored."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app import __version__
from app.domain.explanations import (
    ExplainOptions,
    Method,
    Provenance,
    State,
    Step,
)
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
from app.domain.revising import KEPT, SENTENCES
from app.errors import AnswerError, Refused
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress
from app.jobs.live_run import run_tokens, tokens_of
from app.jobs.live_tries import TEMPERATURES, Took, Tried, ends, source_of, store, sum_took
from app.jobs.neuron import Neuron
from app.jobs.old_evidence import old_evidence
from app.jobs.random_sentences import draw
from app.jobs.requests import ReviseRequest
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES
from app.store import explanations, revisions
from app.store.explanation_rows import ExplanationRow

if TYPE_CHECKING:
    from app.explain import Prompt
    from app.llm.messages import Message

PURPOSE = "sentences"  # of the calls, in the ledger


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
        if not ends(runtime, error, bool(tried)):
            raise
        asked = _attempted(
            runtime, request, prompt.messages, prompt.version, prompt.excerpts, prompt.parameters_json
        )
        spent = await runtime.db(lambda s: runtime.usage(s, job_id, "explain"))
        if not request.explanation_id:  # it was made here, and its calls are its own
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


async def _loaded(
    runtime: Runtime, job_id: str, source_id: int
) -> tuple[ReviseRequest, ExplanationRow, Neuron]:
    request = await runtime.asked(ReviseRequest, job_id)
    return request, *await source_of(runtime, source_id)


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
    """The revision, or its failure; what it took includes the sentences."""
    made = replace(made, usage=sum_took(took).plus(made.usage))
    return await store(runtime, job_id, source, neuron, tried, text, reason, made, request.author)
