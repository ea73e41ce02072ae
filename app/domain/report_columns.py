"""Results of an experiment as columns, and of each (evaluation, arm) the values neuron by seed."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import State
from app.domain.neurons import Bool, Float64, NeuronRef, Polarity, UInt8
from app.domain.report_plan import Evaluation
from app.domain.results import Result

H = TypeVar("H", bound=Hashable)
Codes = NDArray[np.int32]

STATES = tuple(State)  # the code of a state in an array is its index here
ABSENT = np.uint8(255)  # no result of this neuron with this seed (yet)
OK, CONSTANT = (np.uint8(STATES.index(each)) for each in (State.OK, State.CONSTANT_PREDICTION))


class Explained(NamedTuple):
    """What is explained: a neuron's positive or its negative side."""

    ref: NeuronRef
    polarity: Polarity


class Maker(NamedTuple):
    """What an arm is made of."""

    method: str
    explainer: str
    evidence: str


@dataclass(frozen=True, eq=False)
class Cell:
    """All results of one arm by one evaluation. N neurons, S seeds of the experiment."""

    neurons: Codes  # [N] rising, index into Columns.neurons
    values: Float64  # [N, S] NaN where there is none
    states: UInt8  # [N, S] index into STATES, or ABSENT
    rows: Codes  # [N, S] place of the result among all, -1 where there is none

    def take(self, rows: NDArray[np.intp] | Bool) -> "Cell":
        """Some of its neurons."""
        return Cell(self.neurons[rows], self.values[rows], self.states[rows], self.rows[rows])

    @cached_property
    def means(self) -> Float64:
        """[N] each neuron's mean over its defined seeds; NaN where none is."""
        return _mean_rows(self.values)

    @cached_property
    def means_constant_0(self) -> Float64:
        """[N] the same with constant predictions counted as 0 (DESIGN section 6)."""
        return _mean_rows(np.where(self.states == CONSTANT, 0.0, self.values))


EMPTY = Cell(np.zeros(0, np.int32), np.zeros((0, 1)), np.zeros((0, 1), np.uint8), np.zeros((0, 1), np.int32))


@dataclass(frozen=True, eq=False)
class Columns:
    """R results, coded: each column holds indices into the tuple of its name."""

    results: Sequence[Result]
    neurons: tuple[Explained, ...]
    arms: tuple[str, ...]  # those of the plan in order, then any other
    evaluations: tuple[Evaluation, ...]
    seeds: tuple[int, ...]
    neuron: Codes  # [R]
    arm: Codes  # [R]
    evaluation: Codes  # [R]
    seed: Codes  # [R]
    state: UInt8  # [R] index into STATES
    value: Float64  # [R] NaN where the state is not OK
    layers: Codes  # [neurons] each neuron's layer, ordinal

    @cached_property
    def cells(self) -> Mapping[tuple[int, int], Cell]:
        """By (evaluation, arm), both as codes; only those that have results."""
        group = self.evaluation.astype(np.int64) * len(self.arms) + self.arm  # [R]
        order = np.argsort(group, kind="stable")
        found: dict[tuple[int, int], Cell] = {}
        if not len(order):
            return found
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        for rows in np.split(order, starts[1:]):
            neurons, place = np.unique(self.neuron[rows], return_inverse=True)
            shape = (len(neurons), len(self.seeds))
            values, states = np.full(shape, np.nan), np.full(shape, ABSENT, np.uint8)
            values[place, self.seed[rows]] = self.value[rows]
            states[place, self.seed[rows]] = self.state[rows]
            behind = np.full(shape, -1, np.int32)
            behind[place, self.seed[rows]] = rows
            at = divmod(int(group[rows[0]]), len(self.arms))
            found[at] = Cell(neurons.astype(np.int32), values, states, behind)
        return found

    @cached_property
    def made_by(self) -> Mapping[str, Maker]:
        """How each arm explains."""
        found: dict[str, Maker] = {}
        for each in self.results:
            if each.arm not in found:
                found[each.arm] = Maker(each.method, each.explainer, each.evidence)
        return found

    def cell(self, evaluation: Evaluation, arm: str) -> Cell:
        """One cell; without neurons where it has no results."""
        try:
            at = self.evaluations.index(evaluation), self.arms.index(arm)
        except ValueError:
            return EMPTY
        return self.cells.get(at, EMPTY)

    def arms_of(self, evaluation: Evaluation) -> tuple[str, ...]:
        """The arms with results by it, in order."""
        at = self.evaluations.index(evaluation) if evaluation in self.evaluations else -1
        return tuple(arm for code, arm in enumerate(self.arms) if (at, code) in self.cells)


def columns(results: Sequence[Result], arms: Sequence[str] = ()) -> Columns:
    """The results as columns. Raises ValueError for a result that is OK without a finite value, or has one without being OK."""
    for each in results:
        finite = each.value is not None and math.isfinite(each.value)
        if finite != (each.state is State.OK):
            raise ValueError(f"{each.ref}, {each.arm}: {each.state} with the value {each.value}")
    neurons, neuron = _coded((each.ref, each.polarity) for each in results)
    known, arm = _coded((each.arm for each in results), arms)
    evaluations, evaluation = _coded(
        (each.ref.model, each.protocol, each.sample, each.metric, each.simulator) for each in results
    )
    seeds, seed = _coded((each.seed for each in results), sorted({each.seed for each in results}))
    states, state = _coded((each.state for each in results), STATES)
    assert states == STATES
    layers = np.zeros(len(neurons), np.int32)
    layers[neuron] = np.fromiter((each.layer for each in results), np.int32, len(results))
    value = np.fromiter(
        (np.nan if each.value is None else each.value for each in results), np.float64, len(results)
    )
    return Columns(
        results=results,
        neurons=tuple(Explained(*each) for each in neurons),
        arms=known,
        evaluations=tuple(Evaluation(*each) for each in evaluations),
        seeds=seeds,
        neuron=neuron,
        arm=arm,
        evaluation=evaluation,
        seed=seed,
        state=state.astype(np.uint8),
        value=value,
        layers=layers,
    )


def _coded(values: Iterable[H], first: Sequence[H] = ()) -> tuple[tuple[H, ...], Codes]:
    """The distinct values, those of `first` before any other, and each value as its index."""
    codes: dict[H, int] = {value: code for code, value in enumerate(first)}
    column = [codes.setdefault(value, len(codes)) for value in values]
    return tuple(codes), np.array(column, np.int32)


def _mean_rows(values: Float64) -> Float64:
    """[N, S] -> [N] over what is not NaN; NaN where nothing is."""
    there = ~np.isnan(values)
    counts = there.sum(1)  # [N]
    sums = np.where(there, values, 0.0).sum(1)  # [N]
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
