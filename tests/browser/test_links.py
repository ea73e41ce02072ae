"""After a part of the neuron page was replaced, all its links lead on from what is shown."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_flow import ask
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PLAIN = "/m/tiny-random/0-mlp/5"
EXPLAINED = "/m/tiny-random/1-mlp/3"


def query(link: Locator) -> dict[str, str]:
    """What a link's query string holds."""
    found = parse_qs(urlsplit(link.get_attribute("href") or "").query)
    return {name: values[0] for name, values in found.items()}


def bar(page: Page, name: str) -> Locator:
    return page.locator("#exemplars .bar").get_by_role("link", name=name)


def test_every_link_follows_a_switch(page: Page, served: Served) -> None:
    page.goto(f"{served.url}{EXPLAINED}?protocol=population")
    for label, part in (("Random", "show=random"), ("own scale", "scale=own"), ("±8", "context=8")):
        bar(page, label).click()
        expect(page).to_have_url(re.compile(part))
    seen = {"show": "random", "scale": "own", "context": "8"}
    protocol = page.locator("#explanations h2 a", has_text="heldout-full")
    expect(protocol).to_have_attribute("href", re.compile("show=random"))
    assert query(protocol) == seen
    compared = query(page.get_by_role("link", name="compare").first)
    assert compared["scale"] == "own"
    assert compared["context"] == "8"
    assert query(page.get_by_role("link", name="Permalink")) == {**seen, "protocol": "population"}
    random = page.locator("#steps").get_by_role("link", name="random")
    assert query(random) == {**seen, "protocol": "population"}
    random.click()
    expect(page).to_have_url(
        re.compile(r"/\d+-mlp/\d+\?show=random&scale=own&context=8&protocol=population$")
    )


def test_an_excerpt_s_values_are_looked_at_in_the_same_way(page: Page, served: Served) -> None:
    page.goto(f"{served.url}{PLAIN}?show=random&scale=own&breaks=1")
    page.locator("#exemplars .src a").first.click()
    expect(page).to_have_url(re.compile("show=values"))
    expect(bar(page, "own scale")).to_have_attribute("aria-current", "true")
    expect(bar(page, "line breaks")).to_have_attribute("aria-current", "true")


def test_a_new_explanation_reaches_every_part_of_the_page(page: Page, served: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{served.url}/m/tiny-random/1-mlp/21")
    ask(page)
    bar(page, "Random").click()
    expect(page).to_have_url(re.compile("show=random"))
    expect(page.locator("#live")).to_contain_text("Done", timeout=60_000)
    said = "rain and stone bridges"
    expect(page.locator("#explanations")).to_contain_text(said)
    added = page.locator("#explanations article", has_text=said).get_attribute("id") or ""
    expect(page.locator(f"#score-again option[value='{added.removeprefix('explanation-')}']")).to_have_count(
        1
    )
    best = page.locator("#explanations .statement").first.inner_text()
    expect(page.locator(".lead-said")).to_contain_text(best)
    # The scores that were asked for are shown, and the links and the address say so.
    expect(page.locator("#explanations h2 a[aria-current]")).to_have_text("heldout-5+5")
    expect(page).to_have_url(re.compile("show=random&protocol=heldout-5"))
    assert query(bar(page, "Quantiles"))["protocol"] == "heldout-5+5"
    assert query(page.get_by_role("link", name="Permalink")) == {"show": "random", "protocol": "heldout-5+5"}


def test_a_comparison_counts_pairs(page: Page, served: Served) -> None:
    page.goto(served.url + EXPLAINED)
    page.get_by_role("link", name="compare").first.click()
    expect(page).to_have_url(re.compile("show=compare"))
    names = [e.get_attribute("aria-label") or "" for e in page.locator("#exemplars .txt").all()]
    numbers = [re.findall(r"Excerpt (\d+), (\w+)", name)[0] for name in names]
    pairs = len(numbers) // 2
    assert pairs > 1
    assert numbers == [(str(n + 1), who) for n in range(pairs) for who in ("actual", "simulated")]
