"""Doing one unit of an experiment: the same code as a job of its own, within the experiment's runtime."""

import logging
from time import monotonic

from app.domain.experiment_needs import revision_of
from app.domain.experiment_units import EXPLANATION, FIRST_ENDPOINT
from app.domain.experiments import REVISING_METHODS, Scorer
from app.domain.explanations import Method, Protocol, Usage
from app.errors import (
    AnswerError,
    AppError,
    BadInput,
    EndpointError,
    ModelError,
    Refused,
    StoreError,
)
from app.jobs import experiment_judges, experiment_revising, explain
from app.jobs.experiment_options import chosen_by, explain_options, score_options
from app.jobs.experiment_runtime import Piece, UnitRuntime
from app.jobs.requests import ExplainRequest
from app.jobs.runtime import SHARED
from app.jobs.score import scored, simulated
from app.store import experiment_units, explanations
from app.store.experiment_rows import Ended, ExperimentRow, Unit, UnitState

log = logging.getLogger(__name__)


class Doing:
    """The units of one experiment, one at a time. Made and used on one event loop."""

    def __init__(self, row: ExperimentRow, runtime: UnitRuntime) -> None:
        self._row = row
        self._runtime = runtime
        self._arms = row.definition.arms()
        self._scorers = row.definition.scorers()

    async def do(self, unit: Unit) -> tuple[Ended, AppError | None]:
        """How it ended, and the error where there was one.

        Raises Refused, which is no unit's fault, and StoreError. What is none of our errors is a failure with its name.
        """
        piece = Piece(unit.key(self._row.id), sample=self._sample(unit))
        began = monotonic()
        done = Ended(unit.id, UnitState.OK)
        error: AppError | None = None
        try:
            with self._runtime.doing(piece):
                if unit.scorer == EXPLANATION:
                    done = done._replace(explanation_id=await self._explain(unit, piece))
                else:
                    done = done._replace(simulation_id=await self._score(unit, piece))
        except (Refused, StoreError):
            raise
        except BadInput as failure:  # known before anything was asked, and so it will stay
            done, error = Ended(unit.id, UnitState.SKIPPED, str(failure)), failure
        except AppError as failure:
            done, error = _failed(unit, failure), failure
        except Exception as failure:  # one unit's, whatever it is: the others have their turn
            log.exception("unit %s failed for a reason that is ours", piece.key)
            reason = f"Something unexpected went wrong ({type(failure).__name__}: {failure})."
            done = Ended(unit.id, UnitState.FAILED, reason, final=True)
        took = piece.total()
        if unit.lane < FIRST_ENDPOINT:
            took = took.plus(Usage(seconds=monotonic() - began))
        return done._replace(usage=took), error

    def _sample(self, unit: Unit) -> str:
        own = self._row.definition.fresh or unit.salt
        return f"experiment-{self._row.id}~{unit.salt}" if own else SHARED

    async def _explain(self, unit: Unit, piece: Piece) -> int:
        arm = self._arms[unit.arm]
        if arm.method is Method.TOKEN_LOOKUP:
            found = await self._runtime.db(
                lambda s: explanations.collected_lookup(s, unit.ref, self._row.definition.polarity)
            )
            if found is not None:  # every collection brings it
                return found
        if arm.method in REVISING_METHODS:
            return await experiment_revising.made(self._runtime, self._row, unit, piece, arm)
        piece.asked = ExplainRequest(
            unit.ref,
            explain_options(arm, self._row.definition, unit.seed),
            chosen_by(self._row.definition, unit.seed) if arm.candidates > 1 else None,
            author=self._row.author,
        )
        return await explain.explain(piece.key)

    async def _score(self, unit: Unit, piece: Piece) -> int | None:
        """The simulation behind the score, None where there is none."""
        if unit.explanation_id is None:
            raise BadInput("There is no explanation to score.")
        scorer = self._scorers[unit.scorer]
        if scorer.judge is not None:
            return await experiment_judges.score(
                self._runtime, self._row, unit, piece, unit.explanation_id, scorer
            )
        options = score_options(scorer, unit.seed, await self._revision(unit, scorer))
        simulation = await simulated(self._runtime, piece.key, unit.explanation_id, options, piece.key)
        await scored(self._runtime, piece.key, unit.explanation_id, simulation, options, piece.key)
        return simulation

    async def _revision(self, unit: Unit, scorer: Scorer) -> int:
        """The revision whose kept sentences this is a score on; 0 for a score on records alone."""
        if scorer.protocol is not Protocol.GENERATED:
            return 0
        arm = revision_of(self._row.definition, unit.arm)
        found = (
            None
            if arm is None
            else await self._runtime.db(lambda s: experiment_units.statement(s, self._row.id, unit, arm))
        )
        if found is None:
            raise BadInput("There is no revision whose sentences it could be scored on.")
        return found


def _failed(unit: Unit, failure: AppError) -> Ended:
    """An answer that is no use is no use again: the next try draws anew. Whatever was answered well is not asked again."""
    unusable = isinstance(failure, AnswerError)
    again = unusable or isinstance(failure, EndpointError | ModelError)
    return Ended(unit.id, UnitState.FAILED, str(failure), salt=int(unusable), final=not again)
