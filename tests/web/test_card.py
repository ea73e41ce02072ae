"""A neuron's card: the same on the page, in the JSON and in the PDF, with a hash that anybody can check."""

import hashlib
import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.domain.neuron_card import Card, CardExcerpt, CardExplanation
from app.web import card_svg
from tests.factories import Tiny
from tests.web.api import API, get
from tests.web.markup import read

SVG = "{http://www.w3.org/2000/svg}"


def path(ref: object) -> str:
    return f"/m/{ref}/card"


def test_the_json_s_hash_can_be_computed_by_anybody(client: TestClient, tiny: Tiny) -> None:
    body = get(client, f"{path(tiny.explained)}.json")
    text = json.dumps(body["card"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == body["sha256"]
    assert body["sha256"][:16] in body["citation"]
    other = get(client, f"{path(tiny.explained)}.json", explanation=tiny.negative)
    assert other["sha256"] != body["sha256"]
    assert get(client, f"{path(tiny.explained)}.json") == body


def test_the_api_has_the_same_card(client: TestClient, tiny: Tiny) -> None:
    ref = tiny.explained
    url = f"{API}/models/{ref.model}/layers/{ref.layer}/neurons/{ref.index}/card"
    assert get(client, url) == get(client, f"{path(ref)}.json")
    body = get(client, url, explanation=tiny.negative)
    text = json.dumps(body["card"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == body["sha256"]
    assert client.get(url, params={"explanation": 2**30}).status_code == 404


def test_the_page_shows_what_the_json_holds(client: TestClient, tiny: Tiny) -> None:
    body = get(client, f"{path(tiny.explained)}.json", explanation=tiny.explanation)
    card = body["card"]
    page = read(client.get(f"{path(tiny.explained)}?explanation={tiny.explanation}").text)
    article = page.one("article")
    assert card["explanation"]["text"] in article.text
    assert body["sha256"] in article.text and body["citation"] in article.text
    assert len(page.find("tr")) == 1 + len(card["scores"]) > 1
    assert len(page.find("div", cls="ev")) == len(card["records"])
    uses = [record["use"] for record in card["records"]]
    assert uses[:5] == ["shown to the explainer"] * 5 and all(use.startswith("held out") for use in uses[5:])
    assert len(uses) > 5


def test_the_negative_side_s_card_shows_negative_peaks(client: TestClient, tiny: Tiny) -> None:
    card = get(client, f"{path(tiny.explained)}.json", explanation=tiny.negative)["card"]
    assert card["explanation"]["polarity"] == "negative"
    shown = [r for r in card["records"] if r["use"] == "shown to the explainer"]
    assert shown and all(min(r["activations"]) < 0 for r in shown)
    page = read(client.get(f"{path(tiny.explained)}?explanation={tiny.negative}").text)
    assert page.find("b", cls="neg")


def test_the_pdf_is_one_page(client: TestClient, tiny: Tiny) -> None:
    answer = client.get(f"{path(tiny.explained)}.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", answer.content)) == 1


def test_what_is_not_there_is_said(client: TestClient, tiny: Tiny) -> None:
    answer = client.get(f"{path(tiny.plain)}?explanation={tiny.explanation}")
    assert answer.status_code == 404 and "has no explanation" in answer.text
    assert client.get(f"{path(tiny.plain)}.pdf?explanation=0").status_code == 422
    assert client.get("/m/tiny-random/0-mlp/99/card").status_code == 404
    failed = client.get(f"{path(tiny.failed)}?explanation={tiny.failed_explanation}")
    assert failed.status_code == 200 and "No explanation came of it" in failed.text


def card(text: str, tokens: tuple[str, ...]) -> Card:
    values = tuple(float(i) for i in range(len(tokens)))
    record = CardExcerpt("held out", text, 0, tokens, tuple(range(len(tokens))), values)
    said = CardExplanation(1, text, "positive", "summary", "e / m", "v", "h", 0, "a", "2026-11-30T00:00:00Z")
    return Card(
        text, "slug", "rev", "gpt2", "0-mlp", 0, 1, text, 10, "", 1.0, -1.0, None, said, "heldout-full", (),
        (record,) * 3, "Neuronarium",
    )  # fmt: skip


@given(st.text(max_size=80), st.lists(st.text(max_size=30), min_size=1, max_size=70))
def test_whatever_text_there_is_the_drawing_is_sound_and_shows_every_token(
    text: str, tokens: list[str]
) -> None:
    drawn = card_svg.drawn(card(text, tuple(tokens)))
    root = ElementTree.fromstring(drawn)
    shown = "".join(each.text or "" for each in root.iter(f"{SVG}text"))
    assert card_svg.safe(shown.replace("\u00a0", " ")) == shown.replace("\u00a0", " ")
    every = "".join(card_svg.safe(token.replace("\n", "↵").replace("\t", "→")) for token in tokens)
    assert every in shown
    for each in root.iter(f"{SVG}text"):
        assert 0 <= float(each.attrib["x"]) < card_svg.WIDTH
        assert 0 <= float(each.attrib["y"]) <= card_svg.HEIGHT


@pytest.mark.parametrize(
    ("text", "expected"),
    [("中", "\\u{4E2D}"), ("é", "é"), ("\u202e", "\\u{202E}"), ("a\0", "a\\u{0}"), ("Жук", "Жук")],
)
def test_what_a_font_may_lack_is_written_as_its_number(text: str, expected: str) -> None:
    assert card_svg.safe(text) == expected
