"""Results of studies as pages, files and API: hidden before the close, equal everywhere after it."""

import csv
import io

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.store import studies
from app.study.service import Studies
from tests import study_world as w
from tests.conftest import Full

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def lite(tiny_store, tiny):  # type: ignore[no-untyped-def]
    return Full(tiny_store, tiny)


@pytest.fixture
def client(lite: Full, tmp_path) -> TestClient:  # type: ignore[no-untyped-def]
    return TestClient(create_app(Settings(data_dir=tmp_path), store=lite.store), base_url=BASE)


ADDRESSES = (
    "/studies/1/results",
    "/studies/1/results.zip",
    "/studies/1/results.json",
    "/studies/1/results/tables/methods",
    "/studies/1/results/tables/methods.csv",
    "/studies/1/results/figures/means.svg",
    "/api/v1/studies/1/results",
    "/api/v1/studies/1/answers",
)


def test_nothing_is_shown_before_the_close(lite: Full, client: TestClient) -> None:
    study = w.opened(lite.store, practice=0)
    w.rate_all(lite.store, study)
    for address in ADDRESSES:
        answer = client.get(address)
        assert answer.status_code == 403 and "hidden until its close" in answer.text, address
        assert "original" not in answer.text
    Studies(lite.store).unblind(study.id, w.OWNER, "to see")
    for address in ADDRESSES:
        assert client.get(address).status_code == 200, address
    assert "Unblinded before the close, by Ada" in client.get(ADDRESSES[0]).text
    rows = list(csv.DictReader(io.StringIO(client.get(ADDRESSES[4]).text)))
    assert all(row["unblinded_before_close"].startswith("by Ada") for row in rows)


def test_page_files_and_api_say_the_same(lite: Full, client: TestClient) -> None:
    study = w.opened(lite.store, practice=0, raters=1)
    w.rate_all(lite.store, study)
    Studies(lite.store).close(study.id, w.OWNER)
    said = client.get("/api/v1/studies/1/results").json()
    methods = next(table for table in said["tables"] if table["key"] == "methods")
    rows = list(csv.DictReader(io.StringIO(client.get("/studies/1/results/tables/methods.csv").text)))
    assert [float(row["rating"]) for row in rows] == [row["rating"] for row in methods["rows"]]
    page = client.get("/studies/1/results").text
    for row in methods["rows"]:
        assert f"{row['rating']:.3f}" in page
    assert client.get("/studies/1/results.json").json()["tables"] == said["tables"]
    answers = client.get("/api/v1/studies/1/answers").json()
    assert set(answers["rows"][0]) == set(answers["columns"])
    for format in ("csv", "parquet", "tex", "json"):
        assert client.get(f"/studies/1/results/tables/contrasts.{format}").status_code == 200
    for name in ("positions.png", "spread.pdf", "means.json"):
        assert client.get(f"/studies/1/results/figures/{name}").status_code == 200


def test_what_is_not_there(lite: Full, client: TestClient) -> None:
    study = w.opened(lite.store, practice=0)
    Studies(lite.store).close(study.id, w.OWNER, anyway=True)
    for address, said in (
        ("/studies/9/results", "no study 9"),
        ("/studies/1/results/tables/nothing", "There is no table"),
        ("/studies/1/results/tables/methods.doc", "cannot be had as"),
        ("/studies/1/results/figures/means.svg", "nothing to draw yet"),
        ("/studies/1/results/figures/nothing.svg", "There is no figure"),
    ):
        answer = client.get(address, headers={"accept": "text/html"})
        assert answer.status_code == 404 and said in answer.text, address
    assert "It fills with ratings" in client.get("/studies/1/results").text


def test_an_explanation_says_what_people_said_of_it(lite: Full, client: TestClient) -> None:
    study = w.opened(lite.store, practice=0, raters=1)
    w.rate_all(lite.store, study)
    with lite.store.session() as session:
        id_ = studies.items(session, study.id)[0].texts[0].sources[0].explanation_id
    assert "What people said" not in client.get(f"/explanations/{id_}").text
    Studies(lite.store).close(study.id, w.OWNER)
    page = client.get(f"/explanations/{id_}").text
    assert "by 1 rater" in page and "/studies/1/results" in page
    found = client.get("/api/v1/search", params={"model": "tiny-random", "has": "rating"}).json()
    assert found["total"] == 3
