"""Which results are behind a number of a report: what the address of their list says, and the list."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Bool, Float64
from app.domain.report_columns import STATES, Cell, Codes, Columns, Explained
from app.domain.report_plan import Evaluation, Facts, Plan


@dataclass(frozen=True)
class Selection:
    """What all of the results behind a number have in common. None: whatever it is."""

    model: str | None = None
    protocol: Protocol | None = None
    sample: Sample | None = None
    metric: Metric | None = None
    simulator: str | None = None  # "" : nobody predicted
    arm: str | None = None
    layer: int | None = None
    neuron: int | None = None  # its index
    group: str | None = None  # sampled so
    state: State | None = None  # with any seed; OK: those that a mean is over
    low: float | None = None  # of the neuron's mean over its defined seeds, from here
    high: float | None = None  # to below this
    density_low: float | None = None
    density_high: float | None = None
    # The other side of a pair: neurons that both are defined on, with the difference.
    against_arm: str | None = None
    against_protocol: Protocol | None = None
    against_sample: Sample | None = None
    against_low: float | None = None  # of the other side's value
    against_high: float | None = None

    @classmethod
    def of(cls, evaluation: Evaluation, arm: str | None = None, **more: object) -> "Selection":
        """Results by one evaluation."""
        model, protocol, sample, metric, simulator = evaluation
        return cls(model, protocol, sample, metric, simulator, arm, **more)  # type: ignore[arg-type]

    @property
    def paired(self) -> bool:
        other = (self.against_arm, self.against_protocol, self.against_sample)
        return any(each is not None for each in other)

    def query(self) -> dict[str, str]:
        """As an address has it, without what is left open."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                found[field.name] = repr(value) if isinstance(value, float) else str(value)
        return found

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Selection":
        """Raises ValueError that says what is wrong. Names of other things are let be."""
        hints = get_type_hints(cls)
        known: dict[str, object] = {}
        for field in fields(cls):
            if field.name not in query:
                continue
            text = query[field.name]
            kind = get_args(hints[field.name])[0]
            try:
                value = kind(text)
            except (ValueError, OverflowError):
                raise ValueError(f"“{text[:60]}” is no {field.name.replace('_', ' ')}") from None
            if isinstance(value, float) and not np.isfinite(value):
                raise ValueError(f"“{text[:60]}” is no {field.name.replace('_', ' ')}")
            known[field.name] = value
        return cls(**known)  # type: ignore[arg-type]


class Line(NamedTuple):
    """One neuron by one arm and evaluation."""

    explained: Explained
    layer: int
    arm: str
    evaluation: Evaluation
    value: float | None  # mean over its defined seeds
    other: float | None  # the other side's, where the selection is of pairs
    results: tuple[int, ...]  # places among all results, by seed


@dataclass(frozen=True, eq=False)
class Selected:
    """L lines, unsorted; `lines` makes those of a page."""

    columns: Columns
    cell: NDArray[np.intp]  # [L] into `keys`
    row: NDArray[np.intp]  # [L] within the cell
    value: Float64  # [L] NaN where undefined
    other: Float64  # [L] NaN where there is none
    keys: tuple[tuple[int, int], ...]  # (evaluation, arm) as codes

    def __len__(self) -> int:
        return len(self.row)

    @property
    def neurons(self) -> int:
        """Different ones among the lines."""
        return len(np.unique(self._neurons()))

    def lines(self, by: str, descending: bool, start: int, size: int) -> tuple[Line, ...]:
        """A page, by `neuron`, `value` or `difference`; undefined ones last, equals by neuron."""
        codes = self._neurons()
        place = np.array([(n.ref.model, n.ref.index, n.polarity) for n in self.columns.neurons], dtype=object)
        order_of = np.empty(len(place), np.int64)
        names = sorted(range(len(place)), key=lambda i: (place[i][0], self.columns.layers[i], *place[i][1:]))
        order_of[names] = np.arange(len(place))
        value = self.value - self.other if by == "difference" else self.value
        sign = -1 if descending else 1
        known = np.zeros(len(self)) if by == "neuron" else np.where(np.isnan(value), np.inf, sign * value)
        first = order_of[codes] * (sign if by == "neuron" else 1)
        order = np.lexsort((self.cell, first, known))[start : start + size]
        return tuple(self._line(int(at)) for at in order)

    def _neurons(self) -> Codes:
        codes = np.zeros(len(self), np.int32)
        for which, key in enumerate(self.keys):
            here = self.cell == which
            codes[here] = self.columns.cells[key].neurons[self.row[here]]
        return codes

    def _line(self, at: int) -> Line:
        evaluation, arm = self.keys[self.cell[at]]
        cell, row = self.columns.cells[evaluation, arm], self.row[at]
        neuron = int(cell.neurons[row])
        return Line(
            self.columns.neurons[neuron],
            int(self.columns.layers[neuron]),
            self.columns.arms[arm],
            self.columns.evaluations[evaluation],
            None if np.isnan(self.value[at]) else float(self.value[at]),
            None if np.isnan(self.other[at]) else float(self.other[at]),
            tuple(int(each) for each in cell.rows[row] if each >= 0),
        )


def select(columns: Columns, plan: Plan, facts: Facts, wanted: Selection) -> Selected:
    """The lines that a selection means."""
    fitting = _neurons(columns, plan, facts, wanted)
    parts: list[tuple[NDArray[np.intp], Float64, Float64]] = []
    keys: list[tuple[int, int]] = []
    for key, cell in columns.cells.items():
        evaluation, arm = columns.evaluations[key[0]], columns.arms[key[1]]
        asked = (wanted.model, wanted.protocol, wanted.sample, wanted.metric, wanted.simulator, wanted.arm)
        if any(a is not None and a != b for a, b in zip(asked, (*evaluation, arm), strict=True)):
            continue
        keep = fitting[cell.neurons]  # [N]
        if wanted.state is not None:
            keep &= (cell.states == STATES.index(wanted.state)).any(1)
        keep &= _between(cell.means, wanted.low, wanted.high)
        other = np.full(len(keep), np.nan)
        if wanted.paired:
            other = _other_side(columns, cell, evaluation, arm, wanted)
            keep &= ~np.isnan(other) & ~np.isnan(cell.means)
            keep &= _between(other, wanted.against_low, wanted.against_high)
        rows = np.flatnonzero(keep)
        if len(rows):
            parts.append((rows, cell.means[rows], other[rows]))
            keys.append(key)
    return Selected(
        columns,
        np.repeat(np.arange(len(parts)), [len(rows) for rows, _, _ in parts])
        if parts
        else np.zeros(0, np.intp),
        np.concatenate([rows for rows, _, _ in parts]) if parts else np.zeros(0, np.intp),
        np.concatenate([value for _, value, _ in parts]) if parts else np.zeros(0),
        np.concatenate([other for _, _, other in parts]) if parts else np.zeros(0),
        tuple(keys),
    )


def _neurons(columns: Columns, plan: Plan, facts: Facts, wanted: Selection) -> Bool:
    """Which neurons may be among them, [neurons]."""
    keep = np.ones(len(columns.neurons), np.bool_)
    if wanted.layer is not None:
        keep &= columns.layers == wanted.layer
    if wanted.neuron is not None:
        keep &= np.fromiter((n.ref.index == wanted.neuron for n in columns.neurons), np.bool_, len(keep))
    if wanted.group is not None:
        keep &= members(columns, plan, wanted.group)
    if wanted.density_low is not None or wanted.density_high is not None:
        keep &= _between(densities(columns, facts), wanted.density_low, wanted.density_high)
    return keep


def members(columns: Columns, plan: Plan, group: str) -> Bool:
    """Which neurons were sampled so, [neurons]; none for a group that the plan does not have."""
    refs = frozenset().union(*(each.refs for each in plan.groups if each.name == group))
    return np.fromiter((n.ref in refs for n in columns.neurons), np.bool_, len(columns.neurons))


def densities(columns: Columns, facts: Facts) -> Float64:
    """Each neuron's density, [neurons]; NaN where it is not known."""
    known = (facts.density.get(n.ref, np.nan) for n in columns.neurons)
    return np.fromiter(known, np.float64, len(columns.neurons))


def _other_side(columns: Columns, cell: Cell, evaluation: Evaluation, arm: str, wanted: Selection) -> Float64:
    """The same neurons' values on the other side of the pair, [N]."""
    against = evaluation._replace(
        protocol=wanted.against_protocol or evaluation.protocol,
        sample=wanted.against_sample or evaluation.sample,
    )
    other = columns.cell(against, wanted.against_arm if wanted.against_arm is not None else arm)
    values = np.full(len(columns.neurons), np.nan)
    values[other.neurons] = other.means
    return values[cell.neurons]


def _between(values: Float64, low: float | None, high: float | None) -> Bool:
    """From `low` to below `high`; what is undefined is in no interval, but where none is asked for."""
    keep = np.ones(len(values), np.bool_)
    with np.errstate(invalid="ignore"):
        if low is not None:
            keep &= values >= low
        if high is not None:
            keep &= values < high
    return keep
