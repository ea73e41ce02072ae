"""Comparing one explanation's words with another one's of the same neuron, beside the chance floor."""

import json

import numpy as np

from app.domain import text_similarity as alike
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.scored_by import Scorer, words
from app.jobs import embedders, engine
from app.jobs.lifecycle import Progress, keep, run
from app.jobs.requests import SimilarityRequest, loads
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES
from app.jobs.text_vectors import vectors
from app.store import explanations, scores, statements
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow


@engine.workflow("similarity")
async def compare_explanations(job_id: str) -> None:
    """Compare two explanations as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _compare(row))


async def _compare(row: JobRow) -> dict[str, object]:
    request = loads(SimilarityRequest, row.parameters_json)
    return {"explanation": request.explanation_id, "defined": await compare(row.id)}


@engine.step("similarity.compare")
async def compare(job_id: str) -> int:
    """Embed what has no vector yet, and store the similarity with its floor; 1 where it is defined, else 0.

    A failure is stored with its reason and raised again.
    """
    runtime = current()
    request = await runtime.asked(SimilarityRequest, job_id)
    options = request.similarity
    mine = await runtime.db(lambda s: explanations.get(s, request.explanation_id))
    reference = await runtime.db(lambda s: explanations.get(s, options.reference))
    others = await runtime.db(lambda s: statements.of_others(s, reference))
    neurons = alike.some(np.array(sorted(others), np.int64), options.seed)
    texts = await runtime.db(lambda s: statements.texts(s, [others[n] for n in neurons.tolist()]))
    parameters = {
        **words(Scorer(alike.EMBEDDER, embedders.embedder(runtime.settings).name, options.seed)),
        "reference": reference.id,
        "reference_method": reference.method,
        "reference_explainer": reference.provenance.explainer,
        "others": len(texts),
    }
    value = _value(State.TOO_FEW_RECORDS, _few(len(texts), reference), parameters)
    if len(texts) >= alike.FEWEST_OTHERS:
        progress = Progress(runtime, job_id, len(texts) + 2, "texts")
        progress.report(0, "embedding")
        try:
            found = await vectors(runtime, job_id, [mine.text, reference.text, *texts])  # [2 + N, D]
        except FAILURES as error:
            await _store(runtime, job_id, mine.id, _value(State.FAILED, str(error), parameters))
            raise
        progress.report(len(texts) + 2)
        progress.flush()
        floor = float((found[2:] @ found[0]).mean())
        said = {**parameters, "chance_floor": floor}
        value = _value(State.OK, "", said)._replace(value=float(found[0] @ found[1]))
    await _store(runtime, job_id, mine.id, value)
    return int(value.state is State.OK)


def _few(n: int, reference: ExplanationRow) -> str:
    by = reference.provenance.explainer
    return (
        f"A similarity means nothing without its chance floor, and only {n} other neurons were explained by {reference.method}"
        f"{f' with {by}' if by not in ('', 'none') else ''}; {alike.FEWEST_OTHERS} are needed."
    )


def _value(state: State, reason: str, parameters: dict[str, object]) -> ScoreValue:
    return ScoreValue(
        Metric.EMBEDDING,
        Protocol.REFERENCE,
        Sample.REFERENCE,
        state,
        reason=reason,
        parameters_json=json.dumps(parameters, sort_keys=True),
    )


async def _store(runtime: Runtime, job_id: str, explanation_id: int, value: ScoreValue) -> None:
    await keep(
        runtime,
        job_id,
        lambda s: scores.add(
            s, explanation_id, None, [value], runtime.job_of(job_id), f"{job_id}/scores", scored=()
        ),
    )
