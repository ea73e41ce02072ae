"""What a scripted server may answer: proper answers, and every misbehaviour of servers and of models that we know."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """One request as it came in."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]  # names in lower case

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    @property
    def messages(self) -> list[dict[str, str]]:
        return list(self.body["messages"])

    @property
    def text(self) -> str:
        """All that the model was shown, in one string."""
        if "messages" in self.body:
            return "\n".join(str(m["content"]) for m in self.messages)
        return str(self.body.get("prompt", ""))


@dataclass(frozen=True)
class Reply:
    """What goes over the wire. `wait_s` is how long the server holds it back (ended early when it closes)."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    wait_s: float = 0.0
    hold: bool = False  # until `server.release()`
    promised: int | None = None  # Content-Length, where it lies
    drop: bool = False  # close the connection without a word


Responder = Callable[[Recorded], Reply]


def json_reply(value: object, status: int = 200, **more: Any) -> Reply:
    """Any JSON value as an answer."""
    return Reply(status=status, body=json.dumps(value).encode(), **more)


def chat(
    text: str | None,
    finish_reason: str = "stop",
    tokens_in: int | None = 100,
    tokens_out: int = 10,
    logprobs: object = None,
    cached: int | None = None,
    **more: Any,
) -> Reply:
    """A proper answer of /chat/completions. `tokens_in=None` leaves the usage out, as some servers do; `cached` tokens of
    the prompt are said to come from the provider's cache.
    """
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    if logprobs is not None:
        choice["logprobs"] = logprobs
    answer: dict[str, Any] = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    if tokens_in is not None:
        answer["usage"] = {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        }
        if cached is not None:
            answer["usage"]["prompt_tokens_details"] = {"cached_tokens": cached}
    return json_reply(answer, **more)


@dataclass(frozen=True)
class Scored:
    """One token of an answer with its log probability (None for a prompt's first) and its rivals."""

    token: str
    logprob: float | None = -1.0
    top: dict[str, float] = field(default_factory=dict)


def completion(tokens: Sequence[Scored], shape: str = "classic", tokens_in: int = 100, **more: Any) -> Reply:
    """An answer of /completions, in shape "classic" (vLLM, llama-cpp-python) or "chat" (llama.cpp)."""
    logprobs: dict[str, Any]
    if shape == "classic":
        offsets, at = [], 0
        for t in tokens:
            offsets.append(at)
            at += len(t.token)
        logprobs = {
            "tokens": [t.token for t in tokens],
            "token_logprobs": [t.logprob for t in tokens],
            "top_logprobs": [t.top or None for t in tokens],
            "text_offset": offsets,
        }
    else:
        logprobs = {
            "content": [
                {
                    "id": i,
                    "token": t.token,
                    "bytes": list(t.token.encode()),
                    "logprob": t.logprob,
                    "top_logprobs": [
                        {"id": 0, "token": k, "bytes": list(k.encode()), "logprob": v}
                        for k, v in t.top.items()
                    ],
                }
                for i, t in enumerate(tokens)
            ]
        }
    choice = {
        "index": 0,
        "text": "".join(t.token for t in tokens),
        "finish_reason": "length",
        "logprobs": logprobs,
    }
    usage = {"prompt_tokens": tokens_in, "completion_tokens": 1, "total_tokens": tokens_in + 1}
    return json_reply(
        {
            "id": "c",
            "object": "text_completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        },
        **more,
    )


def embeddings(vectors: Sequence[Sequence[float]], tokens_in: int | None = 7, **more: Any) -> Reply:
    """An answer of /embeddings. NaN and infinity go out as Python writes them, which is what such servers do."""
    data = [{"object": "embedding", "index": i, "embedding": list(v)} for i, v in enumerate(vectors)]
    answer: dict[str, Any] = {"object": "list", "model": "m", "data": data}
    if tokens_in is not None:
        answer["usage"] = {"prompt_tokens": tokens_in, "total_tokens": tokens_in}
    return json_reply(answer, **more)


# Misbehaviour of the server.


def server_error(status: int = 500, message: str = "the model runner crashed") -> Reply:
    return json_reply({"error": {"message": message, "type": "server_error"}}, status=status)


def rate_limited(retry_after: float | str | None = None) -> Reply:
    headers = [("Content-Type", "application/json")]
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    body = json.dumps({"error": {"message": "Rate limit reached", "type": "requests"}}).encode()
    return Reply(status=429, body=body, headers=tuple(headers))


def nonsense() -> Reply:
    """A proxy's HTML page with status 200."""
    return Reply(
        body=b"<html><h1>Welcome to the intranet</h1></html>", headers=(("Content-Type", "text/html"),)
    )


def truncated(text: str = "words about the sea") -> Reply:
    """JSON that stops in the middle, with a Content-Length that agrees."""
    whole = chat(text).body
    return Reply(body=whole[: len(whole) // 2])


def cut_off() -> Reply:
    """The connection breaks before the promised bytes have come."""
    whole = chat("words about the sea").body
    return Reply(body=whole[: len(whole) // 2], promised=len(whole))


def dropped() -> Reply:
    """The connection is closed without an answer."""
    return Reply(drop=True)


def slow(seconds: float, then: Reply | None = None) -> Reply:
    """Answers, but late."""
    reply = then or chat("words about the sea")
    return Reply(reply.status, reply.body, reply.headers, wait_s=seconds)


def held(then: Reply | None = None) -> Reply:
    """Answers when the test calls `server.release()`."""
    reply = then or chat("words about the sea")
    return Reply(reply.status, reply.body, reply.headers, hold=True)


# Misbehaviour of the model.


def refusal() -> Reply:
    return chat("I'm sorry, but I can't help with that request.")


def leaked_reasoning() -> Reply:
    return chat("<think>Okay, the user wants a neuron explained. Let me look.</think> words about the sea")


def numbered_list() -> Reply:
    return chat("1. words about the sea\n2. names of ships\n3. weather")


def empty() -> Reply:
    return chat("")


def no_choices() -> Reply:
    return json_reply({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []})
