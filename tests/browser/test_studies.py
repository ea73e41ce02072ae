"""Chromium through LEE's study in one step: made, looked at, started, and its first rater invited."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.domain.explanations import Method
from app.store import Store
from app.study.service import Studies
from tests import factories
from tests import study_world as w
from tests.browser.conftest import Idle
from tests.browser.test_pages import AXE, RUN_AXE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def narrow(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 800})
    return page


def drawn(store: Store) -> None:
    """Explanations by the three methods of every neuron that could be drawn."""
    every = [
        w.NeuronRef(factories.SLUG, layer, i) for layer in factories.LAYERS for i in range(factories.NEURONS)
    ]
    w.describe(store, every)


def test_lee_s_study_is_made_started_and_a_rater_invited(page: Page, idle: Idle) -> None:
    drawn(idle.store)
    page.goto(f"{idle.url}/lab")
    page.get_by_role("link", name="New study").click()
    published = page.locator("form[action='/studies/preset']")
    for method in (Method.HIGHLIGHT, Method.HS):
        published.get_by_label(method.value, exact=True).uncheck()
    published.get_by_label("Design").select_option("nested")
    published.get_by_label("Raters", exact=True).fill("2")
    published.get_by_label("Score above").fill("-1")
    published.get_by_role("button", name="See what it comes to").click()
    expect(page.get_by_text("4 neurons, 3 ways of explaining, nested")).to_be_visible()
    expect(page.get_by_text("Nothing stands in its way")).to_be_visible()
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_role("heading", name=re.compile("^LEE's study of 3 ways"))).to_be_visible()
    expect(page.get_by_text("Nothing stands in its way")).to_be_visible()  # asked for when the page was there
    page.get_by_role("button", name="Start the study").click()
    expect(page.get_by_text("0 of 4 items answered")).to_be_visible()
    study = int(page.url.rpartition("/")[2])
    assert Studies(idle.store).get(study).registered_hash in page.content()
    page.get_by_role("link", name="Raters and links").click()
    page.get_by_label("Whom, one a line").fill("Grace\nAlan")
    page.get_by_label("Good for so many days").fill("7")
    page.get_by_role("button", name="Make invitations").click()
    link = page.get_by_label("Link of rater 1").input_value()
    assert link.startswith(f"{idle.url}/rate/")
    page.goto(link)
    expect(page.get_by_text("4 neurons")).to_have_count(0)  # a rater's page: nothing of the researcher's
    page.goto(f"{idle.url}/studies/{study}/close")
    expect(page.get_by_role("alert")).to_contain_text("4 of 4 items are unfinished")
    page.get_by_role("link", name="Let it be").click()
    expect(page.get_by_role("link", name="Close the study …")).to_be_visible()


@pytest.fixture
def study(idle: Idle) -> Iterator[int]:
    w.describe(idle.store, w.refs())
    made = Studies(idle.store)
    by = w.Actor("me", "local")
    row = made.start(made.make(w.definition(), by).id, by)
    made.invite(row.id, by, ["Grace Hopper"])
    w.rate_all(idle.store, row)
    yield row.id


def test_a_study_s_pages_are_accessible_and_within_a_phone(narrow: Page, idle: Idle, study: int) -> None:
    here = f"/studies/{study}"
    for address in ("/studies", "/studies/new", here, f"{here}/raters", f"{here}/log", f"{here}/close", f"/studies/look?of={study}"):  # fmt: skip
        narrow.goto(f"{idle.url}{address}")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 390, address
        narrow.evaluate(Path(AXE).read_text())
        assert narrow.evaluate(RUN_AXE) == [], address
