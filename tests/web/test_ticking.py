"""Neurons ticked in a list, to be compared: a plain form of its own, which leaves those beside it as they are."""

import pytest
from starlette.testclient import TestClient

from app.web.compare_address import MOST
from tests.web.markup import Element, Markup, read
from tests.web.test_list_pages import NEURON, post, shown

FORM = "compare-ticked"


def boxes(page: Markup) -> list[Element]:
    return [e for e in page.find("input", type="checkbox") if e.attributes.get("form") == FORM]


def listed(client: TestClient, neurons: int) -> str:
    here = post(client, "/lists", name="Stores")
    for index in range(neurons):
        post(client, f"{here}/items", q=f"0:{index}")
    return here


@pytest.mark.parametrize("place", ["list", "search", "bookmarks"])
def test_boxes_belong_to_one_form_that_stands_outside_of_all_others(client: TestClient, place: str) -> None:
    here = listed(client, 3)
    for index in range(3):
        client.post(f"/m/tiny-random/0-mlp/{index}/bookmark", data={"on": "1"})
    page = shown(client, {"list": here, "search": "/search?layers=0", "bookmarks": "/bookmarks"}[place])
    places = [a["href"].removeprefix("/m/") for a in page.find("a", cls="at")]
    assert len(places) >= 3 and [box["value"] for box in boxes(page)] == places
    assert {box["name"] for box in boxes(page)} == {"n"}
    form = page.one("form", id=FORM)
    assert form["action"] == "/compare" and "method" not in form.attributes
    assert not [e for e in form.inside if e.tag == "input"]
    for each in page.find("form"):
        assert not [e for e in each.inside if e.tag == "form" or e in boxes(page)]
    labels = [e.text for e in page.find("label", cls="pick")]
    assert labels[0] == f"Tick {page.find('a', cls='at')[0].text} to compare it"
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("chosen", range(2, MOST + 1))
def test_what_is_ticked_is_compared(client: TestClient, chosen: int) -> None:
    values = [box["value"] for box in boxes(shown(client, "/search"))][:chosen]
    page = read(client.get("/compare", params={"n": values}).text)
    headings = [e for e in page.find("h2") if e.attributes.get("id", "").startswith("neuron-")]
    linked = [a["href"] for heading in headings for a in heading.inside if a.tag == "a"]
    assert linked == [f"/m/{value}" for value in values]


def test_too_few_or_too_many_are_told_in_a_sentence(client: TestClient) -> None:
    values = [box["value"] for box in boxes(shown(client, "/search"))]
    assert "tick them" in client.get("/compare").text
    one = shown(client, f"/compare?n={values[0]}")
    assert "with what?" in one.one("p", cls="state").text
    answer = client.get("/compare", params={"n": values[:7]}, headers={"accept": "text/html"})
    assert answer.status_code == 422 and "2 to 6 neurons, not 7: leave some out" in answer.text


def test_what_cannot_be_compared_has_no_box(client: TestClient) -> None:
    """A stranger with a link compares nothing; of nothing found nothing is ticked."""
    here = listed(client, 2)
    post(client, f"{here}/share")
    link = shown(client, here).one("input", id="shared-link")["value"]
    assert not boxes(shown(client, link))
    for path in ("/search?q=nothing+that+anybody+said", NEURON):
        page = shown(client, path)
        assert not boxes(page) and not page.find("form", id=FORM)
