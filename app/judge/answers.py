"""What a judge answered, checked strictly: exactly one verdict for every passage, or it is no answer."""

import math
import re
from collections.abc import Sequence

from app.errors import AnswerError
from app.llm.messages import REFUSED, Completion, TokenLogprob
from app.llm.structured import json_answer

_LETTERS = re.compile(r"[^a-z]+")
YES, NO = "true", "false"


def read(completion: Completion, n: int) -> list[bool]:
    """The n verdicts. AnswerError, in plain words, for anything else: a refusal, other words, other kinds or numbers of them."""
    if completion.finish_reason == REFUSED:
        raise AnswerError("the model refused to answer")
    try:
        value = json_answer(completion)
    except RecursionError:
        raise AnswerError("the answer is JSON nested without end") from None
    if completion.finish_reason == "length":
        raise AnswerError("the answer was cut off before its end")
    if not isinstance(value, dict) or set(value) != {"answers"} or not isinstance(value["answers"], list):
        raise AnswerError("the answer is JSON, but no list of answers")
    said = value["answers"]
    if len(said) != n:
        raise AnswerError(f"the answer has {len(said)} verdicts for {n} passages")
    if not all(isinstance(each, bool) for each in said):
        raise AnswerError("a verdict is neither true nor false")
    return list(said)


def probabilities(tokens: Sequence[TokenLogprob], n: int) -> list[float | None]:
    """P(true) / (P(true) + P(false)) where each verdict's token stands; None everywhere without log probabilities to tell it.

    A rival that is not among those that the server gave counts as 0.
    """
    found = [p for token in tokens if (p := _of_token(token)) is not None]
    return list(found) if len(found) == n else [None] * n


def _of_token(token: TokenLogprob) -> float | None:
    """The probability of `true` at a token that is a verdict; None at another one."""
    if _word(token.token) not in (YES, NO):
        return None
    given = dict(token.top)
    if token.logprob is not None:
        given.setdefault(token.token, token.logprob)
    chance = {YES: 0.0, NO: 0.0}
    for text, logprob in given.items():
        if _word(text) in chance:
            chance[_word(text)] += math.exp(min(logprob, 0.0))
    total = chance[YES] + chance[NO]
    return chance[YES] / total if total > 0 else None


def _word(text: str) -> str:
    return _LETTERS.sub("", text.lower())
