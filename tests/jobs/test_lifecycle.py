"""What every workflow does around its own work, on a store that fails for a while."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.jobs import lifecycle
from app.jobs.lifecycle import Progress, in_thread, run
from app.jobs.runtime import Runtime
from app.settings import Settings
from app.store import Store, jobs
from app.store.rows import JobRow, JobState


@contextmanager
def away(store: Store, table: str = "jobs") -> Iterator[None]:
    """While it lasts, whatever asks for the table fails with a StoreError."""
    rename(store, table, "hidden")
    try:
        yield
    finally:
        rename(store, "hidden", table)


def rename(store: Store, table: str, name: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


@pytest.fixture
def runtime(store: Store, tmp_path: Path) -> Runtime:
    with store.session() as session:
        jobs.add(session, "j", "collect", "Collect", "{}", model="m")
    return Runtime(Settings(data_dir=tmp_path), store, "worker")


def job(runtime: Runtime) -> JobRow:
    with runtime.store.session() as session:
        return jobs.get(session, "j")


def test_progress_that_cannot_be_written_is_written_with_the_next_report(runtime: Runtime) -> None:
    progress = Progress(runtime, "j", 100, "excerpts")
    with away(runtime.store):
        progress.report(10, "reading")
        progress.report(20, "reading on")
    assert job(runtime).done == 0
    progress.report(30, "reading further")
    assert (job(runtime).done, job(runtime).note) == (30, "reading further")


async def test_how_a_job_ended_is_written_once_the_store_answers_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()
    monkeypatch.setattr(lifecycle, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(lifecycle.log, "warning", lambda *args: refused.set())

    async def work(row: JobRow) -> dict[str, object]:
        rename(runtime.store, "jobs", "hidden")
        return {"model": "m"}

    ending = asyncio.create_task(run(runtime, "j", work))
    await asyncio.to_thread(refused.wait, 30)
    rename(runtime.store, "hidden", "jobs")
    await ending
    assert (job(runtime).state, job(runtime).result_json) == (JobState.DONE, '{"model": "m"}')


async def test_cancelled_work_has_ended_when_its_caller_goes_on_however_often_it_was_cancelled() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(30) and may_end.wait(30)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(3):
        task.cancel()
        await asyncio.wait({task}, timeout=0.05)
        assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
