"""Chromium, driven by Playwright, on pages of a real server process over a small computed store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.store import Store
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
