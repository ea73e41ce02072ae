"""Texts that an explainer wrote and the live model read: what the neuron did on them, and what that counts as."""

import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from app.domain.binary_metrics import activity
from app.domain.explanations import Step
from app.domain.neurons import EXCERPT_TOKENS, Float32, Polarity, Statistics

SENTENCE = "sentence"  # kinds of step
PROBE = "probe"
FEWEST_TOKENS = 3  # of a text that is worth running: fewer are a word, and no sentence
MOST_TOKENS = EXCERPT_TOKENS  # what simulators and readers are made for
_SPACE = re.compile(r"\s+")


class Role(StrEnum):
    """What became of a text."""

    EVIDENCE = "evidence"  # shown to the explainer with what the neuron did: it has seen it
    KEPT = "kept"  # held back to score on: only the neuron's statement is known to whoever wrote it


class LiveText(NamedTuple):
    """One text as the live model read it. T tokens."""

    text: str
    tokens: tuple[int, ...]  # [T] vocabulary ids
    activations: tuple[float, ...]  # [T] of the neuron, signed, as the model gave them


class Sentence(NamedTuple):
    """A revision's test sentence. For its control a run of tokens out of the corpus."""

    live: LiveText
    role: Role
    active: bool  # a token is above the threshold; of a generated one that is not: a false positive
    threshold: float  # in the neuron's units with the polarity's sign
    excerpt: int = -1  # ordinal of the corpus excerpt that it was taken from; -1: an explainer wrote it

    @property
    def false_positive(self) -> bool:
        """The explainer said that the neuron would answer to it, and it does not."""
        return self.excerpt < 0 and not self.active


def threshold_of(statistics: Statistics, polarity: Polarity) -> float:
    """Above which a token is active: its .99 quantile over the explain split (DESIGN section 6), of the polarity's sign.

    Never below 0, since nothing activates a neuron by a value of the other sign; 0 where no quantile is known.
    """
    return max(0.0, activity(statistics, polarity).threshold)


def signed(values: Sequence[float], statistics: Statistics, polarity: Polarity) -> Float32:
    """float32 [T] of the polarity's sign; the value at position 0 counts as 0 where it is an outlier there."""
    out = polarity.sign * np.array(values, np.float32)  # [T]
    if statistics.position0 and len(out):
        out[0] = 0.0
    return out


def is_active(values: Sequence[float], statistics: Statistics, polarity: Polarity) -> bool:
    """Whether any token is above the threshold."""
    return bool((signed(values, statistics, polarity) > threshold_of(statistics, polarity)).any())


def same(text: str) -> str:
    """What two texts that say the same to a reader have in common: no case, no marks, single spaces."""
    bare = "".join(char for char in text.casefold() if not unicodedata.category(char).startswith("P"))
    return _SPACE.sub(" ", bare).strip()


def problem_of(texts: Sequence[str], known: Collection[str] = ()) -> str:
    """Why these are no texts to run, in plain words, or "". `known` are `same` of those that were run before."""
    before = set(known)
    for i, text in enumerate(texts, 1):
        if not same(text):
            return f"text {i} is empty"
        if any(_broken(char) for char in text):
            return f"text {i} holds characters that no text has"
        if same(text) in before:
            return f"text {i} repeats an earlier one"
        before.add(same(text))
    return ""


def _broken(char: str) -> bool:
    if char in "\n\t\r":
        return False
    return char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs")


def length_problem(lengths: Sequence[int]) -> str:
    """Why texts of so many tokens are none to run, or ""."""
    for i, length in enumerate(lengths, 1):
        if not FEWEST_TOKENS <= length <= MOST_TOKENS:
            return f"text {i} has {length} tokens instead of {FEWEST_TOKENS} to {MOST_TOKENS}"
    return ""


def divided(count: int, kept: int, seed: int) -> list[Role]:
    """A role for each of `count` texts in their order: `kept` of them, drawn by the seed, are kept for scoring."""
    drawn = set(np.random.default_rng(seed).permutation(count)[:kept].tolist())
    return [Role.KEPT if i in drawn else Role.EVIDENCE for i in range(count)]


def to_step(sentence: Sentence) -> Step:
    """As it is stored beside the explanation."""
    data: dict[str, object] = {
        **live_data(sentence.live),
        "role": sentence.role,
        "active": sentence.active,
        "false_positive": sentence.false_positive,
        "threshold": sentence.threshold,
    }
    if sentence.excerpt >= 0:
        data["excerpt"] = sentence.excerpt
    return Step(SENTENCE, dumps(data))


def from_step(step: Step) -> Sentence:
    """Back from what is stored. KeyError for another kind's data."""
    data = json.loads(step.data_json)
    return Sentence(
        live_of(data),
        Role(data["role"]),
        bool(data["active"]),
        float(data["threshold"]),
        data.get("excerpt", -1),
    )


def live_data(live: LiveText) -> dict[str, object]:
    """The text as values of JSON."""
    return {"text": live.text, "tokens": list(live.tokens), "activations": list(live.activations)}


def live_of(data: dict[str, Any]) -> LiveText:
    """The text back from values of JSON."""
    return LiveText(str(data["text"]), tuple(data["tokens"]), tuple(float(x) for x in data["activations"]))


def exact(values: Float32) -> tuple[float, ...]:
    """float32 values as the shortest decimals that give them back."""
    return tuple(float(str(value)) for value in np.asarray(values, np.float32))


def dumps(data: dict[str, object]) -> str:
    """JSON without blanks: what counts sentences looks for `"false_positive":true` in it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
