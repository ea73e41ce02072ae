"""What revisions and probings share: where they begin, what they have tried and what that took, and how that is stored."""

from dataclasses import replace

from app.domain.explanations import Provenance, State, Step, Usage
from app.errors import Refused
from app.jobs.explain import explained
from app.jobs.lifecycle import in_thread, keep
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import ExplainRequest, ProbeRequest, ReviseRequest
from app.jobs.runtime import Runtime
from app.store import explanations
from app.store.explanation_rows import ExplanationRow

Tried = list[list[str]]  # steps as JSON has them: kind, data
Took = list[list[float]]  # what each answer took, as JSON has a `Usage`
TEMPERATURES = (1.0, 0.7, 0.4)  # of each answer asked for: colder where that was no use


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


async def first_of(runtime: Runtime, job_id: str, request: ReviseRequest | ProbeRequest) -> int:
    """The explanation that a request begins from, where it says how one is made; its id."""
    assert request.first is not None, "a request names an explanation, or says how one is made"
    asked = ExplainRequest(request.ref, request.first, None, author=request.author)
    return await explained(runtime, job_id, asked, f"{job_id}/first")


async def source_of(runtime: Runtime, source_id: int) -> tuple[ExplanationRow, Neuron]:
    """What is begun from, and its neuron."""
    source = await runtime.db(lambda s: explanations.get(s, source_id))
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, source.ref))
    return source, neuron


def ends(runtime: Runtime, error: Exception, tried: bool) -> bool:
    """Whether this failure is stored. A call that was refused over a cap is none where nothing was tried, nor where the piece
    goes on from what was answered once the cap is raised.
    """
    return not isinstance(error, Refused) or (tried and runtime.keeps_refused)


async def store(
    runtime: Runtime,
    job_id: str,
    source: ExplanationRow,
    neuron: Neuron,
    tried: Tried,
    text: str | None,
    reason: str,
    made: Provenance,
    author: str,
) -> int:
    """Store the explanation, or its failure, with all that was tried; its id."""
    provenance = replace(made, author=author)
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
