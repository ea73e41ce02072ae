"""All results of a search, as files and as a list: the same neurons as on its pages."""

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.errors import BadInput
from app.store import Store
from app.web import search_asked, search_kept
from tests.cli.test_exchange import do
from tests.web import markup
from tests.web.api import API, get

SEARCH = f"{API}/search"
Place = tuple[str, int]


def found(client: TestClient, **params: str) -> list[Place]:
    """All pages of a search, by API."""
    places: list[Place] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = get(client, SEARCH, limit=11, cursor=cursor, **params)
        places += [(item["layer"], item["index"]) for item in answer["items"]]
        cursor = answer["next"]
    return places


def rows(text: str) -> list[Place]:
    return [(row["layer"], row["neuron"]) for row in map(json.loads, text.splitlines())]


ASKED = [
    {"q": "words"},
    {"sort": "kurtosis", "order": "down", "layers": "1"},
    {"min": "0.85", "has": "token_lookup"},
    {"token": " koba"},
    {"q": "nothing that anybody said"},
]


@pytest.mark.parametrize("params", ASKED)
def test_files_hold_the_neurons_of_all_pages(client: TestClient, params: dict[str, str]) -> None:
    places = found(client, **params)
    neurons = client.get("/search/export/neurons.jsonl", params=params)
    assert rows(neurons.text) == sorted(places)
    name = 'attachment; filename="tiny-random-search-neurons.jsonl"'
    assert neurons.headers["content-disposition"] == name
    explanations = client.get("/search/export/explanations.jsonl", params=params).text
    everything = client.get("/m/tiny-random/export/explanations.jsonl").text.splitlines()
    assert explanations.splitlines() == [row for row in everything if rows(row)[0] in set(places)]
    for what, page in (("neurons", neurons.text), ("explanations", explanations)):
        assert client.get(f"{SEARCH}/export/{what}", params=params).text == page
        table = client.get(f"{SEARCH}/export/{what}", params={**params, "format": "csv"}).text
        assert len(list(csv.DictReader(io.StringIO(table)))) == len(page.splitlines())
        assert client.get(f"/search/export/{what}.parquet", params=params).content[:4] == b"PAR1"


def test_the_page_leads_to_the_files_and_the_list(client: TestClient) -> None:
    page = markup.read(client.get("/search?q=words&sort=score").text)
    links = [e["href"] for e in page.one("section", "allof").inside if e.tag == "a"]
    assert len(links) == 6 and all("q=words" in link and "model=tiny-random" in link for link in links)
    assert rows(client.get(next(x for x in links if "neurons.jsonl" in x)).text) == sorted(
        found(client, q="words")
    )
    form = page.one("form", "keep")
    hidden = next(e["value"] for e in form.inside if e.tag == "input" and e["name"] == "search")
    answer = client.post(form["action"], data={"search": hidden, "name": "All of the words"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/lists/all-of-the-words")
    items = get(client, f"{API}/lists/all-of-the-words/items")["items"]
    assert [(i["layer"], i["index"]) for i in items] == found(client, q="words", sort="score")
    row = get(client, f"{API}/lists/all-of-the-words")
    assert row["description"] == f"Found by /search?{hidden}"


def test_within_a_list_and_out_of_it(client: TestClient) -> None:
    made = client.post(
        f"{SEARCH}/keep", json={"search": "/search?layers=1&sort=density", "name": "One & <b>two</b>"}
    )
    assert made.status_code == 201 and made.json()["neurons"] == 32
    slug, id_ = made.json()["slug"], made.json()["id"]
    page = client.get(f"/lists/{slug}").text
    read = markup.read(page)
    [link] = [e["href"] for e in read.find("a") if e.text == "Search within this list"]
    assert link == f"/search?model=tiny-random&list={slug}"
    files = [e["href"] for e in read.find("a") if e["href"].startswith("/search/export/")]
    assert len(files) == 6 and len(client.get(files[1]).text.splitlines()) > 32
    shown = client.get(link).text
    assert "One &amp; &lt;b&gt;two&lt;/b&gt;" in shown and "<b>two" not in shown
    within = markup.read(shown)
    assert within.one("p", "within") and "32 neurons" in within.one("p", "summed").text
    chosen = [e["value"] for e in within.find("option") if "selected" in e.attributes and e["value"] == slug]
    assert chosen == [slug]
    for word in (slug, str(id_)):
        answer = get(client, SEARCH, list=word, layers="0-1", limit=500)
        assert answer["total"] == 32 and answer["within"] == slug
        assert {item["layer"] for item in answer["items"]} == {"1-mlp"}
        assert found(client, list=word, layers="0") == []


def test_what_cannot_be_kept(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(search: str, name: str = "x", status: int = 422) -> str:
        answer = client.post(f"{SEARCH}/keep", json={"search": search, "name": name})
        assert answer.status_code == status, answer.text
        assert client.post("/search/keep", data={"search": search, "name": name}).status_code == status
        return str(answer.json()["error"]["message"])

    assert "no neuron" in refused("q=nothing+that+anybody+said")
    assert "name" in refused("q=words", "")
    assert "there is model" in refused("page=3")
    assert "behind the ?" in refused("words")
    assert "8,000" in refused("q=" + "x" * 9000)
    refused("model=nobody", status=404)
    refused("list=nobody", status=404)
    monkeypatch.setattr(search_kept, "MOST", 63)
    assert "64 neurons" in refused("") and "at most 63" in refused("")
    assert get(client, f"{API}/lists")["items"] == []
    client.post("/search/keep", data={"search": "q=words", "name": "twice"})
    refused("q=words", "twice", status=409)
    crossed = client.post(
        "/search/keep", data={"search": "", "name": "y"}, headers={"origin": "https://elsewhere.example"}
    )
    assert crossed.status_code == 403


@given(
    st.text(max_size=60)
    | st.sampled_from(["q=%", "a=b=c&&", "q=%ff", "?", "&", "q=\0", "list=1&list=2", "?" * 90])
)
def test_any_text_is_a_search_or_refused(text: str) -> None:
    try:
        asked = search_asked.parse(text)
    except BadInput as error:
        assert len(str(error)) < 600
    else:
        assert search_asked.parse(asked.address(cursor=None)) == asked


def test_the_command_line_writes_the_same(client: TestClient, tiny_store: Store, tmp_path: Path) -> None:
    client.post("/search/keep", data={"search": "layers=1&kurtosis_min=10", "name": "Peaked ones"})
    folder = tmp_path / "store"
    folder.mkdir()
    with (
        sqlite3.connect(tmp_path / "store.sqlite") as here,
        sqlite3.connect(folder / "neuronarium.sqlite") as copy,
    ):
        here.backup(copy)

    def out(what: str, *words: str) -> str:
        return do(tmp_path, "export", what, "tiny-random", *words).stdout

    for what in ("explanations", "neurons"):
        by_search = client.get(f"/search/export/{what}.jsonl?layers=1&kurtosis_min=10").text
        assert by_search and out(what, "--search", "layers=1&kurtosis_min=10") == by_search
        assert out(what, "--list", "peaked ones") == out(what, "--list", "peaked-ones") == by_search
        both = client.get(f"/search/export/{what}.jsonl?list=peaked-ones&kurtosis_min=20").text
        assert out(what, "--list", "Peaked ones", "--search", "kurtosis_min=20") == both
        assert out(what, "--list", "Peaked ones", "--layers", "0") == ""
    only = out("explanations", "--list", "Peaked ones", "--method", "token_lookup")
    assert {json.loads(line)["method"] for line in only.splitlines()} == {"token_lookup"}
    for words, says in (
        (("--search", "model=other"), "leave model= out"),
        (("--list", "Peaked ones", "--search", "list=other"), "leave list= out"),
        (("--search", "min=low"), "0.3"),
    ):
        with pytest.raises(BadInput, match=says):
            out("neurons", *words)
