"""The work behind jobs: each job's calls to language models, the workers alive, and what was spent."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from app.domain.ledger import LedgerEntry, Outcome, now
from app.domain.spending import day_begins
from app.store import jobs as stored_jobs
from app.store import ledger as stored_ledger
from app.store import workers as stored_workers
from app.web.api.parameters import JobId
from app.web.api.schemas import ListOf, Schema
from app.web.dependencies import SettingsDep, StoreDep

router = APIRouter(tags=["jobs"])


class CallOut(Schema):
    """One try of one request to a language model. A failed one and a rejected answer are tries too."""

    purpose: str = Field(examples=["explain"])
    endpoint: str = Field(examples=["vllm"])
    model: str = Field(examples=["Qwen/Qwen2.5-7B-Instruct"])
    attempt: int = Field(description="1 for the first try of its request.", examples=[1])
    outcome: Outcome = Field(description="Only ok has an answer that was used.")
    status: int | None = Field(description="HTTP status; null where there was none.", examples=[200])
    reason: str = Field(description="Why it failed, in plain words; empty when ok.", examples=[""])
    tokens_in: int = Field(examples=[959])
    tokens_cached: int = Field(description="Of `tokens_in`, from the provider's cache.", examples=[640])
    tokens_out: int = Field(examples=[12])
    cost_usd: float = Field(examples=[0.0021])
    seconds: float = Field(description="From sending to the answer or the failure.", examples=[1.5])
    created_at: datetime = Field(description="When it was sent.")


class WorkerOut(Schema):
    """A worker process that is alive."""

    name: str = Field(examples=["worker-1"])
    host: str = Field(examples=["workstation"])
    started_at: datetime
    beat_at: datetime = Field(description="Its last sign of life.")


class WorkOut(Schema):
    """Who works, and what calls to language models have cost."""

    workers: list[WorkerOut] = Field(description="Those alive; with none of them no job moves.")
    spent_usd: float = Field(description="All calls of all jobs so far.", examples=[1.25])
    spending_cap_usd: float | None = Field(
        description="No call is made once it would pass this; null without a cap.", examples=[5.0]
    )
    spent_today_usd: float = Field(description="All calls since midnight, UTC.", examples=[0.25])
    daily_cap_usd: float | None = Field(
        description="The cap of a day's calls; null without one.", examples=[2.0]
    )
    job_cap_usd: float | None = Field(
        description="The cap of one job's calls; null without one.", examples=[1.0]
    )


@router.get("/jobs/{job}/calls")
def list_calls(store: StoreDep, job: JobId) -> ListOf[CallOut]:
    """The job's calls to language models, oldest first, failed tries too."""
    with store.session() as session:
        stored_jobs.get(session, job)
        return ListOf(items=[_call(entry) for entry in stored_ledger.of_job(session, job)])


@router.get("/work")
def get_work(store: StoreDep, settings: SettingsDep) -> WorkOut:
    """The workers alive, and what was spent on calls in all."""
    with store.session() as session:
        workers = stored_workers.alive(session)
        spent = stored_ledger.spent(session)
        today = stored_ledger.spent(session, since=day_begins(now()))
    return WorkOut(
        workers=[
            WorkerOut(name=row.name, host=row.host, started_at=row.started_at, beat_at=row.beat_at)
            for row in workers
        ],
        spent_usd=spent,
        spending_cap_usd=settings.spending_cap_usd,
        spent_today_usd=today,
        daily_cap_usd=settings.daily_cap_usd,
        job_cap_usd=settings.job_cap_usd,
    )


def _call(entry: LedgerEntry) -> CallOut:
    return CallOut(
        purpose=entry.purpose,
        endpoint=entry.endpoint,
        model=entry.model,
        attempt=entry.attempt,
        outcome=entry.outcome,
        status=entry.status,
        reason=entry.reason,
        tokens_in=entry.tokens_in,
        tokens_cached=entry.tokens_cached,
        tokens_out=entry.tokens_out,
        cost_usd=entry.cost_usd,
        seconds=entry.seconds,
        created_at=entry.created_at,
    )
