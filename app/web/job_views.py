"""A job as pages show it: progress with rate and time left, from its rows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.jobs.watch import Rate
from app.store.jobs import Active
from app.store.rows import JobRow, JobState
from app.web.formats import count

LISTED, MOST_LISTED = 20, 200  # unfinished jobs that the jobs page shows, and shows when asked for more
STATE_WORDS = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class JobView:
    """`_job.html`."""

    row: JobRow
    state: str
    per_second: float | None
    seconds_left: float | None
    seconds: float | None  # from start to end, or until now

    @property
    def percent(self) -> int | None:
        share = self.row.share
        return None if share is None else int(100 * share)


def view(row: JobRow, rate: Rate | None = None, now: datetime | None = None) -> JobView:
    """The job with the rate that was watched, or else the mean rate since it started."""
    now = now or datetime.now(UTC)
    seconds = per_second = left = None
    if row.started_at is not None:
        seconds = max(0.0, ((row.ended_at or now) - row.started_at).total_seconds())
    if row.state is JobState.RUNNING:
        per_second = rate.per_second if rate is not None else None
        if per_second is None and seconds and row.done:
            per_second = row.done / seconds
        if per_second and row.total:
            left = max(0, row.total - row.done) / per_second
    return JobView(row, STATE_WORDS[row.state], per_second, left, seconds)


@dataclass(frozen=True)
class Unfinished:
    """`_running.html`: the head of what runs and waits."""

    jobs: tuple[JobView, ...]
    more: str  # what is not shown, in words; empty where everything is
    address: str  # where more is shown; empty where this page shows as much as any


def unfinished(active: Active, shown: int, rates: dict[str, Rate] | None = None) -> Unfinished:
    """What has not ended as a list of so many shows it, with the rates that were watched."""
    counts = ((active.more_running, "running"), (active.more_waiting, "waiting"))
    more = " and ".join(f"{count(n)} more {state}" for n, state in counts if n)
    rates = rates or {}
    address = "/jobs" if shown < LISTED else f"/jobs?shown={MOST_LISTED}" if shown < MOST_LISTED else ""
    return Unfinished(tuple(view(row, rates.get(row.id)) for row in active.rows), more, address)
