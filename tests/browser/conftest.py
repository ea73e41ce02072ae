"""Chromium, driven by Playwright, on pages of a real server process over a small computed store."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.store import Store, jobs
from tests import factories
from tests.jobs.world import model_answers
from tests.scripted_server import ScriptedServer
from tests.served import Served

ARGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


def chromium() -> str | None:
    """The machine's Chromium; None lets Playwright use its own."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None


def filled(data: Path) -> Path:
    """A data folder with the small store of `tests.factories`."""
    data.mkdir()
    store = Store.open(f"sqlite:///{data}/neuronarium.sqlite")
    factories.fill(store)
    store.close()
    return data


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: while Playwright's loop is open, no async test can run in this process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new, empty profile. A script error or a breach of the content policy on any page fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    problems: list[str] = []
    # htmx ends a request that a newer one replaces, or that a page is left with, and tells the console so.
    page.on("pageerror", lambda error: None if "aborted" in str(error) else problems.append(str(error)))
    page.on(
        "console",
        lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield page
    context.close()
    assert not problems, problems


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedServer]:
    """A language model that answers as it is asked to: explanations, and a value per token."""
    with ScriptedServer(model_answers) as server:
        yield server


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, scripted: ScriptedServer) -> Iterator[Served]:
    """One server with its worker for all tests that only look or ask."""
    data = filled(tmp_path_factory.mktemp("served") / "data")
    with Served(data, [scripted.endpoint()]) as server:
        yield server


@dataclass(frozen=True)
class Idle:
    """A server whose jobs nobody does: a test moves them on by hand, and so knows when an event comes."""

    url: str
    store: Store

    def job(self) -> str:
        """A new job that waits."""
        id = f"explain-{uuid4().hex[:12]}"
        with self.store.session() as session:
            jobs.add(session, id, "explain", f"Explain by hand {id}", "{}", unit="calls", total=10)
        return id

    def begin(self) -> str:
        """A new job that runs."""
        id = self.job()
        with self.store.session() as session:
            jobs.claim(session, id, "by hand")
        return id

    def move(self, job: str, done: int) -> None:
        """The job is so far: whoever follows it gets an event."""
        with self.store.session() as session:
            jobs.update_progress(session, job, done)

    def end(self, job: str) -> None:
        """Nobody wants it any more."""
        with self.store.session() as session:
            jobs.set_state(session, job, jobs.JobState.CANCELLED)


@pytest.fixture(scope="session")
def idle_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Idle]:
    """One server without a worker, and its store."""
    data = filled(tmp_path_factory.mktemp("idle") / "data")
    store = Store.open(f"sqlite:///{data}/neuronarium.sqlite")
    with Served(data, worker=False) as server:
        yield Idle(server.url, store)
    store.close()


@pytest.fixture
def idle(idle_world: Idle) -> Iterator[Idle]:
    """The same, with nothing left waiting for the next test."""
    yield idle_world
    with idle_world.store.session() as session:
        left = jobs.list_jobs(session, jobs.JobState.QUEUED, jobs.JobState.RUNNING)
    for job in left:
        idle_world.end(job.id)
