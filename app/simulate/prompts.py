"""The texts that remote simulators are shown: a token a line with its level.

The wording follows the local simulator's (`app.subject.simulation_prompt`), which builds such lines from ids.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from app.domain.piece_text import field_text, inert
from app.domain.simulation_examples import EXAMPLES_VERSION, simulation_examples
from app.errors import BadInput

ONE_PASS_VERSION = f"logprobs-1/examples-{EXAMPLES_VERSION}"
ONE_AT_A_TIME_VERSION = f"one-at-a-time-1/examples-{EXAMPLES_VERSION}"
LONGEST_EXPLANATION = 4000  # characters
UNKNOWN = "unknown"


class OnePass(NamedTuple):
    """A prompt with every level of its question "unknown". Offsets are characters of `text`. T tokens."""

    text: str
    keep_from: int  # where the line that names the scale begins; nothing before it is needed of an answer
    highest: int  # where that line spells the highest level: shows whether a tokenizer splits "10"
    slots: tuple[int, ...]  # [T] where each "unknown" of the question begins


def fields(pieces: Sequence[bytes]) -> tuple[str, ...]:
    """Tokens as prompts show them: each on one line, visible, at most some fifty characters, and inert."""
    return tuple(inert(field_text(piece)) for piece in pieces)


def one_line(explanation: str) -> str:
    """An explanation as prompts show it. BadInput when there is none or it is far too long."""
    line = inert(" ".join(explanation.split()))
    if not line:
        raise BadInput("There is no explanation to simulate.")
    if len(line) > LONGEST_EXPLANATION:
        raise BadInput(f"The explanation is longer than {LONGEST_EXPLANATION} characters: shorten it.")
    return line


def shown(level: int, top: int) -> int:
    """A level of the 0-10 scale on a scale that ends at `top`: rounded to the nearest, halves up."""
    return level if top == 10 else (2 * level * top + 10) // 20


def one_pass(explanation: str, pieces: Sequence[bytes], seed: int, top: int) -> OnePass:
    """The prompt that asks for all levels of one excerpt at once, on a scale from 0 to `top`.

    The examples turn from "unknown" to numbers at places drawn by `seed`.
    """
    text = instruction(top) + _examples(seed, top, turning=True) + _heading(_SHOTS + 1, explanation, top)
    highest = text.rindex(str(top))
    keep_from = text.rindex("\n", 0, highest) + 1
    parts, slots, at = [text], [], len(text)
    for field in fields(pieces):
        slots.append(at + len(field) + 1)
        line = f"{field}\t{UNKNOWN}\n"
        parts.append(line)
        at += len(line)
    return OnePass("".join(parts), keep_from, highest, tuple(slots))


def one_at_a_time(explanation: str, pieces: Sequence[bytes], levels: Sequence[int], top: int) -> str:
    """The prompt that asks for the level of token `len(levels)`: the lines so far and the last up to its tab.

    Without `instruction(top)`, which goes before it or, in a chat, into the system's message.
    """
    *before, asked = fields(pieces[: len(levels) + 1])
    lines = [f"{field}\t{level}\n" for field, level in zip(before, levels, strict=True)]
    question = _heading(_SHOTS + 1, explanation, top) + "".join(lines) + f"{asked}\t"
    return _examples(0, top, turning=False) + question


def instruction(top: int) -> str:
    """What every prompt of lines begins with."""
    return (
        "A neuron of a language model answers to something in the text that the model reads. Below are neurons,"
        " each with what it finds and with one text, a token a line. After the token and a tab stands the neuron's"
        f" level there, from 0 (silent) to {top} (its strongest); most levels are 0. A level that is not shown"
        f' reads "{UNKNOWN}".\n\n'
    )


_SHOTS = 5


@lru_cache(maxsize=32)
def _examples(seed: int, top: int, *, turning: bool) -> str:
    """The few-shot examples, on a scale from 0 to `top`; all in numbers where they are not `turning`."""
    parts = []
    for number, example in enumerate(simulation_examples(seed)[:_SHOTS], start=1):
        for excerpt in example.excerpts:
            parts.append(_heading(number, example.explanation, top))
            names = fields([piece.encode() for piece in excerpt.pieces])
            for at, (field, level) in enumerate(zip(names, excerpt.levels, strict=True)):
                value = shown(level, top) if at >= excerpt.first_known or not turning else UNKNOWN
                parts.append(f"{field}\t{value}\n")
            parts.append("\n")
    return "".join(parts)


def _heading(number: int, explanation: str, top: int) -> str:
    return (
        f"Neuron {number}: the main thing this neuron does is find {explanation}\n"
        f"Its levels, from 0 to {top}:\n"
    )
