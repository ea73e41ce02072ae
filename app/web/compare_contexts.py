"""What the compare page's templates are given."""

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from app.domain.neurons import Statistics
from app.web.contexts import Chrome
from app.web.neuron_contexts import Choice, ExplanationItem


class ComparedToken(NamedTuple):
    """One of a neuron's top tokens."""

    token: Markup
    level: int
    mean: float
    id: int
    shared: bool  # another neuron of the comparison has it too


class Column(NamedTuple):
    """One neuron of a comparison."""

    name: str  # layer:index
    model: str  # its name, where the comparison is of several models; else empty
    slug: str
    address: str
    without: str  # the comparison without it
    said: ExplanationItem | None
    statistics: Statistics
    tokens: tuple[ComparedToken, ...]
    rows: bytes  # its strongest records as list items
    note: str


class HeatLine(NamedTuple):
    """One line of a block: the same excerpt once more, on another scale."""

    label: str  # a neuron's name, "actual", or the explanation's letter
    address: str  # empty: no link
    about: str  # the line for screen readers
    peak: str
    negative: bool
    html: Markup
    values: str  # hex, as in excerpt rows
    wide: bool
    indented: bool  # begins with a blank
    simulated: bool
    missing: str  # why there is no heatmap; else empty


class Block(NamedTuple):
    """One excerpt with its lines."""

    source: str
    start: int  # -1 where there is no document
    lines: tuple[HeatLine, ...]
    note: str = ""  # what is to be seen in it


@dataclass(frozen=True)
class ComparePage:
    """`compare.html`: neurons, also where there are too few of them yet."""

    chrome: Chrome
    columns: tuple[Column, ...]
    several_models: bool
    contexts: tuple[Choice, ...]
    blocks: tuple[Block, ...]
    shared: int  # excerpts that two or more have
    all_shared: str  # address that shows all of them, or empty
    refs: tuple[str, ...]  # what the form carries
    model: str  # whose neurons a short form means
    full: bool  # no other neuron has room
    api: str


class Statement(NamedTuple):
    """One explanation of a comparison."""

    letter: str
    item: ExplanationItem
    simulated: str  # by whom; empty: not simulated
    units: str
    without: str  # the comparison without it; empty where too few would be left


class CellScore(NamedTuple):
    """One score of the table."""

    value: float | None
    interval: Markup
    by: str
    records: str
    problem: str
    indicative: bool
    basis: str  # what the value cannot be understood without


class MeasureLine(NamedTuple):
    """One measure of the table."""

    protocol: str
    sample: str
    metric: str
    cells: tuple[tuple[CellScore, ...], ...]
    trust: Markup


class PairLine(NamedTuple):
    """How far two explanations are apart."""

    first: str
    second: str
    protocol: str
    values: tuple[float, float] | None
    difference: float
    low: float | None
    high: float | None
    apart: bool  # the interval leaves zero out
    records: int
    indicative: bool
    by: str
    problem: str


@dataclass(frozen=True)
class CompareExplanationsPage:
    """`compare_explanations.html`."""

    chrome: Chrome
    name: str
    here: str
    statements: tuple[Statement, ...]
    scorable: bool  # the neuron has records
    measures: tuple[MeasureLine, ...]
    pairs: tuple[PairLine, ...]
    why_no_pairs: str
    blocks: tuple[Block, ...]
    excerpts: int
    all_excerpts: str
    api: str
