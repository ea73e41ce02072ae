"""Chromium through making an experiment, watching it, and reading its page and its report."""

import pytest
from playwright.sync_api import Page, expect

from tests.served import Served


@pytest.fixture
def narrow(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 800})
    return page


def test_an_experiment_is_made_watched_and_read(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/lab")
    page.get_by_role("link", name="New experiment").click()
    page.get_by_label("Name", exact=True).fill("Two formats in a browser")
    page.get_by_label("n", exact=True).fill("1")
    page.get_by_label("Layers, all if empty").fill("0-mlp")
    page.get_by_label("local model").uncheck()
    page.get_by_label("chat json by scripted").check()
    page.get_by_label("Compare every method with").select_option("original")
    page.get_by_role("button", name="See what it would take").first.click()
    expect(page.get_by_role("heading", name="What it would take")).to_be_visible()
    expect(page.get_by_label("Definition, TOML or JSON")).to_contain_text('methods = ["original", "summary"]')
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Two formats in a browser")).to_be_visible()
    # It is followed live, and when it ends the page is as it would be had it been opened then.
    expect(page.get_by_label("Progress").get_by_text("done", exact=True)).to_be_visible(timeout=90_000)
    expect(page.get_by_label("Progress").get_by_text("4 of 4 units")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("region", name="Units by arm and state").get_by_role("link", name="1").first.click()
    expect(page.get_by_role("heading", name="Units: original, statement, ok")).to_be_visible()
    page.get_by_role("link", name="explanation of").click()
    expect(page.get_by_text("words about").first).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Two formats in a browser").click()
    page.get_by_role("link", name="Report", exact=True).click()
    expect(page.get_by_text("Two formats in a browser").first).to_be_visible()


def test_on_a_phone_nothing_sticks_out(narrow: Page, served: Served) -> None:
    for address in ("/lab", "/experiments", "/experiments/new"):
        narrow.goto(f"{served.url}{address}")
        wide = narrow.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, (address, wide)
