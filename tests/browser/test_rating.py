"""A study like LEE's in Chromium, as three raters: on a desk by pointer, on a phone by touch, and by keyboard alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.studies import StudyArm, Task
from app.domain.study_items import ItemKind
from app.domain.study_replies import Given, ReplyKind
from app.settings import Settings
from app.store import Store, studies, study_answers, study_raters
from app.store.study_rows import RaterState, StudyRow
from app.web import rating_links as links
from tests.browser.conftest import filled
from tests.browser.test_pages import AXE, RUN_AXE
from tests.served import Served
from tests.web import rating_world as w

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@dataclass(frozen=True)
class World:
    """A server, and what is in its store."""

    url: str
    store: Store
    settings: Settings

    def study(self, **changes: object) -> StudyRow:
        return w.opened(self.store, **changes)  # type: ignore[arg-type]

    def link(self, study: StudyRow) -> str:
        return self.url + links.open_link(self.settings, study)

    def given(self, study: StudyRow, rater: int = 1) -> list[Given]:
        """What a rater said of each item of the study, in order."""
        with self.store.session() as s:
            row = study_raters.by_number(s, study.id, rater)
            real = [p for p in study_raters.places(s, row.id) if not p.practice]
            return [study_answers.given(s, p.id) for p in real]

    def answers(self, study: StudyRow) -> int:
        with self.store.session() as s:
            return study_answers.count(s, study.id)

    def states(self, study: StudyRow) -> list[RaterState]:
        with self.store.session() as s:
            return [each.state for each in study_raters.of_study(s, study.id)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = filled(tmp_path_factory.mktemp("rating") / "data")
    store = Store.open(f"sqlite:///{data}/neuronarium.sqlite")
    with Served(data, worker=False) as server:
        yield World(server.url, store, Settings(data_dir=data))
    store.close()


def begin(page: Page, world: World, study: StudyRow) -> None:
    page.goto(world.link(study))
    page.get_by_role("button", name="I agree: begin").click()
    expect(page.locator("h1")).to_have_text("Practice 1/1")


def legends(page: Page) -> list[str]:
    """The descriptions on the page, in order."""
    return page.locator("fieldset q").all_inner_texts()


def right(page: Page) -> int:
    """Which of the practice's descriptions fits, from 1."""
    return next(i for i, text in enumerate(legends(page), 1) if text.strip("“”") in w.TRUTHS)


def next_item(page: Page, heading: str) -> None:
    page.get_by_role("button", name=re.compile("Next|Finish")).click()
    expect(page.locator("h1")).to_have_text(heading)


def axe(page: Page) -> None:
    page.evaluate(AXE.read_text())
    assert page.evaluate(RUN_AXE) == []


def in_both(page: Page) -> None:
    """Accessible in light and in dark."""
    page.evaluate(AXE.read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert page.evaluate(RUN_AXE) == [], scheme


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def rate(page: Page, values: list[int], best: int) -> None:
    """By pointer or finger; every answer is seen to be saved."""
    for i, value in enumerate(values, 1):
        page.locator(f"label.opt:has([name=rate-{i}][value='{value}'])").click()
    page.locator(f"label.opt:has([name=best][value='{best}'])").click()
    expect(page.locator("#saved")).to_have_text("Saved")


def practise(page: Page, heading: str = "1/3") -> None:
    fitting = right(page)
    rate(page, [5 if i == fitting else 1 for i in (1, 2, 3)], fitting)
    next_item(page, heading)


def test_on_a_desk_by_pointer_with_a_wrong_practice_a_reload_and_the_way_back(
    page: Page, world: World
) -> None:
    study = world.study()
    begin(page, world, study)
    rate(page, [3, 3, 3], 1)
    next_item(page, "Not quite: look at it once more")
    axe(page)
    page.get_by_role("link", name="Try again").click()
    practise(page)
    n = len(legends(page))
    token = page.locator(".txt bdi.pk").first
    token.hover()
    expect(page.locator("#tip b")).to_have_text(re.compile(r"[+−]\d"))
    page.locator("label.opt:has([name=rate-2][value='4'])").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    page.reload()
    expect(page.locator("[name=rate-2][value='4']")).to_be_checked()
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#lacking")).to_have_text(
        f"Still to be answered: {n - 1} of the ratings; which description fits best."
    )
    expect(page.locator("[name=rate-1]").first).to_be_focused()
    rate(page, [5] * n, 2)
    button = page.get_by_role("button", name="Next")
    button.dblclick()
    expect(page.locator("h1")).to_have_text("2/3")
    before = world.answers(study)
    page.go_back()
    expect(page.locator("h1")).to_have_text("1/3")
    expect(page.locator("[name=rate-2][value='5']")).to_be_checked()
    expect(page.locator("[name=best][value='2']")).to_be_checked()
    next_item(page, "2/3")
    assert world.answers(study) == before
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("h1")).to_have_text("1/3")
    next_item(page, "2/3")
    rate(page, [1] * len(legends(page)), 1)
    next_item(page, "3/3")
    rate(page, [2] * len(legends(page)), 1)
    next_item(page, "Thank you")
    expect(page.locator(".code")).to_have_text("DONE42")
    assert world.states(study) == [RaterState.DONE]
    first = world.given(study)[0]
    assert [value for (kind, _), value in first.items() if kind is ReplyKind.RATE] == ["5"] * n


def test_on_a_phone_by_touch(browser: Browser, world: World) -> None:
    study = world.study()
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(world.link(study))
    fits(page)
    page.get_by_role("button", name="I agree: begin").tap()
    expect(page.locator("h1")).to_have_text("Practice 1/1")
    fits(page)
    fitting = right(page)
    for number, heading in enumerate(["1/3", "2/3", "3/3", "Thank you"]):
        for i in range(1, len(page.locator("fieldset:has([name^=rate])").all()) + 1):
            value = 5 if number == 0 and i == fitting else 2
            option = page.locator(f"label.opt:has([name=rate-{i}][value='{value}'])")
            box = option.bounding_box()
            assert box is not None and box["height"] >= 44 and box["width"] >= 44
            option.tap()
        page.locator(f"label.opt:has([name=best][value='{fitting if number == 0 else 1}'])").tap()
        page.get_by_role("button", name=re.compile("Next|Finish")).tap()
        expect(page.locator("h1")).to_have_text(heading)
        fits(page)
    assert world.states(study) == [RaterState.DONE] and not problems
    assert all(len(given) in (5, 6) for given in world.given(study))
    context.close()


def test_by_keyboard_alone(page: Page, world: World) -> None:
    study = world.study()
    page.goto(world.link(study))
    keys = page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(60):
            keys.press("Tab")
            if name in page.evaluate("(document.activeElement.textContent || '').trim()"):
                return
        raise AssertionError(f"“{name}” is not reached")

    tab_to("I agree: begin")
    keys.press("Enter")
    expect(page.locator("h1")).to_have_text("Practice 1/1")
    keys.press("Tab")  # past the texts
    expect(page.get_by_role("link", name="To the questions")).to_be_focused()
    fitting = right(page)
    for i in (1, 2, 3):
        keys.press("5" if i == fitting else "1")
    expect(page.locator("[name=best]").first).to_be_focused()
    keys.press(str(fitting))
    expect(page.get_by_role("button", name="Next")).to_be_focused()
    keys.press("Enter")
    for number in (1, 2, 3):
        expect(page.locator("h1")).to_have_text(f"{number}/3")
        n = len(legends(page))
        keys.press("3")  # without a focus: the first that is not rated
        keys.press("4")
        keys.press("ArrowUp")
        keys.press("ArrowUp")
        expect(page.locator("[name=rate-1][value='3']")).to_be_focused()
        keys.press("ArrowRight")  # as radio buttons do
        expect(page.locator("[name=rate-1][value='4']")).to_be_checked()
        keys.press("ArrowDown")
        keys.press("ArrowDown")
        for _ in range(n - 2):
            keys.press("2")
        keys.press("1")
        expect(page.locator("#saved")).to_have_text("Saved")
        expect(page.get_by_role("button", name=re.compile("Next|Finish"))).to_be_focused()
        keys.press("Enter")
    expect(page.locator("h1")).to_have_text("Thank you")
    assert world.states(study) == [RaterState.DONE]
    with world.store.session() as s:
        main = [item for item in studies.items(s, study.id) if item.kind is ItemKind.MAIN]
    for given in world.given(study):
        said = [value for (kind, _), value in given.items() if kind is ReplyKind.RATE]
        assert said == ["4", "4", *["2"] * (len(said) - 2)] and len(said) in {len(i.texts) for i in main}


def test_a_value_is_read_by_keyboard_and_keys_can_be_turned_off(page: Page, world: World) -> None:
    begin(page, world, world.study())
    page.locator(".txt").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#said")).to_have_text(re.compile(r"[+−]?\d"))
    page.keyboard.press("3")  # within a text digits answer nothing
    assert page.locator("#questions [type=radio]:checked").count() == 0
    page.locator("#shortcuts").uncheck()
    page.locator("h1").click()
    page.keyboard.press("3")
    assert page.locator("#questions [type=radio]:checked").count() == 0


def test_without_a_connection_answers_wait_and_are_saved(page: Page, world: World) -> None:
    study = world.study()
    begin(page, world, study)
    practise(page)
    page.context.set_offline(True)
    page.locator("label.opt:has([name=rate-1][value='4'])").click()
    page.locator("label.opt:has([name=rate-2][value='1'])").click()
    expect(page.locator("#saved")).to_have_text("Not saved yet: no connection. Trying again …")
    page.get_by_role("button", name="Next").click()
    assert world.given(study)[0] == {}
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)  # asks, and is told to stay
    page.wait_for_timeout(100)
    assert asked == ["beforeunload"] and not page.is_closed()
    page.context.set_offline(False)
    expect(page.locator("#lacking")).to_contain_text("Still to be answered")  # the button was not forgotten
    expect(page.locator("#saved")).to_have_text("Saved")
    assert sorted(world.given(study)[0].values()) == ["1", "4"]


def test_what_was_not_sent_outlasts_a_reload(page: Page, world: World) -> None:
    study = world.study()
    begin(page, world, study)
    practise(page)
    page.route(
        "**/rate/*/1", lambda route: route.abort() if route.request.method == "POST" else route.continue_()
    )
    page.locator("label.opt:has([name=rate-1][value='5'])").click()
    expect(page.locator("#saved")).to_have_text("Not saved yet: no connection. Trying again …")
    page.on("dialog", lambda dialog: dialog.accept())
    page.unroute("**/rate/*/1")
    page.reload()
    expect(page.locator("[name=rate-1][value='5']")).to_be_checked()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert list(world.given(study)[0].values()) == ["5"]
    assert page.evaluate("sessionStorage.length") == 0


def test_two_tabs_do_not_overwrite_each_other(page: Page, world: World) -> None:
    study = world.study()
    begin(page, world, study)
    practise(page)
    page.locator("label.opt:has([name=rate-3][value='2'])").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    second = page.context.new_page()
    second.goto(page.url)
    page.locator("label.opt:has([name=rate-1][value='1'])").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    n = len(legends(second))
    for i in range(2, n + 1):
        second.locator(f"label.opt:has([name=rate-{i}][value='5'])").click()
    second.locator("label.opt:has([name=best][value='2'])").click()
    second.get_by_role("button", name="Next").click()  # it does not know of the first rating
    expect(second.locator("h1")).to_have_text("2/3")
    page.locator("label.opt:has([name=rate-2][value='3'])").click()  # it still shows 2 for the third
    expect(page.locator("#saved")).to_have_text("Saved")
    said = [value for (kind, _), value in world.given(study)[0].items() if kind is ReplyKind.RATE]
    assert sorted(said) == sorted(["1", "3", *["5"] * (n - 2)])
    second.goto(f"{page.url.rpartition('/')[0]}/leave")
    second.get_by_role("button", name="Leave for good").click()
    page.locator("label.opt:has([name=rate-2][value='5'])").click()
    expect(page.locator("#lacking")).to_contain_text("Not saved: Your part in this study has ended")


def test_words_are_saved_while_they_are_typed_and_a_refusal_keeps_the_rest(page: Page, world: World) -> None:
    study = world.study()
    begin(page, world, study)
    practise(page)
    page.get_by_text("Comment", exact=True).click()
    page.get_by_label("Anything to say").fill("hard to tell")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert world.given(study)[0] == {(ReplyKind.COMMENT, ""): "hard to tell"}
    page.evaluate("document.getElementById('comment').maxLength = 9999")
    page.get_by_label("Anything to say").fill("x" * 2_001)
    page.locator("label.opt:has([name=rate-1][value='2'])").click()
    expect(page.locator("#lacking")).to_contain_text("at most 2,000 characters")
    expect(page.locator("[name=rate-1][value='2']")).to_be_checked()
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#lacking")).to_contain_text("Still to be answered")
    said = world.given(study)[0]
    assert said[ReplyKind.COMMENT, ""] == "hard to tell" and "2" in said.values()


def test_axe_finds_nothing_on_any_page_of_a_rater(page: Page, world: World) -> None:
    study = world.study()
    here = links.landing(study.code)
    page.goto(world.link(study))
    in_both(page)
    page.get_by_role("button", name="I agree: begin").click()
    practise(page)
    rate(page, [1] * len(legends(page)), 1)
    for path in (f"{here}/1", here, f"{here}/leave", f"{here}/99"):
        page.goto(world.url + path)
        in_both(page)
        page.set_viewport_size({"width": 360, "height": 740})
        fits(page)
        page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{world.url}{here}/leave")
    page.get_by_role("button", name="Leave for good").click()
    in_both(page)


def test_places_pairs_and_marks_by_keyboard(page: Page, world: World) -> None:
    study = world.study(tasks=(Task.RANK, Task.PAIR), practice=0, n=1)
    page.goto(world.link(study))
    page.get_by_role("button", name="I agree: begin").click()
    axe(page)
    page.keyboard.press("1")  # the first pair: left
    page.keyboard.press("3")
    expect(page.locator("#saved")).to_have_text("Saved")
    page.get_by_role("combobox").first.select_option("2")
    expect(page.locator("#saved")).to_have_text("Saved")
    values = world.given(study)[0]
    assert sorted(values.values()) == ["2", "left", "tie"]

    study = world.study(arms=(StudyArm(w.METHODS[0]),), tasks=(Task.SIMULATE,), practice=0, contrasts=(), n=1)
    page.goto(world.link(study))
    page.get_by_role("button", name="I agree: begin").click()
    axe(page)
    page.locator("[name=mark-1]").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")  # the next text
    expect(page.locator("[name=mark-2]").first).to_be_focused()
    page.locator("[name=none-2]").check()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert sorted(world.given(study)[0].values()) == ["", "0,2"]
    for token in ("0", "2"):
        page.locator(f"[name=mark-1][value='{token}']").focus()
        page.keyboard.press("Space")
    expect(
        page.locator("[name=none-1]")
    ).to_be_checked()  # nothing marked is an answer, and is seen to be one
    expect(page.locator("#saved")).to_have_text("Saved")
    assert list(world.given(study)[0].values()) == ["", ""]
