"""Probing a neuron: the explainer tests its hypotheses on the live model until one holds, or the budget ends."""

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app import __version__
from app.domain.explanations import Provenance, State, Step
from app.domain.live_texts import PROBE, is_active, same
from app.domain.probing import (
    HYPOTHESIS,
    Probe,
    Verdict,
    best,
    hypothesis_step,
    judge,
    probe_of,
    probe_step,
    rejected_step,
    verdict_step,
)
from app.domain.revising import ASKED_AT_MOST
from app.errors import AnswerError, Refused
from app.jobs import engine
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.live_run import run_tokens, tokens_of
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.old_evidence import old_evidence
from app.jobs.requests import ProbeRequest, loads
from app.jobs.revise import TEMPERATURES, Took, Tried, first_of, no_use, sum_took
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES, scored, simulated
from app.store import explanations, revisions
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow

if TYPE_CHECKING:
    from app.explain import Prompt
    from app.explain.evidence import Evidence, Shown
    from app.llm.client import Client
    from app.llm.messages import ChatRequest

PURPOSE = "probe"  # of the calls, in the ledger
OVER = "over"  # what a step says instead of asking, where the call could pass the budget of dollars


@dataclass
class _Course:
    """How far the probing is. All of it follows from the results of steps, so that a worker that goes on finds the same."""

    hypothesis: str
    tried: Tried = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    took: Took = field(default_factory=list)  # of each call
    ended_by: str = ""  # which bound ended it before a hypothesis held; empty while none has

    @property
    def usd(self) -> float:
        return sum_took(self.took).cost_usd

    def add(self, *steps: Step) -> None:
        self.tried += [list(step) for step in steps]


@engine.workflow("probe")
async def probe_neuron(job_id: str) -> None:
    """Probe, and score what came out unless the request says not to."""
    runtime = current()
    await run(runtime, job_id, lambda row: _probe(runtime, row))


async def _probe(runtime: Runtime, row: JobRow) -> dict[str, object]:
    return await probe(row.id, loads(ProbeRequest, row.parameters_json))


async def probe(job_id: str, request: ProbeRequest) -> dict[str, object]:
    """All of it, step by step; `job_id` is the job's, or names a piece of a larger one. What was made, by name."""
    runtime = current()
    source = request.explanation_id or await first(job_id)
    begun = await runtime.db(lambda s: explanations.get(s, source))
    course = _Course(begun.text)
    course.add(hypothesis_step(1, begun.text))
    try:
        await _rounds(job_id, source, request, course)
        if not course.verdicts:
            raise AnswerError(
                f"The budget of {course.ended_by} ended before any hypothesis was tested: allow for more."
            )
    except (*FAILURES, Refused) as error:  # the spending cap can be met on the way
        if course.took or not isinstance(error, Refused):
            await failed(job_id, source, str(error), course.tried, course.took)
        raise
    explanation = await concluded(job_id, source, course.tried, course.ended_by, course.took)
    result: dict[str, object] = {
        "explanation": explanation,
        "source": source,
        "held": not course.ended_by,
        "rounds": len(course.verdicts),
    }
    if request.score is not None:
        simulation, defined = await measured(job_id, explanation)
        result |= {"simulation": simulation, "defined": defined}
    return result


async def _rounds(job_id: str, source: int, request: ProbeRequest, course: _Course) -> None:
    """Rounds until a hypothesis holds on texts that nobody has seen before it, or a bound is met."""
    for number in range(1, request.probe.rounds + 1):
        texts = await _texts(job_id, source, request, course, number)
        if texts is None:
            return
        found = await run_probes(job_id, source, number, texts)
        course.tried += found
        verdict = judge(number, course.hypothesis, _probes(course.tried))
        course.verdicts.append(verdict)
        course.add(verdict_step(verdict))
        if verdict.held:
            return
        if number == request.probe.rounds:
            course.ended_by = f"{number} rounds" if number > 1 else "1 round"
            return
        if not await _rethink(job_id, source, request, course, number):
            return


async def _texts(
    job_id: str, source: int, request: ProbeRequest, course: _Course, number: int
) -> list[list[str]] | None:
    """Fresh texts of both kinds; None where the budget ended first."""
    reasons: list[str] = []
    for attempt in range(ASKED_AT_MOST):
        if not _may_call(request, course):
            return None
        asked = await ask_texts(job_id, source, number, attempt, course.hypothesis, course.tried, course.usd)
        if not _counted(request, course, asked):
            return None
        if not asked["problem"]:
            found: list[list[str]] = asked["texts"]
            return found
        reasons.append(asked["problem"])
        course.add(rejected_step("texts", asked["problem"], asked["answer"], number))
    raise AnswerError(no_use(request.probe.explainer, f"{request.probe.texts} texts of each kind", reasons))


async def _rethink(job_id: str, source: int, request: ProbeRequest, course: _Course, number: int) -> bool:
    """Another hypothesis for the next round; False where the budget ended first."""
    reasons: list[str] = []
    for attempt in range(ASKED_AT_MOST):
        if not _may_call(request, course):
            return False
        asked = await ask_hypothesis(
            job_id, source, number, attempt, course.hypothesis, course.tried, course.usd
        )
        if not _counted(request, course, asked):
            return False
        if not asked["problem"]:
            course.hypothesis = asked["text"]
            course.add(hypothesis_step(number + 1, course.hypothesis))
            return True
        reasons.append(asked["problem"])
        course.add(rejected_step("hypothesis", asked["problem"], asked["answer"], number))
    raise AnswerError(no_use(request.probe.explainer, "a hypothesis", reasons))


def _may_call(request: ProbeRequest, course: _Course) -> bool:
    if len(course.took) < request.probe.calls:
        return True
    course.ended_by = f"{len(course.took)} calls" if len(course.took) > 1 else "1 call"
    return False


def _counted(request: ProbeRequest, course: _Course, asked: dict[str, Any]) -> bool:
    if asked["problem"] == OVER:
        course.ended_by = f"${request.probe.usd:g}"
        return False
    course.took.append(asked["took"])
    return True


@engine.step("probe.first")
async def first(job_id: str) -> int:
    """The explanation to begin from, made here; its id."""
    runtime = current()
    return await first_of(runtime, job_id, await runtime.asked(ProbeRequest, job_id))


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
    known |= {same(probe.live.text) for probe in _probes(tried)}
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
    stored = await _store(
        runtime, job_id, source, neuron, tried, chosen.hypothesis, "", replace(made, usage=sum_took(took))
    )
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
    return await _store(
        runtime, job_id, source, neuron, tried, None, reason, replace(made, usage=sum_took(took))
    )


@engine.step("probe.score")
async def measured(job_id: str, explanation_id: int) -> tuple[int, int]:
    """Simulate and score the statement: (simulation, how many scores are defined)."""
    runtime = current()
    request = await runtime.asked(ProbeRequest, job_id)
    assert request.score is not None
    simulation = await simulated(runtime, job_id, explanation_id, request.score, job_id)
    return simulation, await scored(runtime, job_id, explanation_id, simulation, request.score, job_id)


async def _loaded(
    runtime: Runtime, job_id: str, source_id: int
) -> tuple[ProbeRequest, ExplanationRow, Neuron]:
    request = await runtime.asked(ProbeRequest, job_id)
    source = await runtime.db(lambda s: explanations.get(s, source_id))
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, source.ref))
    return request, source, neuron


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
        for probe in _probes(tried)
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


def _probes(tried: Tried) -> list[Probe]:
    return [probe_of(Step(kind, data)) for kind, data in tried if kind == PROBE]


def _verdicts(tried: Tried) -> list[Verdict]:
    """From the texts themselves: what stands in a verdict's own step is for readers."""
    texts = {d["round"]: d["text"] for kind, data in tried if kind == HYPOTHESIS for d in [json.loads(data)]}
    probes = _probes(tried)
    return [judge(number, texts[number], probes) for number in sorted({probe.round for probe in probes})]


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
        author=request.author,
    )


async def _store(
    runtime: Runtime,
    job_id: str,
    source: ExplanationRow,
    neuron: Neuron,
    tried: Tried,
    text: str | None,
    reason: str,
    made: Provenance,
) -> int:
    """The explanation, or its failure, with every step of the way."""
    return await keep(
        runtime,
        job_id,
        lambda s: explanations.add(
            s,
            source.ref,
            text,
            source.polarity,
            made,
            State.OK if text else State.FAILED,
            reason,
            runtime.job_of(job_id),
            job_id,
            collection_id=neuron.collection_id,
            source_id=source.id,
            steps=[Step(kind, data) for kind, data in tried],
        ),
    )
