"""Experiments over the small computed store, run in the test's own process as a worker would."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from app.domain.experiments import Definition, Rule, SampleRule, Simulator
from app.domain.explanations import Method, Protocol, SimulatorName
from app.jobs import experiment
from app.jobs.experiment_service import Experiments, Standing
from app.jobs.runtime import Runtime, within
from app.jobs.service import Jobs
from app.settings import Endpoint, Settings
from app.store import Store, experiment_units, experiments, jobs
from app.store.experiment_rows import ExperimentRow, ExperimentState, UnitState
from app.store.rows import JobState
from tests import factories
from tests.jobs.world import model_answers, tokens_of
from tests.scripted_server import Recorded, Reply, chat

PLAN = Definition(
    name="Two formats",
    samples=(SampleRule(Rule.RANDOM, n=1),),
    methods=(Method.SUMMARY, Method.ORIGINAL),
    models=(factories.SLUG,),
    explainers=("scripted",),
    simulators=(Simulator(SimulatorName.CHAT_JSON, "scripted"),),
    protocols=(Protocol.HELDOUT_5_5,),
)


def answers(request: Recorded) -> Reply:
    """As `model_answers`, with another statement for every prompt: else identical simulations would be served.

    A judge says yes to everything.
    """
    if '"answers"' in json.dumps(request.body.get("response_format")):
        return chat('{"answers": [true]}')
    if tokens_of(request) is None:
        words = hashlib.sha256(request.text.encode()).hexdigest()[:12]
        return chat(f"words about {words}")
    return model_answers(request)


class Lab:
    """One store's experiments."""

    def __init__(self, store: Store, folder: Path, endpoints: Sequence[Endpoint], **changes: object) -> None:
        self.settings = Settings(data_dir=folder, endpoints=list(endpoints), **changes)  # type: ignore[arg-type]
        self.store = store
        self.experiments = Experiments(Jobs(self.settings, store))

    def begin(self, definition: Definition = PLAN) -> int:
        return self.experiments.begin(definition, author="a person").id

    def run(self, id: int, beside: Callable[[], object] | None = None) -> Standing:
        """Run its job to its end, as a worker would; `beside` is called in a thread when it has begun."""

        async def both() -> None:
            runtime = Runtime(self.settings, self.store, "worker-1")
            row = await runtime.db(lambda s: experiments.get(s, id))
            await runtime.db(lambda s: jobs.claim(s, row.job_id, "worker-1"))
            running = asyncio.create_task(self._work(runtime, row))
            if beside is not None:
                await asyncio.to_thread(beside)
            await running
            await runtime.close()

        asyncio.run(both())
        return self.experiments.standing(id)

    async def _work(self, runtime: Runtime, row: ExperimentRow) -> None:
        with within(runtime):
            await experiment.work(row.job_id)
        await runtime.db(lambda s: jobs.set_state(s, row.job_id, JobState.DONE))

    def state(self, id: int) -> ExperimentState:
        with self.store.session() as s:
            return experiments.get(s, id).state

    def units(self, id: int, state: UnitState | None = None) -> int:
        with self.store.session() as s:
            return experiment_units.page(s, id, state=state, limit=1).total


def counted(standing: Standing) -> dict[tuple[int, UnitState], int]:
    """Units by scorer and state."""
    found: dict[tuple[int, UnitState], int] = {}
    for each in standing.counts:
        found[each.scorer, each.state] = found.get((each.scorer, each.state), 0) + each.units
    return found
