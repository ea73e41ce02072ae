"""When a failed try is worth another, and how long to wait before it."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from app.domain.ledger import Outcome
from app.llm.messages import Counted

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_RETRY_AFTER_S = 120.0
RETRIED_STATUS = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class Failure:
    """One try that failed."""

    outcome: Outcome
    reason: str  # plain words
    again: bool  # another try may help
    status: int | None = None
    retry_after_s: float | None = None  # what the server asked for
    tokens: Counted | None = None  # what a rejected answer said that it took
    unpaid: bool = False  # certain to cost nothing: it never arrived, or was refused with an error status


def worth_another(status: int, body: str) -> bool:
    """Whether an error status can pass by itself. An exhausted quota does not."""
    if status == 429 and "insufficient_quota" in body:
        return False
    return status in RETRIED_STATUS or status >= 500


def read_retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (a number or an HTTP date); None where it is absent or unreadable."""
    if header is None:
        return None
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            at: datetime = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None


def wait_before(attempt: int, failure: Failure, rng: random.Random) -> float:
    """Seconds before try `attempt` + 1: what the server asked for, else doubling with jitter (half to whole).

    A wait beyond `LONGEST_RETRY_AFTER_S` is for the caller to refuse (`too_long`).
    """
    backoff: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1)) * (0.5 + 0.5 * rng.random())
    if failure.retry_after_s is None:
        return backoff
    # The whole of what was asked for, and a little apart from others who were told the same.
    return failure.retry_after_s + min(1.0, 0.1 * failure.retry_after_s) * rng.random()


def too_long(failure: Failure) -> bool:
    """Whether the server asks for a longer wait than a job should sit through."""
    return failure.retry_after_s is not None and failure.retry_after_s > LONGEST_RETRY_AFTER_S
