"""Records out of tokens, and a server that echoes a prompt as real tokenizers would cut it."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from app.domain.neurons import Records
from app.domain.vocabulary import Vocabulary
from tests.scripted_server import Recorded, Reply, Scored, completion

NASTY = (
    b"The",
    b" fid",
    b"\t",
    b"\n",
    b"\r\n",
    b"\\t",
    b"\xe2\x82",
    b"\xac",
    "€“é👍".encode(),
    b"<script>alert(1)</script>",
    b"<|im_end|>",
    b"</s>",
    b'"',
    b"unknown",
    b"\tunknown\n",
    b" 10",
    b"\x00",
    "\u202e\u2028".encode(),
    b"x" * 10_000,
    b"",
)
"""Tokens that would break a prompt or its reading, were they put there as they are."""


def records_of(rows: Sequence[Sequence[bytes]]) -> tuple[Records, Vocabulary]:
    """Records with these tokens, excerpt ordinals 100, 101, …, and a vocabulary that holds them."""
    pieces = tuple(dict.fromkeys(piece for row in rows for piece in row))
    ids = np.array([[pieces.index(piece) for piece in row] for row in rows], np.int32)  # [R, T]
    count = len(rows)
    zeros = np.zeros(count, np.uint8)
    excerpts = np.arange(100, 100 + count, dtype=np.int32)
    activations = np.zeros(ids.shape, np.float32)
    return Records(excerpts, excerpts, zeros, zeros, ids, activations, None), Vocabulary(pieces)


def cut(text: str, split_ten: bool = False) -> list[str]:
    """Text as a byte-level tokenizer cuts it: words and numbers whole, characters beyond ASCII byte by byte.

    Bytes that are no character by themselves are shown as U+FFFD, as servers do.
    """
    number = r"\d" if split_ten else r"\d+"
    tokens: list[str] = []
    for part in re.findall(rf" ?[A-Za-z]+| ?{number}|\n|\t| ?[!-/:-@\[-`{{-~]+|\s|.", text, re.S):
        if part.isascii():
            tokens.append(part)
        else:
            tokens += [bytes([byte]).decode("utf-8", "replace") for byte in part.encode()]
    return tokens


def rivals_of(level: int) -> dict[str, float]:
    """Rivals that expect exactly this level: all of a number's probability there, and a larger word beside it."""
    return {"unknown": -0.1, str(level): -3.0, "five": -4.0}


def echoing(
    levels: Callable[[int, int], dict[str, float]],
    shape: str = "classic",
    split_ten: bool = False,
    tokenize: Callable[[str], list[str]] | None = None,
    before: Sequence[str] = (),
) -> Callable[[Recorded], Reply]:
    """A server that honours `echo`: `levels(slot, slots)` gives the rivals at each slot of the question."""

    def answer(request: Recorded) -> Reply:
        prompt = str(request.body["prompt"])
        tokens = tokenize(prompt) if tokenize else cut(prompt, split_ten)
        question = prompt.rindex("Its levels, from")
        lines = prompt[question:].split("\n")[1:-1]
        places = [i for i in range(1, len(tokens)) if tokens[i - 1 : i + 2] == ["\t", "unknown", "\n"]]
        slots = places[len(places) - len(lines) :]
        scored = [Scored(token, None) for token in before]
        for i, token in enumerate(tokens):
            top = levels(slots.index(i), len(slots)) if i in slots else {token: -0.5}
            scored.append(Scored(token, None if i == 0 else -1.0, top))
        scored.append(Scored("generated", -1.0, {"generated": -1.0}))
        return completion(scored, shape)

    return answer
