"""What jobs have called, who is at work and what it has cost, as the jobs' pages say it."""

from datetime import UTC, datetime

from starlette.testclient import TestClient

from app.domain.ledger import LedgerEntry, Outcome
from app.store import Store, ledger, workers
from tests.web.api import API, NEURONS, get, message
from tests.web.markup import read


def call(job: str, attempt: int, outcome: Outcome, status: int | None, reason: str = "") -> LedgerEntry:
    return LedgerEntry(
        request_key="k" * 64,
        job_id=job,
        purpose="explain",
        endpoint="paid",
        model="big",
        attempt=attempt,
        outcome=outcome,
        status=status,
        reason=reason,
        answer_json='{"text": "words"}' if outcome is Outcome.OK else "",
        tokens_in=959,
        tokens_out=12,
        cost_usd=0.25 if outcome is Outcome.OK else 0.0,
        seconds=1.5,
        created_at=datetime(2026, 11, 21, 10, 34, attempt, tzinfo=UTC),
    )


def test_a_job_s_calls_are_those_of_its_page(client: TestClient, tiny_store: Store):
    body = {"method": "summary", "explainer": "paid"}
    job = client.post(f"{NEURONS}/3/explanations", json=body).json()["job_id"]
    assert get(client, f"{API}/jobs/{job}/calls")["items"] == []
    with tiny_store.session() as session:
        ledger.record(session, call(job, 1, Outcome.TIMEOUT, None, "No answer within 120 s."))
        ledger.record(session, call(job, 2, Outcome.OK, 200))
        ledger.record(session, call("another", 1, Outcome.HTTP_ERROR, 500))
    failed, answered = get(client, f"{API}/jobs/{job}/calls")["items"]
    assert answered == {
        "purpose": "explain",
        "endpoint": "paid",
        "model": "big",
        "attempt": 2,
        "outcome": "ok",
        "status": 200,
        "reason": "",
        "tokens_in": 959,
        "tokens_cached": 0,
        "tokens_out": 12,
        "cost_usd": 0.25,
        "seconds": 1.5,
        "created_at": "2026-11-21T10:34:02Z",
    }
    assert (failed["outcome"], failed["status"], failed["attempt"]) == ("timeout", None, 1)
    rows = [row.text for row in read(client.get(f"/jobs/{job}").text).find("tr")[1:]]
    assert len(rows) == 2 and failed["reason"] in rows[0]
    assert get(client, f"{API}/jobs/{job}")["cost_usd"] == 0.25


def test_an_unknown_job_has_no_calls(client: TestClient):
    assert "nothing" in message(client, f"{API}/jobs/nothing/calls", 404)


def test_who_works_and_what_was_spent(client: TestClient, tiny_store: Store):
    idle = get(client, f"{API}/work")
    caps = {"spending_cap_usd": None, "daily_cap_usd": None, "job_cap_usd": None}
    assert idle == {"workers": [], "spent_usd": 0, "spent_today_usd": 0, **caps}
    with tiny_store.session() as session:
        workers.beat(session, "worker-1", "workstation", 4711)
        ledger.record(session, call("job-1", 1, Outcome.OK, 200))
    work = get(client, f"{API}/work")
    [worker] = work["workers"]
    assert (worker["name"], worker["host"]) == ("worker-1", "workstation")
    assert worker["started_at"] <= worker["beat_at"]
    assert work["spent_usd"] == 0.25
    assert "$0.25" in read(client.get("/jobs").text).one("header", cls="ident").text
