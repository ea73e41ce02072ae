"""The costs page, its CSV and its API say the same."""

import csv
import io

from starlette.testclient import TestClient

from app.store import Store
from tests.store.test_costs import fill
from tests.web.api import API, get, message
from tests.web.markup import read


def test_page_csv_and_api_agree(client: TestClient, tiny_store: Store) -> None:
    assert "No language model has been asked yet" in client.get("/costs").text
    fill(tiny_store)
    for by in ("day", "job", "endpoint", "purpose"):
        items = get(client, f"{API}/costs", by=by)["items"]
        rows = list(csv.DictReader(io.StringIO(client.get(f"/costs.csv?by={by}").text)))
        page = client.get(f"/costs?by={by}")
        table = [row.text for row in read(page.text).find("tr")[1:]]
        assert len(items) == len(rows) == len(table) > 0
        for item, row in zip(items, rows, strict=True):
            assert {name: str(value) for name, value in item.items()} == row
        assert "$0.88" in page.text


def test_what_there_is_no_sum_of_is_said(client: TestClient) -> None:
    assert client.get("/costs?by=colour").status_code == 422
    assert "day" in message(client, f"{API}/costs", 422, by="colour")


def test_work_tells_the_caps(client: TestClient, tiny_store: Store) -> None:
    fill(tiny_store)
    work = get(client, f"{API}/work")
    assert work["spent_usd"] == 0.875
    assert {"spent_today_usd", "daily_cap_usd", "job_cap_usd"} <= work.keys()
