"""An experiment's job: all its units, lane by lane, from wherever the last run left off."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from app.domain.experiment_units import FIRST_ENDPOINT, LOCAL_MODEL, PROCESSOR
from app.domain.experiment_units import Lanes as LaneNames
from app.errors import OverBudget, Refused
from app.jobs import engine
from app.jobs.experiment_lanes import SPARE, Dead, Lanes
from app.jobs.experiment_runtime import UnitRuntime
from app.jobs.experiment_units import Doing
from app.jobs.lifecycle import Progress, run
from app.jobs.runtime import Runtime, current
from app.settings import Endpoint
from app.store import Session, experiment_ends, experiment_units, experiments
from app.store.experiment_rows import Ended, ExperimentRow, ExperimentState, Unit

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5  # between two looks at whether somebody wants it to pause


@engine.workflow("experiment")
async def run_experiment(job_id: str) -> None:
    """Do what is open of an experiment."""
    await run(current(), job_id, lambda row: _experiment(row.id))


async def _experiment(job_id: str) -> dict[str, object]:
    return {"state": await work(job_id)}


@engine.step("experiment.work")
async def work(job_id: str) -> str:
    """Do the units that are open, until none is, or until it is paused; the state that the experiment is left in.

    The units in the store say what is done: a step that is repeated after a kill goes on with the rest, and calls that were
    answered are found in the ledger.
    """
    runtime = current()
    row = await runtime.db(lambda s: experiments.of_job(s, job_id))
    while await runtime.db(lambda s: experiment_units.plan(s, row)):
        continue
    await runtime.db(lambda s: experiment_units.put_back(s, row.id))
    state, reason = await _Run(runtime, row, job_id).run()
    # Before it says how it stands: nobody may resume it while units look as if they were under way.
    await runtime.db(lambda s: _leave(s, row.id, state, reason))
    return state.value


def _leave(s: Session, experiment_id: int, state: ExperimentState, reason: str) -> None:
    experiment_units.put_back(s, experiment_id)
    experiments.set_state(s, experiment_id, state, reason)


class _Run:
    """One run."""

    def __init__(self, runtime: Runtime, row: ExperimentRow, job_id: str) -> None:
        self._runtime = runtime
        self._row = row
        self._job_id = job_id
        self._names = LaneNames(row.definition)
        self._done = 0
        self._progress = Progress(runtime, job_id, row.units, "units")

    async def run(self) -> tuple[ExperimentState, str]:
        """The state that it is left in, and why."""
        row, runtime = self._row, self._runtime
        spent = await runtime.db(lambda s: experiments.spent(s, row.id))
        ended = await runtime.db(lambda s: experiment_units.ended_count(s, row.id))
        own = UnitRuntime(runtime, self._job_id, row.budget_usd, spent)
        try:
            doing = Doing(row, own)
            workers = await self._workers(own)
            lanes = Lanes(workers, row.neurons, self._take, doing.do, self._write)
            self._done = ended
            watching = asyncio.create_task(self._watch(lanes))
            try:
                left = await lanes.run(row.units - ended)
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
                await asyncio.to_thread(self._progress.flush)
        except OverBudget as error:
            return ExperimentState.OVER_BUDGET, str(error)
        except Refused as error:
            return ExperimentState.PAUSED, str(error)
        except Dead as dead:
            units = dead.units
            await runtime.db(lambda s: experiment_ends.forgive(s, row, units))
            name = self._names.names()[dead.lane]
            return (
                ExperimentState.PAUSED,
                f"{name} failed {len(units)} times in a row: mend it, then resume. The last time: {dead.reason}",
            )
        finally:
            await own.close()
        if left:
            return ExperimentState.PAUSED, "Paused."
        return ExperimentState.DONE, ""

    async def _workers(self, own: UnitRuntime) -> dict[int, int]:
        """How many workers each lane has. Refused or BadInput where an endpoint is no longer set up."""
        found = {PROCESSOR: 1, LOCAL_MODEL: 1}
        for i, name in enumerate(self._names.endpoints):
            endpoint: Endpoint = (await own.client(name)).endpoint
            found[FIRST_ENDPOINT + i] = endpoint.concurrency + SPARE
        return found

    async def _take(self, lane: int, n: int) -> Sequence[Unit]:
        return await self._runtime.db(lambda s: experiment_units.take(s, self._row.id, lane, n))

    async def _write(self, ended: Sequence[Ended]) -> int:
        def call() -> int:
            with self._runtime.store.session() as session:
                over = experiment_ends.end(session, self._row, ended)
            self._done += over
            self._progress.report(self._done)
            return over

        return await asyncio.to_thread(call)

    async def _watch(self, lanes: Lanes) -> None:
        """Stop when somebody wants it to pause."""
        while True:
            if (await self._runtime.db(lambda s: experiments.get(s, self._row.id))).pausing:
                lanes.stop()
                await lanes.wake()
                return
            await asyncio.sleep(LOOK_SECONDS)
