"""Downloads: the page's and the API's, the same bytes as the command line writes."""

import csv
import io
import json

import pytest
from fastapi.testclient import TestClient

from tests.web.api import API


@pytest.mark.parametrize("what", ["explanations", "neurons"])
@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("jsonl", "application/x-ndjson"),
        ("csv", "text/csv; charset=utf-8"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
def test_the_page_and_the_api_give_the_same_file(
    client: TestClient, what: str, format: str, kind: str
) -> None:
    page = client.get(f"/m/tiny-random/export/{what}.{format}")
    assert (page.status_code, page.headers["content-type"]) == (200, kind)
    assert page.headers["content-disposition"] == f'attachment; filename="tiny-random-{what}.{format}"'
    answer = client.get(f"{API}/models/tiny-random/export/{what}", params={"format": format})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == page.content
    assert f'href="/m/tiny-random/export/{what}.{format}"' in client.get("/m/tiny-random").text


def test_only_what_was_asked_for(client: TestClient) -> None:
    address = f"{API}/models/tiny-random/export/explanations?layer=1-mlp&method=summary&method=highlight"
    rows = [json.loads(line) for line in client.get(address).text.splitlines()]
    assert {(row["layer"], row["method"]) for row in rows} == {("1-mlp", "summary"), ("1-mlp", "highlight")}
    table = client.get("/m/tiny-random/export/explanations.csv?layer=1-mlp&method=summary").text
    read = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["explanation"] for row in read] == [
        r["explanation"] for r in rows if r["method"] == "summary"
    ]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/m/nope/export/explanations.csv", 404),
        ("/m/tiny-random/export/explanations.csv?layer=77-mlp", 404),
        ("/m/tiny-random/export/weights.csv", 422),
        ("/m/tiny-random/export/explanations.xml", 422),
        (f"{API}/models/nope/export/neurons", 404),
        (f"{API}/models/tiny-random/export/neurons?format=xml", 422),
    ],
)
def test_what_there_is_not_is_said_before_anything_is_sent(
    client: TestClient, address: str, status: int
) -> None:
    assert client.get(address).status_code == status
