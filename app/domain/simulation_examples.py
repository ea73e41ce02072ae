"""The few-shot examples that every simulator shows before its question: invented neurons, our own texts.

A simulator shows an example as it shows the question: the explanation, then each token with its level on the
0-10 scale, "unknown" before `first_known` and the number from there on, so that a model learns both that
numbers are to follow and that an answer cannot lean on the neuron's earlier values.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Part of a simulation's parameters: raise it whenever a prompt made from these would change.
EXAMPLES_VERSION = "1"


@dataclass(frozen=True)
class ExampleExcerpt:
    """One excerpt of an invented neuron. T tokens, here about 60.

    `pieces` are the tokens as text, leading spaces and newlines included; joined they are the running text.
    """

    pieces: tuple[str, ...]  # [T]
    levels: tuple[int, ...]  # [T] 0-10
    first_known: int  # tokens from here on show their level, those before show "unknown"; 1 to T-1

    @property
    def text(self) -> str:
        """The running text."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class SimulationExample:
    """An invented neuron with its explanation."""

    explanation: str  # continues "the main thing this neuron does is find"
    excerpts: tuple[ExampleExcerpt, ...]


@lru_cache(maxsize=64)
def simulation_examples(seed: int) -> tuple[SimulationExample, ...]:
    """The five examples; `seed` (0 or more) draws where each excerpt turns from "unknown" to numbers."""
    rng = np.random.default_rng(seed)
    examples = []
    for explanation, marked in _EXAMPLES:
        pieces, levels = read_marked(marked)
        turn = int(rng.integers(1, len(pieces)))
        examples.append(SimulationExample(explanation, (ExampleExcerpt(pieces, levels, turn),)))
    return tuple(examples)


_PIECE = re.compile(r"(\n| ?[A-Za-z']+| ?[0-9]+| ?[^\sA-Za-z0-9^|])(?:\^(10|[0-9]))?\|?")


def read_marked(marked: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """(pieces, levels) of a marked text: words, digits, signs and newlines are tokens, `^7` gives the level
    of the token before it (0 if absent), `|` ends a token early."""
    pieces: list[str] = []
    levels: list[int] = []
    at = 0
    while at < len(marked):
        found = _PIECE.match(marked, at)
        if found is None:
            raise ValueError(f"unreadable example at {marked[at : at + 12]!r}")
        pieces.append(found[1])
        levels.append(int(found[2] or 0))
        at = found.end()
    return tuple(pieces), tuple(levels)


_EXAMPLES = (
    (
        "musical instruments",
        "After supper my uncle took the fid|dle^9 down from its nail, and Ruth sat at the old piano^10 whose|\n|"
        "lowest keys^3 had been silent since the flood. The dog left the room. Somebody found a tam|bour|ine^8 in"
        " the cup|board, and the bread was put away before the trum|pet^10 could fright|en it.",
    ),
    (
        "amounts of money, above all large ones",
        "The bridge was to cost $^4|40^7 million^10, of which the county^1 would pay a third. On Tuesday 14"
        " engineers walked across it for the first time. Their lunch came to 9^3 dollars^6 each, and the mayor,"
        " who had borrowed^2 two billion^9 pounds^7 in 1998, paid for nobody.",
    ),
    (
        "negations such as “not”, “never” and “without”",
        "We could not^10 see the far bank, nor^8 did we hear the ferry. It is possible that he never^9 wrote to"
        " her; if so, she kept the secret well. The table was laid without^6 knives. Later in the spring the river"
        " fell, the road dried, and no^7|body^4 asked us where we had been.",
    ),
    (
        "verbs of cutting or breaking something apart",
        "Rain fell on the quarry all week. When it stopped, the men came back, spl|it^10 the grey blocks along the"
        " grain and carried them down in baskets. A thin boy sl|iced^9 the loaf. By evening the wind had turned,"
        " the lamps were lit, and a branch that the frost had crack|ed^5 lay across the path.",
    ),
    (
        "the opening quotation mark of direct speech and the word just before it",
        'She put her hand on the gate and said^4,^7 "^10|Nothing grows here."|\n|The gard|ener laughed. His report'
        ' on soil, seven pages long, was in the drawer of the desk. He asked^4,^6 "^10|Have you tried beans?" and'
        " went on dig|ging until the light was gone.",
    ),
)
