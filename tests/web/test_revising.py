"""Revising and probing as pages, the API and the command line have them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.domain.explanations import (
    Method,
    Metric,
    Protocol,
    Sample,
    ScoreValue,
    Simulated,
    State,
    Step,
)
from app.domain.live_texts import LiveText, Role, Sentence, to_step
from app.domain.neurons import NeuronRef, Polarity
from app.domain.probing import Probe, Verdict, hypothesis_step, probe_step, rejected_step, verdict_step
from app.jobs.requests import ProbeRequest, ReviseRequest, ScoreRequest, loads
from app.store import Store, explanations, jobs, models, neurons, scores, simulations
from app.store.excerpts import ExcerptCache
from tests.factories import Tiny, provenance
from tests.web.api import API, MODEL, NEURONS, get, message
from tests.web.markup import read

LAYER = "0-mlp"


def live(store: Store, slug: str, ids: list[int], values: list[float]) -> LiveText:
    with store.session() as s:
        text = models.vocabulary(s, slug).text(np.array(ids, np.int32))
    return LiveText(text, tuple(ids), tuple(values))


class Made:
    """A neuron with a statement, its revision, and a probing from it."""

    def __init__(self, store: Store, tiny: Tiny) -> None:
        table = ExcerptCache.get(store, tiny.slug)
        self.ref = NeuronRef(tiny.slug, LAYER, 3)
        self.text = live(store, tiny.slug, [60, 61, 62, 63], [0.1, 2.5, 0.0, -0.5])
        quiet = live(store, tiny.slug, [64, 65, 66], [0.0, -0.1, 0.0])
        sentences = [
            to_step(Sentence(self.text, Role.EVIDENCE, True, 0.2)),
            to_step(Sentence(quiet, Role.KEPT, False, 0.2)),
        ]
        probes = [Probe(1, self.text, True, True), Probe(1, quiet, True, False)]
        steps = [
            hypothesis_step(1, "words about <b>rain</b>"),
            *(probe_step(p) for p in probes),
            verdict_step(Verdict(1, "words about rain", 1, 2)),
            hypothesis_step(2, "bridges"),
        ]
        with store.session() as s:
            seen = provenance(neurons.records(s, table, self.ref), method=Method.SUMMARY)

            def add(method: Method, text: str | None, key: str, source: int | None, steps: list[Step]) -> int:
                state = State.OK if text else State.FAILED
                made = replace(seen, method=method)
                return explanations.add(
                    s, self.ref, text, Polarity.POSITIVE, made, state, "" if text else "no use", None, key,
                    source_id=source, steps=steps,
                )  # fmt: skip

            self.source = add(Method.SUMMARY, "words about <b>rain</b>", "s", None, [])
            self.revision = add(Method.REVISION, "names of bridges", "r", self.source, sentences)
            self.probing = add(Method.PROBING, "bridges", "p", self.source, steps)
            rejected = [rejected_step("sentences", "text 3 is empty", "<i>x</i>")]
            self.failed = add(Method.REVISION, None, "f", self.source, rejected)
            collection = table.collection_id
            for i, (explanation, original, with_sentences) in enumerate(
                [(self.source, 0.5, 0.125), (self.revision, 0.625, 0.75)]
            ):
                excerpts = np.flatnonzero(table.splits == 2)[:3].astype(np.int32)
                predicted = Simulated(excerpts, np.zeros((3, 64), np.float32))
                simulation = simulations.add(
                    s, explanation, "local", "tiny", "{}", 0, predicted, State.OK, "", None, f"sim{i}",
                    collection_id=collection,
                )  # fmt: skip
                values = [
                    ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_5_5, Sample.TOP_AND_RANDOM, State.OK, original),
                    ScoreValue(
                        Metric.CORRELATION, Protocol.GENERATED, Sample.GENERATED, State.OK, with_sentences, n_records=15,
                        parameters_json=json.dumps({"revision": self.revision}),
                    ),
                ]  # fmt: skip
                scores.add(s, explanation, simulation, values, None, f"score{i}")


@pytest.fixture
def made(tiny_store: Store, tiny: Tiny) -> Made:
    return Made(tiny_store, tiny)


def test_a_revision_shows_its_sentences_and_both_scores(client: TestClient, made: Made) -> None:
    html = client.get(f"/explanations/{made.revision}").text
    page = read(html)
    text = page.one("article").text
    assert (
        "2 sentences that the explainer wrote to fit the earlier statement: 1 leaves the neuron silent"
        in text
    )
    lines = [e for e in page.find("div") if "txt" in e.attributes.get("class", "")]
    assert next(iter(lines)).text.replace("\xa0", " ") == made.text.text
    assert "false positive" in text and "kept for scoring" in text and "<b>rain</b>" not in html
    [table] = [e for e in page.find("table") if "with the kept sentences" in e.text]
    rows = [[c.text for c in row.inside if c.tag == "td"] for row in table.inside if row.tag == "tr"][1:]
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("words about <b>rain</b>", "0.500", "0.125"),
        ("names of bridges", "0.625", "0.750"),
    ]


def test_a_probing_shows_every_hypothesis_and_text(client: TestClient, made: Made) -> None:
    html = client.get(f"/explanations/{made.probing}").text
    text = read(html).one("article").text
    assert "1 of 2 foretold rightly" in text and "was silent" in text and "not tested to the end" in text
    assert "<b>rain</b>" not in html


def test_a_failed_revision_says_what_was_answered(client: TestClient, made: Made) -> None:
    html = client.get(f"/explanations/{made.failed}").text
    text = read(html).one("article").text
    assert "1 answer that could not be used" in text and "text 3 is empty" in text and "<i>x</i>" not in html
    assert "Test it on the live model" not in text  # there is no statement to test


def test_the_form_begins_a_revision(client: TestClient, made: Made, tiny_store: Store) -> None:
    page = client.get(f"/explanations/{made.source}").text
    assert f'action="/explanations/{made.source}/revise"' in page and "token_lookup" not in page
    fields = {"explainer": "local", "method": "revision", "simulator": "local", "protocol": "", "seed": "4"}
    answer = client.post(f"/explanations/{made.source}/revise", data=fields)
    assert answer.status_code == 303, answer.text
    with tiny_store.session() as s:
        [row] = [job for job in jobs.list_jobs(s) if job.kind == "revise"]
    asked = loads(ReviseRequest, row.parameters_json)
    assert (asked.explanation_id, asked.revise.explainer, asked.revise.seed) == (made.source, "local", 4)
    assert asked.score is not None and asked.score.protocol is Protocol.HELDOUT_FULL
    assert row.id in answer.headers["location"]


def test_a_control_is_scored_on_the_newest_revision(
    client: TestClient, made: Made, tiny_store: Store
) -> None:
    fields = {"explainer": "local", "method": "re_explanation", "simulator": "local"}
    client.post(f"/explanations/{made.source}/revise", data=fields)
    with tiny_store.session() as s:
        [row] = [job for job in jobs.list_jobs(s) if job.kind == "revise"]
    asked = loads(ReviseRequest, row.parameters_json)
    assert asked.score is not None and asked.score.revision == made.revision


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rounds": "0"}, "0 rounds"),
        ({"usd": "0"}, "no dollars"),
        ({"usd": "much"}, "Dollars are a number"),
        ({"explainer": "nobody"}, "nobody"),
        ({"simulator": "token_lookup"}, "token means"),
    ],
)
def test_what_cannot_be_probed_is_said_at_once(
    client: TestClient, made: Made, fields: dict[str, str], said: str
) -> None:
    answer = client.post(f"/explanations/{made.source}/probe", data={"explainer": "local", **fields})
    assert answer.status_code in (404, 422) and said in answer.text


def test_a_dry_run_says_what_it_takes_at_most(client: TestClient, made: Made) -> None:
    path = f"/explanations/{made.source}"
    seen = client.get(
        f"{path}/revise/preview", params={"explainer": "paid", "simulator": "chat_json", "endpoint": "paid"}
    ).text
    text = read(seen).one("article").text
    assert "2 calls" in text and "6 with every one repeated" in text and "the model reads 10 texts" in text
    assert text.count("$") == 2
    fragment = client.get(
        f"{path}/probe/preview", params={"explainer": "paid", "rounds": 2}, headers={"hx-request": "1"}
    )
    assert "<html" not in fragment.text and "3 calls" in fragment.text and "16 texts" in fragment.text
    problem = client.get(f"{path}/probe/preview", params={"explainer": "paid", "rounds": 0}).text
    assert "0 rounds" in problem
    few = get(client, f"{API}/explanations/{made.source}")
    assert few["id"] == made.source


def test_a_bound_on_dollars_bounds_the_price(client: TestClient, made: Made) -> None:
    path = f"{NEURONS}/3/probes/preview"
    body = {"explainer": "paid", "explanation": made.source, "rounds": 3}
    whole = client.post(path, json=body).json()
    less = client.post(path, json={**body, "usd": 0.001}).json()
    fewer = client.post(path, json={**body, "calls": 1}).json()
    assert less["price_usd"] == 0.001 < fewer["price_usd"] < whole["price_usd"]
    assert fewer["most_calls"] == 1 and whole["most_calls"] == 15


def test_the_api_asks_for_the_same(client: TestClient, made: Made, tiny_store: Store) -> None:
    body = {
        "explainer": "local",
        "method": "revision_random",
        "score": {"simulator": "local"},
        "on": made.revision,
    }
    started = client.post(f"{API}/explanations/{made.source}/revisions", json=body)
    assert started.status_code == 202, started.text
    probe = {
        "explainer": "local",
        "first": {"method": "summary", "explainer": "local", "polarity": "negative"},
    }
    assert client.post(f"{NEURONS}/3/probes", json=probe).status_code == 202
    with tiny_store.session() as s:
        by_kind = {row.kind: row for row in jobs.list_jobs(s)}
    asked = loads(ReviseRequest, by_kind["revise"].parameters_json)
    assert asked.score is not None and asked.score.revision == made.revision
    probing = loads(ProbeRequest, by_kind["probe"].parameters_json)
    assert probing.first is not None and probing.probe.polarity is Polarity.NEGATIVE
    neither = client.post(f"{NEURONS}/3/probes", json={"explainer": "local"})
    assert neither.status_code == 422 and "either explanation" in neither.json()["error"]["message"]
    elsewhere = client.post(f"{NEURONS}/4/probes", json={"explainer": "local", "explanation": made.source})
    assert elsewhere.status_code == 422 and "is of tiny-random" in elsewhere.json()["error"]["message"]


def test_another_statement_is_scored_on_a_revision_s_sentences(
    client: TestClient, made: Made, tiny_store: Store
) -> None:
    form = read(client.get(f"/explanations/{made.source}").text).one("select", name="revision")
    assert [e.attributes["value"] for e in form.inside if e.tag == "option"] == [str(made.revision)]
    # What has seen one of the sentences is not offered them, and is refused.
    assert "on-sentences" not in client.get(f"/explanations/{made.probing}").text
    on = {"revision": made.revision}
    refused = client.post(f"{API}/explanations/{made.probing}/scores", json=on)
    assert refused.status_code == 422 and "Not held out" in refused.text
    fields = {"revision": str(made.revision), "protocol": Protocol.GENERATED.value, "simulator": "local"}
    begun = client.post(f"/explanations/{made.source}/score", data=fields)
    assert begun.status_code == 303, begun.text
    for more in ({}, {"protocol": "heldout-5+5"}):
        answer = client.post(f"{API}/explanations/{made.source}/scores", json=on | more)
        assert answer.status_code == 202, answer.text
    with tiny_store.session() as s:
        asked = [
            loads(ScoreRequest, job.parameters_json).score for job in jobs.list_jobs(s) if job.kind == "score"
        ]
    assert {each.revision for each in asked} == {made.revision}
    assert [each.protocol for each in asked].count(Protocol.GENERATED) == 2
    # What it takes grows by as many calls as there are sentences.
    path = f"{API}/explanations/{made.source}/scores/preview"
    few, more_ = (
        get(client, path, simulator="chat_json", endpoint="local", protocol=p)["scoring"]["calls"]
        for p in ("heldout-5+5", Protocol.GENERATED.value)
    )
    assert more_ == few + 5


def test_a_model_s_revisions_are_one_page_and_one_answer(client: TestClient, made: Made, tiny: Tiny) -> None:
    text = read(client.get(f"/m/{tiny.slug}/revisions").text).one("main").text
    assert "50.0 %" in text and "100.0 %" in text and "names of bridges" in text and "1 of 2" in text
    assert "0.125" in text and "0.750" in text
    found = get(client, f"{MODEL}/revisions")
    assert (found["sentences"], found["false_positives"], found["share_of_neurons"]) == (2, 1, 1.0)


def test_a_model_without_revisions_says_how_one_is_made(client: TestClient, tiny: Tiny) -> None:
    assert "has been revised" in client.get(f"/m/{tiny.slug}/revisions").text
    assert get(client, f"{MODEL}/revisions")["share_of_sentences"] is None
    message(client, f"{API}/models/nobody/revisions", 404)
