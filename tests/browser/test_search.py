"""Search, narrow, keep, look at what was kept: a real browser on a real server."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_lists import AXE, RUN_AXE
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_from_words_by_filters_to_a_list_and_back(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/m/tiny-random")
    bar = page.locator("svg.chart a[href*='best=1']").last
    counted = re.search(
        r"([0-9,]+) neuron", bar.locator("[aria-label]").first.get_attribute("aria-label") or ""
    )
    assert counted
    bar.click()
    expect(page.locator(".summed b")).to_have_text(re.compile(f"^{counted[1]} neuron"))
    page.goto(f"{served.url}/m/tiny-random")
    page.get_by_role("link", name="token lookup").click()
    expect(page.locator(".summed b")).to_have_text("64 neurons")

    page.evaluate("window.stillHere = true")
    page.locator(".filters summary").click()
    page.get_by_label("Layers").fill("1")
    page.get_by_label("Lowest score").fill("0.8")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".summed b")).not_to_have_text("64 neurons")
    assert page.evaluate("window.stillHere") is True  # a part of the page, not the page
    expect(page).to_have_url(re.compile("layers=1"))
    total = int((page.locator(".summed b").text_content() or "").split()[0])
    places = page.locator("#results .at").all_text_contents()
    assert 0 < total < 64 and all(place.startswith("1:") for place in places)
    with page.expect_download() as download:
        page.get_by_role("link", name="neurons of all found neurons as csv").click()
    assert len(download.value.path().read_text().splitlines()) == 1 + total

    keep = page.locator("form.keep")
    keep.get_by_label("Name of the new list").fill("Well explained")
    keep.get_by_label("Name of the new list").press("Enter")
    expect(page.get_by_role("heading", name="Well explained")).to_be_visible()
    expect(page.locator(".kept-items .at")).to_have_count(total)
    assert page.locator(".kept-items .at").all_text_contents()[: len(places)] == places
    page.get_by_role("link", name="Search within this list").click()
    expect(page.locator(".within")).to_contain_text("Well explained")
    expect(page.locator(".summed b")).to_have_text(re.compile(f"^{total} neuron"))
    page.evaluate(AXE.read_text())
    assert page.evaluate(RUN_AXE) == []


@pytest.mark.parametrize("width", [360, 390])
def test_head_and_results_fit_a_phone(page: Page, served: Served, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/search", "/search?q=words&mode=both", "/m/tiny-random", "/lists", "/api"):
        page.goto(f"{served.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        head = "(head => head.scrollWidth - head.clientWidth)(document.querySelector('header.top'))"
        assert page.evaluate(head) <= 0, path


def test_the_model_page_is_accessible(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/m/tiny-random")
    page.evaluate(AXE.read_text())
    assert page.evaluate(RUN_AXE) == []


def test_ticked_neurons_are_compared_by_keyboard(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/search?layers=0")
    boxes, said = page.locator(".pick input"), page.locator(".ticked [role=status]")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    expect(said).to_have_text("1 ticked: tick another one")
    page.keyboard.press("Enter")
    expect(said).to_have_class(re.compile("wrong"))
    assert "/compare" not in page.url
    for i in range(1, 7):
        boxes.nth(i).check()
    expect(said).to_have_text("7 ticked: six are the most, leave some out")
    page.evaluate(AXE.read_text())
    assert page.evaluate(RUN_AXE) == []
    for i in range(2, 7):
        boxes.nth(i).uncheck()
    places = page.locator("#results .at").all_text_contents()[:2]

    page.get_by_label("Layers").first.evaluate("field => field.closest('details').open = true")
    page.get_by_label("Layers").fill("1")  # another search: what was ticked is not there any more
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#results .at").first).to_have_text(re.compile("^1:"))
    expect(page.locator(".pick :checked")).to_have_count(0)
    expect(said).to_have_text("Tick two to six neurons to see them side by side.")
    page.go_back()
    expect(page.locator("#results .at").first).to_have_text(re.compile("^0:"))
    for i in range(2):
        boxes.nth(i).check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".neuron h2 a")).to_have_count(2)
    assert [
        text.removeprefix("Neuron ") for text in page.locator(".neuron h2 a").all_text_contents()
    ] == places
