"""What the web and the command line ask of experiments: plan one, begin it, pause, resume, cancel, try again what failed."""

import secrets
from dataclasses import dataclass

from app.domain.experiments import Definition
from app.errors import BadInput, Conflict
from app.jobs.experiment_plan import Plan, plan
from app.jobs.requests import ExperimentRequest, Kind, dumps
from app.jobs.service import Jobs
from app.store import Session, experiment_ends, experiment_units, experiments, jobs
from app.store.experiment_rows import ExperimentRow, ExperimentState, Failures, UnitCount
from app.store.rows import JobRow, JobState


@dataclass(frozen=True)
class Standing:
    """An experiment with how far it is."""

    row: ExperimentRow
    job: JobRow
    counts: tuple[UnitCount, ...]
    failures: tuple[Failures, ...]
    spent_usd: float

    @property
    def ended(self) -> int:
        """Units that are over, one way or another."""
        return sum(each.units for each in self.counts if each.state.ended)


class Experiments:
    """The experiments of one store."""

    def __init__(self, jobs_: Jobs) -> None:
        self.jobs = jobs_
        self.store = jobs_.store

    def plan(self, definition: Definition) -> Plan:
        """What would be done. BadInput with everything that stands in the way."""
        with self.store.session() as session:
            return plan(self.jobs, session, definition)

    def begin(self, definition: Definition, author: str = "neuronarium") -> ExperimentRow:
        """Keep the experiment, its sample frozen, and put its job into the queue. BadInput as `plan`."""
        with self.store.session() as session:
            made = plan(self.jobs, session, definition)
            job_id = _new_id()
            id_ = experiments.create(
                session,
                definition,
                made.sample,
                job_id,
                titles=made.titles,
                notes=made.notes,
                author=author,
            )
            row = experiments.get(session, id_)
            _enqueue(session, row, job_id, author)
            return row

    def standing(self, experiment_id: int) -> Standing:
        """How an experiment stands. NotFound."""
        with self.store.session() as session:
            row = experiments.get(session, experiment_id)
            return Standing(
                row,
                jobs.get(session, row.job_id),
                tuple(experiment_units.counts(session, experiment_id)),
                tuple(experiment_units.failures(session, experiment_id)),
                experiments.spent(session, experiment_id),
            )

    def pause(self, experiment_id: int) -> ExperimentRow:
        """Let it end what is under way and no more. One that still waits is paused at once. Conflict where nothing runs."""
        with self.store.session() as session:
            experiments.pause(session, experiment_id)
            row = experiments.get(session, experiment_id)
            if jobs.get(session, row.job_id).state is JobState.QUEUED:
                jobs.set_state(session, row.job_id, JobState.CANCELLED, reason="Paused before it began.")
                experiments.set_state(session, experiment_id, ExperimentState.PAUSED, "Paused.")
            return experiments.get(session, experiment_id)

    def cancel(self, experiment_id: int) -> ExperimentRow:
        """Stop it at once; calls under way are given up. What was made stays. Conflict where nothing runs."""
        with self.store.session() as session:
            row = experiments.get(session, experiment_id)
            if row.state is not ExperimentState.RUNNING:
                raise Conflict("This experiment is not running: there is nothing to cancel.")
            jobs.set_state(session, row.job_id, JobState.CANCELLED, reason="Cancelled.")
            return experiments.get(session, experiment_id)

    def resume(
        self, experiment_id: int, author: str = "neuronarium", *, budget_usd: float | None = None
    ) -> ExperimentRow:
        """Go on with what is open, within another budget if one is given. Conflict where it runs or is done.

        BadInput for a budget that is no more than what is spent.
        """
        with self.store.session() as session:
            row = experiments.get(session, experiment_id)
            if not row.state.goes_on:
                running = row.state is ExperimentState.RUNNING
                raise Conflict(
                    "This experiment is running: wait for it, or pause it."
                    if running
                    else "This experiment is done: there is nothing to resume. What failed can be tried again."
                )
            return self._again(session, row, author, budget_usd)

    def retry_failed(
        self, experiment_id: int, author: str = "neuronarium", *, budget_usd: float | None = None
    ) -> ExperimentRow:
        """Try again what failed, and whatever waited for it; nothing else is done anew. Conflict where nothing failed."""
        with self.store.session() as session:
            row = experiments.get(session, experiment_id)
            if row.state is ExperimentState.RUNNING:
                raise Conflict("This experiment is running: pause it first, or wait for its end.")
            if not experiment_ends.retry_failed(session, row):
                raise Conflict("Nothing failed in this experiment: there is nothing to try again.")
            return self._again(session, row, author, budget_usd)

    def _again(
        self, session: Session, row: ExperimentRow, author: str, budget_usd: float | None
    ) -> ExperimentRow:
        spent = experiments.spent(session, row.id)
        budget = row.budget_usd if budget_usd is None else budget_usd
        if budget_usd is not None and budget_usd <= spent:
            raise BadInput(f"${spent:.4f} is spent already: give a budget above that.")
        job_id = _new_id()
        experiments.begin_again(session, row.id, job_id, budget)
        _enqueue(session, row, job_id, author)
        return experiments.get(session, row.id)


def _new_id() -> str:
    return f"{Kind.EXPERIMENT}-{secrets.token_hex(6)}"


def _enqueue(session: Session, row: ExperimentRow, job_id: str, author: str) -> None:
    models = {chosen.ref.model for chosen in experiments.sample(session, row.id)}
    jobs.add(
        session,
        job_id,
        Kind.EXPERIMENT,
        f"Experiment {row.id}: {row.name}",
        dumps(ExperimentRequest(row.id, author=author)),
        total=row.units,
        unit="units",
        model=models.pop() if len(models) == 1 else None,
    )
