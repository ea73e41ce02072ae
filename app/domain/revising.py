"""What a person may choose when an explanation is to be revised or probed, and what that takes at most."""

from dataclasses import dataclass

from app.domain.explanations import Method
from app.domain.neurons import Polarity
from app.errors import BadInput

SENTENCES = 10  # written for one revision (BILLS)
KEPT = 5  # of them kept for scoring; the others become evidence
ASKED_AT_MOST = 3  # answers asked for where one cannot be used
REVISIONS = (Method.REVISION, Method.REVISION_RANDOM, Method.RE_EXPLANATION)
MOST_ROUNDS, MOST_TEXTS, MOST_CALLS = 20, 10, 200


@dataclass(frozen=True)
class ReviseOptions:
    """How an explanation is revised."""

    explainer: str  # endpoint name
    method: Method = Method.REVISION  # or one of its controls
    seed: int = 0  # of the calls, and of which sentences are kept

    def check(self) -> None:
        """Raises BadInput for what is no revision."""
        if self.method not in REVISIONS:
            raise BadInput(
                f"{self.method} is no way to revise: choose {', '.join(REVISIONS[:-1])} or {REVISIONS[-1]}."
            )


@dataclass(frozen=True)
class ProbeOptions:
    """How a neuron is probed, and how much that may take."""

    explainer: str  # endpoint name
    polarity: Polarity = Polarity.POSITIVE
    rounds: int = 4  # each tests one hypothesis on fresh texts
    texts: int = 4  # that should activate the neuron, and as many that should not, in every round
    calls: int = 20  # of the explainer, answers that cannot be used included
    usd: float | None = None  # None: no bound but the spending cap
    seed: int = 0

    def check(self) -> None:
        """Raises BadInput for a budget that allows no round, or for one without sense."""
        for what, value, most in (
            ("rounds", self.rounds, MOST_ROUNDS),
            ("texts", self.texts, MOST_TEXTS),
            ("calls", self.calls, MOST_CALLS),
        ):
            if not 1 <= value <= most:
                raise BadInput(f"A budget of {value} {what} cannot be probed with: give 1 to {most}.")
        if self.usd is not None and not self.usd > 0:
            raise BadInput(
                "A budget of no dollars cannot be probed with: give more than 0, or leave it out for no bound of its own."
            )
