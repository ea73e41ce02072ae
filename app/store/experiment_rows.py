"""What comes out of the store of experiments: frozen, plain."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.domain.experiments import Definition
from app.domain.explanations import Usage
from app.domain.neurons import NeuronRef


class ExperimentState(StrEnum):
    """How an experiment stands. All but `RUNNING` have no job under way."""

    RUNNING = "running"  # its job waits or runs
    PAUSED = "paused"  # somebody wanted it to, or an endpoint is dead: see the reason
    OVER_BUDGET = "over_budget"  # the next call could have passed it
    DONE = "done"  # every unit has ended, with or without a value
    FAILED = "failed"  # its job failed as a whole
    CANCELLED = "cancelled"

    @property
    def goes_on(self) -> bool:
        """Whether it can be resumed."""
        return self not in (ExperimentState.RUNNING, ExperimentState.DONE)


class UnitState(StrEnum):
    """How one unit stands."""

    PENDING = "pending"
    RUNNING = "running"
    OK = "ok"  # what it is to make is stored; a score may still be undefined, with its own state
    FAILED = "failed"
    SKIPPED = "skipped"  # nothing could be tried: what it works on is not there

    @property
    def ended(self) -> bool:
        return self not in (UnitState.PENDING, UnitState.RUNNING)


@dataclass(frozen=True)
class ExperimentRow:
    """An experiment."""

    id: int
    name: str
    definition: Definition
    definition_hash: str
    titles: dict[str, str]  # of endpoints by name, "endpoint / model", as they were when it began
    sample_digest: str
    notes: tuple[str, ...]  # what was less than asked for, in words
    neurons: int
    units: int
    budget_usd: float | None  # the definition's, until somebody raises it
    state: ExperimentState
    reason: str
    pausing: bool  # asked to pause, and ending what is under way
    job_id: str  # the newest of its jobs
    author: str
    created_at: datetime
    ended_at: datetime | None


class UnitCount(NamedTuple):
    """How many units of one kind are in one state."""

    arm: int
    scorer: int  # index into the definition's scorers; -1: explanations
    state: UnitState
    units: int


class Failures(NamedTuple):
    """Units that came to nothing for one reason."""

    arm: int
    scorer: int
    state: UnitState
    reason: str
    units: int


@dataclass(frozen=True)
class Unit:
    """One piece of work: an explanation (scorer -1), or a score of one."""

    id: int
    ordinal: int  # of the neuron in the sample
    ref: NeuronRef
    arm: int
    seed: int  # the seed itself
    scorer: int
    lane: int
    state: UnitState
    reason: str
    attempts: int  # tries so far, of all runs
    tries_left: int
    salt: int  # raised where the answers themselves were no use, so that the next try asks anew
    explanation_id: int | None
    simulation_id: int | None

    def key(self, experiment_id: int) -> str:
        """Under which what this try makes is stored: the same when a try is repeated after a kill, another for the next try."""
        return unit_key(experiment_id, self.ordinal, self.arm, self.seed, self.scorer, self.attempts)


def unit_key(experiment_id: int, ordinal: int, arm: int, seed: int, scorer: int, attempt: int) -> str:
    """See `Unit.key`; `attempt` tries were made before."""
    tail = "" if scorer < 0 else f"/{scorer}"
    return f"experiment-{experiment_id}/{ordinal}/{arm}/{seed}{tail}#{attempt}"


class Ended(NamedTuple):
    """How a unit ended, or that it is to be tried again (`PENDING`)."""

    unit: int
    state: UnitState
    reason: str = ""
    explanation_id: int | None = None
    simulation_id: int | None = None
    usage: Usage = Usage()
    salt: int = 0  # to be added: the next try asks anew also what has been answered
    tried: bool = True  # counts as an attempt
    final: bool = False  # another try would be no use
