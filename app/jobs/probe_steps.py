"""The steps of a probing: what is asked of the explainer, what of the subject model, and what is stored."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app import __version__
from app.domain.explanations import Provenance, State, Step
from app.domain.live_texts import PROBE, is_active, same
from app.domain.probing import (
    HYPOTHESIS,
    Probe,
    Verdict,
    best,
    judge,
    probe_of,
    probe_step,
)
from app.errors import AnswerError
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress
from app.jobs.live_run import run_tokens, tokens_of
from app.jobs.live_tries import TEMPERATURES, Took, Tried, source_of, store, sum_took
from app.jobs.neuron import Neuron
from app.jobs.old_evidence import old_evidence
from app.jobs.requests import ProbeRequest
from app.jobs.runtime import Runtime, current
from app.store import explanations, revisions
from app.store.explanation_rows import ExplanationRow

if TYPE_CHECKING:
    from app.explain import Prompt
    from app.explain.evidence import Evidence, Shown
    from app.llm.client import Client
    from app.llm.messages import ChatRequest

PURPOSE = "probe"  # of the calls, in the ledger
OVER = "over"  # what a step says instead of asking, where the call could pass the budget of dollars


@engine.step("probe.texts")
async def ask_texts(
    job_id: str, source_id: int, number: int, attempt: int, hypothesis: str, tried: Tried, usd: float
) -> dict[str, Any]:
    """Ask once for a round's texts: `texts` of both kinds, or the `problem` with the `answer`; and what it `took`."""
    from app.explain.probe import NAMES, texts_prompt, texts_schema
    from app.explain.texts import longest_answer, read_lists
    from app.llm.messages import ChatRequest

    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    Progress(runtime, job_id, number - 1, "rounds").report(number - 1, f"round {number}: writing texts")
    client = await runtime.client(request.probe.explainer)
    count = request.probe.texts
    chat = ChatRequest(
        endpoint=client.endpoint.name,
        messages=texts_prompt(hypothesis, _old(neuron, source), _shown(neuron, source, tried), count),
        temperature=TEMPERATURES[attempt],
        max_tokens=longest_answer(len(NAMES), count),
        seed=request.probe.seed + attempt,
        schema_json=texts_schema(count),
        nonce=f"probe/{number}/texts/{attempt}",
    )
    if _passes(request, client, chat, usd):
        return {"problem": OVER}
    answer = await client.chat(chat, PURPOSE, job_id)
    known = await runtime.db(lambda s: revisions.written_texts(s, source_id))
    known |= {same(probe.live.text) for probe in probes(tried)}
    took = list(answer.usage)
    try:
        texts = read_lists(answer, NAMES, count, frozenset(known))
        await tokens_of(runtime, neuron, [text for kind in texts for text in kind])
    except AnswerError as error:
        return {"problem": str(error), "answer": answer.text, "took": took}
    return {"texts": texts, "problem": "", "took": took}


@engine.step("probe.run")
async def run_probes(job_id: str, source_id: int, number: int, texts: list[list[str]]) -> Tried:
    """Have the subject model read a round's texts; steps with what was foretold and what the neuron did."""
    runtime = current()
    _, source, neuron = await _loaded(runtime, job_id, source_id)
    Progress(runtime, job_id, number - 1, "rounds").report(number - 1, f"round {number}: reading them")
    flat = [text for kind in texts for text in kind]
    lives = await run_tokens(runtime, neuron, flat, await tokens_of(runtime, neuron, flat))
    statistics, polarity = neuron.statistics, source.polarity
    return [
        list(
            probe_step(
                Probe(number, live, i < len(texts[0]), is_active(live.activations, statistics, polarity))
            )
        )
        for i, live in enumerate(lives)
    ]


@engine.step("probe.hypothesis")
async def ask_hypothesis(
    job_id: str, source_id: int, number: int, attempt: int, hypothesis: str, tried: Tried, usd: float
) -> dict[str, Any]:
    """Ask once for another hypothesis: `text`, or the `problem` with the `answer`; and what it `took`."""
    from app.explain.answers import check_answer
    from app.explain.ask import STOP
    from app.explain.prompt import MAX_TOKENS
    from app.llm.messages import ChatRequest

    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    Progress(runtime, job_id, number, "rounds").report(number, f"round {number}: another hypothesis")
    client = await runtime.client(request.probe.explainer)
    chat = ChatRequest(
        endpoint=client.endpoint.name,
        messages=_rethinking(neuron, source, hypothesis, tried).messages,
        temperature=TEMPERATURES[attempt],
        max_tokens=MAX_TOKENS,
        seed=request.probe.seed + attempt,
        stop=STOP,
        nonce=f"probe/{number}/hypothesis/{attempt}",
    )
    if _passes(request, client, chat, usd):
        return {"problem": OVER}
    answer = await client.chat(chat, PURPOSE, job_id)
    took = list(answer.usage)
    try:
        text = check_answer(answer.text, answer.finish_reason)
    except AnswerError as error:
        return {"problem": str(error), "answer": answer.text, "took": took}
    return {"text": text, "problem": "", "took": took}


@engine.step("probe.concluded")
async def concluded(job_id: str, source_id: int, tried: Tried, ended_by: str, took: Took) -> int:
    """Store the hypothesis that held, or the one that foretold most rightly; its id."""
    from app.llm.messages import messages_hash, messages_json

    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    verdicts = _verdicts(tried)
    chosen = best(verdicts)
    parameters: dict[str, object] = {
        "polarity": source.polarity,
        "source": source.id,
        "held": chosen.held,
        "rounds": len(verdicts),
        "round": chosen.round,
        "right": chosen.right,
        "texts": chosen.texts,
        "ended_by": ended_by or "a hypothesis that held",
        "budget": {"rounds": request.probe.rounds, "calls": request.probe.calls, "usd": request.probe.usd},
    }
    made = _made(runtime, request, neuron, source, parameters)
    if chosen.round > 1:  # the first one is the source's own, which has its prompt
        upto = next(i for i, step in enumerate(tried) if _is_hypothesis_from(step, chosen.round))
        failed_one = next(v.hypothesis for v in verdicts if v.round == chosen.round - 1)
        messages = _rethinking(neuron, source, failed_one, tried[:upto]).messages
        made = replace(made, messages_json=messages_json(messages), messages_hash=messages_hash(messages))
    made = replace(made, usage=sum_took(took))
    stored = await store(runtime, job_id, source, neuron, tried, chosen.hypothesis, "", made, request.author)
    row = await runtime.db(lambda s: explanations.get(s, stored))
    if row.state is not State.OK:
        raise AnswerError(row.reason)
    return stored


@engine.step("probe.failed")
async def failed(job_id: str, source_id: int, reason: str, tried: Tried, took: Took) -> int:
    """Store that the probing came to nothing, with why and what was tried; its id."""
    runtime = current()
    request, source, neuron = await _loaded(runtime, job_id, source_id)
    made = _made(runtime, request, neuron, source, {"polarity": source.polarity, "source": source.id})
    made = replace(made, usage=sum_took(took))
    return await store(runtime, job_id, source, neuron, tried, None, reason, made, request.author)


async def _loaded(
    runtime: Runtime, job_id: str, source_id: int
) -> tuple[ProbeRequest, ExplanationRow, Neuron]:
    request = await runtime.asked(ProbeRequest, job_id)
    return request, *await source_of(runtime, source_id)


def _old(neuron: Neuron, source: ExplanationRow) -> "Evidence":
    from app.explain.revise import shown_evidence

    return shown_evidence(old_evidence(neuron, source), neuron.statistics, neuron.vocabulary, source.polarity)


def _shown(neuron: Neuron, source: ExplanationRow, tried: Tried) -> list[tuple[Probe, "Shown"]]:
    """The texts tried so far, with levels of the neuron's own scale: 10 is the explain split's maximum."""
    from app.explain.probe import shown_probe

    statistics = neuron.statistics
    maximum = statistics.explain_maximum if source.polarity.sign > 0 else -statistics.explain_minimum
    return [
        (probe, shown_probe(probe, statistics, neuron.vocabulary, source.polarity, maximum))
        for probe in probes(tried)
    ]


def _rethinking(neuron: Neuron, source: ExplanationRow, hypothesis: str, tried: Tried) -> "Prompt":
    from app.explain.probe import rethink_prompt

    excerpts = tuple(old_evidence(neuron, source).excerpts.tolist())
    return rethink_prompt(hypothesis, _old(neuron, source), _shown(neuron, source, tried), excerpts, {})


def _passes(request: ProbeRequest, client: "Client", chat: "ChatRequest", usd: float) -> bool:
    """Whether this call, at its dearest, could take more than is left of the budget of dollars."""
    from app.llm.pricing import most_tokens, price

    if request.probe.usd is None:
        return False
    tokens = most_tokens(chat.schema_json or "", *(m.role + m.content for m in chat.messages))
    most = price(client.endpoint, tokens, chat.max_tokens + client.endpoint.thinking_tokens)
    return usd + most > request.probe.usd


def probes(tried: Tried) -> list[Probe]:
    return [probe_of(Step(kind, data)) for kind, data in tried if kind == PROBE]


def _verdicts(tried: Tried) -> list[Verdict]:
    """From the texts themselves: what stands in a verdict's own step is for readers."""
    texts = {d["round"]: d["text"] for kind, data in tried if kind == HYPOTHESIS for d in [json.loads(data)]}
    told = probes(tried)
    return [judge(number, texts[number], told) for number in sorted({probe.round for probe in told})]


def _is_hypothesis_from(step: list[str], number: int) -> bool:
    return step[0] == HYPOTHESIS and json.loads(step[1])["round"] == number


def _made(
    runtime: Runtime,
    request: ProbeRequest,
    neuron: Neuron,
    source: ExplanationRow,
    parameters: dict[str, object],
) -> Provenance:
    from app.explain.probe import VERSION

    return Provenance(
        method="probing",
        explainer=endpoint(runtime.settings, request.probe.explainer).title,
        prompt_version=VERSION,
        parameters_json=json.dumps(parameters, allow_nan=False),
        seed=request.probe.seed,
        excerpts=tuple(old_evidence(neuron, source).excerpts.tolist()),
        code_version=__version__,
    )
