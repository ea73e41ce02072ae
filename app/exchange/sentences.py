"""A puzzle's sentences: tokens with the activations that its author gave them.

They are no activation records: nobody measured them, and they are of any length. So they are kept as they are.
"""

from typing import Any

import orjson

from app.exchange.sequences import LARGEST, LONGEST, MOST
from app.exchange.values import Problem

Sentence = dict[str, list[Any]]  # tokens, activations


def table(given: object) -> bytes | None:
    """JSON of a list of {tokens, activations}; None where there are none. A token without a number has 0, as published.

    Raises Problem.
    """
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        raise Problem("they are no list")
    if len(given) > MOST:
        raise Problem(f"there are {len(given):,}; {MOST:,} are the most")
    try:
        return orjson.dumps([_sentence(each) for each in given])
    except TypeError:
        raise Problem("one has a token of half a character") from None


def _sentence(given: object) -> Sentence:
    if not isinstance(given, list) or not given:
        raise Problem("one has no tokens")
    if len(given) > LONGEST:
        raise Problem(f"one has {len(given):,} tokens; {LONGEST:,} are the most")
    found: Sentence = {"tokens": [], "activations": []}
    for each in given:
        token, value = each if isinstance(each, list) and len(each) == 2 else (each, 0)
        if not isinstance(token, str):
            raise Problem("one has a token that is neither a text nor a text with a number")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
            raise Problem("one has an activation that is no finite number")
        found["tokens"].append(token)
        found["activations"].append(value)
    return found
