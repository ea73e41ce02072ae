"""What a page says of explanations and scores that others made."""

import pytest
from fastapi.testclient import TestClient

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.imported import ImportedExplanation, ImportedScore, ImportSource
from app.store import Store, heldout
from app.store.imported import add_explanations
from tests import factories
from tests.web.api import API

SOURCE = ImportSource("delphi", "llama <b>", "Ada & co", parameters_json='{"imported_from": "some.jsonl"}')
AS = (Protocol.AS_IMPORTED, Sample.AS_IMPORTED)


def add(store: Store, tiny: factories.Tiny, *scores: ImportedScore, text: str = "<i>theirs</i>") -> int:
    row = ImportedExplanation(1, tiny.plain.index, text, scores=scores)
    with store.session() as s:
        return add_explanations(s, tiny.slug, SOURCE, [row]).ids[0]


def test_its_score_stands_beside_it_under_its_own_protocol(
    client: TestClient, tiny_store: Store, tiny: factories.Tiny
) -> None:
    add(
        tiny_store,
        tiny,
        ImportedScore(Metric.FUZZING, *AS, 0.625),
        ImportedScore(Metric.DETECTION, *AS, 0.875),
    )
    usual = client.get(f"/m/{tiny.plain}").text
    assert "&lt;i&gt;theirs&lt;/i&gt;" in usual and "no heldout-full score; there is as-imported" in usual
    page = client.get(f"/m/{tiny.plain}?protocol=as-imported").text
    assert "detection, records not told" in page and "0.88" in page
    assert "nobody can tell here" in page


def test_what_its_maker_claims_is_said_to_be_a_claim(
    client: TestClient, tiny_store: Store, tiny: factories.Tiny
) -> None:
    claim = ImportedScore(
        Metric.CORRELATION, *AS, 0.5, n_records=12, claims_json='{"protocol": "heldout-full"}'
    )
    add(tiny_store, tiny, claim)
    page = client.get(f"/m/{tiny.plain}?protocol=as-imported").text
    assert "correlation, 12 records" in page and "heldout-full as its maker says" in page


def test_its_own_page_says_that_nobody_knows_what_its_maker_saw(
    client: TestClient, tiny_store: Store, tiny: factories.Tiny
) -> None:
    id_ = add(tiny_store, tiny, ImportedScore(Metric.DETECTION, *AS, 0.875))
    page = client.get(f"/explanations/{id_}").text
    assert "not known: imported" in page and "some.jsonl" in page and "llama &lt;b&gt;" in page
    assert "not known: imported" not in client.get(f"/explanations/{tiny.explanation}").text
    with tiny_store.session() as s:
        assert heldout.seen_documents(s, tiny.explanation).known


@pytest.mark.parametrize("protocol", ["heldout-full", "population", "as-imported", "bills-5+5"])
def test_it_cannot_be_scored_on_documents(
    client: TestClient, tiny_store: Store, tiny: factories.Tiny, protocol: str
) -> None:
    id_ = add(tiny_store, tiny)
    answer = client.post(
        f"{API}/explanations/{id_}/scores", json={"simulator": "local", "protocol": protocol}
    )
    assert answer.status_code == 422
    said = answer.json()["error"]["message"]
    assert {
        "as-imported": "came with an explanation",
        "bills-5+5": "is for imported data",
    }.get(protocol, "which text its maker saw") in said


def test_as_imported_is_never_offered(client: TestClient, tiny: factories.Tiny) -> None:
    assert 'value="as-imported"' not in client.get(f"/m/{tiny.explained}").text
    choices = client.get(f"{API}/models/{tiny.slug}/choices").json()
    assert "as-imported" not in str(choices["protocol"])
