"""Every try of a call is kept, one answer a request."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.domain.explanations import Usage
from app.domain.ledger import LedgerEntry, Outcome, now
from app.store import Store, jobs, ledger


def entry(**changes: object) -> LedgerEntry:
    made = LedgerEntry(
        request_key="k" * 64,
        job_id="job-1",
        purpose="explain",
        endpoint="scripted",
        model="test-model",
        attempt=1,
        outcome=Outcome.OK,
        status=200,
        reason="",
        answer_json='{"text": "words \\u0000"}',
        tokens_in=959,
        tokens_out=12,
        cost_usd=0.25,
        seconds=1.5,
        created_at=now(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_an_entry_comes_back_as_it_was(store: Store) -> None:
    made = entry()
    with store.session() as s:
        ledger.record(s, made)
    with store.session() as s:
        assert ledger.lookup(s, made.request_key) == made
        assert ledger.lookup(s, "other") is None


def test_only_an_answer_is_found_again(store: Store) -> None:
    tries = [
        entry(attempt=1, outcome=Outcome.HTTP_ERROR, status=500, reason="Server error \0", answer_json=""),
        entry(attempt=2, outcome=Outcome.TIMEOUT, status=None, answer_json=""),
        entry(attempt=3, outcome=Outcome.REJECTED, answer_json=""),
    ]
    with store.session() as s:
        for made in tries:
            ledger.record(s, made)
    with store.session() as s:
        assert ledger.lookup(s, tries[0].request_key) is None
        ledger.record(s, entry(attempt=4))
    with store.session() as s:
        found = ledger.lookup(s, tries[0].request_key)
        assert found is not None and found.attempt == 4
        assert [e.attempt for e in ledger.of_job(s, "job-1")] == [1, 2, 3, 4]
        assert ledger.of_job(s, "job-1")[0].reason == "Server error \u2400"


def test_a_second_answer_does_not_replace_the_first_and_has_been_paid(store: Store) -> None:
    first, second = entry(answer_json="1"), entry(answer_json="2", job_id="job-2", cost_usd=0.5)
    with store.session() as s:
        assert ledger.record(s, first) == first
    with store.session() as s:
        assert ledger.record(s, second) == first
        other = entry(answer_json="3", request_key="other", job_id="job-3")
        assert ledger.record(s, other) == other
    with store.session() as s:
        assert ledger.lookup(s, "k" * 64) == first
        [kept] = ledger.of_job(s, "job-2")
        assert kept == replace(second, outcome=Outcome.REJECTED, reason=kept.reason, answer_json="")
        assert "answered already" in kept.reason
        assert ledger.spent(s) == pytest.approx(0.25 + 0.5 + 0.25)


def test_of_answers_that_come_at_once_all_callers_get_the_same(store: Store) -> None:
    def answer(i: int) -> LedgerEntry:
        with store.session() as s:
            return ledger.record(s, entry(answer_json=str(i), cost_usd=1.0))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(answer, range(8)))
    with store.session() as s:
        assert {e.answer_json for e in found} == {ledger.lookup(s, "k" * 64).answer_json}  # type: ignore[union-attr]
        assert sorted(e.outcome for e in ledger.of_job(s, "job-1")) == [Outcome.OK] + [Outcome.REJECTED] * 7
        assert ledger.spent(s) == pytest.approx(8.0)


def test_what_was_spent_and_on_which_job(store: Store) -> None:
    with store.session() as s:
        assert ledger.spent(s) == 0.0
        jobs.add(s, "job-1", "explain", "Explain", "{}")
        jobs.add(s, "job-2", "explain", "Explain", "{}")
        ledger.record(s, entry(request_key="a", cost_usd=0.25))
        ledger.record(s, entry(request_key="b", cost_usd=0.5, outcome=Outcome.REJECTED))
        ledger.record(s, entry(request_key="c", cost_usd=0.0))
        ledger.record(s, entry(request_key="d", cost_usd=1.0, job_id="job-2"))
    with store.session() as s:
        assert ledger.spent(s) == pytest.approx(1.75)
        assert jobs.get(s, "job-1").cost_usd == pytest.approx(0.75)
        assert {row.id: row.cost_usd for row in jobs.list_jobs(s)} == pytest.approx(
            {"job-1": 0.75, "job-2": 1.0}
        )


def test_what_a_job_s_calls_of_one_purpose_took(store: Store) -> None:
    with store.session() as s:
        assert ledger.usage(s, "job-1", "explain") == Usage()
        ledger.record(s, entry(request_key="a", outcome=Outcome.TIMEOUT, tokens_in=0, tokens_out=0))
        ledger.record(s, entry(request_key="a"))
        ledger.record(s, entry(request_key="a", job_id="job-2"))
        ledger.record(s, entry(request_key="b", purpose="simulate"))
        assert ledger.usage(s, "job-1", "explain") == Usage(959, 12, 0.5, 3.0, 2)
        assert ledger.usage(s, "job-2", "explain") == Usage(959, 12, 0.25, 1.5, 1)
