"""The invented neurons that every prompt format shows before its question: our own texts and words.

Three kinds of thing that a neuron may find: a topic in many words, a turn of grammar, and a kind of number.
"""

from dataclasses import dataclass
from functools import cache

from app.domain.simulation_examples import read_marked
from app.explain.evidence import Evidence, Shown

EXAMPLE_CUT_OFF = 1  # on the 0-10 scale


@dataclass(frozen=True)
class Example:
    """An invented neuron with its explanation."""

    explanation: str  # continues "the main thing this neuron does is find"
    evidence: Evidence


@cache
def examples() -> tuple[Example, ...]:
    """The three examples, in the order in which they are shown."""
    return tuple(
        Example(explanation, Evidence(tuple(_shown(text) for text in texts)))
        for explanation, texts in _EXAMPLES
    )


def _shown(marked: str) -> Shown:
    pieces, levels = read_marked(marked)
    return Shown(
        tuple(piece.encode() for piece in pieces), levels, tuple(level > EXAMPLE_CUT_OFF for level in levels)
    )


_EXAMPLES = (
    (
        "words for bad weather such as storms, hail and fog",
        (
            "The ferry was late twice: first in the fog^8, then in the gale^10 that followed. People slept on"
            " benches while hail^9 rattled^1 on the roof, and someone shared a bag of oranges.",
            "Her notes on the orchard fill nine books. A late frost^5 in May, then a thunder^7|storm^10 that took"
            " the barn; the price of apples stands in the margin.",
        ),
    ),
    (
        "the word “than” in comparisons, and more weakly the comparative before it",
        (
            "My brother's boat is longer^3 than^10 ours, but it leaks. Nobody rows better^4 than^9 Ines. We"
            " painted both of them green, a little later^2 than^10 planned.",
            "The second edition costs less^4 than^9 the first and has more^1 pictures. It is smaller^3 than^8 a"
            " hand, and people in Ghent bought two.",
        ),
    ),
    (
        "numbers that are years, above all of the nineteenth century",
        (
            "The mill was built in 1847^10 and burnt down in 1902^4. It had 26 windows and a wheel of oak. The"
            " new owner, who came in 1869^9, planted 3 lanes of limes.",
            "Dear Anna, the parcel of 12 cups came on Friday. The oldest, marked 1811^10, is cracked; the one of"
            " 1954^2 is whole. I paid 40 francs for the lot.",
        ),
    ),
)
