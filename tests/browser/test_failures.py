"""A request that fails in the middle of a page: what is there stays, and one sentence says what happened."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from app.store import Store
from tests.browser.conftest import Idle, filled
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NEURON = "/m/tiny-random/0-mlp/5"
NOTHING = "The server did not answer; nothing was changed. Try again."


def test_a_tab_that_nobody_answers_leaves_the_page_as_it_is(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    shown = page.locator("#exemplars .rec").count()
    page.route("**/*show=random*", lambda route: route.abort())
    page.get_by_role("link", name="Random", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text(NOTHING)
    assert page.url == served.url + NEURON
    assert page.locator("#exemplars .rec").count() == shown
    page.unroute("**/*show=random*")
    page.get_by_role("link", name="Random", exact=True).click()
    expect(page).to_have_url(re.compile("show=random"))
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<div class="state failed" role="alert"><b>Busy.</b> The store is locked.</div>', "Busy. The store is locked."),
        ("<html><body>Bad gateway</body></html>", "The server answered with error 503; nothing was changed. Try again."),
    ],
)  # fmt: skip
def test_an_error_s_own_words_are_shown_beside_what_stays(
    page: Page, served: Served, body: str, words: str
) -> None:
    page.goto(served.url + NEURON)

    def fail(route: Route) -> None:
        route.fulfill(status=503, content_type="text/html", body=body)

    page.route("**/*show=random*", fail)
    page.get_by_role("link", name="Random", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text(words)
    expect(page.locator("#exemplars .rec").first).to_be_visible()
    assert page.url == served.url + NEURON


def test_a_question_that_is_not_answered_says_so(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    page.route("**/explain", lambda route: route.abort())
    page.get_by_role("button", name="Explain and score").click()
    said = page.locator("#live").get_by_role("alert")
    # The question may have arrived and only its answer be lost: nobody is told that nothing has happened.
    expect(said).to_have_text(
        "The server did not answer. Look at the jobs page whether it has begun; if not, try again."
    )
    expect(said).to_be_in_viewport()


def test_a_dry_run_that_is_not_answered_says_so(page: Page, served: Served) -> None:
    page.goto(served.url + NEURON)
    expect(page.locator("#dry .price").first).to_be_visible()
    page.route("**/preview*", lambda route: route.abort())
    page.get_by_label("Method").select_option("original")
    expect(page.locator("#dry").get_by_role("alert")).to_have_text(NOTHING)
    expect(page.locator("#dry .price")).to_have_count(0)  # it was that of another method


HTMX_HAS_BEGUN = """() => new Promise((done) => {
  const look = () => (window.htmx ? setTimeout(() => setTimeout(done)) : requestAnimationFrame(look));
  look();
})"""


def test_a_job_is_followed_though_a_script_comes_late(page: Page, idle: Idle) -> None:
    job = idle.begin()
    late: list[Route] = []
    page.route("**/hx-sse.min.js*", lambda route: late.append(route))
    page.goto(f"{idle.url}{NEURON}?job={job}", wait_until="commit")
    page.evaluate(HTMX_HAS_BEGUN)
    for route in late:
        route.continue_()
    idle.move(job, 6)
    expect(page.locator("#live")).to_contain_text("6 of 10")


def test_a_stream_that_never_begins_says_so(page: Page, idle: Idle) -> None:
    job = idle.begin()
    page.route("**/live/*", lambda route: route.abort())
    page.goto(f"{idle.url}{NEURON}?job={job}")
    expect(page.locator("#live").get_by_role("alert")).to_contain_text("reload the page")


def test_a_stream_that_breaks_off_says_so_until_it_is_back(page: Page, tmp_path: Path) -> None:
    data = filled(tmp_path / "data")
    store = Store.open(f"sqlite:///{data}/neuronarium.sqlite")
    with closing(store), Served(data, worker=False) as server:
        job = Idle(server.url, store).begin()
        with page.expect_response("**/live/*"):
            page.goto(f"{server.url}{NEURON}?job={job}")
        server.kill()
        live = page.locator("#live")
        expect(live.get_by_role("alert")).to_contain_text("The connection was lost")
        expect(live.locator("progress")).to_be_visible()
        body = "data: <p>followed again</p>\n\nevent: close\ndata: end\n\n"
        page.route("**/live/*", lambda route: route.fulfill(content_type="text/event-stream", body=body))
        expect(live).to_contain_text("followed again")
        expect(live.get_by_role("alert")).to_have_count(0)


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that wants a login."""
    data = filled(tmp_path_factory.mktemp("walled") / "data")
    with Served(data, worker=False, password="correct horse") as server:
        yield server


@pytest.mark.parametrize("what", ["tab", "question"])
def test_a_login_that_has_expired_leads_to_the_login_page_and_back(
    page: Page, walled: Served, what: str
) -> None:
    page.goto(f"{walled.url}{NEURON}?scale=own")
    page.get_by_label("Name").fill("neuronarium")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#dry .price").first).to_be_visible()
    page.context.clear_cookies()
    if what == "tab":
        page.get_by_role("link", name="Random", exact=True).click()
    else:
        page.get_by_role("button", name="Explain and score").click()
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fm%2Ftiny-random%2F0-mlp%2F5%3Fscale%3Down"))
    expect(page.get_by_label("Password")).to_be_visible()
