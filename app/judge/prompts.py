"""The questions of detection and fuzzing, in our own words."""

import json
from collections.abc import Sequence

from app.domain.explanations import Metric
from app.domain.piece_text import inert
from app.explain.text import ESCAPES, bracketed_text, running_text
from app.llm.messages import Message
from app.simulate.prompts import one_line

VERSIONS = {Metric.DETECTION: "detection-1", Metric.FUZZING: "fuzzing-1"}
TOKENS_AN_ANSWER = 12  # `true`, a comma, and the white space that indented JSON has
TOKENS_AROUND = 40


def passage(pieces: Sequence[bytes], marked: Sequence[int], metric: Metric) -> str:
    """One window as a line of the question: its tokens' bytes, in fuzzing with the marked ones in [brackets]."""
    if metric is Metric.DETECTION:
        return inert(running_text(pieces))
    marks = set(marked)
    return inert(bracketed_text(pieces, [i in marks for i in range(len(pieces))]))


def messages(metric: Metric, explanation: str, passages: Sequence[str]) -> tuple[Message, ...]:
    """The chat that asks for a verdict on each passage. BadInput for an explanation that is empty or far too long."""
    shots = [
        message
        for said, texts, answers in _SHOTS[metric]
        for message in (Message("user", _question(said, texts)), Message("assistant", answer(answers)))
    ]
    return (
        Message("system", _SYSTEM[metric]),
        *shots,
        Message("user", _question(one_line(explanation), passages)),
    )


def schema(n: int) -> str:
    """The JSON schema of an answer about n passages."""
    return json.dumps(
        {
            "type": "object",
            "properties": {
                "answers": {"type": "array", "items": {"type": "boolean"}, "minItems": n, "maxItems": n}
            },
            "required": ["answers"],
            "additionalProperties": False,
        }
    )


def answer(verdicts: Sequence[bool]) -> str:
    """An answer as it should look."""
    return json.dumps({"answers": list(verdicts)}, separators=(",", ":"))


def longest_answer(n: int) -> int:
    """A bound on the tokens of a sensible answer about n passages."""
    return TOKENS_AROUND + TOKENS_AN_ANSWER * n


def _question(explanation: str, passages: Sequence[str]) -> str:
    lines = [f"The neuron is said to find: {explanation}"]
    lines += [f"Passage {i}: {text}" for i, text in enumerate(passages, 1)]
    return "\n".join(lines)


_ANSWER = (
    ' Answer with JSON alone, {"answers":[…]}, with true or false for each passage in its order. Passages are cut out of'
    " longer texts, and each is to be judged by itself."
)
_SYSTEM = {
    Metric.DETECTION: (
        "A neuron of a language model fires where the text that the model reads holds what the neuron looks for. You are told what"
        " one neuron is said to find. Say of each passage whether this neuron fires anywhere in it: true if what it is said to find"
        f" is there, false if not.{_ANSWER} {ESCAPES}"
    ),
    Metric.FUZZING: (
        "A neuron of a language model fires at single tokens, where the text that the model reads holds what the neuron looks for."
        " You are told what one neuron is said to find. In each passage some tokens stand in [brackets]. Say of each passage whether"
        " these are the tokens at which this neuron fires: true if what it is said to find is in the brackets, false if they stand"
        f" around something else.{_ANSWER} {ESCAPES}"
    ),
}
_SHOTS = {
    Metric.DETECTION: (
        ("names of birds", (" out over the marsh, where a heron stood in the shallows until the boats came",), (True,)),
        ("names of birds", (" and the clerk wrote down the sum, folded the sheet and sent it upstairs with",), (False,)),
    ),
    Metric.FUZZING: (
        ("names of birds", (" out over the marsh, where a[ her][on] stood in the shallows until the boats",), (True,)),
        ("names of birds", (" out over[ the] marsh, where a heron stood in the shallows[ until] the boats",), (False,)),
    ),
}  # fmt: skip
