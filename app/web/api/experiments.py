"""Experiments over the API: begin one, see how it stands, pause, resume, cancel, try again what failed, read its results."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from app.domain import experiment_files
from app.domain.definition_files import kind_of
from app.domain.explanations import Metric, Protocol, Sample, State
from app.errors import BadInput
from app.jobs.experiment_dry_run import Calls, DryRun, dry_run
from app.jobs.experiment_service import Experiments, Standing
from app.store import experiment_results
from app.store import experiments as stored
from app.store.experiment_rows import ExperimentRow, ExperimentState, UnitState
from app.web.api.parameters import Cursor, Limit
from app.web.api.schemas import ListOf, PageOf, Schema
from app.web.author import WhoDep
from app.web.dependencies import JobsDep, StoreDep
from app.web.experiment_words import what

router = APIRouter(tags=["experiments"])

Number = Annotated[int, Path(ge=1, le=2**62, description="Number of the experiment.", examples=[1])]


class ExperimentIn(Schema):
    """An experiment to plan or to begin."""

    definition: dict[str, Any] | str = Field(
        description="The definition: an object with the keys of a file, or the text of a TOML or JSON file.",
        examples=[{"name": "Two formats", "methods": ["summary"], "samples": [{"rule": "random", "n": 2}]}],
    )


class AgainIn(Schema):
    """How to go on."""

    budget_usd: float | None = Field(
        default=None, description="Another budget, in all; null leaves it as it is.", examples=[5.0]
    )


class ExperimentOut(Schema):
    """An experiment."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Two formats"])
    state: ExperimentState
    reason: str = Field(
        description="Why it stands as it does; empty while it runs and when done.", examples=[""]
    )
    pausing: bool = Field(description="Asked to pause, and ending what is under way.")
    neurons: int = Field(examples=[40])
    units: int = Field(description="Statements and scores to make.", examples=[400])
    budget_usd: float | None = Field(description="US dollars; null without a bound.", examples=[5.0])
    definition_hash: str = Field(
        description="sha256 of the definition in its canonical form.", examples=["9f86d0…"]
    )
    sample_digest: str = Field(description="sha256 of the neurons' names in order.", examples=["60303a…"])
    notes: list[str] = Field(description="What was less than asked for.", examples=[[]])
    job: str = Field(description="The newest of its jobs.", examples=["experiment-0a1b2c3d4e5f"])
    author: str = Field(examples=["me"])
    created_at: datetime
    ended_at: datetime | None


class UnitCountOut(Schema):
    """How many units of one kind are in one state."""

    arm: str = Field(examples=["summary"])
    what: str = Field(description="statement, or who scores.", examples=["statement"])
    state: UnitState
    units: int = Field(examples=[40])


class FailureOut(UnitCountOut):
    """Units that came to nothing for one reason."""

    reason: str = Field(examples=["Endpoint “vllm” failed after 5 tries: no answer within 120 s."])


class StandingOut(Schema):
    """An experiment with its definition, how far it is, and what failed."""

    experiment: ExperimentOut
    definition: dict[str, Any] = Field(
        description="As a JSON file holds it.", examples=[{"name": "Two formats", "methods": ["summary"]}]
    )
    ended: int = Field(description="Units that are over, one way or another.", examples=[120])
    spent_usd: float = Field(examples=[0.25])
    counts: list[UnitCountOut]
    failures: list[FailureOut]


class CallsOut(Schema):
    """About what something takes."""

    calls: float = Field(examples=[800])
    tokens_in: float = Field(examples=[760_000])
    tokens_out: float = Field(description="At most.", examples=[120_000])
    most_usd: float = Field(description="At most.", examples=[0.4])
    likely_usd: float = Field(description="With answers as long as they were so far.", examples=[0.2])


class ArmOut(Schema):
    """About what one arm takes, its scores included."""

    arm: str = Field(examples=["summary"])
    statements: int = Field(examples=[40])
    takes: CallsOut


class DryRunOut(Schema):
    """What an experiment would take: estimates. Nothing was sent."""

    neurons: int = Field(examples=[40])
    units: int = Field(examples=[400])
    arms: list[ArmOut]
    total: CallsOut
    seconds: float | None = Field(
        description="Until the busiest endpoint is done; null where one has not been asked yet.",
        examples=[600],
    )
    notes: list[str] = Field(description="What is less than asked for.", examples=[[]])


class ResultOut(Schema):
    """One value that was asked for, or the state that says why there is none."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    arm: str = Field(examples=["summary"])
    seed: int = Field(examples=[0])
    simulator: str = Field(
        description="Who predicted or judged, with its model.", examples=["chat_json / vllm / Qwen2.5"]
    )
    protocol: Protocol
    sample: Sample
    metric: Metric
    state: State
    value: float | None = Field(description="Null for any state but ok.", examples=[0.31])
    reason: str = Field(description="Why there is no value.", examples=[""])
    explanation: int | None = Field(
        description="Its explanation's id; null where none was stored.", examples=[46081]
    )


@router.get("/experiments")
def get_experiments(store: StoreDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[ExperimentOut]:
    """Experiments, newest first."""
    with store.session() as session:
        found = stored.page(session, cursor, limit)
    return PageOf(
        items=[experiment_out(row) for row in found.items],
        next=found.next,
        previous=found.previous,
        total=found.total,
    )


@router.post("/experiments", status_code=201)
def begin_experiment(jobs: JobsDep, who: WhoDep, request: ExperimentIn) -> ExperimentOut:
    """Begin an experiment. Everything that stands in its way is said at once."""
    return experiment_out(Experiments(jobs).begin(_definition(request), who.name))


@router.post("/experiments/dry-run")
def plan_experiment(jobs: JobsDep, request: ExperimentIn) -> DryRunOut:
    """What it would take, before anything is sent."""
    made = dry_run(jobs.settings, jobs.store, Experiments(jobs).plan(_definition(request)))
    return _dry(made)


@router.get("/experiments/{experiment}")
def get_experiment(jobs: JobsDep, experiment: Number) -> StandingOut:
    """How an experiment stands."""
    return _standing(Experiments(jobs).standing(experiment))


@router.get("/experiments/{experiment}/results")
def get_results(
    store: StoreDep,
    experiment: Number,
    metric: Annotated[Metric | None, Query(description="This one alone.")] = None,
) -> ListOf[ResultOut]:
    """A row for every value of the units that have ended, with or without one."""
    with store.reading() as session:
        found = experiment_results.results(session, experiment)
    return ListOf(
        items=[
            ResultOut(
                model=r.ref.model,
                layer=r.ref.layer,
                index=r.ref.index,
                arm=r.arm,
                seed=r.seed,
                simulator=r.simulator,
                protocol=r.protocol,
                sample=r.sample,
                metric=r.metric,
                state=r.state,
                value=r.value,
                reason=r.reason,
                explanation=r.explanation_id,
            )
            for r in found
            if metric in (None, r.metric)
        ]
    )


@router.post("/experiments/{experiment}/pause")
def pause_experiment(jobs: JobsDep, experiment: Number) -> ExperimentOut:
    """Let it end what is under way, and no more."""
    return experiment_out(Experiments(jobs).pause(experiment))


@router.post("/experiments/{experiment}/cancel")
def cancel_experiment(jobs: JobsDep, experiment: Number) -> ExperimentOut:
    """Stop it at once. What was made stays."""
    return experiment_out(Experiments(jobs).cancel(experiment))


@router.post("/experiments/{experiment}/resume")
def resume_experiment(
    jobs: JobsDep, who: WhoDep, experiment: Number, request: AgainIn | None = None
) -> ExperimentOut:
    """Go on with what is open."""
    budget = request.budget_usd if request else None
    return experiment_out(Experiments(jobs).resume(experiment, who.name, budget_usd=budget))


@router.post("/experiments/{experiment}/retry")
def retry_experiment(
    jobs: JobsDep, who: WhoDep, experiment: Number, request: AgainIn | None = None
) -> ExperimentOut:
    """Try again what failed, and nothing else."""
    budget = request.budget_usd if request else None
    return experiment_out(Experiments(jobs).retry_failed(experiment, who.name, budget_usd=budget))


def _definition(request: ExperimentIn) -> Any:
    given = request.definition
    if isinstance(given, str):
        return experiment_files.read(given, kind_of(given))
    if not given:
        raise BadInput("The definition is empty: see docs/experiments.md for what it holds.")
    return experiment_files.from_values(given)


def experiment_out(row: ExperimentRow) -> ExperimentOut:
    """An experiment as the API shows it."""
    return ExperimentOut(
        id=row.id,
        name=row.name,
        state=row.state,
        reason=row.reason,
        pausing=row.pausing,
        neurons=row.neurons,
        units=row.units,
        budget_usd=row.budget_usd,
        definition_hash=row.definition_hash,
        sample_digest=row.sample_digest,
        notes=list(row.notes),
        job=row.job_id,
        author=row.author,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _standing(standing: Standing) -> StandingOut:
    definition = standing.row.definition
    arms = definition.arms()
    return StandingOut(
        experiment=experiment_out(standing.row),
        definition=experiment_files.to_values(definition),
        ended=standing.ended,
        spent_usd=standing.spent_usd,
        counts=[
            UnitCountOut(
                arm=arms[each.arm].name,
                what=what(definition, each.scorer),
                state=each.state,
                units=each.units,
            )
            for each in standing.counts
        ],
        failures=[
            FailureOut(
                arm=arms[each.arm].name,
                what=what(definition, each.scorer),
                state=each.state,
                units=each.units,
                reason=each.reason,
            )
            for each in standing.failures
        ],
    )


def _dry(made: DryRun) -> DryRunOut:
    return DryRunOut(
        neurons=len(made.plan.sample),
        units=made.plan.units,
        arms=[
            ArmOut(arm=line.arm, statements=line.explanations, takes=_calls(line.total)) for line in made.arms
        ],
        total=_calls(made.total),
        seconds=made.seconds,
        notes=[*made.plan.notes, *made.problems],
    )


def _calls(takes: Calls) -> CallsOut:
    return CallsOut(**takes._asdict())
