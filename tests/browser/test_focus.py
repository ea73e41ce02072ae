"""Keyboard focus stays where it is when a part of a page is replaced, and a press of the mouse is not lost."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Idle
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NEURON = "/m/tiny-random/0-mlp/5"
FOLLOWED = {"jobs": "/jobs", "home": "/", "job": "/jobs/{job}", "neuron": NEURON + "?job={job}"}


def cancel_of(page: Page, job: str) -> Locator:
    return page.locator(f"form[action$='/jobs/{job}/cancel'] button")


@pytest.mark.parametrize("name", FOLLOWED)
def test_an_event_leaves_the_focus_on_cancel(page: Page, idle: Idle, name: str) -> None:
    job = idle.begin()
    page.goto(idle.url + FOLLOWED[name].format(job=job))
    cancel = cancel_of(page, job)
    cancel.focus()
    for done in (3, 4):
        idle.move(job, done)
        expect(page.locator("main")).to_contain_text(f"{done} of 10")
        expect(cancel).to_be_focused()


def test_a_press_that_spans_an_event_still_cancels(page: Page, idle: Idle) -> None:
    job = idle.begin()
    page.goto(f"{idle.url}{NEURON}?job={job}")
    cancel_of(page, job).hover()
    page.mouse.down()
    idle.move(job, 7)
    expect(page.locator("#live")).to_contain_text("7 of 10")
    page.mouse.up()
    expect(page.locator("#live")).to_contain_text("Cancelled")


def test_when_cancel_has_gone_the_focus_is_still_in_the_panel(page: Page, idle: Idle) -> None:
    job = idle.begin()
    page.goto(f"{idle.url}{NEURON}?job={job}")
    cancel_of(page, job).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_contain_text("Cancelled")
    expect(page.locator("#live section")).to_be_focused()


def test_the_end_of_one_job_leaves_the_focus_on_another_that_is_still_followed(
    page: Page, idle: Idle
) -> None:
    first, second = idle.begin(), idle.begin()
    page.goto(f"{idle.url}/jobs")
    cancel = cancel_of(page, second)
    cancel.focus()
    idle.end(first)
    expect(page.get_by_role("button", name=f"Retry Explain by hand {first}")).to_be_visible()
    expect(cancel).to_be_focused()
    idle.move(second, 8)
    expect(page.locator("main")).to_contain_text("8 of 10")
    expect(cancel).to_be_focused()


@pytest.mark.parametrize("label", ["Random", "±8", "own scale"])
def test_a_tab_that_is_chosen_keeps_the_focus(page: Page, served: Served, label: str) -> None:
    page.goto(served.url + NEURON)
    link = page.locator("#exemplars .bar").get_by_role("link", name=label)
    link.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?(show=random|context=8|scale=own)"))
    expect(link).to_have_attribute("aria-current", "true")
    expect(link).to_be_focused()
