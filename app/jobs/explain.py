"""Explaining a neuron, then simulating and scoring what came out."""

from dataclasses import replace

from app.domain.explain_options import ASKING_METHODS
from app.domain.explanations import Method, Provenance, State
from app.errors import AnswerError
from app.jobs import engine
from app.jobs.asking import attempted, prompt_of, weights_of
from app.jobs.candidates import best_of
from app.jobs.lifecycle import Progress, in_thread, keep, run
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.requests import ExplainRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES, score, simulate
from app.store import explanations
from app.store.rows import JobRow


@engine.workflow("explain")
async def explain_neuron(job_id: str) -> None:
    """Explain, and simulate and score unless the request says not to."""
    runtime = current()
    await run(runtime, job_id, lambda row: _explain(runtime, row))


async def _explain(runtime: Runtime, row: JobRow) -> dict[str, object]:
    request = loads(ExplainRequest, row.parameters_json)
    explanation = await explain(row.id)
    if request.score is None:
        return {"explanation": explanation}
    simulation = await simulate(row.id, explanation)
    defined = await score(row.id, explanation, simulation)
    return {"explanation": explanation, "simulation": simulation, "defined": defined}


async def explain(job_id: str) -> int:
    """Make the statement, or the best of several, and store it, once; its id. Raises as their steps do."""
    request = await current().asked(ExplainRequest, job_id)
    if request.explain.candidates > 1:
        return await best_of(job_id, request.explain)
    return await explain_once(job_id)


@engine.step("explain.explain")
async def explain_once(job_id: str) -> int:
    """Make the statement that the job's request asks for; its id. See `explained`."""
    runtime = current()
    return await explained(runtime, job_id, await runtime.asked(ExplainRequest, job_id), job_id)


async def explained(runtime: Runtime, job_id: str, request: ExplainRequest, key: str) -> int:
    """Make a statement and store it, once; its id. A failure is stored with its reason and raised again.

    `key` is the stored row's, so a step that is repeated after a kill finds the row it has written, and
    the call's answer in the ledger when it was recorded. Conflict where the model was collected anew meanwhile.
    """
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, request.ref))
    Progress(runtime, job_id, 0, "calls").report(0, f"explaining by {request.explain.method}")
    failure: Exception | None = None
    text: str | None = None
    reason = ""
    try:
        if request.explain.method in ASKING_METHODS:
            text, provenance = await _ask(runtime, neuron, request, job_id)
        else:
            text, provenance = await _baseline(runtime, neuron, request)
    except FAILURES as error:
        failure, reason = error, str(error)
        took = await runtime.db(lambda s: runtime.usage(s, job_id, "explain"))
        provenance = replace(await attempted(runtime, neuron, request), usage=took)
    explanation_id = await keep(
        runtime,
        job_id,
        lambda s: explanations.add(
            s,
            request.ref,
            text,
            request.explain.polarity,
            provenance,
            State.OK if failure is None else State.FAILED,
            reason,
            runtime.job_of(job_id),
            key,
            collection_id=neuron.collection_id,
        ),
    )
    stored = await runtime.db(lambda s: explanations.get(s, explanation_id))
    if stored.state is not State.OK:
        raise failure or AnswerError(stored.reason)
    return explanation_id


async def _ask(
    runtime: Runtime, neuron: Neuron, request: ExplainRequest, job_id: str
) -> tuple[str, Provenance]:
    from app.explain import explain as ask

    prompt = await prompt_of(runtime, neuron, request.explain)
    client = await runtime.client(request.explain.explainer)
    explained = await ask(client, prompt, request.explain, job_id)
    return explained.text, replace(explained.provenance, author=request.author)


async def _baseline(runtime: Runtime, neuron: Neuron, request: ExplainRequest) -> tuple[str, Provenance]:
    """The statement of a method that asks no language model."""
    from app.explain import token_linear, token_lookup

    if request.explain.method is Method.TOKEN_LINEAR:
        weights = await weights_of(runtime, neuron.ref)
        made = token_linear(weights, neuron.vocabulary, request.explain)
    else:
        made = token_lookup(neuron.records, neuron.statistics, neuron.vocabulary, request.explain)
    return made.text, replace(made.provenance, author=request.author)
