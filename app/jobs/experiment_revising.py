"""An experiment's statements that begin from another arm's: revisions, their controls, and probings."""

from app.domain.experiment_needs import source_of
from app.domain.experiments import Arm
from app.domain.explanations import Method
from app.errors import BadInput
from app.jobs import probe, revise
from app.jobs.experiment_options import probe_options, revise_options
from app.jobs.experiment_runtime import Piece, UnitRuntime
from app.jobs.requests import ProbeRequest, ReviseRequest
from app.store import experiment_units
from app.store.experiment_rows import ExperimentRow, Unit


async def made(runtime: UnitRuntime, row: ExperimentRow, unit: Unit, piece: Piece, arm: Arm) -> int:
    """Make the statement and store it; its id. Raises as `revise.revise` and `probe.probe`; BadInput where there is no source."""
    begins = source_of(row.definition, unit.arm)
    source = (
        None
        if begins is None
        else await runtime.db(lambda s: experiment_units.statement(s, row.id, unit, begins))
    )
    if source is None:
        raise BadInput("There is no statement to begin from.")
    if arm.method is Method.PROBING:
        probing = ProbeRequest(
            unit.ref, probe_options(arm, unit.seed), explanation_id=source, author=row.author
        )
        piece.asked = probing
        result = await probe.probe(piece.key, probing)
    else:
        revising = ReviseRequest(
            unit.ref, revise_options(arm, unit.seed), explanation_id=source, author=row.author
        )
        piece.asked = revising
        result = await revise.revise(piece.key, revising)
    explanation = result["explanation"]
    assert isinstance(explanation, int)
    return explanation
