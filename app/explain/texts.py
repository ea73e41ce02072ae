"""Asking an explainer for texts, strictly: so many, none empty, none twice; anything else is no answer."""

import json

from app.domain.live_texts import problem_of
from app.errors import AnswerError
from app.llm.messages import Completion
from app.llm.structured import json_answer

TOKENS_A_TEXT = 80  # a bound on one sentence of at most 64 tokens with its quotation marks


def lists_schema(names: tuple[str, ...], count: int) -> str:
    """The JSON schema of an object with a list of so many texts under each name, in the subset that strict modes take."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": count, "maxItems": count}
    return json.dumps(
        {
            "type": "object",
            "properties": {name: texts for name in names},
            "required": list(names),
            "additionalProperties": False,
        }
    )


def longest_answer(lists: int, count: int) -> int:
    """A bound on the tokens of a sensible answer."""
    return 32 + lists * (16 + count * TOKENS_A_TEXT)


def read_lists(
    answer: Completion, names: tuple[str, ...], count: int, known: frozenset[str] = frozenset()
) -> list[list[str]]:
    """The texts under each name, outer spaces removed and nothing else. `known` are `live_texts.same` of earlier texts.

    Raises AnswerError, in plain words, where anything is wrong: nothing is filled in, cut off or left out.
    """
    try:
        value = json_answer(answer)
    except RecursionError:
        raise AnswerError("the answer is JSON nested without end") from None
    if answer.finish_reason == "length":
        raise AnswerError("the answer was cut off before its end")
    if not isinstance(value, dict) or set(value) != set(names):
        raise AnswerError(f"the answer is JSON, but no object of {' and '.join(f'“{n}”' for n in names)}")
    found: list[list[str]] = []
    for name in names:
        texts = value[name]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise AnswerError(f"“{name}” is no list of texts")
        if len(texts) != count:
            raise AnswerError(f"the answer has {len(texts)} texts under “{name}” instead of {count}")
        found.append([text.strip() for text in texts])
    problem = problem_of([text for texts in found for text in texts], known)
    if problem:
        raise AnswerError(problem)
    return found
