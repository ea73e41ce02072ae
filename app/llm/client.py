"""The client of one OpenAI-compatible endpoint: bounded retries, limits, a spending cap, and a ledger of every try."""

import asyncio
import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from time import monotonic
from typing import Any

from app.errors import BadInput
from app.llm.call import Call, CapsOf, Means, no_caps
from app.llm.embeddings import Embedded, EmbeddingRequest, parse_embeddings, vectors_of
from app.llm.ledger import Ledger
from app.llm.limits import Clock, Sleep
from app.llm.messages import ChatRequest, Completion, CompletionRequest, TokenLogprobs
from app.llm.pricing import estimate_chat, estimate_tokens, most_tokens
from app.llm.structured import schema_format
from app.llm.transport import Transport
from app.llm.wire import Parsed, parse_chat, parse_completion
from app.settings import Endpoint


class Client:
    """Asks one endpoint. Usable from several event loops; what is bounded is bounded for the whole process.

    Every try is recorded, a good answer before it is given back. The same request (nonce included) is answered
    from the ledger once it has an answer. `caps` bounds, by job, what entries of the ledger may cost together: a
    request that could pass one is refused before it is sent (other processes' requests under way are not known here).
    `sample_of` names, by job, the sample that its calls belong to: jobs of one sample share their answers, a fresh
    sample is asked anew. Without it every job is a sample of its own.
    What a request may have cost without our knowing (it timed out, its answer was cut) counts at its upper bound.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        caps: CapsOf = no_caps,
        sample_of: Callable[[str], str] = str,
        *,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = monotonic,
    ) -> None:
        self.endpoint = endpoint
        self.ledger = ledger
        self._sample_of = sample_of
        self._transport = Transport(endpoint)
        self._means = Means(endpoint, ledger, caps, self._transport, sleep, clock)
        self._purpose = ""

    def entered_as(self, purpose: str) -> "Client":
        """This client, whose calls the ledger enters under another purpose than their callers give."""
        other = copy(self)
        other._purpose = purpose
        return other

    async def chat(self, request: ChatRequest, purpose: str, job_id: str) -> Completion:
        """Ask a chat. Raises EndpointError when it failed for good, Refused over the cap or without a key.

        An answer ends before the first of `stop` also where the server was not told so, or took no notice.
        """
        if not self.endpoint.chat:
            raise BadInput(f"Endpoint “{self.endpoint.name}” serves no chats (chat = false in the settings).")
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "temperature": request.temperature,
            "seed": request.seed,
        }
        max_tokens = request.max_tokens
        if request.top_logprobs is None:  # where rivals are asked for, the first token is the answer
            max_tokens += self.endpoint.thinking_tokens
        if request.schema_json is not None:
            body["response_format"] = schema_format(request.schema_json)
        if request.stop:
            body["stop"] = list(request.stop)
        if request.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        call = Call(
            path="/chat/completions",
            body=self._as_the_endpoint_takes_it(body),
            key=self._key(request, job_id),
            purpose=self._purpose or purpose,
            job_id=job_id,
            estimate_in=lambda: estimate_chat(request.messages),
            most_in=most_tokens(request.schema_json or "", *(m.role + m.content for m in request.messages)),
            max_tokens=max_tokens,
            parse=parse_chat,
        )
        parsed, usage, cached = await call.run(self._means)
        text, finish_reason = _stopped(parsed, request.stop)
        return Completion(text, finish_reason, usage, cached, parsed.logprobs())

    async def complete(self, request: CompletionRequest, purpose: str, job_id: str) -> TokenLogprobs:
        """Ask for a completion with log probabilities. Raises as `chat`; an ignored `echo` is an EndpointError."""
        if not self.endpoint.completions:
            raise BadInput(
                f"Endpoint “{self.endpoint.name}” is not set up for completions (completions = true in the"
                " settings)."
            )
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "prompt": request.prompt,
            "temperature": request.temperature,
            "seed": request.seed,
            "logprobs": request.logprobs,
            "echo": request.echo,
        }

        def parse(answer: bytes) -> Parsed:
            return parse_completion(answer, request.prompt, request.echo, request.keep_from)

        call = Call(
            path="/completions",
            body=self._as_the_endpoint_takes_it(body),
            key=self._key(request, job_id),
            purpose=self._purpose or purpose,
            job_id=job_id,
            estimate_in=lambda: estimate_tokens(request.prompt),
            most_in=most_tokens(request.prompt),
            max_tokens=request.max_tokens,
            parse=parse,
        )
        parsed, usage, cached = await call.run(self._means)
        return TokenLogprobs(parsed.logprobs(), parsed.text, parsed.finish_reason, usage, cached)

    async def embed(self, request: EmbeddingRequest, purpose: str, job_id: str) -> Embedded:
        """Ask for the vectors of texts. Raises as `chat`; an answer that fits not all of them is an EndpointError."""
        if not request.texts:
            raise BadInput("There is no text to embed.")

        def parse(answer: bytes) -> Parsed:
            return parse_embeddings(answer, len(request.texts), request.dimension)

        call = Call(
            path="/embeddings",
            # None of `omit` belongs here, and the rest of `extra` is for whoever configured it.
            body={"model": self.endpoint.model, "input": list(request.texts)} | self.endpoint.extra,
            key=self.embedding_key(request),
            purpose=self._purpose or purpose,
            job_id=job_id,
            estimate_in=lambda: sum(estimate_tokens(text) for text in request.texts),
            most_in=most_tokens(*request.texts),
            max_tokens=None,
            parse=parse,
        )
        parsed, usage, cached = await call.run(self._means)
        return Embedded(vectors_of(parsed, len(request.texts)), usage, cached)

    def _key(self, request: ChatRequest | CompletionRequest, job_id: str) -> str:
        in_sample = replace(request, nonce=f"{self._sample_of(job_id)}/{request.nonce}")
        return in_sample.key(self.endpoint.model, self._settings_json)

    def embedding_key(self, request: EmbeddingRequest) -> str:
        """What the ledger's entries of this request will be called."""
        return request.key(self.endpoint.model, self._settings_json)

    @property
    def endpoint_settings(self) -> dict[str, Any]:
        """What the endpoint's settings change in every request, for the JSON of provenance; empty where nothing."""
        changes = self.endpoint.model_dump(include={"omit", "extra", "thinking_tokens"})
        return {name: value for name, value in changes.items() if value}

    @property
    def _settings_json(self) -> str:
        return json.dumps(self.endpoint_settings, sort_keys=True)

    def _as_the_endpoint_takes_it(self, body: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in body.items() if k not in self.endpoint.omit} | self.endpoint.extra

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._transport.aclose()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


def _stopped(parsed: Parsed, stop: tuple[str, ...]) -> tuple[str, str]:
    """(text, finish reason). A model that thought first begins with empty lines: they end nothing."""
    text = parsed.text.lstrip()
    end = min((at for mark in stop if (at := text.find(mark)) >= 0), default=None)
    return (parsed.text, parsed.finish_reason) if end is None else (text[:end], "stop")
