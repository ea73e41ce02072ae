"""`jobs`, `cancel` and `retry`: what is under way, and how to stop it or begin it again."""

from pathlib import Path
from typing import Annotated

import typer

from app import logs
from app.cli import app
from app.cli.ask import finish
from app.cli.collect import follow_collection
from app.cli.common import open_jobs, settings
from app.cli.embed import follow_embedding
from app.errors import Conflict
from app.jobs.requests import Kind
from app.store import jobs as job_rows
from app.store.rows import JobRow, JobState

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
JobId = Annotated[str, typer.Argument(help="The job's id, as `neuronarium jobs` lists it.")]


@app.command("jobs")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many of the newest.")] = 20,
    data_dir: DataDir = None,
) -> None:
    """List jobs, the newest first."""
    with open_jobs(settings(data_dir=data_dir)) as jobs, jobs.store.session() as session:
        rows = job_rows.list_jobs(session, limit=limit)
    for row in rows:
        typer.echo(line(row))
    if not rows:
        typer.echo("There are no jobs yet: `neuronarium collect` and `neuronarium explain` begin some.")


@app.command()
def cancel(job: JobId, data_dir: DataDir = None) -> None:
    """Stop a job. What it stored stays."""
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        with jobs.store.session() as session:
            before = job_rows.get(session, job)
        if before.state.ended:
            raise Conflict(f"Job {job} has ended already: {before.state}.")
        row = jobs.cancel(job)
    if row.state is not JobState.CANCELLED:
        raise Conflict(f"Job {job} ended before it could be cancelled: {row.state}.")
    typer.echo(f"Cancelled: {row.title}.")


@app.command()
def retry(job: JobId, data_dir: DataDir = None) -> None:
    """Begin a failed or cancelled job again, as a new one, and follow it."""
    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        with jobs.store.session() as session:
            row = job_rows.get(session, job)
        follow = {Kind.COLLECT: follow_collection, Kind.EMBED: follow_embedding}.get(Kind(row.kind), finish)
        follow(jobs, jobs.retry(job))


def line(row: JobRow) -> str:
    """A job in a line: id, state, how far it is, what it is, and how it ended."""
    counts = f"{row.done:,}/{row.total:,} {row.unit}" if row.total else ""
    note = row.reason if row.state.ended else row.note
    begun = f"{row.created_at:%Y-%m-%d %H:%M}Z"
    return "  ".join(part for part in (row.id, begun, f"{row.state:<9}", counts, row.title, note) if part)
