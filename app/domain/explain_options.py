"""Which choices of an explanation go together."""

from app.domain.candidates import MOST_CANDIDATES
from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, Method, ShownOptions, TokenSource
from app.domain.neurons import Polarity
from app.domain.shown import demand_shown
from app.errors import BadInput

# Those that put excerpts before an explainer.
SHOWING_METHODS = (*PROMPTED_METHODS, Method.NEXT_TOKEN)
# Those that ask a language model.
ASKING_METHODS = (*SHOWING_METHODS, Method.TOKEN_SPACE, Method.OUTPUT_TOKENS)
# Those that speak of both signs at once, with signed predictions.
SIGNED_METHODS = (Method.TOKEN_LOOKUP, Method.TOKEN_LINEAR)


def needs_weights(options: ExplainOptions) -> bool:
    """Whether the live model's weights are read."""
    by_weight = options.method is Method.TOKEN_SPACE and options.token_source is TokenSource.WEIGHT
    return by_weight or options.method in (Method.OUTPUT_TOKENS, Method.TOKEN_LINEAR)


def demand_sound(options: ExplainOptions) -> None:
    """Raise BadInput, with what to do, for options that no neuron can be explained by."""
    if not 1 <= options.candidates <= MOST_CANDIDATES:
        raise BadInput(f"1 to {MOST_CANDIDATES} candidates can be made, not {options.candidates}.")
    if options.candidates > 1 and options.method not in ASKING_METHODS:
        raise BadInput(f"{options.method} makes one statement only: ask for one candidate.")
    if options.token_source is not TokenSource.ACTIVATION and options.method is not Method.TOKEN_SPACE:
        raise BadInput(f"{options.method} leaves no choice of where tokens come from: only token_space does.")
    if options.polarity is Polarity.NEGATIVE and options.method in SIGNED_METHODS:
        raise BadInput(f"{options.method} speaks of both signs at once: ask for the positive polarity.")
    if options.shown != ShownOptions() and options.method not in SHOWING_METHODS:
        raise BadInput(
            f"{options.method} shows no excerpts, so that nothing can be chosen of them: leave the band, their number and "
            "their length as they are."
        )
    demand_shown(options.shown, options.polarity)
