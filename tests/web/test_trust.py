"""The page of trust checks, its files and its API, and the mark wherever a failing metric is shown."""

import csv
import io
import re
from itertools import product

import pytest
from fastapi.testclient import TestClient

from app.domain import trust
from app.domain.explanations import Metric, Protocol, Sample, measured
from app.domain.ideal import Scheme
from app.web import trust_marks
from app.web.pages.trust import METRICS
from tests import factories
from tests.conftest import Full
from tests.web.markup import read

MODEL = f"/m/{factories.SLUG}"
MARK = trust_marks.mark(Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, Metric.CORRELATION)


def test_the_page_says_every_check(client: TestClient) -> None:
    page = read(client.get("/trust").text)
    checks = {check[:4]: check for check in trust.suite()}
    for scheme in Scheme:
        for metric in trust.metrics_of(scheme):
            line = page.one("tr", id=trust_marks.anchor(metric, scheme))
            cells = [e for e in line.inside if e.tag == "td"][1:]
            for cell, (test, frequency) in zip(cells, product(trust.Test, trust.FREQUENCIES), strict=True):
                check = checks[metric, scheme, frequency, test]
                verdict = {True: "passes", False: "fails", None: "no score"}[check.passes]
                assert cell.text.startswith(verdict)
                if check.passes is not None:
                    assert f"{check.fall:.3f} ± {check.spread:.3f}" in cell.text
    assert set(METRICS) == {check.metric for check in checks.values()}


def test_csv_json_and_api_are_the_same(client: TestClient) -> None:
    answers = client.get("/api/v1/trust").json()["items"]
    assert client.get("/trust.json").json() == answers
    table = list(csv.DictReader(io.StringIO(client.get("/trust.csv").text)))
    assert len(table) == len(answers) == len(trust.suite())
    for row, answer in zip(table, answers, strict=True):
        for name, value in answer.items():
            assert row[name] == ("" if value is None else str(value))
    (known,) = [
        each for each in answers
        if (each["sampling"], each["metric"], each["frequency"], each["test"]) == ("all-text", "f1", 0.1, "extra-labels")
    ]  # fmt: skip
    assert known["passes"] is True and known["fall"] == pytest.approx(1 / 3, abs=0.005)


def test_every_mark_leads_to_its_numbers(client: TestClient) -> None:
    there = set(re.findall(r'id="([^"]+)"', client.get("/trust").text))
    marks = [
        trust_marks.mark(protocol, *each)
        for protocol in Protocol if protocol is not Protocol.AS_IMPORTED for each in measured(protocol)
    ]  # fmt: skip
    hrefs = {mark.href for mark in marks if mark is not None}
    assert hrefs and {href.removeprefix("/trust#") for href in hrefs} <= there
    assert trust_marks.mark(Protocol.AS_IMPORTED, Sample.AS_IMPORTED, Metric.DETECTION) is None
    assert trust_marks.said(Protocol.AS_IMPORTED, Sample.AS_IMPORTED, Metric.DETECTION) == "not checked"


def test_the_mark_is_text_that_says_what_goes_unnoticed() -> None:
    assert MARK is not None
    assert MARK.label == "misses too broad below 1 in 100"
    assert MARK.words == (
        "correlation on 8 strongest and 12 random excerpts would mostly not notice that an explanation is too broad, "
        "of a neuron that fires on fewer than 1 in 100 tokens."
    )


def test_it_stands_wherever_the_score_does(client: TestClient, full: Full) -> None:
    assert MARK is not None
    listed = client.post("/lists", data={"name": "marked"}, follow_redirects=False).headers["location"]
    client.post(f"{listed}/items", data={"neurons": f"{factories.SLUG}/0-mlp/0"})
    for path in (
        f"{MODEL}/0-mlp/0", MODEL, f"{MODEL}/0-mlp?sort=score&order=down", "/", f"/search?model={factories.SLUG}&q=words",
        f"/explanations/{full.tiny.explanation}", f"/compare?explanations={full.tiny.explanation}&explanations={full.tiny.explanation + 1}",
        f"/compare?n={factories.SLUG}/1-mlp/3",
    ):  # fmt: skip
        page = read(client.get(path).text)
        marks = [e for e in page.all if e.tag == "a" and "trust" in e.classes]
        assert any(e["href"] == MARK.href and MARK.label in e.text for e in marks), path
    options = [e.text for e in read(client.get(MODEL).text).all if e.tag == "option"]
    assert f"correlation, top-and-random (heldout-full) · {MARK.label}" in options


def test_the_api_says_it_of_every_score(client: TestClient, full: Full) -> None:
    assert MARK is not None
    scores = client.get(f"/api/v1/explanations/{full.tiny.explanation}").json()["scores"]
    for score in scores:
        names = Protocol(score["protocol"]), Sample(score["sample"]), Metric(score["metric"])
        assert score["trust"] == trust_marks.said(*names)
    assert MARK.label in {score["trust"] for score in scores}
    assert client.get(f"/api/v1/models/{factories.SLUG}/distributions").json()["trust"] == MARK.label


def test_an_explanation_s_page_shows_how_far_its_own_scores_fall(client: TestClient, full: Full) -> None:
    page = read(client.get(f"/explanations/{full.tiny.explanation}").text)
    section = page.one("section", id="would-notice")
    assert "half as broad" in section.text and "twice as broad" in section.text
    rows = [e.text for e in section.inside if e.tag == "tr"]
    assert any(row.strip().startswith("correlation") for row in rows)
    failed = read(client.get(f"/explanations/{full.tiny.failed_explanation}").text)
    assert not [e for e in failed.all if e.attributes.get("id") == "would-notice"]
