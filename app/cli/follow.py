"""Following a job on a terminal: a progress bar with rate and time left, and a way out that says what it does."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from app.errors import AppError
from app.jobs.alive import anyone_alive
from app.jobs.child import WorkerChild
from app.jobs.service import Jobs
from app.jobs.watch import Rate
from app.store import jobs as job_rows
from app.store.rows import JobRow, JobState

POLL_SECONDS = 0.25
WORKER_CHECK_SECONDS = 2.0
PLAIN_SECONDS = 5.0  # between lines where there is no terminal
MAX_WORKERS = 3  # workers of our own that may die over one job


class Shown(Protocol):
    """A way of showing progress."""

    def update(self, row: JobRow, rate: Rate) -> None: ...


def follow(jobs: Jobs, job_id: str) -> JobRow:
    """Show the job's progress until it ends; its last row. A worker is run meanwhile if none is alive.

    Ctrl-C asks whether to cancel; without a terminal it lets the job go on. Raises AppError with the job's own
    reason when it fails.
    """
    own = _OwnWorker(jobs)
    try:
        while True:
            with _shown() as shown, _Interrupt() as interrupt:
                row = _until_ended(jobs, job_id, own, shown, interrupt)
            if row is not None:
                break
            if _leave(jobs, job_id, own):
                raise AppError(
                    f"The job goes on in the background: `neuronarium jobs` says how far it is, `neuronarium cancel {job_id}` stops it."
                )
    finally:
        own.stop()
    if row.state is not JobState.DONE:
        raise AppError(f"{row.title}: {row.reason or row.state} (job {job_id})")
    return row


class _Interrupt:
    """Ctrl-C as a mark to look at. As an exception it can come up in a library's callback, which drops it."""

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> "_Interrupt":
        self._before = signal.signal(signal.SIGINT, self._mark)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _mark(self, number: int, frame: FrameType | None) -> None:
        self.seen = True


def _until_ended(
    jobs: Jobs, job_id: str, own: "_OwnWorker", shown: Shown, interrupt: _Interrupt
) -> JobRow | None:
    """The job's last row; None where somebody has pressed Ctrl-C before."""
    rate = Rate()
    while not interrupt.seen:
        with jobs.store.session() as session:
            row = job_rows.get(session, job_id)
        rate.update(row)
        shown.update(row, rate)
        if row.state.ended:
            return row
        own.ensure()
        time.sleep(POLL_SECONDS)
    return None


class _OwnWorker:
    """A worker of this command, run only while nobody else's is alive."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._child: WorkerChild | None = None
        self._checked = float("-inf")
        self._started = 0

    def ensure(self) -> None:
        if time.monotonic() - self._checked < WORKER_CHECK_SECONDS or (self._child and self._child.alive()):
            return
        self._checked = time.monotonic()
        if anyone_alive(self._jobs.store):
            return
        if self._started >= MAX_WORKERS:
            raise AppError(
                "The worker died again and again: see what it wrote, mend that, and run this command again."
            )
        self._started += 1
        self._child = WorkerChild(self._jobs.settings, until_idle=True)

    def let_loose(self) -> None:
        if self._child is not None:
            self._child.let_loose()
            self._child = None

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()


def _leave(jobs: Jobs, job_id: str, own: _OwnWorker) -> bool:
    """What Ctrl-C means: True to leave the job to itself, False to go on following it (cancelled or not)."""
    if not sys.stdin.isatty():
        own.let_loose()
        return True
    sys.stderr.write(
        "\n[c]ancel the job, [l]eave it running in the background, or [Enter] to keep watching? "
    )
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline().strip().lower()
    except KeyboardInterrupt:
        answer = "c"
    if answer.startswith("c"):
        jobs.cancel(job_id)
    elif answer.startswith("l"):
        own.let_loose()
        return True
    return False


@contextmanager
def _shown() -> Iterator[Shown]:
    if not sys.stderr.isatty():
        yield _Plain()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[counts]}"),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        expand=True,
    ) as progress:
        yield _Bar(progress)


class _Bar:
    """rich's bar."""

    def __init__(self, progress: "object") -> None:
        from rich.progress import Progress

        assert isinstance(progress, Progress)
        self._progress = progress
        self._task = progress.add_task("", total=None, counts="", speed="", left="")

    def update(self, row: JobRow, rate: Rate) -> None:
        self._progress.update(
            self._task,
            description=f"{row.title}: {row.note or row.state}",
            completed=row.done,
            total=row.total or None,
            counts=f"{row.done:,}/{row.total:,} {row.unit}" if row.total else "",
            speed=speed(row, rate),
            left=time_left(row, rate),
        )


class _Plain:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._note = ""

    def update(self, row: JobRow, rate: Rate) -> None:
        now = time.monotonic()
        if now - self._at < PLAIN_SECONDS and row.note == self._note and not row.state.ended:
            return
        self._at, self._note = now, row.note
        counts = f"{row.done}/{row.total} {row.unit}" if row.total else ""
        parts = [f"{row.title}: {row.note or row.state}", counts, speed(row, rate), time_left(row, rate)]
        sys.stderr.write(", ".join(part for part in parts if part) + "\n")


def speed(row: JobRow, rate: Rate) -> str:
    """`14.2 excerpts/s`, or nothing."""
    return f"{rate.per_second:.1f} {row.unit}/s" if rate.per_second else ""


def time_left(row: JobRow, rate: Rate) -> str:
    """`1:05 left`, or nothing."""
    seconds = rate.seconds_left(row)
    if seconds is None or row.state.ended:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"
