"""What the stages of a run over puzzles share."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.domain.explanations import SimulatorName, State
from app.domain.puzzles import Judge
from app.jobs import puzzle_asking
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress, keep
from app.jobs.requests import PuzzlesRequest, loads
from app.jobs.runtime import Runtime, current
from app.store import Session, jobs, puzzle_runs, puzzles
from app.store.puzzle_runs import Answer
from app.store.puzzles import StoredPuzzle


@dataclass
class Stage:
    """What all stages of a job work with: its request, its run, and the puzzles that it is about."""

    runtime: Runtime
    job_id: str
    request: PuzzlesRequest
    run: str
    puzzles: dict[int, StoredPuzzle]
    progress: Progress
    done: int

    @classmethod
    async def of(cls, job_id: str, number: int = 0, note: str = "") -> "Stage":
        """`number`: how many stages are done."""
        runtime = current()
        request = loads(PuzzlesRequest, (await runtime.db(lambda s: jobs.get(s, job_id))).parameters_json)
        there = await runtime.db(lambda s: puzzles.of_set(s, request.model))
        chosen = puzzle_asking.indices(request, there)
        mine = {each.ref.index: each for each in there if each.ref.index in set(chosen)}
        progress = Progress(runtime, job_id, len(mine) * stages(request), "steps")
        stage = cls(runtime, job_id, request, request.run or job_id, mine, progress, number * len(mine))
        if note:
            progress.report(stage.done, note)
        return stage

    async def answers(self) -> dict[tuple[int, int], Answer]:
        """By puzzle and round."""
        found = await self.runtime.db(lambda s: puzzle_runs.answers(s, [self.run]))
        return {(neuron, round_): answer for (_, neuron, round_), answer in found.items()}

    async def each(self, neurons: Sequence[int], one: Callable[[int], Awaitable[None]]) -> None:
        """`one` of every puzzle, all at once; how many really are is the endpoint's bound. The first error ends all."""
        from app.simulate.parallel import all_or_nothing

        self.done += len(self.puzzles) - len(neurons)

        async def counted(at: int) -> None:
            await one(neurons[at])
            self.done += 1
            self.progress.report(self.done)

        await all_or_nothing(len(neurons), counted)
        self.progress.flush()

    def tried(self, answer: Answer | None) -> bool:
        """Whether this job has its answer, be it a failure, or an earlier one has one that came about."""
        return answer is not None and (answer.state is State.OK or answer.key.startswith(f"{self.job_id}/"))

    async def answer(self, neuron: int, round_: int, state: State, note: str, key: str) -> None:
        """Keep why a round has no statement."""

        def write(s: Session) -> None:
            puzzle_runs.add_answer(s, self.run, neuron, round_, None, state, note, key)

        await keep(self.runtime, self.job_id, write)

    def title_of(self, name: SimulatorName) -> str:
        """The endpoint that a simulator asks; empty for a local one, which names its model itself."""
        if name is SimulatorName.LOCAL:
            return ""
        return endpoint(self.runtime.settings, self.request.simulator_endpoint).title


def stages(request: PuzzlesRequest) -> int:
    """How many stages a request has."""
    judging = request.judge in (Judge.SIMILARITY, Judge.MODEL)
    asked = (
        request.explain is not None,
        request.revise_with is not None,
        judging,
        request.rank_with is not None,
    )
    return sum(asked)
