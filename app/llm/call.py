"""One call: looked up in the ledger, else tried within bounds, every try written down."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from app.domain.explanations import Usage
from app.domain.ledger import LedgerEntry, Outcome, now
from app.domain.spending import Caps
from app.errors import EndpointError
from app.llm.ledger import Ledger
from app.llm.limits import Clock, Sleep, gate_of
from app.llm.messages import Counted
from app.llm.pricing import estimate_tokens, price
from app.llm.promises import promises
from app.llm.retries import LONGEST_RETRY_AFTER_S, Failure, too_long, wait_before
from app.llm.transport import Transport, TryFailed
from app.llm.wire import Parsed, Unusable
from app.settings import Endpoint

CapsOf = Callable[[str], Caps]  # what bounds the job of this id


def no_caps(job_id: str) -> Caps:
    """No bound at all."""
    return Caps()


@dataclass(frozen=True)
class Means:
    """What a client lends to its calls."""

    endpoint: Endpoint
    ledger: Ledger
    caps: CapsOf
    transport: Transport
    sleep: Sleep
    clock: Clock


@dataclass(frozen=True)
class Call:
    """One request, ready to be sent."""

    path: str
    body: dict[str, Any]
    key: str
    purpose: str
    job_id: str
    estimate_in: Callable[
        [], int
    ]  # tokens of the prompt, where the server does not say: not worth counting else
    most_in: int  # a bound on them
    max_tokens: int | None  # None: nothing is written, as by an embedding model
    parse: Callable[[bytes], Parsed]  # raises Unusable

    async def run(self, means: Means) -> tuple[Parsed, Usage, bool]:
        """(answer, what it took, whether it was found in the ledger). Raises EndpointError, Refused."""
        found = means.ledger.lookup(self.key)
        if found is not None:
            if found.job_id != self.job_id:
                means.ledger.served(found, self.job_id)
            usage = Usage(found.tokens_in, found.tokens_out, found.cost_usd, found.seconds, 1)
            return Parsed.model_validate_json(found.answer_json), usage, True
        means.transport.check()
        rng = random.Random(self.key)  # the same call waits the same way again
        usage = Usage()
        attempt = 0
        while True:
            attempt += 1
            ended, took = await self._try(means, attempt)
            usage = usage.plus(took)
            if isinstance(ended, Parsed):
                return ended, usage, False
            wait = wait_before(attempt, ended, rng)
            if ended.retry_after_s is not None and not too_long(ended):  # asked of one request, meant for all
                gate_of(means.endpoint).pause(wait, means.clock)
            if not ended.again or attempt >= means.endpoint.attempts:
                raise EndpointError(_gave_up(means.endpoint, attempt, ended))
            if too_long(ended):
                raise EndpointError(
                    f"Endpoint “{means.endpoint.name}” asks to wait {ended.retry_after_s:.0f} s, more than the"
                    f" {LONGEST_RETRY_AFTER_S:.0f} s that a job waits: {ended.reason}. Try again later."
                )
            if ended.retry_after_s is None:
                await means.sleep(wait)

    async def _try(self, means: Means, attempt: int) -> tuple[Parsed | Failure, Usage]:
        worst = price(means.endpoint, self.most_in, self.max_tokens or 0)
        async with gate_of(means.endpoint).entered(means.sleep, means.clock):
            with promises.held(worst, self.job_id, means.caps(self.job_id), means.ledger):
                sent_at, began = now(), monotonic()
                ended: Parsed | Failure
                try:
                    body = await means.transport.post(self.path, self.body, self.max_tokens)
                    ended = self.parse(body)
                except TryFailed as error:
                    ended = error.failure
                except Unusable as error:
                    ended = Failure(Outcome.REJECTED, str(error), error.again, 200, tokens=error.tokens)
                except asyncio.CancelledError:
                    ended = Failure(Outcome.CONNECTION, "cancelled before the answer came", again=False)
                    self._record(means, attempt, sent_at, monotonic() - began, worst, ended)
                    raise
                return self._record(means, attempt, sent_at, monotonic() - began, worst, ended)

    def _record(
        self,
        means: Means,
        attempt: int,
        sent_at: datetime,
        seconds: float,
        worst: float,
        ended: Parsed | Failure,
    ) -> tuple[Parsed | Failure, Usage]:
        """Write one try into the ledger, before anybody hears of its end; that end, or the answer that came before it."""
        endpoint = means.endpoint
        failure = ended if isinstance(ended, Failure) else None
        answer = ended if isinstance(ended, Parsed) else None
        tokens = failure.tokens if failure else None
        if answer is not None:
            tokens = answer.counted or Counted(
                self.estimate_in(),
                0 if self.max_tokens is None else estimate_tokens(answer.text),
            )
        if tokens is not None:
            cost = price(endpoint, *tokens)
        else:  # it may have been answered and billed without our hearing of it: the cap must hold even so
            cost = 0.0 if failure and failure.unpaid else worst
        tokens_in, tokens_out, tokens_cached = tokens or Counted(0, 0)
        made = LedgerEntry(
            request_key=self.key,
            job_id=self.job_id,
            purpose=self.purpose,
            endpoint=endpoint.name,
            model=endpoint.model,
            attempt=attempt,
            outcome=Outcome.OK if failure is None else failure.outcome,
            status=200 if failure is None else failure.status,
            reason="" if failure is None else failure.reason,
            answer_json="" if answer is None else answer.model_dump_json(),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_usd=cost,
            seconds=seconds,
            created_at=sent_at,
            tokens_cached=tokens_cached,
        )
        kept = means.ledger.record(made)
        if kept is not made:  # another worker was quicker with the same request
            ended = Parsed.model_validate_json(kept.answer_json)
        return ended, Usage(tokens_in, tokens_out, cost, seconds, 1)


def _gave_up(endpoint: Endpoint, attempts: int, failure: Failure) -> str:
    tries = "" if attempts == 1 else f" after {attempts} tries"
    return f"Endpoint “{endpoint.name}” failed{tries}: {failure.reason}."
