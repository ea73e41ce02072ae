"""Where nobody will do a job, every page that shows it says so."""

import pytest
from playwright.sync_api import Page, expect

from app.store import workers
from tests.browser.conftest import Idle

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NEURON = "/m/tiny-random/0-mlp/5"


@pytest.mark.parametrize("name", ["/", "/jobs", "neuron", "job"])
def test_a_job_that_nobody_will_do_says_so_until_somebody_is_there(page: Page, idle: Idle, name: str) -> None:
    job = idle.job()
    page.goto(idle.url + {"neuron": f"{NEURON}?job={job}", "job": f"/jobs/{job}"}.get(name, name))
    main = page.locator("main")
    words = "No worker is alive, so nothing moves: start one with neuronarium worker."
    expect(main).to_contain_text(words, timeout=20_000)  # a job that is new may have its worker on the way
    with idle.store.session() as session:
        workers.beat(session, "by hand", "another machine", 1)
    try:
        expect(main).not_to_contain_text("No worker is alive")
    finally:
        with idle.store.session() as session:
            workers.forget(session, "by hand")
    expect(main).to_contain_text("No worker is alive")
