"""A researcher's way through the pages: home, a neuron, explain, score, and a crash in the middle."""

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.domain.neurons import NeuronRef
from app.store import Store, explanations, workers
from tests.browser.conftest import filled
from tests.jobs.world import model_answers
from tests.scripted_server import ScriptedServer, held, refusal
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def ask(page: Page) -> None:
    """Choose the scripted model and have it simulate as well."""
    form = page.locator("#explain-again")
    form.get_by_label("Method").select_option("summary")
    form.get_by_label("Score with").select_option("chat_json")
    form.get_by_label("Score on").select_option("heldout-5+5")
    form.get_by_role("button", name="Explain and score").click()


def test_from_home_to_a_scored_explanation_without_a_reload(page: Page, served: Served) -> None:
    page.goto(served.url)
    page.get_by_role("searchbox").or_(page.locator("#hero-q")).first.fill("1:20")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/m/tiny-random/1-mlp/20$"))
    page.evaluate("window.stillHere = true")
    ask(page)
    statement = page.locator("#explanations .statement", has_text="rain and stone bridges")
    expect(statement).to_be_visible(timeout=60_000)
    expect(page.locator("#live")).to_contain_text("Done", timeout=60_000)
    article = page.locator("#explanations article", has_text="rain and stone bridges").first
    expect(article).to_contain_text("scripted")
    expect(
        article.locator(".score b")
    ).to_be_visible()  # the score that was asked for, whatever the page showed before
    assert page.evaluate("window.stillHere") is True

    again = page.locator("#score-again")
    again.locator("select[name=simulator]").select_option("chat_json")
    again.locator("select[name=protocol]").select_option("population")
    again.get_by_role("button", name="Score").click()
    expect(page).to_have_url(re.compile("protocol=population.*job=score-"))
    again_scored = page.locator("#explanations article", has_text="no language model")
    expect(again_scored).to_contain_text("scored by chat json", timeout=60_000)
    expect(again_scored.locator(".score b")).to_be_visible()
    expect(page.locator("#explanations")).to_contain_text("population")
    expect(page.locator("#live")).to_contain_text("Done", timeout=60_000)


def test_the_prompt_and_its_price_are_seen_before_anything_is_sent(
    page: Page, served: Served, scripted: ScriptedServer
) -> None:
    calls = scripted.calls
    page.goto(f"{served.url}/m/tiny-random/1-mlp/3")
    page.locator("#explain-again").get_by_label("Method").select_option("summary")
    page.get_by_text("The exact prompt").click()
    expect(page.locator("#dry .prompt")).to_contain_text("the main thing this neuron does is find")
    assert scripted.calls == calls


def test_a_refusing_model_leaves_a_failure_with_a_way_to_retry(
    page: Page, served: Served, scripted: ScriptedServer
) -> None:
    scripted.default = refusal()
    page.goto(f"{served.url}/m/tiny-random/1-mlp/4")
    ask(page)
    expect(page.locator("#live")).to_contain_text("Failed", timeout=60_000)
    expect(page.locator("#live").get_by_role("button", name="Try again")).to_be_visible()
    scripted.default = model_answers
    page.reload()
    expect(page.locator("#explanations")).to_contain_text("No explanation")


def test_keys_walk_from_neuron_to_neuron_and_the_address_follows(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/m/tiny-random/0-mlp/5?show=random")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"/0-mlp/6\?show=random"))
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"/0-mlp/5\?show=random"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/0-mlp/6\?show=random"))
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("0:7")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/0-mlp/7$"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_token_s_value_is_read_by_pointer_and_by_keyboard(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/m/tiny-random/0-mlp/5")
    excerpt = page.locator(".txt").first
    excerpt.locator("bdi.pk").hover()
    expect(page.locator("#tip")).to_be_visible()
    peak = page.locator(".val").first.inner_text().split()[0]
    expect(page.locator("#tip b")).to_contain_text(peak[:4])
    page.mouse.move(0, 0)
    excerpt.focus()
    page.keyboard.press("Home")
    expect(page.locator("#tip b")).to_contain_text(peak[:4])


def test_without_scripts_everything_can_still_be_asked(browser, served: Served) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.url}/m/tiny-random/1-mlp/9")
    ask(page)
    expect(page).to_have_url(re.compile(r"/1-mlp/9\?.*job=explain-"))
    context.close()


def test_after_a_crash_the_job_ends_with_one_explanation_and_no_answered_call_made_again(
    page: Page, tmp_path: Path
) -> None:
    data = filled(tmp_path / "data")
    ref = NeuronRef("tiny-random", "1-mlp", 11)
    store = Store.open(f"sqlite:///{data}/neuronarium.sqlite")
    with store.session() as session:
        before = {row.id for row in explanations.of_neuron(session, ref)}
    with ScriptedServer(model_answers) as model:
        endpoint = model.endpoint(concurrency=1)
        model.script(model_answers, model_answers)
        model.default = lambda request: held(model_answers(request))
        first = Served(data, [endpoint])
        page.goto(f"{first.url}/m/tiny-random/1-mlp/11")
        ask(page)
        assert model.wait_for_calls(3)  # two are answered, the third is under way
        first.kill()
        with store.session() as session:
            for worker in workers.alive(session):
                kill(worker.pid)
        model.default = model_answers
        model.release()
        with Served(data, [endpoint]) as second:
            page.goto(f"{second.url}/m/tiny-random/1-mlp/11")
            statement = page.locator("#explanations .statement", has_text="rain and stone bridges")
            expect(statement).to_be_visible(timeout=60_000)
            page.goto(f"{second.url}/jobs")
            expect(page.locator("main")).to_contain_text("Ended", timeout=60_000)
            page.get_by_role("link", name=re.compile("Explain tiny-random")).first.click()
            expect(page.locator("main")).to_contain_text("Done", timeout=60_000)
        bodies = [str(request.body) for request in model.requests]
    with store.session() as session:
        made = [row for row in explanations.of_neuron(session, ref) if row.id not in before]
    store.close()
    assert len(made) == 1
    assert len(bodies) - len(set(bodies)) == 1  # the call that was under way, and no other


def kill(pid: int) -> None:
    """End a worker that outlived its server for a moment."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
