"""Every page, light and dark, wide and on a phone: accessible, within the screen, free of what tokens hold."""

import pytest
from playwright.sync_api import Page, expect

from app.settings import Settings
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MODEL = "/m/tiny-random"
NEURON = f"{MODEL}/0-mlp/0"
PAGES = {
    "home": "/",
    "model": MODEL,
    "layer": f"{MODEL}/0-mlp?sort=score&order=down",
    "neuron": NEURON,
    "neuron-signs": f"{NEURON}?show=signs",
    "neuron-quantiles": f"{NEURON}?show=quantiles&scale=own&context=whole",
    "compare": "/compare?n=tiny-random/1-mlp/3&n=1:12&n=1:20&n=1:25",
    "compare-one": "/compare?n=tiny-random/1-mlp/3",
    "compare-explanations": "/compare?explanations=65&explanations=66",
    "similar": f"{NEURON}/similar",
    "lists": "/lists",
    "search": "/search?q=words",
    "search-token": "/search?token=koba&sort=gain",
    "search-nothing": "/search?q=nothing+koba&layers=0",
    "search-refused": "/search?q=-words",
    "trust": "/trust",
    "explanation": "/explanations/1",
    "jobs": "/jobs",
    "api": "/api",
    "help": "/help",
    "unknown": "/m/no-such-model",
}
AXE = Settings().npm_dir / "axe-core" / "axe.min.js"
RUN_AXE = """async () => {
  const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
  return violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.failureSummary).join(" | ")}`);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(page: Page, served: Served, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(served.url + PAGES[name])
    page.wait_for_load_state("networkidle") if name != "jobs" else page.wait_for_load_state("load")
    # Our policy forbids scripts from elsewhere; the debugger may put one in all the same.
    page.evaluate(AXE.read_text())
    assert page.evaluate(RUN_AXE) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_reaches_beyond_a_phone_s_screen(page: Page, served: Served, name: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served.url + PAGES[name])
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("width", [360, 375, 390])
def test_the_frame_s_links_share_one_line_on_a_phone(page: Page, served: Served, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(served.url + NEURON)
    boxes = [page.locator(place).bounding_box() for place in (".brand", "#help-open")]
    middles = [box["y"] + box["height"] / 2 for box in boxes if box]
    assert abs(middles[0] - middles[1]) < 4


@pytest.mark.parametrize("name", PAGES)
def test_no_page_asks_anyone_but_this_server(page: Page, served: Served, name: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.url + PAGES[name])
    page.wait_for_load_state("load")
    assert asked
    assert [url for url in asked if not url.startswith((served.url, "data:"))] == []


def test_what_a_chart_s_box_says_is_shown_on_hover_and_on_focus(page: Page, served: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 844})  # the chart is wider and is scrolled to the box
    page.goto(served.url + MODEL)
    tip, boxes = page.locator("#tip"), page.locator("svg.chart a")
    first, last = boxes.first, boxes.last
    words = first.locator("[aria-label]").get_attribute("aria-label")
    first.hover()
    expect(tip).to_have_text(str(words))
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    last.focus()
    expect(tip).to_have_text(str(last.locator("[aria-label]").get_attribute("aria-label")))
    shown, box = tip.bounding_box(), last.bounding_box()
    assert shown is not None and box is not None
    assert shown["x"] >= 0 and shown["x"] + shown["width"] <= 390
    assert shown["x"] - 10 <= box["x"] <= shown["x"] + shown["width"]
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    first.focus()
    expect(tip).to_be_visible()
    first.blur()
    expect(tip).to_be_hidden()


def test_the_tip_of_a_token_is_left_alone_by_that_of_charts(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    token = page.locator(".txt bdi").nth(3)
    token.hover()
    expect(page.locator("#tip b")).to_be_visible()
    page.locator(".txt").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tip b")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()


def test_hostile_tokens_are_text(page: Page, served: Served) -> None:
    """The small store's vocabulary holds scripts and images with handlers: they are shown and do nothing."""
    page.on("dialog", lambda dialog: pytest.fail(f"a token opened a dialog: {dialog.message}"))
    shown = False
    for index in range(8):
        page.goto(f"{served.url}{MODEL}/0-mlp/{index}?show=all&context=whole")
        assert page.locator(".txt script, .txt img, .toks script, .toks img").count() == 0
        shown = shown or page.get_by_text("<script>alert(1)</script>").count() > 0
    assert shown


def test_similar_neurons_come_when_their_place_is_reached(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    expect(page.locator("#similar .alike")).to_have_count(0)
    page.locator("#similar").scroll_into_view_if_needed()
    expect(page.locator("#similar .alike").first).to_be_visible()
    page.locator("#similar .alike a.link").first.click()
    expect(page.locator(".columns .neuron")).to_have_count(2)
    page.get_by_label("Another neuron").fill("1:9")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".columns .neuron")).to_have_count(3)
    page.get_by_role("link", name="remove 1:9").click()
    expect(page.locator(".columns .neuron")).to_have_count(2)
