"""The ledger added up: every call once, whatever it is added up by."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.domain.costs import CostLine, CostsBy
from app.domain.ledger import LedgerEntry, Outcome
from app.store import Store, costs, jobs, ledger

MONDAY = datetime(2026, 3, 30, 23, 59, 59, 999_999, tzinfo=UTC)


def entry(key: str, job: str, at: datetime, **changes: object) -> LedgerEntry:
    made = LedgerEntry(
        request_key=key, job_id=job, purpose="explain", endpoint="paid", model="big", attempt=1, outcome=Outcome.OK,
        status=200, reason="", answer_json="{}", tokens_in=100, tokens_out=10, cost_usd=0.5, seconds=2.0, created_at=at,
        tokens_cached=40,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def fill(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "explain-1", "explain", "Explain a neuron", "{}", unit="calls")
        jobs.add(s, "explain-2", "explain", "Explain it again", "{}", unit="calls")
        ledger.record(s, entry("a", "explain-1", MONDAY))
        ledger.record(s, entry("b", "explain-1", MONDAY + timedelta(microseconds=1), cost_usd=0.25))
        failed = {
            "outcome": Outcome.TIMEOUT,
            "answer_json": "",
            "cost_usd": 0.125,
            "tokens_in": 0,
            "tokens_cached": 0,
        }
        ledger.record(s, entry("c", "", MONDAY + timedelta(days=1), purpose="search", **failed))
        answered = ledger.lookup(s, "a")
        assert answered is not None
        ledger.served(s, answered, "explain-2")


def by(store: Store, kind: CostsBy) -> list[CostLine]:
    with store.session() as s:
        return costs.lines(s, kind)


def test_a_day_ends_at_midnight_utc(store: Store) -> None:
    fill(store)
    tuesday, monday, *rest = by(store, CostsBy.DAY)
    assert (monday.key, monday.calls, monday.cost_usd, monday.tokens_cached) == ("2026-03-30", 1, 0.5, 40)
    assert (tuesday.key, tuesday.calls, tuesday.failed, tuesday.cost_usd) == ("2026-03-31", 2, 1, 0.375)
    # Served today, whenever that is: a day of its own, without a call.
    assert [(line.calls, line.served, line.saved_usd) for line in rest] == [(0, 1, 0.5)]


def test_a_job_that_was_served_everything_is_there_too(store: Store) -> None:
    fill(store)
    lines = {line.key: line for line in by(store, CostsBy.JOB)}
    assert lines["explain-1"].title == "Explain a neuron"
    assert (lines["explain-1"].calls, lines["explain-1"].cost_usd) == (2, 0.75)
    assert lines[""].cost_usd == 0.125
    assert lines["explain-2"] == CostLine(
        "explain-2", "Explain it again", 0, 0, 0, 0, 0, 0.0, 0.0, served=1, saved_usd=0.5
    )


def test_every_way_of_adding_up_gives_the_same_sum(store: Store) -> None:
    fill(store)
    for kind in (CostsBy.DAY, CostsBy.JOB, CostsBy.ENDPOINT, CostsBy.PURPOSE):
        lines = by(store, kind)
        assert sum(line.cost_usd for line in lines) == 0.875
        assert sum(line.calls for line in lines) == 3
        assert sum(line.served for line in lines) == 1
    assert [line.key for line in by(store, CostsBy.ENDPOINT)] == ["paid / big"]
    assert [line.key for line in by(store, CostsBy.PURPOSE)] == ["explain", "search"]


def test_spent_is_told_by_day_and_job(store: Store) -> None:
    fill(store)
    with store.session() as s:
        assert ledger.spent(s) == 0.875
        assert ledger.spent(s, job_id="explain-1") == 0.75
        assert ledger.spent(s, since=MONDAY + timedelta(microseconds=1)) == 0.375
        assert ledger.spent(s, since=MONDAY, job_id="explain-1") == 0.75


def test_an_empty_ledger_has_no_lines(store: Store) -> None:
    assert all(by(store, kind) == [] for kind in CostsBy)
