"""What every bench returns, and the table that is made of it."""

from collections.abc import Sequence
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


def show(figures: Sequence[Figure]) -> None:
    """Print all figures as one table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading, side in (("bench", "left"), ("figure", "left"), ("measured", "right"), ("target", "right")):
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what was compared")
    for f in figures:
        mark = "[green]holds[/]" if f.holds else "[red]MISSED[/]"
        table.add_row(f.bench, f.figure, f"{f.value:,.4g}", f"{f.sense} {f.target:g}", mark, f.detail)
    Console().print(table)
