"""The report's page, its parts and files: the same numbers everywhere, growing while results come, leading to their neurons."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from html import unescape

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.domain.explanations import Metric, Protocol, Sample
from app.main import create_app
from app.report.build import FIGURES, TABLES
from app.settings import Settings
from app.store import Store, experiment_reports
from app.web import trust_marks
from tests import stored_experiment
from tests.web import markup
from tests.web.api import API, get, message
from tests.web.conftest import BASE

REPORT = "/experiments/1/report"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, _tiny_template: tuple) -> Iterator[TestClient]:
    """One experiment that has ended (1), and one of which nothing is done yet (2)."""
    import shutil

    folder = tmp_path_factory.mktemp("report")
    shutil.copy(_tiny_template[0], folder / "store.sqlite")
    store = Store.open(f"sqlite:///{folder / 'store.sqlite'}")
    assert stored_experiment.filled(store, stored_experiment.definition(3)) == 1
    assert stored_experiment.made(store, stored_experiment.definition(2), "experiment-2") == 2
    with TestClient(create_app(Settings(data_dir=folder), store=store), base_url=BASE) as opened:
        yield opened
    store.close()


def test_the_page_has_every_table_and_a_place_for_every_figure(stored: TestClient) -> None:
    page = markup.read(stored.get(REPORT).text)
    tables = [e["id"] for e in page.find("section", "figure") if e["id"].startswith("table-")]
    assert len(tables) == len(TABLES)
    assert [e["id"] for e in page.find("section", "figure") if e["id"].startswith("figure-")] == [
        f"figure-{key}" for key in FIGURES
    ]
    for table in page.find("table"):
        captions = [e for e in table.inside if e.tag == "caption"]
        assert len(captions) == 1 and captions[0].text
        for row in (e for e in table.inside if e.tag == "tr"):
            heads = [e for e in row.inside if e.tag == "th"]
            assert heads and all(e["scope"] in ("col", "row", "rowgroup") for e in heads)
    waits = [e for e in page.find("section", "figure") if "hx-get" in e.attributes]
    assert waits and all(e["hx-trigger"] == "revealed" for e in waits)
    # Without a script each is a link to a page of its own.
    assert all(any(a["href"] == e["hx-get"] for a in e.inside if a.tag == "a") for e in waits)
    # What lacks its data says what it would need.
    said = {e["id"]: e.text for e in page.find("section", "figure")}
    assert "Needs two explainers" in said["figure-explainer-size"]
    assert "Needs a closed rating study" in said["figure-preferences"]
    assert "Needs this experiment" in said["table-puzzles"]
    assert "b&gt;no&lt;/b" in stored.get(REPORT).text  # what an endpoint said is text


def test_every_number_s_link_leads_to_its_neurons(stored: TestClient) -> None:
    page = markup.read(stored.get(REPORT).text)
    links = {a["href"] for a in page.find("a") if a["href"].startswith("/experiments/1/neurons")}
    assert len(links) > 50
    for link in sorted(links)[::9]:
        answer = stored.get(link)
        assert answer.status_code == 200, link
        assert "No result is like that" not in answer.text, link
        markup.read(answer.text)


def test_a_mean_s_n_is_the_length_of_its_list(stored: TestClient) -> None:
    page = markup.read(stored.get(REPORT).text)
    [scores] = [e for e in page.find("section", "figure") if e["id"] == "table-scores"]
    row = next(e for e in scores.inside if e.tag == "tr" and [t for t in e.inside if t.tag == "td"])
    n = next(a for a in row.inside if a.tag == "a" and re.fullmatch(r"\d+ of \d+", a.text))
    listed = markup.read(stored.get(n["href"]).text)
    assert listed.one("h1").text.startswith(n.text.split()[0] + " neuron")
    body = listed.one("tbody")
    lines = [e for e in body.inside if e.tag == "tr"]
    assert len(lines) == int(n.text.split()[0])
    values = [float(e.text) for e in listed.find("b") if re.fullmatch(r"0\.\d{3}", e.text)]
    assert values == sorted(values, reverse=True)
    assert all(e["href"].startswith("/m/tiny-random/") for e in body.inside if e.tag == "a" and ":" in e.text and "seed" not in e.attributes.get("class", "") and not e["href"].startswith("/explanations/"))  # fmt: skip


def test_pairs_are_listed_with_their_difference_and_lists_have_pages(stored: TestClient) -> None:
    page = markup.read(
        stored.get("/experiments/1/neurons?arm=summary&against_arm=original&metric=correlation").text
    )
    assert "difference" in page.one("thead").text
    everything = stored.get("/experiments/1/neurons?sort=neuron&order=up").text
    following = markup.read(everything).one("a", rel="next")["href"]
    assert markup.read(stored.get(following).text).one("a", rel="prev")
    assert "<b>words</b>" not in everything and "\u202e" not in everything
    for wrong in ("state=fine", "low=x", "low=nan", "layer=a"):
        answer = stored.get(f"/experiments/1/neurons?{wrong}")
        assert answer.status_code == 422 and "is no" in answer.text
    assert stored.get("/experiments/1/neurons?page=0").status_code == 422
    assert "No result is like that" in stored.get("/experiments/1/neurons?arm=nothing").text


@pytest.mark.parametrize("key", FIGURES)
def test_a_figure_is_drawn_with_links_or_says_what_it_needs(stored: TestClient, key: str) -> None:
    text = stored.get(f"{REPORT}/figures/{key}").text
    page = markup.read(text)
    section = page.one("section", id=f"figure-{key}")
    drawn = any(e.tag == "svg" for e in section.inside)
    assert drawn or "Needs" in section.text
    if drawn:
        marks = [
            a["href"]
            for a in section.inside
            if a.tag == "a" and a["href"].startswith("/experiments/1/neurons")
        ]
        assert marks
        assert stored.get(unescape(marks[-1])).status_code == 200
        assert "#0101" not in text  # every placeholder has become a class
        assert stored.get(f"{REPORT}/figures/{key}.svg").content.startswith(b"<svg")
    else:
        assert stored.get(f"{REPORT}/figures/{key}.svg").status_code == 404


def test_files_say_what_they_are_of(stored: TestClient) -> None:
    answer = stored.get(f"{REPORT}/tables/scores.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="experiment-1-scores.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {row["experiment"] for row in rows} == {"1"}
    # What a trust check says of a metric goes with its numbers.
    said = {(row["sample"], row["metric"]): row["trust"] for row in rows if row["protocol"] == "heldout-full"}
    assert said["top-and-random", "correlation"] == trust_marks.said(
        Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, Metric.CORRELATION
    )
    assert "misses" in said["top-and-random", "correlation"]
    scores = markup.read(stored.get(f"{REPORT}/tables/scores").text)
    assert any("misses" in e.text for e in scores.find("a", "trust"))
    svg = stored.get(f"{REPORT}/figures/means.svg").text
    for word in (
        "experiment 1",
        rows[0]["definition_sha256"],
        "scripted / test-model",
        "heldout-full",
        "without a value",
    ):
        assert word in svg, word
    assert stored.get(f"{REPORT}/figures/means.png").content.startswith(b"\x89PNG")
    assert stored.get(f"{REPORT}/figures/means.pdf").content.startswith(b"%PDF")
    assert stored.get(f"{REPORT}/tables/contrasts.tex").text.startswith("% Neuronarium, experiment 1")
    assert stored.get(f"{REPORT}/tables/contrasts.parquet").content.startswith(b"PAR1")
    for path in ("tables/nothing", "figures/nothing", "tables/scores.xls", "figures/means.xls"):
        answer = stored.get(f"{REPORT}/{path}")
        assert answer.status_code == 404 and "There are: " in answer.text, path
    assert stored.get(f"{REPORT}?of=nonsense").status_code == 422


def test_the_zip_holds_everything(stored: TestClient) -> None:
    packed = zipfile.ZipFile(
        io.BytesIO(stored.get(f"{REPORT}.zip?formats=csv,latex,parquet,json,svg").content)
    )
    names = set(packed.namelist())
    assert {
        "about.txt",
        "report.json",
        "figures/means.svg",
        "figures/training.csv",
    } <= names
    assert len([name for name in names if name.startswith("tables/")]) == 3 * len(TABLES)
    about = packed.read("about.txt").decode()
    assert "Not drawn: Needs two checkpoints" in about and "definition sha256" in about
    assert "choose of csv, parquet" in stored.get(f"{REPORT}.zip?formats=xls").text
    assert packed.read("tables/scores.csv") == stored.get(f"{REPORT}/tables/scores.csv").content


def test_the_api_has_the_tables_of_the_page(stored: TestClient) -> None:
    made = get(stored, f"{API}/experiments/1/report")
    assert made["state"] == "done" and made["report"]["neurons"] == 6
    keys = [table["key"] for table in made["tables"]]
    page = stored.get(REPORT).text
    assert all(f'id="table-{key}"' in page for key in keys) and len(keys) == len(TABLES)
    [scores] = [table for table in made["tables"] if table["key"] == "scores"]
    rows = list(csv.DictReader(io.StringIO(stored.get(f"{REPORT}/tables/scores.csv").text, newline="")))
    assert [row["mean"] for row in scores["rows"]] == [float(row["mean"]) for row in rows]
    assert f"{scores['rows'][0]['mean']:.3f}" in page
    assert [figure["key"] for figure in made["figures"]] == list(FIGURES)
    tag = stored.get(f"{API}/experiments/1/report").headers["etag"]
    assert stored.get(f"{API}/experiments/1/report", headers={"if-none-match": tag}).status_code == 304
    assert "no experiment 99" in message(stored, f"{API}/experiments/99/report", 404)
    other = get(
        stored,
        f"{API}/experiments/1/report",
        of="tiny-random|heldout-5+5|random-only|auprc|chat_json / scripted / test-model",
    )
    assert other["figures_of"]["protocol"] == "heldout-5+5"
    assert "It has" in message(stored, f"{API}/experiments/1/report", 422, of="x|y")


def test_without_results_everything_says_what_it_needs(stored: TestClient) -> None:
    page = markup.read(stored.get("/experiments/2/report").text)
    assert "There is nothing to draw yet" in page.one("section", "figures").text
    assert get(stored, f"{API}/experiments/2/report")["figures_of"] is None
    for path in ("/experiments/2/report/figures/means", "/experiments/99/report", "/experiments/99/neurons"):
        assert stored.get(path).status_code == 404, path


def test_the_page_grows_with_its_experiment(tiny_store: Store, web_settings: Settings) -> None:
    """Asked again with what it has seen, it answers nothing until there is more, and stops asking at the end."""
    id_ = stored_experiment.made(tiny_store, stored_experiment.definition(1, seeds=(0,)))
    stored_experiment.go_on(tiny_store, id_, 6)
    app: FastAPI = create_app(web_settings, store=tiny_store)
    with TestClient(app, base_url=BASE) as client:
        page = markup.read(client.get(f"/experiments/{id_}/report").text)
        part = page.one("div", id="report-tables")
        assert part["hx-trigger"] == "every 4s"
        assert client.get(part["hx-get"]).status_code == 204
        with tiny_store.session() as s:
            version = experiment_reports.standing(s, id_).version
        assert (
            client.get(f"/experiments/{id_}/report/figures/means", params={"seen": version}).status_code
            == 204
        )
        stored_experiment.go_on(tiny_store, id_)
        last = markup.read(client.get(part["hx-get"]).text).one("div", id="report-tables")
        assert "hx-get" not in last.attributes
        assert "done: 54 of 54 results" in last.text
