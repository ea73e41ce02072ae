"""Prompts that show tokens and no text: `token_space` (LEE) and `output_tokens`.

Such a format is a system text, a heading before the list and three invented neurons. Raise `version` whenever any prompt
made by it would change.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.explanations import ExplainOptions, Method
from app.domain.token_choice import SHOWN, ChosenTokens
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.explain.prompt import Prompt, conversation
from app.explain.text import ESCAPES, in_list

PROMOTED_LEAD = "text that may go on with "
_TASK = (
    "You are studying single neurons of a language model. You see no text, only tokens, the strongest first, as the model cuts"
    " text: a token may be a word with the space before it, a part of a word, or a sign. "
)
_ANSWER = " in a short phrase: what most of them have in common and other tokens lack. A few may be noise. Do not give a list of"


@dataclass(frozen=True)
class TokenFormat:
    """How a neuron's tokens are put before an explainer."""

    version: str
    system: str
    heading: str
    examples: tuple[tuple[str, tuple[str, ...]], ...]  # (explanation, tokens)
    lead: str = ""  # what every statement begins with

    def block(self, listed: str) -> str:
        """One line of tokens."""
        return f"{self.heading}:{listed}\n"


TOKEN_SPACE = TokenFormat(
    version="token-space-1",
    system=(
        f"{_TASK}Each neuron looks for one particular thing in a text. These are tokens at which one neuron is strongest; say what"
        f" it looks for,{_ANSWER} words, and answer with the phrase alone. {ESCAPES}"
    ),
    heading="Active tokens",
    examples=(
        (
            "kitchen tools and what one does with them",
            (
                " pan",
                " stir",
                " ladle",
                "oven",
                " boil",
                " knife",
                " simmer",
                " lid",
                "fry",
                " April",
                " bowl",
            ),
        ),
        (
            "adverbs that end in “ly”, and that ending",
            ("ly", " slowly", "edly", " quietly", "fully", " nearly", "ably"),
        ),
        ("opening brackets", (" (", "(", " [", "((", " {", "[", " (“", "(*")),
    ),
)
OUTPUT_TOKENS = TokenFormat(
    version="output-tokens-1",
    system=(
        f"{_TASK}Where a neuron is active, it makes the model expect some tokens to come next. These are the tokens that one neuron"
        f" makes likelier the most; say what it expects,{_ANSWER} words, and answer with the phrase alone. {ESCAPES}"
    ),
    heading="Promoted tokens",
    examples=(
        (
            "names of countries and cities",
            (" Norway", " Peru", "land", " Lima", " France", "stan", " Ghent", " abroad", " Oslo"),
        ),
        ("verbs in the past tense", (" went", " became", "ed", " took", " had", " was", " said", " Tuesday")),
        ("signs that end a sentence", (".", "!", "?", "…", ".)", ".”", "?!")),
    ),
    lead=PROMOTED_LEAD,
)
FORMATS = {Method.TOKEN_SPACE: TOKEN_SPACE, Method.OUTPUT_TOKENS: OUTPUT_TOKENS}


def token_prompt(
    tokens: ChosenTokens,
    vocabulary: Vocabulary,
    options: ExplainOptions,
    excerpts: tuple[int, ...],
    parameters: dict[str, object],
) -> Prompt:
    """The prompt of `options.method` for these tokens. `excerpts` are those that the tokens come from, none from weights.

    Text of the vocabulary that reads as a chat template's control token is broken up by a backslash. Raises BadInput
    without tokens.
    """
    if not len(tokens.ids):
        side = "above" if options.polarity.sign > 0 else "below"
        raise BadInput(
            f"No token stands {side} 0 for this neuron: there is nothing to explain from tokens alone."
        )
    listed = ",".join(in_list(vocabulary.pieces[i]) for i in tokens.ids.tolist())
    told: dict[str, object] = {"tokens_shown": len(tokens.ids), "tokens_among": tokens.among}
    return _prompt(listed, options, excerpts, {**told, **parameters})


def unread_prompt(options: ExplainOptions) -> Prompt:
    """The same where the tokens come from weights that are not at hand: it says so in their place."""
    return _prompt(f" ({SHOWN} tokens, read from the model's weights when it runs)", options, (), {})


def _prompt(
    listed: str, options: ExplainOptions, excerpts: tuple[int, ...], parameters: dict[str, object]
) -> Prompt:
    chosen = FORMATS[options.method]
    shots = [(chosen.block(_listed(tokens)), explanation) for explanation, tokens in chosen.examples]
    return Prompt(
        options.method,
        conversation(chosen.system, shots, chosen.block(listed), chosen.lead),
        chosen.version,
        excerpts,
        json.dumps({"polarity": options.polarity, **parameters}),
        chosen.lead,
    )


def _listed(tokens: Sequence[str]) -> str:
    return ",".join(in_list(token.encode()) for token in tokens)
