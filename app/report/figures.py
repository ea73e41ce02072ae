"""Figures of one evaluation: means, layers, distribution, best neurons, and two kinds of records against each other."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.domain import report_statistics as statistics
from app.domain.explanations import Sample, State
from app.domain.neurons import Float64
from app.domain.report_columns import Cell
from app.domain.report_plan import Evaluation
from app.domain.report_selection import Selection
from app.report.contrasts import protocol_pairs
from app.report.scores import EVERYONE, groups, of_group
from app.report.values import Figure, Material, Point, words

MOST_POINTS = 2_000  # marks of a chart; above it points of one neighbourhood are one
BEST_PER_LAYER = 10
BIN = 0.1
STANDARD_ERROR = "mean ± standard error"
_NO_SCORE = "Needs a score by this measure: there is none yet."


def means(material: Material, evaluation: Evaluation) -> Figure:
    """LEE Table 2 as a picture."""
    points = []
    for group in groups(material):
        for arm in material.columns.arms_of(evaluation):
            cell = of_group(material, material.columns.cell(evaluation, arm), group)
            where = Selection.of(evaluation, arm, state=State.OK, group=None if group == EVERYONE else group)
            points += mean_point(arm, cell, group if len(groups(material)) > 1 else "", arm, where)
    return Figure(
        "means",
        "Mean score by method",
        "LEE Table 2",
        "Means over neurons with a defined score, with their standard errors. Where lines overlap, look at the paired differences: they are of the same neurons.",
        "method",
        words(evaluation),
        tuple(points),
        axis="name",
        spread=STANDARD_ERROR,
        needs=_NO_SCORE,
    )


def mean_point(x: float | str, cell: Cell, series: str, said: str, where: Selection | None) -> list[Point]:
    found = statistics.mean(cell.means)
    if found.mean is None:
        return []
    low, high = (found.mean - found.sem, found.mean + found.sem) if found.sem is not None else (None, None)
    error = f" ± {found.sem:.3f}" if found.sem is not None else ""
    label = f"{said}{', ' + series if series and series != said else ''}: mean {found.mean:.3f}{error} over {found.n:,} neurons"
    return [Point(x, found.mean, label, where, series, low, high, found.n)]


def layers(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: score by layer."""
    points = []
    for arm in material.columns.arms_of(evaluation):
        cell = material.columns.cell(evaluation, arm)
        of_neuron = material.columns.layers[cell.neurons]
        for layer in np.unique(of_neuron).tolist():
            where = Selection.of(evaluation, arm, layer=layer, state=State.OK)
            points += mean_point(layer, cell.take(of_neuron == layer), arm, f"layer {layer}", where)
    return Figure(
        "layers",
        "Score by layer",
        "BILLS, score by layer",
        "Means over the layer’s neurons with a defined score, with their standard errors. Neurons that were chosen by score do not speak for their layer.",
        "layer",
        words(evaluation),
        tuple(points[:MOST_POINTS]),
        lines=True,
        spread=STANDARD_ERROR,
        needs=_NO_SCORE,
    )


def distribution(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: how scores are distributed."""
    cells = {
        arm: material.columns.cell(evaluation, arm).means for arm in material.columns.arms_of(evaluation)
    }
    defined = {arm: values[~np.isnan(values)] for arm, values in cells.items()}
    every = np.concatenate([*defined.values(), np.zeros(0)])
    points = []
    if len(every):
        first = max(-10, min(0, int(np.floor(every.min() / BIN))))
        for arm, values in defined.items():
            steps = np.clip(np.floor(values / BIN + 1e-9).astype(int), first, 9)
            for step in range(first, 10) if len(values) else ():
                n = int((steps == step).sum())
                low, high = round(step * BIN, 1), round((step + 1) * BIN, 1)
                lowest, highest = step == first == -10, step == 9
                where = Selection.of(
                    evaluation,
                    arm,
                    low=None if lowest else low,
                    high=None if highest else high,
                    state=State.OK,
                )
                name = (
                    f"below {high:g}"
                    if lowest
                    else f"{low:g} or more"
                    if highest
                    else f"{low:g} to below {high:g}"
                )
                label = f"{arm}: {n:,} of {len(values):,} neurons score {name}"
                points.append(Point(round(low + BIN / 2, 2), n / len(values), label, where, arm, n=n))
    return Figure(
        "distribution",
        "Distribution of scores",
        "BILLS, distribution of scores",
        "Shares of the neurons with a defined score, in steps of a tenth; what lies below −0.9 is in the first step.",
        words(evaluation),
        "share of neurons",
        tuple(points[:MOST_POINTS]),
        lines=True,
        needs=_NO_SCORE,
    )


def best(material: Material, evaluation: Evaluation) -> Figure:
    """LEE Figure 3."""
    columns = material.columns
    highest = np.full(len(columns.neurons), -np.inf)
    by = np.full(len(columns.neurons), -1)
    arms = columns.arms_of(evaluation)
    for code, arm in enumerate(arms):
        cell = columns.cell(evaluation, arm)
        values = np.where(np.isnan(cell.means), -np.inf, cell.means)
        better = values > highest[cell.neurons]
        highest[cell.neurons[better]], by[cell.neurons[better]] = values[better], code
    points = []
    for layer in np.unique(columns.layers[by >= 0]).tolist():
        here = np.flatnonzero((by >= 0) & (columns.layers == layer))
        for neuron in here[np.argsort(-highest[here], kind="stable")][:BEST_PER_LAYER].tolist():
            arm, ref = arms[by[neuron]], columns.neurons[neuron].ref
            label = f"neuron {layer}:{ref.index}: {highest[neuron]:.3f} by {arm}"
            where = Selection.of(evaluation, layer=layer, neuron=ref.index)
            points.append(Point(layer, float(highest[neuron]), label, where, arm))
    return Figure(
        "best",
        "Best neurons by layer and score",
        "LEE Figure 3",
        f"Each layer’s {BEST_PER_LAYER} neurons with the highest score by whichever method, coloured by that method. The best of many is partly luck: with more methods, "
        "seeds and neurons it rises by itself.",
        "layer",
        words(evaluation),
        tuple(points[:MOST_POINTS]),
        needs=_NO_SCORE,
    )


def top_against_random(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: top-and-random against random-only."""
    sides = [evaluation._replace(sample=each) for each in (Sample.RANDOM_ONLY, Sample.TOP_AND_RANDOM)]
    return _against(
        material,
        sides[0],
        sides[1],
        "top-and-random",
        "Top-and-random against random-only",
        "BILLS, top-and-random against random-only",
        "Each point is a neuron by one method, scored on strong and random records (up) and on random records alone (across). Random-only scores are undefined where no random record is active, "
        "so that rarely active neurons are missing here.",
        "Needs scores on top-and-random and on random-only records by this protocol, metric and simulator.",
    )


def protocol_gap(material: Material, evaluation: Evaluation) -> Figure:
    """The same neurons under this evaluation’s protocol and another."""
    other = next(
        (b if a == evaluation else a for a, b in protocol_pairs(material) if evaluation in (a, b)), None
    )
    return _against(
        material,
        other if other is not None else evaluation._replace(simulator="\0"),
        evaluation,
        "protocol-gap",
        "The same neurons under two protocols",
        "protocol gap",
        "Each point is a neuron by one method, scored by either protocol; on the diagonal both agree.",
        "Needs scores of this metric by a second protocol, predicted by the same simulator.",
    )


def _against(
    material: Material, x: Evaluation, y: Evaluation, key: str, title: str, source: str, how: str, needs: str
) -> Figure:
    points: list[Point] = []
    for arm in material.columns.arms:
        across, up = material.columns.cell(x, arm), material.columns.cell(y, arm)
        neurons, first, second = np.intersect1d(
            across.neurons, up.neurons, assume_unique=True, return_indices=True
        )
        a, b = across.means[first], up.means[second]
        both = ~np.isnan(a) & ~np.isnan(b)
        points += _scatter(material, x, y, arm, neurons[both], a[both], b[both])
    if len(points) > MOST_POINTS:
        points = _thinned(points, x, y)
    return Figure(key, title, source, how, words(x), words(y), tuple(points), diagonal=True, needs=needs)


def _scatter(
    material: Material,
    x: Evaluation,
    y: Evaluation,
    arm: str,
    neurons: NDArray[np.int32],
    across: Float64,
    up: Float64,
) -> Iterable[Point]:
    against = {"against_protocol": x.protocol, "against_sample": x.sample}
    for neuron, a, b in zip(neurons.tolist(), across.tolist(), up.tolist(), strict=True):
        ref, layer = material.columns.neurons[neuron].ref, int(material.columns.layers[neuron])
        label = f"neuron {layer}:{ref.index}, {arm}: {b:.3f} against {a:.3f}"
        where = Selection.of(y, arm, layer=layer, neuron=ref.index, **against)
        yield Point(a, b, label, where, arm)


def _thinned(points: list[Point], x: Evaluation, y: Evaluation) -> list[Point]:
    """Points of one method and one square of a grid as one at the square's middle."""
    series = list(dict.fromkeys(point.series for point in points))
    side = max(4, int(np.sqrt(MOST_POINTS / len(series))))
    values = np.array([(point.x, point.y) for point in points], np.float64)
    low, width = values.min(0), np.maximum(np.ptp(values, axis=0), 1e-9) / side
    squares = np.minimum(np.floor((values - low) / width), side - 1).astype(int)
    counted: dict[tuple[str, int, int], int] = {}
    for point, (i, j) in zip(points, squares.tolist(), strict=True):
        counted[point.series, i, j] = counted.get((point.series, i, j), 0) + 1
    found = []
    for (arm, i, j), n in counted.items():
        edges = [[float(low[k] + (at + e) * width[k]) for e in (0, 1)] for k, at in enumerate((i, j))]
        (left, right), (bottom, top) = edges
        # The last squares hold the greatest values themselves.
        where = Selection.of(
            y,
            arm,
            low=bottom,
            high=None if j == side - 1 else top,
            against_protocol=x.protocol,
            against_sample=x.sample,
            against_low=left,
            against_high=None if i == side - 1 else right,
        )
        label = f"{arm}: {n:,} neurons, {bottom:.2f} to {top:.2f} against {left:.2f} to {right:.2f}"
        found.append(Point((left + right) / 2, (bottom + top) / 2, label, where, arm, n=n))
    return found[:MOST_POINTS]
