"""A report in a browser: figures come into view, tables grow while the experiment runs, and nothing is out of reach."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from app.store import Store
from tests import stored_experiment
from tests.browser.conftest import filled
from tests.browser.test_pages import AXE, RUN_AXE
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

REPORT = "/experiments/1/report"
PAGES = (
    REPORT,
    f"{REPORT}/figures/layers",
    "/experiments/1/neurons?arm=summary&against_arm=original&metric=correlation",
)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store]]:
    """A server over a store with an experiment that has ended (1) and one under way (2)."""
    data = filled(tmp_path_factory.mktemp("reported") / "data")
    store = Store.open(f"sqlite:///{data}/neuronarium.sqlite")
    assert stored_experiment.filled(store, stored_experiment.definition(2)) == 1
    assert stored_experiment.made(store, stored_experiment.definition(1, seeds=(0,)), "experiment-2") == 2
    stored_experiment.go_on(store, 2, 6)
    with Served(data, worker=False) as server:
        yield server.url, store
    store.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, reported: tuple[str, Store], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in PAGES:
        page.goto(reported[0] + path)
        page.wait_for_load_state("load")
        page.evaluate(AXE.read_text())
        assert page.evaluate(RUN_AXE) == [], path


def test_nothing_reaches_beyond_a_phone_s_screen(page: Page, reported: tuple[str, Store]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PAGES:
        page.goto(reported[0] + path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_a_figure_is_drawn_when_it_comes_into_view_and_its_marks_lead_to_neurons(
    page: Page, reported: tuple[str, Store]
) -> None:
    page.goto(reported[0] + REPORT)
    figure = page.locator("#figure-layers")
    expect(figure.locator("svg.chart")).to_have_count(0)
    figure.scroll_into_view_if_needed()
    marks = figure.locator("svg.chart a")
    expect(marks.first).to_be_visible(timeout=60_000)  # the first chart starts the process that draws
    words = marks.first.locator("[aria-label]").get_attribute("aria-label")
    marks.first.focus()
    expect(page.locator("#tip")).to_have_text(str(words))
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("neuron")
    page.locator("tbody th a").first.click()
    expect(page.locator("h1")).to_be_visible()


def test_tables_grow_while_the_experiment_runs(page: Page, reported: tuple[str, Store]) -> None:
    url, store = reported
    page.goto(f"{url}/experiments/2/report")
    state = page.locator("#report-tables [role=status]")
    expect(state).to_contain_text("running")
    stored_experiment.go_on(store, 2)
    expect(state).to_contain_text("done: 54 of 54 results", timeout=30_000)
    expect(page.locator("#table-scores tbody tr").first).to_be_visible()
    assert page.locator("#report-tables[hx-get]").count() == 0
