"""How large a study has to be: power by simulation for researchers, with bounds on what a server computes while they wait."""

from typing import NamedTuple

from app.domain.study_power import Components, Plan, Power, power
from app.errors import BadInput

MOST_NEURONS = 5_000
MOST_RATERS = 500
MOST_BLOCKS = 20_000
EFFECTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)  # points of the scale


class Found(NamedTuple):
    """What simulated studies of one plan found."""

    plan: Plan
    power: Power

    @property
    def rows(self) -> tuple[tuple[float, float], ...]:
        """(difference, share of studies that find it)."""
        return tuple((effect, self.power.at(effect)) for effect in EFFECTS)

    @property
    def headline(self) -> str:
        """The smallest difference that such a study finds."""
        least = self.power.detectable
        if least is None:
            return "Such a study finds no difference, however large: take more neurons, or raters."
        return f"A difference of {least:.2f} points is found by 80 % of such studies."

    @property
    def details(self) -> str:
        """What that comes of."""
        p = self.power
        contrasts = self.plan.contrasts
        return (
            f"{p.blocks:,} blocks of a neuron and a rater; the difference of two methods in a block has the SD {p.sd:.2f}, its mean the"
            f" standard error {p.se:.3f}; tested at {p.alpha:.4g}, {self.plan.alpha:g} over {contrasts} contrast{'' if contrasts == 1 else 's'}."
        )


def plan(
    neurons: int,
    raters: int,
    per_neuron: int,
    contrasts: int,
    components: Components,
    *,
    alpha: float = 0.05,
    other_raters: bool = False,
) -> Found:
    """Simulate such studies. `per_neuron` 0: all raters. BadInput for what is no study, or too large to simulate here."""
    each = per_neuron or raters
    if neurons > MOST_NEURONS or raters > MOST_RATERS or neurons * each > MOST_BLOCKS:
        raise BadInput(
            f"Simulated are studies of at most {MOST_NEURONS:,} neurons, {MOST_RATERS} raters and {MOST_BLOCKS:,} blocks of both: a smaller"
            " one tells what you need, since the standard error falls with the square root."
        )
    if contrasts > MOST_RATERS:
        raise BadInput(f"At most {MOST_RATERS} contrasts can be registered.")
    try:
        asked = Plan(neurons, raters, each, contrasts, components, alpha, other_raters)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return Found(asked, power(asked))
