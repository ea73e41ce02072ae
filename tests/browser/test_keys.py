"""Keys: they can be turned off, and they stay away from whoever uses the arrows for something else."""

import pytest
from playwright.sync_api import Page, expect

from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NEURON = "/m/tiny-random/0-mlp/5"
# A key acts by a click on what bears its name, in the same turn: what was clicked is all that would have happened.
CLICKS = """() => {
  window.clicked = [];
  document.addEventListener("click", (event) => {
    const named = event.target.closest("[data-key]");
    if (named) { window.clicked.push(named.dataset.key); event.preventDefault(); }
  }, true);
}"""


def clicked(page: Page) -> list[str]:
    return page.evaluate("window.clicked")  # type: ignore[no-any-return]


def test_single_keys_can_be_turned_off_and_on_again(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    page.keyboard.press("?")
    switch = page.get_by_role("dialog").get_by_label("Single-key shortcuts")
    expect(switch).to_be_checked()
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).not_to_be_checked()
    page.keyboard.press("Escape")
    for _ in range(2):  # at once, and on the next page
        page.evaluate(CLICKS)
        theme = page.evaluate("document.documentElement.dataset.theme")
        for key in ("r", "e", "t", "/", "?", "ArrowRight", "Shift+ArrowDown"):
            page.keyboard.press(key)
        assert clicked(page) == []
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.locator("#q")).not_to_be_focused()
        expect(page.locator("#explain-again select[name=method]")).not_to_be_focused()
        page.reload()
    page.locator("#help-open").click()
    expect(switch).not_to_be_checked()
    switch.check()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


def test_arrows_do_not_leave_a_form_a_summary_or_a_region_that_scrolls(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    page.evaluate(CLICKS)
    page.get_by_text("The exact prompt").click()
    for place in ("Finer choices", "The exact prompt"):
        page.locator("summary", has_text=place).focus()
        page.keyboard.press("ArrowRight")
    page.get_by_role("group", name="Prompt").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Explain and score").focus()
    page.keyboard.press("Shift+ArrowDown")
    assert clicked(page) == []
    page.get_by_role("link", name="Permalink").focus()
    page.keyboard.press("ArrowRight")
    assert clicked(page) == ["ArrowRight"]
