"""Which choices of an explanation go together."""

from app.domain.candidates import MOST_CANDIDATES
from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, ShownOptions
from app.domain.shown import demand_shown
from app.errors import BadInput

SHOWING_METHODS = PROMPTED_METHODS  # those that put excerpts before an explainer
ASKING_METHODS = PROMPTED_METHODS  # those that ask a language model


def demand_sound(options: ExplainOptions) -> None:
    """Raise BadInput, with what to do, for options that no neuron can be explained by."""
    if not 1 <= options.candidates <= MOST_CANDIDATES:
        raise BadInput(f"1 to {MOST_CANDIDATES} candidates can be made, not {options.candidates}.")
    if options.candidates > 1 and options.method not in ASKING_METHODS:
        raise BadInput(f"{options.method} makes one statement only: ask for one candidate.")
    if options.shown != ShownOptions() and options.method not in SHOWING_METHODS:
        raise BadInput(
            f"{options.method} shows no excerpts, so that nothing can be chosen of them: leave the band, their number and "
            "their length as they are."
        )
    demand_shown(options.shown, options.polarity)
