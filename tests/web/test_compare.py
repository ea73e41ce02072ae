"""The compare page and similar neurons: by their addresses alone, the same in the API, clear about what cannot be compared."""

from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.store import Store, neurons
from app.store.excerpts import ExcerptCache
from tests import factories
from tests.factories import Tiny
from tests.web.api import API, get, message
from tests.web.markup import read

NEURONS = "n=tiny-random/1-mlp/3&n=tiny-random/1-mlp/12&n=tiny-random/0-mlp/20"
SIMILAR = "/m/tiny-random/1-mlp/3/similar"


def explained(client: TestClient) -> list[dict]:
    return get(client, f"{API}/models/tiny-random/layers/1-mlp/neurons/3/explanations")["items"]


def ask(client: TestClient, query: str) -> dict:
    """The API's comparison by a query string that repeats a name."""
    answer = client.get(f"{API}/compare?{query}")
    assert answer.status_code == 200, answer.text
    found: dict = answer.json()
    return found


def test_neurons_stand_side_by_side_with_what_they_share(client: TestClient) -> None:
    page = read(client.get(f"/compare?{NEURONS}").text)
    data = ask(client, NEURONS)["neurons"]
    columns = page.find("section", cls="neuron")
    for column, said in zip(columns, data["neurons"], strict=True):
        assert f"{said['layer'][0]}:{said['index']}" in column.text
        assert f"{said['statistics']['maximum']:.2f}" in column.text
        marked = [e for e in column.inside if e.tag == "li" and "shared" in e.classes]
        assert len(marked) == sum(token["shared"] for token in said["top_tokens"])
        rows = [e for e in column.inside if e.tag == "li" and "rec" in e.classes]
        assert len(rows) == len(said["strongest"]) == 5
    ids = [{t["id"] for t in each["top_tokens"]} for each in data["neurons"]]
    for i, each in enumerate(data["neurons"]):
        others = set().union(*(ids[j] for j in range(3) if j != i))
        assert {t["id"] for t in each["top_tokens"] if t["shared"]} == ids[i] & others
    assert any(token["shared"] for each in data["neurons"] for token in each["top_tokens"])


def test_shared_excerpts_are_those_of_the_records(client: TestClient, tiny_store: Store) -> None:
    data = ask(client, NEURONS)["neurons"]
    table = ExcerptCache.get(tiny_store, "tiny-random")
    held = []
    with tiny_store.session() as session:
        for each in data["neurons"]:
            ref = factories.NeuronRef(each["model"], each["layer"], each["index"])
            held.append(neurons.records(session, table, ref))
    sets = [set(records.excerpts.tolist()) for records in held]
    expected = {e for e in set().union(*sets) if sum(e in mine for mine in sets) > 1}
    assert {each["excerpt"] for each in data["excerpts"]} == expected
    assert [e["both"] for e in data["excerpts"]] == sorted(
        (e["both"] for e in data["excerpts"]), reverse=True
    )
    for each in data["excerpts"]:
        for on in each["neurons"]:
            records = held[on["neuron"]]
            row = int(np.flatnonzero(records.excerpts == each["excerpt"])[0])
            assert on["activations"] == records.activations[row].tolist()
    page = read(client.get(f"/compare?{NEURONS}&more=1").text)
    blocks = page.find("li", cls="block")
    assert len(blocks) == len(expected) > 10
    assert len(read(client.get(f"/compare?{NEURONS}").text).find("li", cls="block")) == 10
    for block, each in zip(blocks, data["excerpts"], strict=True):
        values = [e["data-v"] for e in block.inside if "txt" in e.classes]
        assert values == [np.asarray(on["activations"], ">f2").tobytes().hex() for on in each["neurons"]]


def test_short_forms_removing_and_adding(client: TestClient) -> None:
    short = read(client.get("/compare?n=1:3&n=1:12&n=0:20&model=tiny-random").text)
    whole = read(client.get(f"/compare?{NEURONS}").text)
    assert [c.text for c in short.find("section", cls="neuron")] == [
        c.text for c in whole.find("section", cls="neuron")
    ]
    remove = [e["href"] for e in whole.find("a", cls="link") if e.text.startswith("remove")]
    assert remove[0] == "/compare?n=tiny-random/1-mlp/12&n=tiny-random/0-mlp/20"
    form = next(e for e in whole.find("form") if e.attributes.get("action") == "/compare")
    carried = [e["value"] for e in form.inside if e.attributes.get("type") == "hidden"]
    assert carried == ["tiny-random/1-mlp/3", "tiny-random/1-mlp/12", "tiny-random/0-mlp/20", "tiny-random"]
    copied = quote("http://127.0.0.1:8000/m/tiny-random/1-mlp/3?show=all#x", safe="")
    assert client.get(f"/compare?n={copied}&n=1:12").status_code == 200
    six = "&".join(f"n=1:{i}" for i in range(6))
    assert "Six neurons are the most" in client.get(f"/compare?{six}").text


def test_one_neuron_asks_for_another(client: TestClient) -> None:
    for address, says in (("/compare?n=1:3", "Compare 1:3 with what?"), ("/compare", "Name two to six")):
        answer = client.get(address)
        assert answer.status_code == 200 and says in answer.text
        assert read(answer.text).find("input", name="n")


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("&".join(f"n=1:{i}" for i in range(7)), 422, "not 7"),
        ("n=1:3&n=tiny-random/1-mlp/3", 422, "twice"),
        ("n=1:3&n=1:99", 404, "0 to 31"),
        ("n=1:3&n=7:1", 404, "7"),
        ("n=1:3&n=none/1-mlp/3", 404, "none"),
        ("n=1:3&n=" + "9" * 5000, 422, "names no neuron"),
        ("n=1:3&n=1:" + "9" * 12, 422, "names no neuron"),
        ("n=1:3&n=%00", 422, "names no neuron"),
        ("n=1:3&n=%3Cscript%3E", 422, "names no neuron"),
        ("n=1:3&explanations=1", 422, "not both"),
        ("explanations=1", 422, "not 1"),
        ("&".join(f"explanations={i}" for i in range(1, 8)), 422, "not 7"),
        ("explanations=1&explanations=1", 422, "twice"),
        ("explanations=1&explanations=x", 422, "no explanation"),
        ("explanations=1&explanations=" + "9" * 400, 422, "no explanation"),
        ("explanations=1&explanations=999999", 404, "999999"),
        ("explanations=1&explanations=2", 422, "different neurons"),
    ],
)
def test_what_cannot_be_compared_is_said(client: TestClient, query: str, status: int, says: str) -> None:
    page = client.get(f"/compare?{query}", headers={"accept": "text/html"})
    assert page.status_code == status and says in page.text
    read(page.text)
    answer = client.get(f"{API}/compare?{query}")
    assert answer.status_code == status and says in answer.json()["error"]["message"]


def test_the_api_needs_two(client: TestClient) -> None:
    assert "not 1" in message(client, f"{API}/compare", 422, n="1:3")
    assert "not 0" in message(client, f"{API}/compare", 422)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=40), max_size=7), st.text(max_size=20))
def test_no_text_breaks_it(client: TestClient, texts: list[str], model: str) -> None:
    safe = [text.encode("utf-8", "replace").decode() for text in [*texts, model]]
    answer = client.get("/compare", params={"n": safe[:-1], "model": safe[-1]})
    assert answer.status_code in (200, 404, 422)
    read(answer.text)


def test_explanations_of_one_neuron_with_scores_pairs_and_heatmaps(client: TestClient, tiny: Tiny) -> None:
    ids = [each["id"] for each in explained(client)]
    lookup = next(e["id"] for e in explained(client) if e["method"] == "token_lookup")
    query = "&".join(f"explanations={i}" for i in (tiny.explanation, tiny.negative, lookup))
    page = read(client.get(f"/compare?{query}&more=1").text)
    data = ask(client, query)["explanations"]
    assert sorted(ids) == sorted(each["id"] for each in data["explanations"])
    assert len(page.find("p", cls="statement")) == 3
    keys = [(m["protocol"], m["sample"], m["metric"]) for m in data["measures"]]
    assert len(keys) == len(set(keys)) > 3
    by_id = {each["id"]: each for each in explained(client)}
    for m in data["measures"]:
        for i, cell in zip((tiny.explanation, tiny.negative, lookup), m["scores"], strict=True):
            key = (m["protocol"], m["sample"], m["metric"])
            own = [s for s in by_id[i]["scores"] if (s["protocol"], s["sample"], s["metric"]) == key]
            assert {s["id"] for s in cell} <= {s["id"] for s in own} and bool(cell) == bool(own)
    # Only explanations of one side are compared in pairs, and each value is the stored score on those records.
    [pair] = data["pairs"]
    assert (pair["first"], pair["second"], pair["protocol"]) == (tiny.explanation, lookup, "heldout-full")
    main = ("heldout-full", "top-and-random", "correlation")
    stored = [
        next(s["value"] for s in by_id[i]["scores"] if (s["protocol"], s["sample"], s["metric"]) == main)
        for i in (tiny.explanation, lookup)
    ]
    assert pair["values"] == pytest.approx(stored, abs=1e-4)
    assert pair["difference"] == pytest.approx(stored[0] - stored[1], abs=2e-4)
    assert pair["low"] < pair["difference"] < pair["high"] and pair["n_records"] == 20
    blocks = page.find("li", cls="block")
    assert len(blocks) == len(data["excerpts"])
    for block, each in zip(blocks, data["excerpts"], strict=True):
        painted = [e for e in block.inside if "txt" in e.classes]
        assert len(painted) == 1 + len(each["predicted"])
        assert block.text.count("not simulated on this excerpt") == 3 - len(each["predicted"])
        assert each["actual"] is not None
        lengths = {len([e for e in line.inside if e.tag == "bdi"]) for line in painted}
        assert lengths == {64}  # all lines of an excerpt are the same tokens


def test_explanations_without_a_simulation_say_so(client: TestClient, tiny: Tiny) -> None:
    ref = tiny.failed
    path = f"{API}/models/{ref.model}/layers/{ref.layer}/neurons/{ref.index}/explanations"
    ids = [e["id"] for e in get(client, path)["items"] if e["method"] != "token_lookup"]
    assert len(ids) == 2
    answer = client.get("/compare", params={"explanations": ids})
    page = read(answer.text)
    assert "Not simulated yet" in answer.text and "Failed." in answer.text
    assert "None of these explanations has been simulated yet" in answer.text
    assert not page.find("div", cls="txt") and "no paired difference" in answer.text
    data = get(client, f"{API}/compare", explanations=ids)["explanations"]
    assert data["pairs"] == data["excerpts"] == []


def test_the_neuron_page_leads_to_comparisons(client: TestClient, tiny: Tiny) -> None:
    page = read(client.get("/m/tiny-random/1-mlp/3").text)
    links = {e.text: e["href"] for e in page.find("a", cls="link")}
    assert client.get(links["Compare with other neurons"]).status_code == 200
    together = client.get(links["Compare explanations"])
    assert together.status_code == 200 and "3 explanations" in together.text
    assert page.one("section", id="similar")["hx-get"] == SIMILAR
    assert "Compare explanations" not in client.get("/m/tiny-random/1-mlp/11").text


def test_similar_neurons_as_a_page_a_fragment_and_json(client: TestClient) -> None:
    page = read(client.get(SIMILAR).text)
    fragment = read(client.get(SIMILAR, headers={"hx-request": "true"}).text)
    assert fragment.find("section", id="similar") and not fragment.find("html")
    data = get(client, f"{API}/models/tiny-random/layers/1-mlp/neurons/3/similar")
    assert [way["way"] for way in data["ways"]] == ["explanation", "excerpts", "tokens"]
    assert not any(way["preparing"] for way in data["ways"])
    lists = page.find("ol", cls="alike")
    shown = [way for way in data["ways"] if way["items"]]
    assert len(lists) == len(shown) == 2 and data["ways"][0]["why_none"]
    for listed, way in zip(lists, shown, strict=True):
        lines = [e for e in listed.inside if e.tag == "li"]
        assert len(lines) == len(way["items"]) > 0
        for line, each in zip(lines, way["items"], strict=True):
            assert f"{each['layer'][0]}:{each['index']}" in line.text and f"{each['value']:.3f}" in line.text
            compare = next(e["href"] for e in line.inside if e.text.startswith("compare"))
            assert compare == f"/compare?n=tiny-random/1-mlp/3&n=tiny-random/{each['layer']}/{each['index']}"
    compared = [e["href"] for e in page.find("a", cls="link") if e.text.startswith("compare with")]
    assert all(client.get(address).status_code == 200 for address in compared[:2])
    assert (
        len(
            get(client, f"{API}/models/tiny-random/layers/1-mlp/neurons/3/similar", limit=2)["ways"][1][
                "items"
            ]
        )
        == 2
    )


@pytest.mark.parametrize(
    "where", ["none/1-mlp/3", "tiny-random/9-mlp/3", "tiny-random/1-mlp/99", "tiny-random/1-mlp/" + "9" * 60]
)
def test_similar_to_what_is_not_there(client: TestClient, where: str) -> None:
    assert client.get(f"/m/{where}/similar").status_code == 404
    model, layer, index = where.split("/")
    assert client.get(f"{API}/models/{model}/layers/{layer}/neurons/{index}/similar").status_code == 404


def test_what_is_being_prepared_is_said_and_asked_for_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.store import excerpt_index

    monkeypatch.setattr(excerpt_index, "index", lambda *_: None)
    text = client.get(SIMILAR).text
    page = read(text)
    assert "Being prepared" in text
    assert [e for e in page.find("div") if e.attributes.get("hx-get") == SIMILAR]
    ways = get(client, f"{API}/models/tiny-random/layers/1-mlp/neurons/3/similar")["ways"]
    assert [way["preparing"] for way in ways] == [False, True, False]
