"""What every bench returns, and the table and file that are made of it."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure against its target (DESIGN section 9)."""

    bench: str
    figure: str
    value: float
    target: float
    sense: str  # ">=" or "<="
    holds: bool
    detail: str


def figure(bench: str, name: str, value: float, sense: str, target: float, detail: str) -> Figure:
    """A figure that holds when `value sense target` does."""
    holds = value >= target if sense == ">=" else value <= target
    return Figure(bench, name, value, target, sense, bool(holds), detail)
