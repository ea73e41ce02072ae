"""`next_token` (BILLS): the explainer sees, for every token at which the neuron is active, the token that follows it.

Evidence is built of shifted records (`app.domain.next_token`), so that a level stands at the token that follows. Each excerpt
is plain text and then those tokens with their levels.
"""

import json
from functools import cache

from app.domain.explanations import ExplainOptions
from app.domain.neurons import Records, Statistics
from app.domain.next_token import LEAD, shifted
from app.domain.simulation_examples import read_marked
from app.domain.vocabulary import Vocabulary
from app.explain.evidence import Evidence, Shown, evidence
from app.explain.prompt import Prompt, conversation, shown_parameters
from app.explain.text import ESCAPES, in_list, running_text

VERSION = "next-token-1"
SYSTEM = (
    "You are studying single neurons of a language model. Some neurons are active just before one particular thing, as if the"
    " model expected it. You see excerpts in which one neuron was most active and, after each, the tokens that came next where it"
    " was active, each with a tab and the neuron's activation just before it from 1, weak, to 10, the strongest. Say in a short"
    " phrase what comes next: what these tokens have in common and other tokens lack. Do not give a list of words, and answer"
    f" with the phrase alone. {ESCAPES}"
)


def next_token_prompt(
    records: Records, statistics: Statistics, vocabulary: Vocabulary, options: ExplainOptions
) -> Prompt:
    """The prompt for the records of `explain_records` (R records of T tokens), either polarity.

    Raises BadInput without records, or where no value of this polarity stands before another token.
    """
    shown = evidence(shifted(records), statistics, vocabulary, options, uses_cut_off=False)
    parameters: dict[str, object] = {
        "polarity": options.polarity,
        "scale_maximum": options.scale_maximum,
        "scale_maximum_value": shown.maximum,
    }
    if statistics.position0:
        parameters["position0_left_out"] = True
    shots = [
        (_block(Evidence(tuple(_marked(text) for text in texts))), explanation)
        for explanation, texts in _EXAMPLES
    ]
    return Prompt(
        options.method,
        conversation(SYSTEM, shots, _block(shown), LEAD),
        VERSION,
        tuple(records.excerpts.tolist()),
        json.dumps({**parameters, **shown_parameters(options.shown, len(shown.excerpts))}, allow_nan=False),
        LEAD,
    )


def _block(of: Evidence) -> str:
    return "".join(
        f"Excerpt {i}: {running_text(shown.pieces)}\nNext tokens:{_pairs(shown)}\n"
        for i, shown in enumerate(of.excerpts, 1)
    )


def _pairs(shown: Shown) -> str:
    pairs = [
        f"{in_list(piece)}\t{level}"
        for piece, level in zip(shown.pieces, shown.levels, strict=True)
        if level > 0
    ]
    return ",".join(pairs) if pairs else " (none)"


@cache
def _marked(text: str) -> Shown:
    pieces, levels = read_marked(text)
    return Shown(tuple(piece.encode() for piece in pieces), levels, tuple(level > 0 for level in levels))


# The level stands at the token that comes next, as in evidence.
_EXAMPLES = (
    (
        "the word “of”",
        (
            "The lid of^10 the tin was missing, and so was the bag of^8 flour. We ate by the light of^9 a single lamp, and"
            " nobody spoke.",
            "A flock of^10 geese crossed the lane. Out of^4 the mist came a man with a pair of^9 oars, whistling.",
        ),
    ),
    (
        "amounts of money, and more weakly other numbers",
        (
            "She paid 40^9 francs for the clock and 12^8 for its key. The man had wanted 55^10, then laughed and poured her some"
            " tea.",
            "Room 7^3 is on the left. The bill came to 318^10 crowns, wine not counted, and they had brought 300^9.",
        ),
    ),
    (
        "verbs of saying",
        (
            "The porter said^10 that the train had left. Ruth replied^9 that it was raining, and a boy shouted^7 something from"
            " the bridge.",
            "My aunt told^8 us to wait by the gate. Then somebody whispered^10 a name, and the whole hall fell silent.",
        ),
    ),
)
