"""Scores of an experiment's statements beside those of a simulation: judged, compared, or put to the test in the live model."""

from app.domain.experiments import Scorer, behind
from app.domain.explanations import Metric
from app.domain.text_similarity import SimilarityOptions
from app.errors import BadInput
from app.jobs import ablation, judge, similarity
from app.jobs.experiment_options import judge_options, score_options
from app.jobs.experiment_runtime import Piece, UnitRuntime
from app.jobs.requests import JudgeRequest, SimilarityRequest
from app.jobs.score import simulated
from app.store import experiment_units, explanations
from app.store.experiment_rows import ExperimentRow, Unit, UnitState, unit_key


async def score(
    runtime: UnitRuntime, row: ExperimentRow, unit: Unit, piece: Piece, explanation_id: int, scorer: Scorer
) -> int | None:
    """Store the score of one statement; the simulation behind it, None where there is none.

    BadInput where the neuron has nothing to compare with, or the simulation that it needs came to nothing.
    """
    assert scorer.judge is not None, "simulators are no judges"
    if scorer.metric is Metric.ABLATION:
        simulation = await _simulation(runtime, row, unit, explanation_id, scorer)
        await ablation.ablated(runtime, piece.key, explanation_id, simulation, piece.key)
        return simulation
    if scorer.metric is Metric.EMBEDDING:
        method = scorer.judge.reference
        reference = await runtime.db(
            lambda s: explanations.newest_by(
                s,
                unit.ref,
                method,
                row.definition.polarity,
                row.created_at,
            )
        )
        if reference is None:
            raise BadInput(f"{unit.ref} has no earlier statement by {method} to compare with.")
        piece.asked = SimilarityRequest(
            explanation_id, SimilarityOptions(reference, unit.seed), author=row.author
        )
        await similarity.compare(piece.key)
        return None
    piece.asked = JudgeRequest(explanation_id, judge_options(scorer, unit.seed), author=row.author)
    drawn = await judge.draw(piece.key)
    await judge.ask(piece.key, drawn)
    return None


async def _simulation(
    runtime: UnitRuntime, row: ExperimentRow, unit: Unit, explanation_id: int, scorer: Scorer
) -> int:
    """The one that another unit makes of the same statement, or made ahead of it under the same key."""
    index = behind(row.definition, scorer)
    if index is None:
        raise BadInput(
            "No simulator of this experiment predicts from statements: there is nothing to ablate to."
        )
    other = await runtime.db(lambda s: experiment_units.beside(s, row.id, unit, index))
    if other is None:
        raise BadInput("This statement is not simulated: there is nothing to ablate to.")
    if other.simulation_id is not None:
        return other.simulation_id
    if other.state in (UnitState.FAILED, UnitState.SKIPPED):
        raise BadInput(f"There is no simulation to ablate to: {other.reason}")
    options = score_options(row.definition.scorers()[index], unit.seed)
    key = unit_key(row.id, other.ordinal, other.arm, other.seed, other.scorer, other.attempts)
    return await simulated(runtime, key, explanation_id, options, key)
