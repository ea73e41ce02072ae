"""Caps hold in all, for a day and for a job, with whatever is under way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.ledger import LedgerEntry, Outcome, now
from app.domain.spending import Caps, day_begins
from app.errors import Refused
from app.llm.ledger import MemoryLedger
from app.llm.promises import Promises

PAID = LedgerEntry("k", "job-1", "explain", "e", "m", 1, Outcome.OK, 200, "", "{}", 1, 1, 3.0, 1.0, now())
TOTAL = Caps(total_usd=10.0)


@pytest.fixture
def ledger() -> MemoryLedger:
    kept = MemoryLedger()
    kept.record(PAID)
    return kept


def test_promises_keep_the_cap(ledger: MemoryLedger) -> None:
    promises = Promises()
    with promises.held(6.0, "a", TOTAL, ledger):
        with pytest.raises(Refused, match="under way"), promises.held(2.0, "b", TOTAL, ledger):
            raise AssertionError("let through")
        with promises.held(1.0, "b", TOTAL, ledger):
            pass
        with promises.held(1e9, "b", Caps(), ledger):
            pass
    with promises.held(7.0, "a", TOTAL, ledger):
        pass
    with pytest.raises(Refused), promises.held(7.1, "a", TOTAL, ledger):
        pass


def test_a_promise_ends_with_its_request_however_that_ends() -> None:
    promises, empty = Promises(), MemoryLedger()
    with pytest.raises(ValueError, match="broke"), promises.held(9.0, "a", TOTAL, empty):
        raise ValueError("broke")
    with promises.held(9.0, "a", TOTAL, empty):
        pass


def test_a_job_has_a_cap_of_its_own(ledger: MemoryLedger) -> None:
    promises, caps = Promises(), Caps(job_usd=5.0)
    with promises.held(4.0, "job-2", caps, ledger):  # what another job spent or promised is not its business
        with promises.held(2.0, "job-1", caps, ledger):
            pass
        with (
            pytest.raises(Refused, match=r"\$4\.0000 of this job's cap of \$5\.00 .*budget"),
            promises.held(1.5, "job-2", caps, ledger),
        ):
            raise AssertionError("let through")
    with pytest.raises(Refused, match="job_cap_usd"), promises.held(2.1, "job-1", caps, ledger):
        raise AssertionError("let through")


def test_a_day_s_cap_counts_what_was_sent_since_midnight() -> None:
    kept, promises, caps = MemoryLedger(), Promises(), Caps(day_usd=5.0)
    kept.record(replace(PAID, created_at=day_begins(now()) - timedelta(seconds=1)))
    with promises.held(5.0, "a", caps, kept):
        pass
    kept.record(replace(PAID, request_key="other", created_at=day_begins(now())))
    with promises.held(2.0, "a", caps, kept):
        pass
    with (
        pytest.raises(Refused, match=r"today's cap of \$5\.00.*daily_cap_usd"),
        promises.held(2.1, "a", caps, kept),
    ):
        raise AssertionError("let through")


def test_a_day_begins_at_midnight_utc() -> None:
    moment = datetime.fromisoformat("2026-11-30T01:30:00+02:00")
    assert day_begins(moment) == datetime(2026, 11, 29, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        day_begins(datetime(2026, 11, 30))
