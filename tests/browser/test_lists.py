"""Keeping neurons in a browser: a list is made, filled, annotated, downloaded and shared."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import filled
from tests.browser.test_pages import AXE, RUN_AXE
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NEURON = "/m/tiny-random/0-mlp"


def log_in(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_label("Name").fill("neuronarium")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_a_list_from_the_first_neuron_to_a_link_that_anybody_can_open(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    with Served(filled(tmp_path / "data"), worker=False, password="correct horse") as served:
        log_in(page, served.url)
        page.get_by_role("link", name="Lists").click()
        page.get_by_label("Name", exact=True).fill("Worth a look")
        page.get_by_role("button", name="Make the list").click()
        expect(page.get_by_role("heading", name="Worth a look")).to_be_visible()
        for index in (5, 6):
            page.goto(f"{served.url}{NEURON}/{index}")
            page.evaluate("window.stillHere = true")
            form = page.locator("#add-to-list")
            form.get_by_label("Add to a list").select_option("worth-a-look")
            form.get_by_role("button", name="Add to list").click()
            expect(page.locator("#kept .inside")).to_contain_text("Worth a look")
            assert page.evaluate("window.stillHere") is True
        page.locator("#kept .inside a").click()
        places = page.locator(".kept-items .at")
        expect(places).to_have_text(["0:5", "0:6"])

        page.evaluate("window.stillHere = true")
        page.locator(".kept-items summary").first.focus()
        page.keyboard.press("Enter")
        note = page.locator("details[open] textarea")
        note.fill("the first\nof two")
        page.locator("details[open]").get_by_role("button", name="Keep the note").click()
        expect(page.locator(".note-text")).to_have_text("the first\nof two")
        page.get_by_role("button", name="Move 0:6 up").focus()
        page.keyboard.press("Enter")
        expect(places).to_have_text(["0:6", "0:5"])
        expect(page.get_by_role("button", name="Move 0:6 up")).to_be_focused()
        assert page.evaluate("window.stillHere") is True

        places.first.click()  # a neuron's page, not a part of this one
        expect(page.locator("h1")).to_have_text(re.compile("0:6"))
        page.go_back()
        expect(places).to_have_text(["0:6", "0:5"])

        with page.expect_download() as download:
            page.get_by_role("link", name="CSV", exact=True).click()
        assert download.value.suggested_filename == "worth-a-look.csv"
        lines = download.value.path().read_text().splitlines()
        assert [line.split(",")[2] for line in lines[1:3]] == ["6", "5"] and '"the first' in lines[2]

        page.get_by_role("button", name="Make a link").click()
        link = page.get_by_label("Link").input_value()
        stranger = browser.new_context().new_page()
        stranger.goto(link)
        expect(stranger.locator(".kept-items .at")).to_have_text(["0:6", "0:5"])
        expect(stranger.locator(".note-text")).to_have_text("the first\nof two")
        assert stranger.locator("main form").count() == 0
        stranger.locator(".kept-items .at").first.click()
        expect(stranger).to_have_url(re.compile("/login"))
        page.get_by_role("button", name="Withdraw the link").click()
        expect(page.get_by_role("button", name="Make a link")).to_be_visible()
        stranger.goto(link)
        expect(stranger.locator("main")).to_contain_text("no longer shared")
        stranger.context.close()


def test_bookmark_comment_and_an_explanation_of_one_s_own(page: Page, served: Served) -> None:
    page.goto(f"{served.url}{NEURON}/8")
    star = page.get_by_role("button", name="Bookmark")
    expect(star).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("b")
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#star [role=status]")).to_have_text("Bookmarked")
    page.evaluate("window.stillHere = true")
    comment = page.locator("#comment textarea")
    comment.fill("compare with <b>0:9</b>")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "false")
    expect(comment).to_have_value("compare with <b>0:9</b>")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".comments")).to_contain_text("compare with <b>0:9</b>")
    expect(comment).to_have_value("")
    page.locator("#say textarea").fill("words a person chose")
    page.get_by_role("button", name="Store it").click()
    expect(page.locator("#explanations .statement", has_text="words a person chose")).to_be_visible()
    expect(page.locator("#scorable option", has_text="words a person chose")).to_have_count(1)
    expect(page.locator("#say [role=status]")).to_contain_text("Stored")
    page.get_by_role("button", name="withdraw").click()
    expect(page.locator(".comments")).to_contain_text("Withdrawn")
    assert page.evaluate("window.stillHere") is True
    page.goto(f"{served.url}/bookmarks")
    expect(page.locator(".kept-items .at")).to_have_text(["0:8"])


def test_a_refusal_is_said_where_its_answer_would_have_been(page: Page, served: Served) -> None:
    page.goto(f"{served.url}{NEURON}/9")
    for _ in range(2):
        box = page.locator("#add-to-list")
        box.locator("input[name=name]").fill("twice")
        if box.locator("select").count():
            box.locator("select").select_option("")
        box.get_by_role("button", name="Add to list").click()
        expect(page.locator("#kept .inside").or_(page.locator("#kept .notice")).first).to_be_visible()
    expect(page.locator("#kept > .notice")).to_contain_text("already")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lists_are_accessible_and_fit_a_phone(page: Page, served: Served, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{served.url}/lists")
    page.get_by_label("Name", exact=True).fill(f"for axe, {scheme}")
    page.get_by_role("button", name="Make the list").click()
    page.locator("#add input[name=q]").fill("0:3")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".kept-items .at")).to_have_text(["0:3"])
    here = page.url.partition("?")[0]
    for address in (here, f"{served.url}/lists", f"{served.url}/bookmarks", f"{served.url}{NEURON}/3/kept"):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(address)
        page.evaluate(AXE.read_text())
        assert page.evaluate(RUN_AXE) == []
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
