"""Answers that must be JSON of a given schema: how to ask for them, and how to read them."""

import json
from typing import Any

from app.errors import AnswerError
from app.llm.messages import Completion


def schema_format(schema_json: str) -> dict[str, Any]:
    """The `response_format` that asks for an answer of this schema."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": json.loads(schema_json)},
    }


def json_answer(completion: Completion) -> Any:
    """The JSON value that a chat answered. A fence of ``` around it is allowed for; nothing else is.

    Raises AnswerError where it was cut short, is empty or is no JSON.
    """
    text = completion.text.strip()
    if not text:
        raise AnswerError("the answer is empty")
    if text.startswith("```"):
        first_line, _, rest = text.partition("\n")
        if first_line.strip("`").strip().lower() in ("", "json") and rest.rstrip().endswith("```"):
            text = rest.rstrip()[:-3]
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        if completion.finish_reason == "length":
            raise AnswerError("the answer was cut off at its longest allowed length") from error
        raise AnswerError("the answer is no JSON") from error


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
