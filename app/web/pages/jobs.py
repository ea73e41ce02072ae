"""Jobs: the queue with progress, rate, time left and cost; one job with its calls; cancel, retry, and following live."""

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain.ledger import LedgerEntry
from app.jobs.alive import left_alone
from app.jobs.requests import Kind
from app.jobs.watch import Rate, look, watch
from app.store import Store
from app.store import jobs as stored_jobs
from app.store import ledger as stored_ledger
from app.store import workers as stored_workers
from app.store.rows import JobRow, JobState, WorkerRow
from app.web.contexts import Chrome
from app.web.dependencies import JobsDep, StoreDep
from app.web.job_views import LISTED, MOST_LISTED, JobView, Unfinished, unfinished, view
from app.web.measures import address
from app.web.rendering import chrome, page, render

router = APIRouter(include_in_schema=False)

POLL_S = 0.5
ENDED_SHOWN = 50
CALLS_SHOWN = 200  # an experiment makes many thousands
ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
Shown = Annotated[int, Query(ge=1, le=MOST_LISTED)]  # so many of those that have not ended


@dataclass(frozen=True)
class JobPart:
    """`_followed.html`: one job while it is under way."""

    job: JobView
    nobody: bool  # it has not ended, and no worker is alive to see to that


@dataclass(frozen=True)
class RunningPart:
    """`_running.html`."""

    running: Unfinished
    nobody: bool  # something waits or runs, and no worker is alive


@dataclass(frozen=True)
class JobsPage:
    """`jobs.html`."""

    chrome: Chrome
    running: Unfinished
    running_shown: int
    nobody: bool
    ended: tuple[JobView, ...]
    ended_in_all: int
    before: str  # the job after which the ended ones shown come; empty: the newest
    older: str  # address, empty where these are the last
    workers: tuple[WorkerRow, ...]
    spent: float


@dataclass(frozen=True)
class JobPage:
    """`job.html`."""

    chrome: Chrome
    job: JobView
    nobody: bool
    calls: tuple[LedgerEntry, ...]  # the newest
    calls_in_all: int
    parameters: str
    about: str | None  # address of the explanation or neuron that the job is about
    retry_of: str


def explanation_address(row: JobRow) -> str | None:
    """The page of the explanation that a job put to the test or made for that; None for other jobs."""
    if row.kind == Kind.EXPERIMENT:
        return f"/experiments/{parameter(row, 'experiment_id')}"
    if row.kind not in (Kind.ABLATION, Kind.FALSE_POSITIVES, Kind.TRANSFER):
        return None
    result = orjson.loads(row.result_json) if row.result_json else {}
    explanation = result.get("explanation") or parameter(row, "explanation_id")
    part = f"#false-positives-{result['search']}" if "search" in result else ""
    return f"/explanations/{explanation}{part}"


def neuron_address(row: JobRow) -> str | None:
    """The page of the neuron that a job is about, from its parameters or its result."""
    for text in (row.parameters_json, row.result_json):
        try:
            value = orjson.loads(text) if text else None
        except orjson.JSONDecodeError:
            continue
        ref = value.get("ref") if isinstance(value, dict) else None
        if isinstance(ref, dict) and {"model", "layer", "index"} <= ref.keys():
            return f"/m/{ref['model']}/{ref['layer']}/{ref['index']}"
    return f"/m/{row.model}" if row.model and row.state is JobState.DONE else None


def parameter(row: JobRow, name: str) -> str:
    """One parameter of a job as text; empty where there is none."""
    try:
        value = orjson.loads(row.parameters_json) if row.parameters_json else None
    except orjson.JSONDecodeError:
        return ""
    return str(value.get(name) or "") if isinstance(value, dict) else ""


@router.get("/jobs")
def show_all(
    request: Request,
    store: StoreDep,
    before: Annotated[str, Query(max_length=100)] = "",
    shown: Shown = LISTED,
) -> HTMLResponse:
    """The queue, so much of it, and what has ended; `before` is the job after which older ones are listed."""
    with store.session() as session:
        active = stored_jobs.active(session, shown)
        ended = stored_jobs.page(session, *ENDED, cursor=before or None, limit=ENDED_SHOWN)
        workers = stored_workers.alive(session)
        spent = stored_ledger.spent(session)
    context = JobsPage(
        chrome=chrome(request, "Jobs", "jobs"),
        running=unfinished(active, shown),
        running_shown=shown,
        nobody=left_alone(store, active.rows),
        ended=tuple(view(row) for row in ended.items),
        ended_in_all=ended.total,
        before=before,
        older=address("/jobs", before=ended.next) if ended.next else "",
        workers=tuple(workers),
        spent=spent,
    )
    return page("jobs.html", context)


@router.get("/jobs/events", response_class=EventSourceResponse)
async def follow_all(
    store: StoreDep,
    shown: Shown = LISTED,
) -> AsyncIterable[ServerSentEvent]:
    """The first jobs that have not ended as HTML whenever something changes; a close event when one has or none is left."""
    rates: dict[str, Rate] = {}
    before: stored_jobs.Active | None = None
    nobody_before = False
    while True:
        now = await asyncio.to_thread(_active, store, shown)
        nobody = await asyncio.to_thread(left_alone, store, now.rows)
        if before is not None and await asyncio.to_thread(_any_ended, store, before, now):
            break
        if now != before or nobody != nobody_before:
            for row in now.rows:
                rates.setdefault(row.id, Rate()).update(row)
            part = RunningPart(unfinished(now, shown, rates), nobody)
            yield ServerSentEvent(raw_data=render("_running.html", part))
            before, nobody_before = now, nobody
        if not now.rows:
            break
        await asyncio.sleep(POLL_S)
    yield ServerSentEvent(raw_data="ended", event="close")


def _active(store: Store, shown: int) -> stored_jobs.Active:
    with store.session() as session:
        return stored_jobs.active(session, shown)


def _any_ended(store: Store, before: stored_jobs.Active, now: stored_jobs.Active) -> bool:
    """Whether one that was shown has ended; another one's start may merely have pushed it out of the list."""
    gone = {row.id for row in before.rows} - {row.id for row in now.rows}
    if not gone:
        return False
    with store.session() as session:
        return any(stored_jobs.get(session, id).state.ended for id in gone)


@router.get("/jobs/{job_id}")
def show(request: Request, store: StoreDep, job_id: str) -> HTMLResponse:
    """One job: what was asked, how far it is, what it called, and why it failed if it did."""
    row, nobody = look(store, job_id)
    with store.session() as session:
        calls = stored_ledger.of_job(session, job_id, CALLS_SHOWN)
        made = stored_ledger.count_of_job(session, job_id)
    text = orjson.dumps(orjson.loads(row.parameters_json or "{}"), option=orjson.OPT_INDENT_2).decode()
    context = JobPage(
        chrome=chrome(request, row.title, "jobs"),
        job=view(row),
        nobody=nobody,
        calls=tuple(calls),
        calls_in_all=made,
        parameters=text,
        about=explanation_address(row) or neuron_address(row),
        retry_of=parameter(row, "retry_of"),
    )
    return page("job.html", context)


def existing(store: StoreDep, job_id: str) -> str:
    """The id of a job that exists, so that an unknown one is a 404 and not an empty stream."""
    with store.session() as session:
        return stored_jobs.get(session, job_id).id


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def follow(store: StoreDep, job_id: str = Depends(existing)) -> AsyncIterable[ServerSentEvent]:
    """One job as HTML at every change, of the job or of who is there to do it; a close event at its end."""
    rate = Rate()
    async for row, nobody in watch(store, job_id):
        rate.update(row)
        yield ServerSentEvent(raw_data=render("_followed.html", JobPart(view(row, rate), nobody)))
    yield ServerSentEvent(raw_data="ended", event="close")


def back(request: Request, job_id: str) -> Response:
    """After a form: to the job's page; htmx is told to go there."""
    address = f"/jobs/{job_id}"
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


@router.post("/jobs/{job_id}/cancel")
def cancel(request: Request, jobs: JobsDep, job_id: str) -> Response:
    """Stop it; what is stored stays."""
    jobs.cancel(job_id)
    return back(request, job_id)


@router.post("/jobs/{job_id}/retry")
def retry(request: Request, jobs: JobsDep, job_id: str) -> Response:
    """The same again, as a new job."""
    return back(request, jobs.retry(job_id))
