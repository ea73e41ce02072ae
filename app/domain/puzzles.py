"""Neuron puzzles (BILLS, “neuron puzzles”): invented neurons whose truth is known, with statements that only look right.

A puzzle's activations were written down by its author, on the 0-10 scale: nobody measured them, and no score of theirs stands
beside one of a real neuron. See docs/puzzles.md.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from app.domain import metrics
from app.domain.explanations import State
from app.domain.neurons import Float64
from app.domain.scale import LEVELS, levels
from app.domain.simulation_examples import read_marked
from app.errors import BadInput

LAYER = "puzzles"  # the slug of a set's only layer
FAMILY = "puzzles"  # of a set among the families of models
OWN_SET = "neuron-puzzles"  # the slug of the set that comes with this program
OWN_NAME = "Neuron puzzles"
CUT_OFF = 1  # on the 0-10 scale: a token above it counts as active, as in few-shot examples (LEE)
TOP_TOKENS = 3
FEWEST_SENTENCES, MOST_SENTENCES = 10, 20  # of our own
FEWEST_FALSE, MOST_FALSE = 3, 4  # of our own, the computed one included


@dataclass(frozen=True)
class Sentence:
    """One sentence of T tokens, whose texts joined are what one reads."""

    pieces: tuple[str, ...]  # [T]
    activations: tuple[float, ...]  # [T] as their author gave them

    @property
    def text(self) -> str:
        """The sentence as one reads it."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Puzzle:
    """An invented neuron. Statements continue "the main thing this neuron does is find"."""

    key: str  # what tells it from the others of its set, for good
    name: str
    truth: str
    false: tuple[str, ...]
    sentences: tuple[Sentence, ...]

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Every sentence on the 0-10 scale: as given where that is what was given, else in tenths of the largest value."""
        values = [np.array(sentence.activations, np.float32) for sentence in self.sentences]
        highest = max(float(each.max()) for each in values)
        lowest = min(float(each.min()) for each in values)
        full = float(LEVELS) if lowest >= 0 and highest <= LEVELS else highest
        return tuple(tuple(levels(each, full).tolist()) for each in values)

    @property
    def active(self) -> tuple[tuple[bool, ...], ...]:
        """Which tokens of every sentence are above the cut-off."""
        return tuple(tuple(level > CUT_OFF for level in row) for row in self.levels)

    @cached_property
    def digest(self) -> str:
        """Equal for puzzles that say the same."""
        said = [
            self.key,
            self.name,
            self.truth,
            self.false,
            [(s.pieces, s.activations) for s in self.sentences],
        ]
        return hashlib.sha256(json.dumps(said).encode("utf-8", "surrogatepass")).hexdigest()


def top_tokens_statement(active_tokens: Sequence[str]) -> str:
    """The false statement that is always there: “the tokens “a”, “b” and “c””, the three most common active tokens.

    Tokens are counted without the space before them; the more common first, and of equally common ones the earlier.
    """
    counts: dict[str, int] = {}
    for token in active_tokens:
        word = token.strip()
        if word:
            counts[word] = counts.get(word, 0) + 1
    if not counts:
        raise BadInput("a puzzle without an active token has no most common ones")
    top = sorted(counts, key=lambda word: -counts[word])[:TOP_TOKENS]
    quoted = [f"“{word}”" for word in top]
    if len(quoted) == 1:
        return f"the token {quoted[0]}"
    return f"the tokens {', '.join(quoted[:-1])} and {quoted[-1]}"


def active_tokens(sentences: Sequence[Sentence], active: Sequence[Sequence[bool]]) -> list[str]:
    """All active tokens in the order of the text, repeats kept."""
    return [
        piece
        for sentence, row in zip(sentences, active, strict=True)
        for piece, on in zip(sentence.pieces, row, strict=True)
        if on
    ]


def read_own(text: str) -> tuple[Puzzle, ...]:
    """The puzzles of a TOML text such as app/puzzles/neuron-puzzles.toml, checked. BadInput names the puzzle and the fault."""
    try:
        tables = tomllib.loads(text).get("puzzle", [])
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"the puzzles are no TOML: {error}") from None
    found = tuple(_own(table) for table in tables)
    keys = [puzzle.key for puzzle in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise BadInput(f"two puzzles are called “{twice}”")
    return found


def _own(table: Mapping[str, Any]) -> Puzzle:
    key = str(table.get("key", "?"))
    try:
        unknown = set(table) - {"key", "name", "truth", "false", "sentences"}
        if unknown:
            raise BadInput(f"there is no “{min(unknown)}” in a puzzle")
        sentences = tuple(Sentence(*read_marked(marked)) for marked in table["sentences"])
        bare = Puzzle(key, table["name"], table["truth"], tuple(table["false"]), sentences)
        computed = top_tokens_statement(active_tokens(sentences, bare.active))
        puzzle = Puzzle(key, bare.name, bare.truth, (*bare.false, computed), sentences)
        _demand_fair(puzzle)
    except KeyError as error:
        raise BadInput(f"puzzle “{key}” lacks {error}") from None
    except (BadInput, ValueError) as error:
        raise BadInput(f"puzzle “{key}”: {error}") from None
    return puzzle


def _demand_fair(puzzle: Puzzle) -> None:
    """What our own puzzles hold to. BadInput."""
    if not FEWEST_SENTENCES <= len(puzzle.sentences) <= MOST_SENTENCES:
        raise BadInput(
            f"it has {len(puzzle.sentences)} sentences, not {FEWEST_SENTENCES} to {MOST_SENTENCES}"
        )
    if not FEWEST_FALSE <= len(puzzle.false) <= MOST_FALSE:
        raise BadInput(f"it has {len(puzzle.false)} false statements, not {FEWEST_FALSE} to {MOST_FALSE}")
    firing = [any(row) for row in puzzle.active]
    if not any(firing) or all(firing):
        raise BadInput("it needs sentences in which the neuron fires, and others in which it is silent")
    said = [" ".join(each.lower().split()) for each in (puzzle.truth, *puzzle.false)]
    if len(set(said)) < len(said) or not all(said):
        raise BadInput("its statements are not all different")


class Judge(StrEnum):
    """Who says whether a statement is right."""

    SIMILARITY = "similarity"  # the truth is nearer than every false statement, by embedding
    MODEL = "model"  # a language model holds it against the truth
    PERSON = "person"  # somebody does, who does not know where it comes from


class Verdict(NamedTuple):
    """What a judge said of a statement. Without an answer it is a state with its reason, neither right nor wrong."""

    right: bool | None
    state: State = State.OK
    reason: str = ""
    detail_json: str = "{}"


def nearest_is_truth(similarities: Sequence[float]) -> bool:
    """Whether the first, the truth's, is above all others. A tie is not."""
    return similarities[0] > max(similarities[1:])


def majority(verdicts: Sequence[bool]) -> bool | None:
    """What most of several persons say; None where as many say the one as the other."""
    right = sum(verdicts)
    return None if 2 * right == len(verdicts) else 2 * right > len(verdicts)


class Ranked(NamedTuple):
    """One statement of a puzzle, by how well activations simulated from it agree with the author's."""

    text: str
    truth: bool
    state: State
    correlation: float | None


def correlation(puzzle: Puzzle, expected: Sequence[Float64]) -> float | State:
    """Pearson's over all tokens of all sentences, concatenated (BILLS); `expected` is one array [T] a sentence."""
    actual = np.concatenate([np.array(row, np.float64) for row in puzzle.levels])
    return metrics.correlation(actual, np.concatenate([np.asarray(row, np.float64) for row in expected]))


def place_of_truth(ranked: Sequence[Ranked]) -> int | None:
    """1 where the truth's correlation is above that of every false statement; one that is as high stands before it.

    False statements without a correlation stand behind it. None where the truth has none.
    """
    truth = next(each for each in ranked if each.truth).correlation
    if truth is None:
        return None
    others = [each.correlation for each in ranked if not each.truth and each.correlation is not None]
    return 1 + sum(value >= truth for value in others)


class Miss(NamedTuple):
    """A sentence on which a statement misleads."""

    sentence: int  # its place in the puzzle
    expected: tuple[bool, ...]  # [T] where the statement makes one expect the neuron


def misses(puzzle: Puzzle, expected: Sequence[Float64], most: int) -> list[Miss]:
    """The sentences that a statement gets wrong, by what was simulated from it ([T] a sentence); the worst first.

    A token is expected where it reaches half of the largest value over all sentences: simulators differ in how high they
    go. Wrong is a sentence where the neuron fires and is not expected to, or the other way round, or where all that is
    expected is beside what fires. BadInput where the simulation is the same everywhere: nothing is expected then.
    """
    every = np.concatenate([np.asarray(row, np.float64) for row in expected])
    highest = float(every.max())
    if highest <= 0 or highest == float(every.min()):
        raise BadInput(
            "the simulation from the first statement is the same everywhere, so that nothing tells what it gets wrong"
        )
    found: list[tuple[float, Miss]] = []
    for i, (row, active, level) in enumerate(zip(expected, puzzle.active, puzzle.levels, strict=True)):
        hot = np.asarray(row, np.float64) >= highest / 2
        fires = np.array(active, np.bool_)
        if (hot.any() or fires.any()) and not (hot & fires).any():
            error = float(np.abs(np.array(level) - LEVELS * np.asarray(row) / highest).max())
            found.append((-error, Miss(i, tuple(hot.tolist()))))
    return [miss for _, miss in sorted(found, key=lambda each: (each[0], each[1].sentence))[:most]]
