import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ledger import Outcome
from app.llm.retries import (
    LONGEST_RETRY_AFTER_S,
    LONGEST_WAIT_S,
    Failure,
    read_retry_after,
    too_long,
    wait_before,
    worth_another,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 1.5 ", 1.5),
        ("-4", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Thu, 01 Jan 2026 00:01:00 -0000", 60.0),
    ],
)
def test_retry_after(header, seconds):
    assert read_retry_after(header, NOW) == seconds


@given(st.text(max_size=30))
def test_any_header_is_seconds_or_nothing(header):
    seconds = read_retry_after(header, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(1, 20), st.integers())
def test_backoff_doubles_within_its_bound(attempt, seed):
    failure = Failure(Outcome.TIMEOUT, "", again=True)
    wait = wait_before(attempt, failure, random.Random(seed))
    whole = min(LONGEST_WAIT_S, 0.5 * 2 ** (attempt - 1))
    assert whole / 2 <= wait <= whole


@given(st.floats(0, LONGEST_RETRY_AFTER_S), st.integers())
def test_never_sooner_than_asked(seconds, seed):
    failure = Failure(Outcome.HTTP_ERROR, "", again=True, retry_after_s=seconds)
    assert not too_long(failure)
    assert seconds <= wait_before(1, failure, random.Random(seed)) <= seconds + 1


def test_too_long():
    assert too_long(Failure(Outcome.HTTP_ERROR, "", again=True, retry_after_s=LONGEST_RETRY_AFTER_S + 1))
    assert not too_long(Failure(Outcome.HTTP_ERROR, "", again=True))


@pytest.mark.parametrize(
    ("status", "again"), [(429, True), (500, True), (503, True), (529, True), (408, True)]
)
def test_statuses_that_pass(status, again):
    assert worth_another(status, "") is again


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_statuses_that_do_not(status):
    assert not worth_another(status, "")
    assert not worth_another(429, "{'code': 'insufficient_quota'}")
