"""Answers of OpenAI-compatible servers as they come over the wire, checked and turned into our own shapes.

Only what is used is looked at; what is looked at must be right. Log probabilities of /completions come in two
shapes: the classic one (parallel lists; OpenAI, vLLM, llama-cpp-python) and that of chats (llama.cpp's server).
"""

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from app.llm.echo import token_offsets
from app.llm.messages import REFUSED, Counted, TokenLogprob


class Unusable(Exception):
    """An answer came and cannot be used; the message says why.

    `tokens` are what it cost, where it said so. `again` is False where the server would do the same again.
    """

    def __init__(self, reason: str, tokens: Counted | None = None, again: bool = True) -> None:
        super().__init__(reason)
        self.tokens = tokens
        self.again = again


class _Rival(BaseModel):
    token: str
    logprob: float


class _Scored(BaseModel):
    token: str
    logprob: float | None = None
    top_logprobs: list[_Rival] | None = None


class _Logprobs(BaseModel):
    # The shape of chats.
    content: list[_Scored] | None = None
    # The classic shape.
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None

    def scored(self) -> list[_Scored]:
        """Either shape as one; empty where there is neither. Raises Unusable where lists disagree in length."""
        if self.content is not None:
            return self.content
        if self.tokens is None:
            return []
        n = len(self.tokens)
        logprobs = self.token_logprobs if self.token_logprobs is not None else [None] * n
        tops = self.top_logprobs if self.top_logprobs is not None else [None] * n
        if len(logprobs) != n or len(tops) != n:
            raise Unusable(f"its lists of {n} tokens and {len(logprobs)} log probabilities do not match")
        return [
            _Scored(
                token=token,
                logprob=logprob,
                top_logprobs=[_Rival(token=t, logprob=p) for t, p in (top or {}).items()],
            )
            for token, logprob, top in zip(self.tokens, logprobs, tops, strict=True)
        ]


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    def counted(self) -> Counted:
        """What was counted; a cache that claims more than the whole prompt is not believed."""
        details = self.prompt_tokens_details
        prompt = max(0, self.prompt_tokens)
        cached = (details.cached_tokens if details else None) or 0
        return Counted(prompt, max(0, self.completion_tokens), min(prompt, max(0, cached)))


class _ChatMessage(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None
    message: _ChatMessage | None = None
    text: str | None = None


class _Answer(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


class Parsed(BaseModel):
    """A checked answer, in the form that the ledger keeps."""

    model_config = ConfigDict(
        ser_json_inf_nan="constants"
    )  # a log probability may be -Infinity, never null for it

    text: str
    finish_reason: str
    tokens: list[tuple[str, int, float | None, list[tuple[str, float]]]] = []
    counted: Counted | None = None  # None where the server did not say

    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """The tokens as values."""
        return tuple(TokenLogprob(t, o, p, tuple(top)) for t, o, p, top in self.tokens)


def parse_chat(body: bytes) -> Parsed:
    """An answer of /chat/completions. Raises Unusable. An empty text is an answer; whether it will do is not said here."""
    choice, counted = _first_choice(body)
    if choice.message is None:
        raise Unusable("the answer holds no message", counted)
    text = choice.message.content or choice.message.refusal or ""
    refused = not choice.message.content and bool(choice.message.refusal)
    scored = _scored(choice, counted)
    offsets, at = [], 0
    for token in scored:
        offsets.append(at)
        at += len(token.token)
    return Parsed(
        text=text,
        finish_reason=REFUSED if refused else choice.finish_reason or "",
        tokens=_kept(scored, offsets, 0, counted),
        counted=counted,
    )


def parse_completion(body: bytes, prompt: str, echo: bool, keep_from: int) -> Parsed:
    """An answer of /completions. Raises Unusable, also where `echo` was asked and silently ignored."""
    choice, counted = _first_choice(body)
    text = choice.text or ""
    scored = _scored(choice, counted)
    if not scored:
        raise Unusable(
            "the answer holds no log probabilities: this server does not give them", counted, again=False
        )
    before = prompt if echo else ""
    offsets = token_offsets(before, [s.token for s in scored])
    if offsets is None:
        raise Unusable(
            "the answer does not begin with the prompt's tokens: this server ignores `echo`, so it cannot give log"
            " probabilities of a prompt",
            counted,
            again=False,
        )
    if not echo:
        offsets = [len(prompt) + offset for offset in offsets]
    return Parsed(
        text=text[len(before) :] if text.startswith(before) else text,
        finish_reason=choice.finish_reason or "",
        tokens=_kept(scored, offsets, keep_from, counted),
        counted=counted,
    )


def _first_choice(body: bytes) -> tuple[_Choice, Counted | None]:
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        raise Unusable(what_is_wrong(body, error)) from error
    counted = None
    if answer.usage is not None:
        counted = answer.usage.counted()
    if not answer.choices:
        raise Unusable("the answer holds no choice", counted)
    return answer.choices[0], counted


def what_is_wrong(body: bytes, error: ValidationError) -> str:
    """Why an answer cannot be read, in plain words."""
    first: Any = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        if not body.strip():
            return "the answer is empty"
        return (
            "the answer is JSON cut short" if body.lstrip()[:1] in (b"{", b"[") else "the answer is no JSON"
        )
    where = ".".join(str(part) for part in first["loc"]) or "answer"
    return f"the answer has an unknown shape (at {where}: {first['msg'].lower()})"


def _scored(choice: _Choice, counted: Counted | None) -> list[_Scored]:
    try:
        return choice.logprobs.scored() if choice.logprobs is not None else []
    except Unusable as error:
        raise Unusable(str(error), counted) from error


def _kept(
    scored: list[_Scored], offsets: list[int], keep_from: int, counted: Counted | None
) -> list[tuple[str, int, float | None, list[tuple[str, float]]]]:
    kept = []
    for token, offset in zip(scored, offsets, strict=True):
        if offset < keep_from:
            continue
        top = sorted(((r.token, r.logprob) for r in token.top_logprobs or []), key=lambda pair: -pair[1])
        if any(math.isnan(p) for _, p in top) or (token.logprob is not None and math.isnan(token.logprob)):
            raise Unusable("a log probability is no number", counted)
        kept.append((token.token, offset, token.logprob, top))
    return kept
