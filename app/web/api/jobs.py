"""Jobs: how far they are, cancel, retry."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.store import jobs as stored_jobs
from app.store.rows import JobState
from app.web.api import convert
from app.web.api.parameters import Cursor, JobId
from app.web.api.schemas import JobOut, JobStarted, PageOf
from app.web.dependencies import JobsDep, StoreDep

router = APIRouter(tags=["jobs"], prefix="/jobs")


@router.get("")
def list_jobs(
    store: StoreDep,
    state: Annotated[list[JobState], Query(description="Only jobs in these states; all when empty.")] = [],  # noqa: B006
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most jobs of an answer.")] = 100,
) -> PageOf[JobOut]:
    """A page of the jobs, newest first."""
    with store.session() as session:
        page = stored_jobs.page(session, *state, cursor=cursor, limit=limit)
    return PageOf(
        items=[convert.job(row) for row in page.items],
        next=page.next,
        previous=page.previous,
        total=page.total,
    )


@router.get("/{job}")
def get_job(store: StoreDep, job: JobId) -> JobOut:
    """One job."""
    with store.session() as session:
        return convert.job(stored_jobs.get(session, job))


@router.post("/{job}/cancel")
def cancel(jobs: JobsDep, store: StoreDep, job: JobId) -> JobOut:
    """Ask a queued or running job to stop. What is already stored stays."""
    jobs.cancel(job)
    return get_job(store, job)


@router.post("/{job}/retry", status_code=202)
def retry(jobs: JobsDep, job: JobId) -> JobStarted:
    """Start an ended job once more, as a new job with the same parameters."""
    return JobStarted(job_id=jobs.retry(job))
