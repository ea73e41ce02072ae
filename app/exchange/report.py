"""What became of a file: counted, and said row by row."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.exchange.columns import Skipped

SHOWN = 20

Tell = Callable[[Skipped], None]


def _nobody(_: Skipped) -> None:
    """Where nobody wants to hear of every row."""


@dataclass
class Report:
    """What became of a file."""

    model: str = ""
    form: str = ""
    read: int = 0  # explanations
    added: int = 0
    same: int = 0  # there already
    scores: int = 0
    records: int = 0  # added: texts with activations that came beside explanations
    simulations: int = 0  # added: explanations from which somebody simulated
    skipped: int = 0
    first: list[Skipped] = field(default_factory=list)  # SHOWN of them
    noted: int = 0  # parts of rows that were left out
    notes: list[Skipped] = field(default_factory=list)  # SHOWN of them
    tell: Tell = field(default=_nobody, repr=False, compare=False)  # hears of every one of either

    def skip(self, row: Skipped) -> None:
        """A row was not used."""
        self.skipped += 1
        self._say(row, self.first)

    def note(self, row: Skipped) -> None:
        """Something of a row was left out."""
        self.noted += 1
        self._say(row, self.notes)

    def _say(self, row: Skipped, shown: list[Skipped]) -> None:
        if len(shown) < SHOWN:
            shown.append(row)
        self.tell(row)
