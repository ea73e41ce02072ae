"""Lists, samples, bookmarks, comments and explanations by people, through the API: the same as on the pages."""

import json

import pytest
from starlette.testclient import TestClient

from tests import factories
from tests.web.api import API, MODEL, NEURONS, get, message

LISTS = f"{API}/lists"


def made(client: TestClient, *indices: int, name: str = "Stores") -> str:
    answer = client.post(LISTS, json={"name": name})
    assert answer.status_code == 201, answer.text
    slug = str(answer.json()["slug"])
    if indices:
        items = [{"model": "tiny-random", "layer": "0-mlp", "index": i, "note": f"n{i}"} for i in indices]
        added = client.post(f"{LISTS}/{slug}/items", json={"items": items})
        assert added.status_code == 200, added.text
        assert added.json()["neurons"] == len(indices)
    return slug


def order(client: TestClient, slug: str) -> list[int]:
    return [item["index"] for item in get(client, f"{LISTS}/{slug}/items")["items"]]


def test_a_list_through_its_life(client: TestClient, tiny: factories.Tiny) -> None:
    slug = made(client, 3, 1, 2)
    assert order(client, slug) == [3, 1, 2]
    item = f"{LISTS}/{slug}/items/tiny-random/0-mlp"
    assert client.post(f"{item}/2", json={"move": "top", "note": "first", "seen": "n2"}).status_code == 200
    assert client.post(f"{item}/2", json={"note": "late", "seen": "n2"}).status_code == 409
    assert client.delete(f"{item}/3").json() == {"deleted": "tiny-random/0-mlp/3"}
    assert client.delete(f"{item}/3").status_code == 404
    first = get(client, f"{LISTS}/{slug}/items")["items"][0]
    assert (first["index"], first["note"], first["author"], first["there"]) == (2, "first", "local", True)
    assert first["explanation"] and first["best"]["value"] is not None
    renamed = client.post(f"{LISTS}/{slug}", json={"name": "Other", "description": "why"}).json()
    assert (renamed["name"], renamed["description"], renamed["slug"], renamed["neurons"]) == (
        "Other",
        "why",
        slug,
        2,
    )
    assert get(client, LISTS)["items"] == [get(client, f"{LISTS}/{slug}")]
    assert client.delete(f"{LISTS}/{slug}").json() == {"deleted": slug}
    assert "deleted meanwhile" in message(client, f"{LISTS}/{slug}", 404)


def test_the_api_says_what_the_page_and_the_file_say(client: TestClient) -> None:
    slug = made(client, 5, 6)
    listed = get(client, f"{LISTS}/{slug}/items")["items"]
    page = client.get(f"/lists/{slug}").text
    file = json.loads(client.get(f"/lists/{slug}/export?format=json").text)
    assert [i["index"] for i in listed] == [i["neuron"] for i in file["items"]] == [5, 6]
    for item, line in zip(listed, file["items"], strict=True):
        assert line["explanation"] == item["explanation"] and line["score"] == item["best"]["value"]
        assert f">{item['best']['value']:.2f}</b>" in page


def test_a_sample_is_the_same_whatever_becomes_of_the_list(client: TestClient) -> None:
    slug = made(client, 3, 1)
    sample = client.post(f"{LISTS}/{slug}/samples").json()
    assert [n["index"] for n in sample["neurons"]] == [3, 1]
    client.delete(f"{LISTS}/{slug}")
    assert get(client, f"{API}/samples/{sample['digest']}") == sample
    assert "no sample" in message(client, f"{API}/samples/{'0' * 64}", 404)


def test_sharing(client: TestClient) -> None:
    slug = made(client, 3)
    token = client.post(f"{LISTS}/{slug}/share").json()["share_token"]
    assert client.get(f"/shared/{token}").status_code == 200
    assert client.delete(f"{LISTS}/{slug}/share").json()["share_token"] is None
    assert client.get(f"/shared/{token}").status_code == 404


@pytest.mark.parametrize(
    ("items", "status", "says"),
    [
        ([], 422, "items"),
        ([{"model": "tiny-random", "layer": "0-mlp", "index": 4}] * 2, 422, "already"),
        ([{"model": "tiny-random", "layer": "0-mlp", "index": 3}], 422, "already"),
        ([{"model": "tiny-random", "layer": "0-mlp", "index": i} for i in (4, 32)], 422, "0 to 31"),
        ([{"model": "none", "layer": "0-mlp", "index": 4}], 422, "none"),
        ([{"model": "tiny-random", "layer": "0-mlp", "index": -4}], 422, "0 to 31"),
        ([{"model": "tiny-random", "layer": "0-mlp", "index": 10**30}], 422, "0 to 31"),
        ([{"model": "tiny-random", "layer": "0-mlp", "index": 4, "note": "x" * 2001}], 422, "2,000"),
        ([{"layer": "0-mlp"}], 422, "model"),
    ],
)
def test_all_or_none_are_added(
    client: TestClient, items: list[dict[str, object]], status: int, says: str
) -> None:
    slug = made(client, 3)
    before = get(client, f"{LISTS}/{slug}")
    answer = client.post(f"{LISTS}/{slug}/items", json={"items": items})
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]
    assert get(client, f"{LISTS}/{slug}") == before


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("", 422, "empty"),
        ("x" * 10_000, 422, "at most"),
        ("a\u202eb", 422, "U+202E"),
        ("stores", 409, "already"),
    ],
)
def test_names(client: TestClient, name: str, status: int, says: str) -> None:
    made(client)
    answer = client.post(LISTS, json={"name": name})
    assert answer.status_code == status and says in answer.json()["error"]["message"]
    assert len(get(client, LISTS)["items"]) == 1


def test_pages_of_items_and_bookmarks_join(client: TestClient) -> None:
    slug = made(client, *range(7))
    for index in range(7):
        assert client.post(f"{NEURONS}/{index}/bookmark").json()["bookmarked"] is True
    for path in (f"{LISTS}/{slug}/items", f"{API}/bookmarks"):
        whole = get(client, path)["items"]
        first = get(client, path, limit=4)
        second = get(client, path, limit=4, cursor=first["next"])
        assert first["items"] + second["items"] == whole and len(whole) == first["total"] == 7
        assert get(client, path, limit=4, cursor=second["previous"]) == first
        assert "first page" in message(client, path, 422, cursor="junk")
    assert client.delete(f"{NEURONS}/3/bookmark").json()["bookmarked"] is False
    assert get(client, f"{NEURONS}/3/bookmark")["bookmarked"] is False
    assert get(client, f"{API}/bookmarks")["total"] == 6
    assert [each["slug"] for each in get(client, f"{NEURONS}/3/lists")["items"]] == [slug]


def test_comments(client: TestClient) -> None:
    said = client.post(f"{NEURONS}/3/comments", json={"text": "see <b>4</b>"})
    assert said.status_code == 201 and said.json()["own"] is True
    comment = said.json()["id"]
    assert [c["text"] for c in get(client, f"{NEURONS}/3/comments")["items"]] == ["see <b>4</b>"]
    assert client.delete(f"{NEURONS}/4/comments/{comment}").status_code == 404
    assert client.delete(f"{NEURONS}/3/comments/{comment}").json()["text"] == ""
    assert client.delete(f"{NEURONS}/3/comments/{comment}").status_code == 409
    [left] = get(client, f"{NEURONS}/3/comments")["items"]
    assert left["text"] == "" and left["withdrawn_at"]
    assert client.post(f"{NEURONS}/3/comments", json={"text": " "}).status_code == 422
    assert client.post(f"{NEURONS}/99/comments", json={"text": "x"}).status_code == 404


def test_an_explanation_by_a_person_can_be_scored_and_not_be_asked_for(client: TestClient) -> None:
    body = {"text": "words about rain", "polarity": "negative"}
    stored = client.post(f"{NEURONS}/3/explanations/human", json=body)
    assert stored.status_code == 201
    row = stored.json()
    assert (row["method"], row["text"], row["author"], row["explainer"]) == (
        "human",
        body["text"],
        "local",
        "none",
    )
    assert client.post(f"{NEURONS}/3/explanations/human", json=body).json()["id"] == row["id"]
    scoring = client.post(f"{API}/explanations/{row['id']}/scores", json={"simulator": "local"})
    assert scoring.status_code == 422 and "which text its maker" in scoring.text
    row = client.post(f"{NEURONS}/3/explanations/human", json={**body, "blind": True}).json()
    scoring = client.post(f"{API}/explanations/{row['id']}/scores", json={"simulator": "local"})
    assert scoring.status_code == 202
    lookup = client.post(f"{API}/explanations/{row['id']}/scores", json={"simulator": "token_lookup"})
    assert lookup.status_code == 422
    asked = client.post(f"{NEURONS}/3/explanations", json={"method": "human"})
    assert asked.status_code == 422
    choices = get(client, f"{MODEL}/choices")
    assert "human" not in [each["value"] for each in choices["method"]]
    form = client.post("/m/tiny-random/0-mlp/3/explain", data={"method": "human"})
    assert form.status_code == 422
