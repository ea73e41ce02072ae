"""Probing a neuron: the explainer tests its hypotheses on the live model until one holds, or the budget ends."""

from dataclasses import dataclass, field
from typing import Any

from app.domain.explanations import Step
from app.domain.probing import (
    Verdict,
    hypothesis_step,
    judge,
    rejected_step,
    verdict_step,
)
from app.domain.revising import ASKED_AT_MOST
from app.errors import AnswerError, Refused
from app.jobs import engine
from app.jobs.lifecycle import run
from app.jobs.live_tries import Took, Tried, ends, first_of, no_use, sum_took
from app.jobs.probe_steps import OVER, ask_hypothesis, ask_texts, concluded, failed, probes, run_probes
from app.jobs.requests import ProbeRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES, scored, simulated
from app.store import explanations
from app.store.rows import JobRow


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
        if ends(runtime, error, bool(course.took)):
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
        verdict = judge(number, course.hypothesis, probes(course.tried))
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


@engine.step("probe.score")
async def measured(job_id: str, explanation_id: int) -> tuple[int, int]:
    """Simulate and score the statement: (simulation, how many scores are defined)."""
    runtime = current()
    request = await runtime.asked(ProbeRequest, job_id)
    assert request.score is not None
    simulation = await simulated(runtime, job_id, explanation_id, request.score, job_id)
    return simulation, await scored(runtime, job_id, explanation_id, simulation, request.score, job_id)
