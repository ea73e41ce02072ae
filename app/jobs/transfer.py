"""Another neuron's explanation put to the test: it becomes an explanation of this one, and is scored as any other."""

import json

from app import __version__
from app.domain.explanations import Method, Provenance, State
from app.jobs import engine
from app.jobs.lifecycle import keep, run
from app.jobs.requests import TransferRequest
from app.jobs.runtime import current
from app.jobs.score import score, simulate
from app.store import explanations
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobRow


@engine.workflow("transfer")
async def transfer_explanation(job_id: str) -> None:
    """Transfer, simulate and score as the job's request says."""
    runtime = current()
    await run(runtime, job_id, lambda row: _transfer(row))


async def _transfer(row: JobRow) -> dict[str, object]:
    explanation = await transfer(row.id)
    simulation = await simulate(row.id, explanation)
    defined = await score(row.id, explanation, simulation)
    return {"explanation": explanation, "simulation": simulation, "defined": defined}


@engine.step("transfer.transfer")
async def transfer(job_id: str) -> int:
    """Store the statement as an explanation of the other neuron, once for each neuron and sign; its id.

    What its source saw counts as seen by it (`heldout.lineage`), in whichever model that was.
    """
    runtime = current()
    request = await runtime.asked(TransferRequest, job_id)
    source = await runtime.db(lambda s: explanations.get(s, request.explanation_id))
    return await keep(
        runtime,
        job_id,
        lambda s: explanations.add(
            s,
            request.ref,
            source.text,
            request.polarity,
            _provenance(source, request.author),
            State.OK,
            "",
            job_id,
            f"transfer/{source.id}/{request.ref}/{request.polarity}",
            source_id=source.id,
        ),
    )


def _provenance(source: ExplanationRow, author: str) -> Provenance:
    """Nothing of this neuron was shown to anybody; who made the statement is with its source."""
    said = {"source": source.id, "source_neuron": str(source.ref), "source_method": source.method}
    return Provenance(
        method=Method.TRANSFER,
        explainer=source.provenance.explainer,
        parameters_json=json.dumps(said, sort_keys=True),
        code_version=__version__,
        author=author,
    )
