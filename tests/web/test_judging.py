"""Judging and comparing from pages and from the API, and what stands beside such scores."""

import json

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.judging import Asked, Verdict, score
from app.domain.neurons import Split
from app.domain.scored_by import Scorer, words
from app.domain.windows import Example
from app.jobs.requests import JudgeRequest, SimilarityRequest, loads
from app.store import Store, jobs, scores
from app.store.excerpts import ExcerptCache
from tests import factories
from tests.factories import Tiny
from tests.jobs.test_similarity import embed_all
from tests.store.test_statements import REFERENCE, A, B, say
from tests.web import markup

Client = TestClient


def judge(store: Store, id_: int, metric: Metric = Metric.FUZZING, key: str = "k") -> list[Verdict]:
    """A stored score on held-out windows, three of twenty judged wrongly."""
    table = ExcerptCache.get(store, factories.SLUG)
    held_out = np.flatnonzero(table.splits == Split.SCORE)[:20].tolist()
    verdicts = [
        Verdict(Example(e, 32 * (i % 2), i < 10, (3, 4)), (i < 10) != (i in (0, 1, 12)), 0.25)
        for i, e in enumerate(held_out)
    ]
    parameters = {"source": "live", "per_prompt": 1, "decoys": "inactive", "collection": table.collection_id}
    made = score(Asked(metric, "paid / big", 4, parameters), tuple(verdicts), table.documents[held_out])
    with store.session() as s:
        scores.add(s, id_, None, [made], "job-judge", key, scored=held_out)
    return verdicts


def alike(store: Store, id_: int, reference: int) -> None:
    said = {
        **words(Scorer("embedder", "all-MiniLM-L6-v2", 0)),
        "reference": reference,
        "reference_method": "highlight",
        "reference_explainer": "scripted / test-model",
        "others": 31,
        "chance_floor": 0.25,
    }
    value = ScoreValue(
        Metric.EMBEDDING,
        Protocol.REFERENCE,
        Sample.REFERENCE,
        State.OK,
        0.5,
        parameters_json=json.dumps(said),
    )
    with store.session() as s:
        scores.add(s, id_, None, [value], None, "alike", scored=())


def test_an_explanation_s_page_lists_every_window_with_its_verdict(
    client: Client, tiny_store: Store, tiny: Tiny
) -> None:
    verdicts = judge(tiny_store, tiny.explanation)
    text = client.get(f"/explanations/{tiny.explanation}").text
    page = markup.read(text)
    windows = page.find("ol", "judged")
    assert len(windows) == 2 and text.count('<li><div class="txt">') == len(verdicts)
    assert "3 windows judged wrongly" in text and "17 windows judged rightly" in text
    assert text.count("<mark>") == 2 * len(verdicts) and "P(yes) 0.25" in text
    assert "<script>alert" not in text.replace("&lt;script&gt;alert", "")
    assert "chance 0.50" in text and "right on 10 active 0.80" in text and "20 windows" in text
    assert "judge by paid / big" in text


def test_a_chance_floor_stands_wherever_a_similarity_does(
    client: Client, tiny_store: Store, tiny: Tiny
) -> None:
    alike(tiny_store, tiny.explanation, tiny.negative)
    ref = tiny.explained
    for address in (
        f"/explanations/{tiny.explanation}",
        f"/m/{ref.model}/{ref.layer}/{ref.index}?protocol=reference",
    ):
        text = client.get(address).text
        assert "0.50" in text and "chance floor 0.25" in text, address
    api = client.get(f"/api/v1/explanations/{tiny.explanation}/scores").json()["items"]
    [found] = [each for each in api if each["metric"] == "embedding"]
    assert json.loads(found["parameters_json"])["chance_floor"] == 0.25
    assert (found["simulator"], found["simulator_model"]) == ("embedder", "all-MiniLM-L6-v2")


def test_the_neuron_page_shows_judged_scores_by_their_protocol(
    client: Client, tiny_store: Store, tiny: Tiny
) -> None:
    judge(tiny_store, tiny.explanation)
    judge(tiny_store, tiny.explanation, Metric.DETECTION, "d")
    ref = tiny.explained
    text = client.get(f"/m/{ref.model}/{ref.layer}/{ref.index}?protocol=windows-50%2B50").text
    assert "detection, 20 windows" in text and "fuzzing: 0.85" in text and "chance 0.50" in text
    assert "scored by judge by paid / big" in text
    assert (
        "windows-50+50" not in markup.read(text).one("form", id="score-again").text
    )  # no simulation takes it


def test_forms_start_jobs(client: Client, tiny_store: Store, tiny: Tiny) -> None:
    id_, ref = tiny.explanation, tiny.explained
    asked = {
        "metric": "fuzzing",
        "endpoint": "local",
        "per_prompt": "5",
        "source": "stored",
        "decoys": "active",
    }
    answer = client.post(f"/explanations/{id_}/judge", data=asked)
    assert answer.status_code == 303
    here = f"/m/{ref.model}/{ref.layer}/{ref.index}"
    again = client.post(
        f"{here}/score", data={"explanation": id_, "simulator": "detection", "endpoint": "local", "seed": "3"}
    )
    assert again.status_code == 303 and "protocol=windows-50%2B50" in again.headers["location"]
    with tiny_store.session() as s:
        rows = [row for row in jobs.list_jobs(s) if row.kind == "judge"]
    detection, fuzzing = (loads(JudgeRequest, row.parameters_json) for row in rows)
    assert (fuzzing.judge.metric, fuzzing.judge.per_prompt, fuzzing.judge.source) == ("fuzzing", 5, "stored")
    assert fuzzing.judge.decoys == "active" and fuzzing.author == "web"
    assert (detection.judge.metric, detection.judge.seed, detection.judge.source) == ("detection", 3, "live")
    refused = client.post(f"/explanations/{id_}/judge", data={**asked, "endpoint": "nobody"})
    assert refused.status_code == 404 and "local, paid" in refused.text
    price = client.get(f"{here}/score/preview?explanation={id_}&simulator=fuzzing&endpoint=paid").text
    assert "100 calls" in price and "paid (big)" in price and "$" in price
    own = client.get(f"/explanations/{id_}/judge/preview?metric=detection&endpoint=paid&per_prompt=10").text
    assert "10 calls" in own


def test_a_reference_is_one_of_the_neuron_s_other_explanations(
    client: Client, tiny_store: Store, tiny: Tiny
) -> None:
    with tiny_store.session() as s:
        other = say(s, A, tiny.explained.index, "<b>another</b> statement", layer=1)
    text = client.get(f"/explanations/{tiny.explanation}").text
    form = markup.read(text).one("section", id="similarity").text
    assert "another" in form and "<b>another" not in text
    answer = client.post(f"/explanations/{tiny.explanation}/similarity", data={"reference": other})
    assert answer.status_code == 303
    with tiny_store.session() as s:
        [row] = [row for row in jobs.list_jobs(s) if row.kind == "similarity"]
    assert loads(SimilarityRequest, row.parameters_json).similarity.reference == other
    itself = client.post(f"/explanations/{tiny.explanation}/similarity", data={"reference": tiny.explanation})
    assert itself.status_code == 422 and "like itself" in itself.text


@pytest.mark.parametrize("what", ["judge", "similarity"])
def test_a_failed_explanation_has_no_form_and_cannot_be_asked(client: Client, tiny: Tiny, what: str) -> None:
    page = client.get(f"/explanations/{tiny.failed_explanation}")
    assert page.status_code == 200 and f'id="{what}"' not in page.text
    data = {"metric": "detection", "endpoint": "local", "reference": str(tiny.explanation)}
    assert client.post(f"/explanations/{tiny.failed_explanation}/{what}", data=data).status_code == 422


@pytest.fixture
def compared(client: Client, tiny_store: Store) -> Client:
    """A model explained by three makers, embedded by the endpoint of the settings."""
    with tiny_store.session() as s:
        for i in range(14):
            say(s, REFERENCE, i, f"thing{i} in a text")
            say(s, A, i, f"thing{i} <b>again</b>")
            say(s, B, i, f"thing{i + 1} wrongly")
    settings = client.app.state.settings  # type: ignore[attr-defined]
    settings.embedding_endpoint = "paid"
    embed_all(tiny_store, settings)
    return client


def test_the_table_s_page_files_and_api_say_the_same(compared: Client) -> None:
    reference = "published:gpt-4"
    here = "/m/tiny-random/similarity"
    bare = compared.get(here)
    assert bare.status_code == 200 and "Choose whose explanations" in bare.text
    text = compared.get(here, params={"reference": reference}).text
    api = compared.get("/api/v1/models/tiny-random/similarity", params={"reference": reference}).json()
    rows = {line["explainer"]: line for line in api["lines"]}
    good, bad = rows["vllm / a"], rows["vllm / b"]
    assert good["neurons"] == 14 and good["difference"] > bad["difference"] and good["low"] > 0
    for line in (good, bad):
        for name in ("similarity", "chance_floor"):
            assert f"{line[name]:.3f}".replace("-", "−") in text
    assert json.loads(compared.get(f"{here}.json", params={"reference": reference}).text) == api
    cells = compared.get(f"{here}.csv", params={"reference": reference}).text
    assert repr(good["similarity"]) in cells and "explained by" in text
    words_ = compared.get(f"{here}.txt", params={"reference": reference}).text
    assert "summary:vllm / a" in words_ and f"{good['chance_floor']:.3f}" in words_
    wrong = compared.get(here, params={"reference": "nobody"})
    assert wrong.status_code == 422 and "published:gpt-4" in wrong.text
    assert compared.get("/m/nobody/similarity").status_code == 404


def test_without_an_embedder_the_page_says_how_to_set_one_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.embed.local.embedder", lambda: None)
    text = client.get("/m/tiny-random/similarity").text
    assert "not set up" in text and '<select name="reference"' not in text


def test_the_api_starts_the_same_jobs(client: Client, tiny_store: Store, tiny: Tiny) -> None:
    address = f"/api/v1/explanations/{tiny.explanation}"
    asked = {"metric": "fuzzing", "endpoint": "local", "source": "stored", "per_prompt": 2, "fresh": True}
    answer = client.post(f"{address}/judgements", json=asked)
    assert answer.status_code == 202, answer.text
    with tiny_store.session() as s:
        made = loads(JudgeRequest, jobs.get(s, answer.json()["job_id"]).parameters_json)
    assert (made.judge.metric, made.judge.per_prompt, made.fresh, made.author) == ("fuzzing", 2, True, "api")
    assert client.post(f"{address}/judgements", json={**asked, "metric": "cosine"}).status_code == 422
    itself = client.post(f"{address}/similarities", json={"reference": tiny.explanation})
    assert itself.status_code == 422 and "like itself" in itself.json()["error"]["message"]
