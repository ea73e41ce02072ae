"""What the ledger of language model calls holds: one entry for every try, the failed ones too."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How one try of a request ended. Only `OK` has an answer that is found again."""

    OK = "ok"
    HTTP_ERROR = "http_error"  # the server answered with an error status
    TIMEOUT = "timeout"
    CONNECTION = "connection"  # nothing listened, or the connection broke
    REJECTED = "rejected"  # an answer came and was no use: truncated JSON, nothing in it, echo ignored


@dataclass(frozen=True)
class LedgerEntry:
    """One try of one request to a language model.

    `request_key` names the request with its nonce (see `app.llm.messages`): several tries share it, and
    at most one of them is `OK`. That one's `answer_json` is given back when the same request is made again,
    and is not paid twice. A rejected answer cost something too: its tokens and price are counted; so are those of a second
    answer, which two workers that hold one job for a moment may both get.
    """

    request_key: str  # sha256, hexadecimal
    job_id: str  # empty when no job asked
    purpose: str  # "explain", "simulate", …
    endpoint: str  # the endpoint's name in the settings
    model: str  # the model asked for there
    attempt: int  # 1 for the first try
    outcome: Outcome
    status: int | None  # HTTP status, where there was one
    reason: str  # plain words why it failed; empty when OK
    answer_json: str  # the answer, in our own form; empty when not OK
    tokens_in: int
    tokens_out: int
    cost_usd: float
    seconds: float  # from sending to the answer or the failure
    created_at: datetime  # when it was sent, UTC
    tokens_cached: int = 0  # of tokens_in, those that the provider had in its cache and charges less for


def answered_already(entry: LedgerEntry) -> LedgerEntry:
    """A second answer to a request as it is kept: paid for, and not used."""
    reason = "answered already: the first answer to this request is used"
    return replace(entry, outcome=Outcome.REJECTED, reason=reason, answer_json="")


def now() -> datetime:
    """The present in UTC, as ledger entries hold it."""
    return datetime.now(UTC)
