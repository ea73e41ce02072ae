"""What a report is made of: tables of entries, figures of points, each number with the results behind it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from app.domain.explanations import State
from app.domain.report_columns import Columns
from app.domain.report_plan import Evaluation, Facts, Plan
from app.domain.report_selection import Selection

Value = str | int | float | bool | None


class Kind(StrEnum):
    """How a column's values are written."""

    TEXT = "text"
    SCORE = "score"  # three digits
    SIGNED = "signed"  # three digits and a sign
    SHARE = "share"
    COUNT = "count"
    TOKENS = "tokens"  # a mean of counts, one digit
    RATIO = "ratio"
    RANK = "rank"
    P = "p"
    USD = "usd"
    SECONDS = "seconds"
    YES_NO = "yes_no"


class Column(NamedTuple):
    """One column. Those that are `shared` stand above a block of rows on pages and in LaTeX, and those that are `joined` in the
    cell before them, after that word; in files for programs each is a column.
    """

    key: str
    label: str
    kind: Kind = Kind.TEXT
    shared: bool = False
    about: str = ""  # what it is, for whoever wonders
    joined: str = ""


class Entry(NamedTuple):
    """One number or word, and the results behind it."""

    value: Value
    where: Selection | None = None


@dataclass(frozen=True)
class Table:
    """Rows that each hold one entry a column."""

    key: str
    title: str
    source: str  # the paper's table or figure
    how: str  # how its numbers come about and are to be read
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    needs: str = ""  # where it has no rows: what it would need


class Point(NamedTuple):
    """One mark of a figure."""

    x: float | str
    y: float
    label: str  # what it says, in words
    where: Selection | None
    series: str = ""
    low: float | None = None
    high: float | None = None
    n: int = 1  # neurons behind it


Axis = Literal["number", "log", "name"]


@dataclass(frozen=True)
class Figure:
    """Points on two axes. `lines` joins those of a series."""

    key: str
    title: str
    source: str
    how: str
    x: str
    y: str
    points: tuple[Point, ...] = ()
    axis: Axis = "number"  # of x; y is a number always
    lines: bool = False
    diagonal: bool = False  # both axes are of the same thing
    spread: str = ""  # what low and high are; empty: there are none
    needs: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(point.series for point in self.points))


class Whence(Protocol):
    """What every file says of where it comes from."""

    def record(self) -> dict[str, str | int]:
        """For programs: the same in every row."""

    def lines(self) -> list[str]:
        """For people, a line each, in plain characters."""


class Heading(NamedTuple):
    """Where a report of an experiment comes from."""

    experiment: str
    name: str
    definition: str  # sha256
    models: tuple[str, ...]
    explainers: tuple[str, ...]
    simulators: tuple[str, ...]
    protocols: tuple[str, ...]
    neurons: int  # with any result
    neurons_asked: int  # 0: not known
    results: int
    expected: int  # results when all is done; 0: not known
    defined: int
    failures: tuple[tuple[State, int], ...]  # results without a value, by why

    @property
    def complete(self) -> bool | None:
        """None where it is not known how many there will be."""
        return self.results >= self.expected if self.expected else None

    @property
    def failed(self) -> int:
        return self.results - self.defined

    def record(self) -> dict[str, str | int]:
        return {
            "experiment": self.experiment,
            "definition_sha256": self.definition,
            "all_models": "; ".join(self.models),
            "all_explainers": "; ".join(self.explainers),
            "all_simulators": "; ".join(self.simulators),
            "all_protocols": "; ".join(self.protocols),
            "all_neurons": self.neurons,
            "all_results": self.results,
            "all_without_value": self.failed,
        }

    def lines(self) -> list[str]:
        failures = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in self.failures)
        return plain_lines(
            f"Neuronarium, experiment {self.experiment}: {self.name}",
            f"definition sha256: {self.definition}",
            f"models: {', '.join(self.models)}",
            f"explainers: {', '.join(self.explainers)}",
            f"simulators: {', '.join(self.simulators)}",
            f"protocols: {', '.join(self.protocols)}",
            f"neurons: {self.neurons}" + (f" of {self.neurons_asked}" if self.neurons_asked else ""),
            f"results: {self.results}"
            + (f" of {self.expected}" if self.expected else "")
            + f", {self.failed} without a value"
            + (f" ({failures})" if failures else ""),
        )


def plain_lines(*lines: str) -> list[str]:
    """Lines in which nothing breaks or hides."""
    return ["".join(sign if sign.isprintable() else " " for sign in line) for line in lines]


@dataclass(frozen=True, eq=False)
class Material:
    """What tables and figures are made from."""

    plan: Plan
    facts: Facts
    columns: Columns

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The primary ones first, then by model, protocol, sample, metric and simulator."""
        return tuple(
            sorted(
                self.columns.evaluations,
                key=lambda e: (not self.plan.primary.covers(e), e.model, *_place(e), e.simulator),
            )
        )


def _place(evaluation: Evaluation) -> tuple[int, int, int]:
    """Protocol, sample and metric in the order in which they are defined."""
    parts = (evaluation.protocol, evaluation.sample, evaluation.metric)
    protocol, sample, metric = (list(type(part)).index(part) for part in parts)
    return protocol, metric, sample


NOBODY = "nobody"
NOT_CHECKED = "not checked"
EVALUATION_COLUMNS = (
    Column("model", "model", shared=True),
    Column("protocol", "protocol", shared=True),
    Column("sample", "records", shared=True),
    Column("metric", "metric", shared=True),
    Column("simulator", "predicted or judged by", shared=True),
    Column("trust", "trust check", shared=True),
)
ARM = Column("arm", "method")


def evaluation_entries(material: Material, evaluation: Evaluation) -> tuple[Entry, ...]:
    """The values of EVALUATION_COLUMNS."""
    model, protocol, sample, metric, simulator = evaluation
    mark = material.facts.marks.get((protocol, sample, metric), NOT_CHECKED)
    said = (model, protocol.value, sample.value, metric.value, simulator or NOBODY, mark)
    return tuple(Entry(each) for each in said)


def words(evaluation: Evaluation) -> str:
    """An evaluation in a line."""
    by = f", by {evaluation.simulator}" if evaluation.simulator else ""
    return f"{evaluation.metric.replace('_', ' ')}, {evaluation.sample} ({evaluation.protocol}){by}"
