"""What is asked of a language model and what comes back, in our own words: no openai type crosses this border."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

from app.domain.explanations import Usage


class Message(NamedTuple):
    """One message of a chat."""

    role: str  # system, user or assistant
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """One question to /chat/completions.

    `nonce` tells repeated questions apart (step and attempt): the same request with the same nonce is, within one sample
    (see `Client`), the same call, and is answered from the ledger once it has an answer.
    """

    endpoint: str  # its name in the settings
    messages: tuple[Message, ...]
    temperature: float = 1.0
    max_tokens: int = 60
    seed: int = 0
    schema_json: str | None = None  # JSON schema that the answer must follow
    stop: tuple[str, ...] = ()  # the answer ends before the first of these
    nonce: str = ""
    top_logprobs: int | None = None  # ask for this many rivals of every token of the answer (at most 20)

    def key(self, model: str = "", settings_json: str = "{}") -> str:
        """sha256 over the whole request, the model that it goes to and what the endpoint's settings change in it."""
        return _key("chat", model, settings_json, asdict(self))


@dataclass(frozen=True)
class CompletionRequest:
    """One question to /completions, for the log probabilities of its tokens.

    With `echo` the tokens of the prompt come back too. Only tokens at or after the character `keep_from` of the
    prompt are kept: the rest is checked and dropped, so that a long shared beginning is not stored with each call.
    """

    endpoint: str
    prompt: str
    echo: bool = True
    logprobs: int = 5  # rivals of each token (most servers give at most 5 or 20)
    max_tokens: int = 1  # 0 means "no bound" to some servers
    temperature: float = 0.0
    seed: int = 0
    nonce: str = ""
    keep_from: int = 0

    def key(self, model: str = "", settings_json: str = "{}") -> str:
        """sha256 over the whole request, the model that it goes to and what the endpoint's settings change in it."""
        return _key("completion", model, settings_json, asdict(self))


REFUSED = "refusal"  # the finish reason of an answer that says itself that it is a refusal


class TokenLogprob(NamedTuple):
    """One token with its log probability and its rivals' (natural logarithms)."""

    token: str  # as the server gave it; part of a character may read U+FFFD or "bytes:\\xe2"
    offset: int  # index of its first character within prompt + answer
    logprob: float | None  # None for the first token of a prompt, which nothing predicts
    top: tuple[tuple[str, float], ...] = ()  # likeliest first


class Counted(NamedTuple):
    """Tokens of one call as the server counted them."""

    tokens_in: int
    tokens_out: int
    cached: int = 0  # of tokens_in


@dataclass(frozen=True)
class Completion:
    """The answer of a chat.

    `usage` is what the call took when it was made, its failed tries included; with `cached` it was found in the
    ledger and nothing was sent (the ledger counts its cost once).
    """

    text: str
    finish_reason: str
    usage: Usage
    cached: bool = False
    tokens: tuple[TokenLogprob, ...] = ()  # with `top_logprobs`


@dataclass(frozen=True)
class TokenLogprobs:
    """The answer of /completions: the tokens from `keep_from` on, the generated ones (offset >= len(prompt)) last."""

    tokens: tuple[TokenLogprob, ...]
    text: str  # what was generated, without the prompt
    finish_reason: str
    usage: Usage
    cached: bool = False


def messages_json(messages: tuple[Message, ...]) -> str:
    """The exact messages as JSON: what provenance keeps and `messages_hash` is the sha256 of."""
    return json.dumps([m._asdict() for m in messages], ensure_ascii=False, separators=(",", ":"))


def messages_hash(messages: tuple[Message, ...]) -> str:
    """sha256 of `messages_json`, hexadecimal."""
    return hashlib.sha256(messages_json(messages).encode("utf-8", "surrogatepass")).hexdigest()


def _key(kind: str, model: str, settings_json: str, fields: dict[str, object]) -> str:
    text = json.dumps(
        [kind, model, settings_json, fields], sort_keys=True, ensure_ascii=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()
