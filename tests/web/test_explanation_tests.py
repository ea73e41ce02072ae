"""What an explanation is put to from its page and the API: forms that start jobs, and the false positives that were found."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.cli import live
from app.domain.explanations import Protocol, Provenance, ScoreOptions, Simulated, State
from app.domain.neurons import NeuronRef, Polarity, Split
from app.errors import BadInput
from app.jobs.requests import AblationRequest, FalsePositivesRequest, TransferRequest, loads
from app.jobs.service import Jobs
from app.store import Store, explanations, false_positives, human, jobs, simulations
from app.store.excerpts import ExcerptCache
from app.web.false_positive_lines import described
from app.web.pages.explanation_tests import neuron_named
from tests.factories import SLUG, Tiny
from tests.web.api import API, get, message
from tests.web.markup import read

SAID = {
    "asked": 100, "examined": 40, "silent": 30, "strongest": 2, "strongest_silent": 1, "threshold": 0.5,
    "position0": False, "scale": "0-10", "seen_known": True, "slope": 0.2, "intercept": -0.1, "dev_records": 10,
    "split": "score",
}  # fmt: skip


def searched(store: Store, explanation: int, sign: int = 1, job: str = "fp-1", **said: object) -> list[int]:
    """A stored search over two excerpts: high on the fourth token of each, where the neuron is silent; their ordinals."""
    held = ExcerptCache.get(store, SLUG)
    worst = np.flatnonzero(held.splits == Split.SCORE)[:2].astype(np.int32)
    predicted = np.zeros((2, 64), np.float32)
    predicted[0, 3], predicted[1, 3] = 9.25, 8.5
    actual = np.full((2, 64), -0.25 * sign, np.float32)
    actual[1, 9] = 4 * sign
    with store.session() as s:
        collection = explanations.get(s, explanation).collection_id
        false_positives.add(
            s, explanation, "local", "Tiny-Model", json.dumps(SAID | said), 5, worst, predicted, actual, job,
            collection_id=collection,
        )  # fmt: skip
    return worst.tolist()


def simulated(store: Store, explanation: int, protocol: Protocol | None = Protocol.HELDOUT_FULL) -> int:
    """A simulation as a score job leaves it."""
    held = ExcerptCache.get(store, SLUG)
    excerpts = np.flatnonzero(held.splits == Split.SCORE)[:3].astype(np.int32)
    values = Simulated(excerpts, np.ones((3, 64), np.float32))
    said = json.dumps({} if protocol is None else {"protocol": protocol})
    with store.session() as s:
        key = f"sim-{explanation}-{protocol}"
        return simulations.add(s, explanation, "local", "M", said, 0, values, State.OK, "", None, key)


def test_the_worst_false_positives_stand_over_what_the_neuron_did(
    client: TestClient, tiny_store: Store, tiny: Tiny
) -> None:
    searched(tiny_store, tiny.explanation)
    page = read(client.get(f"/explanations/{tiny.explanation}").text)
    [section] = page.find("section", cls="same")
    for words in (
        "Tiny-Model (local, scale 0-10, seed 5)", "40 excerpts of the score split (100 were asked for",
        "none from a document that the explanation’s maker has seen", "not above 0.500",
        "a prediction of 10 stands for +1.90 and one of 0 for −0.10",
        "2 excerpts predicted highest, the neuron is silent throughout in 1 (50.0 %); of all 40 in 30 (75.0 %)",
    ):  # fmt: skip
        assert words in section.text, words
    first, second = (e for e in section.inside if "block" in e.classes)
    assert "predicted 9.25 where the neuron gives −0.25; silent throughout" in first.text
    assert "predicted 8.50 where the neuron gives −0.25; active elsewhere in it" in second.text
    lines = [e for e in first.inside if "line" in e.classes]
    assert [line.text.split()[:2] for line in lines] == [["predicted", "+9.25"], ["actual", "−0.25"]]
    assert "simulated" in lines[0].classes and "Chapter" in first.text
    for line in lines:
        [text] = [e for e in line.inside if "txt" in e.classes]
        assert len([e for e in text.inside if e.tag == "bdi"]) == 64
        [peak] = [i for i, e in enumerate(e for e in text.inside if e.tag == "bdi") if "pk" in e.classes]
        assert peak == 3


def test_of_the_negative_side_both_lines_have_the_neuron_s_own_sign(
    client: TestClient, tiny_store: Store, tiny: Tiny
) -> None:
    searched(tiny_store, tiny.negative, sign=-1)
    page = read(client.get(f"/explanations/{tiny.negative}").text)
    first = page.find(cls="block")[0]
    assert [line.text.split()[:2] for line in first.inside if "line" in line.classes] == [
        ["predicted", "−9.25"], ["actual", "+0.25"],
    ]  # fmt: skip
    assert "silent throughout" in first.text


def test_what_a_search_cannot_say_is_said(client: TestClient, tiny_store: Store, tiny: Tiny) -> None:
    searched(tiny_store, tiny.explanation, seen_known=False, slope=-0.5)
    text = read(client.get(f"/explanations/{tiny.explanation}").text).one("main").text
    assert "nobody knows which text the explanation’s maker saw" in text
    assert "does not rise with the predictions" in text
    with tiny_store.session() as s:
        [row] = false_positives.of_explanation(s, tiny.explanation)
    said = {k: v for k, v in SAID.items() if k not in ("slope", "intercept")} | {"no_calibration": "No dev."}
    assert described(replace(row, parameters_json=json.dumps(said))).warning.endswith("calibrated. No dev.")


def test_the_api_has_what_the_page_has(client: TestClient, tiny_store: Store, tiny: Tiny) -> None:
    excerpts = searched(tiny_store, tiny.explanation)
    path = f"{API}/explanations/{tiny.explanation}/false-positives"
    [found] = get(client, path)["items"]
    assert [each["excerpt"] for each in found["excerpts"]] == excerpts
    assert [each["token"] for each in found["excerpts"]] == [3, 3]
    assert [each["active_elsewhere"] for each in found["excerpts"]] == [False, True]
    assert found["excerpts"][0]["predicted"][3] == 9.25 and found["excerpts"][1]["actual"][9] == 4
    assert found["current"] and found["simulator_model"] == "Tiny-Model" and not found["warning"]
    text = read(client.get(f"/explanations/{tiny.explanation}").text).one("main").text
    assert all(sentence in text for sentence in found["about"])
    assert get(client, f"{API}/explanations/{tiny.negative}/false-positives") == {"items": []}
    assert "no explanation 999999" in message(client, f"{API}/explanations/999999/false-positives", 404)


def request_of(store: Store, kind: Any, job: str) -> Any:
    with store.session() as s:
        return loads(kind, jobs.get(s, job).parameters_json)


def test_forms_start_jobs_that_lead_back(client: TestClient, tiny_store: Store, tiny: Tiny) -> None:
    here = f"/explanations/{tiny.explanation}"
    assert "no simulation of this neuron’s records yet" in read(client.get(here).text).one("main").text
    assert client.post(f"{here}/ablation").status_code == 422
    older, newer = (
        simulated(tiny_store, tiny.explanation),
        simulated(tiny_store, tiny.explanation, Protocol.HELDOUT_5_5),
    )
    simulated(tiny_store, tiny.explanation, None)  # as published: of nobody knows what
    page = read(client.get(here).text)
    [select] = page.find("select", name="simulation")
    assert [e["value"] for e in select.inside if e.tag == "option"] == [str(newer), str(older)]

    def started(path: str, **form: object) -> str:
        answer = client.post(f"{here}/{path}", data=form)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith("/jobs/")
        return answer.headers["location"].rpartition("/")[2]

    job = started("ablation", simulation=older)
    assert request_of(tiny_store, AblationRequest, job) == AblationRequest(
        tiny.explanation, older, author="web"
    )
    job = started("ablation")
    assert request_of(tiny_store, AblationRequest, job).simulation_id == newer
    job = started("false-positives", excerpts=50, seed=3)
    assert request_of(tiny_store, FalsePositivesRequest, job) == FalsePositivesRequest(
        tiny.explanation, 50, 3, author="web"
    )
    client.post(f"/jobs/{job}/cancel")
    assert read(client.get(f"/jobs/{job}").text).find("a", href=here)
    job = started("transfer", neuron=f"http://127.0.0.1:8000/m/{SLUG}/0-mlp/4?layer=x", polarity="negative")
    request = request_of(tiny_store, TransferRequest, job)
    assert request.ref == NeuronRef(SLUG, "0-mlp", 4) and request.polarity is Polarity.NEGATIVE
    assert request.score.protocol is Protocol.HELDOUT_FULL


def test_the_api_starts_the_same_jobs(client: TestClient, tiny_store: Store, tiny: Tiny) -> None:
    here = f"{API}/explanations/{tiny.explanation}"
    simulation = simulated(tiny_store, tiny.explanation)
    other = {"model": SLUG, "layer": "0-mlp", "index": 4}
    for path, body, kind in (
        ("ablation", {}, AblationRequest),
        ("false-positives", {"excerpts": 20}, FalsePositivesRequest),
        ("transfer", other, TransferRequest),
    ):
        answer = client.post(f"{here}/{path}", json=body)
        assert answer.status_code == 202, answer.text
        request = request_of(tiny_store, kind, answer.json()["job_id"])
        assert request.explanation_id == tiny.explanation and request.author == "api"
    with tiny_store.session() as s:
        foreign = simulations.of_explanation(s, tiny.negative)[0].id
    for path, body, status, words in (
        ("ablation", {"simulation": simulation + 999}, 404, "no simulation"),
        ("ablation", {"simulation": foreign}, 422, "is not of explanation"),
        ("false-positives", {"excerpts": 0}, 422, "Between 1 and"),
        ("transfer", {**other, "index": 5000}, 404, "no neuron 5000"),
        ("transfer", {"model": SLUG, "layer": "1-mlp", "index": 3}, 422, "this explanation is about"),
        ("transfer", {**other, "score": {"simulator": "token_lookup"}}, 422, "token means"),
        ("transfer", {**other, "score": {"protocol": "bills-5+5"}}, 422, "imported data"),
    ):
        answer = client.post(f"{here}/{path}", json=body)
        assert answer.status_code == status and words in answer.json()["error"]["message"], answer.text


def test_a_transferred_statement_says_what_it_was_made_from(
    client: TestClient, tiny_store: Store, tiny: Tiny
) -> None:
    made = Provenance("transfer", "scripted / m")
    with tiny_store.session() as s:
        moved = explanations.add(
            s,
            tiny.plain,
            "words",
            Polarity.POSITIVE,
            made,
            State.OK,
            "",
            None,
            "moved",
            source_id=tiny.explanation,
        )
    page = read(client.get(f"/explanations/{moved}").text)
    assert page.find("a", href=f"/explanations/{tiny.explanation}")
    assert f"and what explanation {tiny.explanation} saw" in page.one("main").text


def test_a_failed_explanation_offers_no_test_and_a_written_one_no_transfer(
    client: TestClient, web_settings: Any, tiny_store: Store, tiny: Tiny
) -> None:
    page = read(client.get(f"/explanations/{tiny.failed_explanation}").text)
    assert not [e for e in page.find("section") if e.attributes.get("id") == "put-to-the-test"]
    asked = Jobs(web_settings, tiny_store)
    with pytest.raises(BadInput, match="no statement to score"):
        asked.enqueue_false_positives(tiny.failed_explanation)
    with tiny_store.session() as s:
        written = human.explain(s, tiny.plain, "mine", Polarity.POSITIVE, "somebody")
    with pytest.raises(BadInput, match="nobody knows which text"):
        asked.enqueue_transfer(written, tiny.explained, ScoreOptions())
    assert asked.enqueue_false_positives(written)  # counter-examples are no score


@pytest.mark.parametrize("text", ["", "8-mlp/101", "m/8-mlp/x", "m//3", "a/b/c/d", "m/8-mlp/٣"])
def test_what_names_no_neuron_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no neuron"):
        neuron_named(text)


def test_the_command_line_shows_the_token_in_its_place(
    web_settings: Any, tiny_store: Store, tiny: Tiny
) -> None:
    searched(tiny_store, tiny.explanation)
    lines = live._found(Jobs(web_settings, tiny_store), tiny.explanation, "fp-1")
    first, second = (line for line in lines if "predicted, " in line)
    assert first.startswith("   9.25 predicted, -0.250 there, silent throughout: …") and "→" in first
    assert second.startswith("   8.50 predicted, -0.250 there: …") and "←" in second
    assert lines[-1] == "2 excerpts shown, job fp-1."
