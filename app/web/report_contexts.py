"""What the templates of reports are given."""

from dataclasses import dataclass
from typing import NamedTuple

from app.report.values import Heading
from app.store.experiment_reports import Standing
from app.web.contexts import Chrome
from app.web.report_views import EvaluationChoice, FigureView, TableView


@dataclass(frozen=True)
class ReportTables:
    """`_report_tables.html`: the part that is asked for again while results come in."""

    home: str
    heading: Heading
    standing: Standing
    tables: tuple[TableView, ...]
    again: str  # address that answers when there is more; empty: there will not be


@dataclass(frozen=True)
class ReportPage:
    """`report.html`."""

    chrome: Chrome
    home: str
    experiment: str
    heading: Heading
    standing: Standing
    tables: tuple[TableView, ...]
    again: str
    figures: tuple[FigureView, ...]
    evaluations: tuple[EvaluationChoice, ...]
    caveat: str
    zip: str
    api: str


@dataclass(frozen=True)
class ReportPartPage:
    """`report_part.html`: one table with all its rows, or one figure with the points behind it."""

    chrome: Chrome
    home: str
    heading: Heading
    standing: Standing
    table: TableView | None
    figure: FigureView | None
    evaluations: tuple[EvaluationChoice, ...]
    caveat: str
    points: tuple[tuple[str, str], ...]  # what each mark says, the address of its neurons


class NeuronResult(NamedTuple):
    """One seed's result."""

    seed: int
    value: str
    problem: str
    explanation: str  # address; empty where nothing came about


class NeuronLine(NamedTuple):
    """One neuron by one method and evaluation."""

    name: str
    address: str
    negative: bool
    arm: str
    measure: str
    value: str
    other: str
    difference: str
    statement: str
    results: tuple[NeuronResult, ...]


class SortChoice(NamedTuple):
    """One way to sort."""

    label: str
    address: str
    chosen: bool
    descending: bool


@dataclass(frozen=True)
class ReportNeuronsPage:
    """`report_neurons.html`: the results behind one number."""

    chrome: Chrome
    home: str
    heading: Heading
    chosen: tuple[tuple[str, str], ...]  # what they have in common: name, value
    paired: bool
    other: str  # what the other side is
    lines: tuple[NeuronLine, ...]
    total: int
    neurons: int
    several_measures: bool
    sorts: tuple[SortChoice, ...]
    previous: str
    next: str
    first: int  # number of the first line shown
