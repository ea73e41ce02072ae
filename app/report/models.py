"""Figures across models: size of explainer, simulator and subject against score, training time, activation function, density."""

from collections.abc import Callable, Iterable

import numpy as np

from app.domain.explanations import State
from app.domain.report_plan import Evaluation, Subject
from app.domain.report_selection import Selection, densities
from app.report.figures import STANDARD_ERROR, mean_point
from app.report.values import Axis, Figure, Material, Point, words

DENSITY_STEPS = 8
_SAME_NEURONS = (
    "Every point is a mean over the neurons defined there, which need not be the same ones everywhere."
)


def explainer_size(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: score against the size of the explainer."""
    arms = material.columns.arms_of(evaluation)
    makers = {arm: material.columns.made_by[arm] for arm in arms}
    explainers = list(dict.fromkeys(each.explainer for each in makers.values() if each.explainer != "none"))
    several_evidence = len({each.evidence for each in makers.values()}) > 1
    x, axis = _sizes(material, explainers)
    points = []
    if len(explainers) > 1:
        for arm, maker in makers.items():
            if maker.explainer in explainers:
                series = f"{maker.method}, {maker.evidence}" if several_evidence else maker.method
                points += _point(material, evaluation, arm, x(maker.explainer), series, maker.explainer)
    return Figure(
        "explainer-size",
        "Score against the explainer",
        "BILLS, explainer size",
        f"By the number of parameters where the store knows it of every explainer, by name otherwise. {_SAME_NEURONS}",
        _size_title("explainer", axis),
        words(evaluation),
        tuple(points),
        axis=axis,
        lines=axis == "log",
        spread=STANDARD_ERROR,
        needs="Needs two explainers or more in one experiment.",
    )


def simulator_size(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: score against the size of the simulator."""
    same = [each for each in material.evaluations if each[:4] == evaluation[:4] and each.simulator]
    x, axis = _sizes(material, [each.simulator for each in same])
    points = []
    if len(same) > 1:
        for each in same:
            for arm in material.columns.arms_of(each):
                points += _point(material, each, arm, x(each.simulator), arm, each.simulator)
    return Figure(
        "simulator-size",
        "Score against the simulator",
        "BILLS, simulator size",
        "Scores of the same explanations by different simulators, by the number of parameters where the store knows it of every simulator, by name otherwise. "
        f"{_SAME_NEURONS}",
        _size_title("simulator", axis),
        words(evaluation._replace(simulator="")),
        tuple(points),
        axis=axis,
        lines=axis == "log",
        spread=STANDARD_ERROR,
        needs="Needs scores by two simulators or more with the same protocol, records and metric.",
    )


def subject_size(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: score against the size of the subject."""
    same = _of_subjects(material, evaluation)
    known = {each.slug: each.parameters for each in material.facts.subjects}
    sized = all(known.get(each.model) for each in same)
    axis: Axis = "log" if sized else "name"
    points = []
    if len(same) > 1:
        for each in same:
            for arm in material.columns.arms_of(each):
                points += _point(
                    material, each, arm, float(known[each.model]) if sized else each.model, arm, each.model
                )
    return Figure(
        "subject-size",
        "Score against the subject model",
        "BILLS, subject size",
        f"By the number of parameters where it is known of every model. {_SAME_NEURONS} Models differ in more than their size.",
        _size_title("subject", axis),
        words(evaluation),
        tuple(points),
        axis=axis,
        lines=axis == "log",
        spread=STANDARD_ERROR,
        needs="Needs two subject models or more in one experiment.",
    )


def training(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: score against training time."""
    steps = {each.slug: each.step for each in material.facts.subjects if each.step is not None}
    same = [each for each in _of_subjects(material, evaluation) if each.model in steps]
    points = []
    if len(same) > 1:
        for each in same:
            for arm in material.columns.arms_of(each):
                points += _point(material, each, arm, float(steps[each.model]), arm, each.model)
    return Figure(
        "training",
        "Score against training time",
        "BILLS, training time",
        "Checkpoints of one model, each a subject model of its own. The same index of two checkpoints need not be the same feature.",
        "training steps",
        words(evaluation),
        tuple(sorted(points, key=lambda point: (point.series, point.x))),
        lines=True,
        spread=STANDARD_ERROR,
        needs="Needs two checkpoints or more as subject models whose name or revision says the step, such as “step1000”.",
    )


def activation(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: activation function of the subject."""
    facts = {each.slug: each for each in material.facts.subjects}
    same = [each for each in _of_subjects(material, evaluation) if each.model in facts]
    points = []
    if len({_activation(facts[each.model]) for each in same}) > 1:
        for each in same:
            for arm in material.columns.arms_of(each):
                name = _activation(facts[each.model])
                points += _point(material, each, arm, f"{name}: {each.model}", arm, each.model)
    return Figure(
        "activation",
        "Score by the activation function of the subject",
        "BILLS, activation function (ReLU against GELU)",
        "One group of points a subject model, named by its activation function. Models with different functions mostly differ in other things too.",
        "activation function: model",
        words(evaluation),
        tuple(sorted(points, key=lambda point: str(point.x))),
        axis="name",
        spread=STANDARD_ERROR,
        needs="Needs subject models with different activation functions in one experiment, such as one with ReLU and one with GELU.",
    )


def density(material: Material, evaluation: Evaluation) -> Figure:
    """BILLS: score against how often neurons fire."""
    known = densities(material.columns, material.facts)
    same = _of_subjects(material, evaluation)
    several = len(same) > 1
    points = []
    for each in same:
        for arm in material.columns.arms_of(each):
            cell = material.columns.cell(each, arm)
            of_neuron = known[cell.neurons]
            there = (of_neuron > 0) & ~np.isnan(cell.means)
            if not there.any():
                continue
            edges = np.unique(np.quantile(of_neuron[there], np.linspace(0, 1, DENSITY_STEPS + 1)))
            edges = edges if len(edges) > 1 else np.append(edges, edges[-1])
            for i, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
                last = i == len(edges) - 2
                here = there & (of_neuron >= low) & ((of_neuron <= high) if last else (of_neuron < high))
                where = Selection.of(
                    each, arm, density_low=low, density_high=None if last else high, state=State.OK
                )
                series = f"{arm}, {each.model}" if several else arm
                if here.any():
                    middle = float(np.median(of_neuron[here]))
                    said = f"density {low:.2g} to {high:.2g}"
                    points += mean_point(middle, cell.take(here), series, said, where)
    return Figure(
        "density",
        "Score against how often a neuron fires strongly",
        "BILLS, density of the subject’s neurons",
        "Neurons in up to eight groups of equal size by their density: the share of sampled tokens at a tenth of the maximum or more. Each point stands at its group’s median. "
        "Neurons with a density of 0 are left out.",
        "density (share of tokens)",
        words(evaluation),
        tuple(points),
        axis="log",
        lines=True,
        spread=STANDARD_ERROR,
        needs="Needs scores of neurons whose density is known: those of a model that was collected here.",
    )


def _of_subjects(material: Material, evaluation: Evaluation) -> list[Evaluation]:
    """The same evaluation of every subject model."""
    return [each for each in material.evaluations if each[1:] == evaluation[1:]]


def _point(
    material: Material, evaluation: Evaluation, arm: str, x: float | str, series: str, said: str
) -> list[Point]:
    where = Selection.of(evaluation, arm, state=State.OK)
    return mean_point(x, material.columns.cell(evaluation, arm), series, said, where)


def _sizes(material: Material, names: Iterable[str]) -> tuple[Callable[[str], float | str], Axis]:
    """Where each stands: by its parameters if all of them are known."""
    sizes = material.facts.sizes
    if all(sizes.get(name) for name in names):
        return lambda name: float(sizes[name]), "log"
    return str, "name"


def _size_title(what: str, axis: Axis) -> str:
    return f"parameters of the {what}" if axis == "log" else what


def _activation(subject: Subject) -> str:
    return f"{subject.activation}, gated" if subject.gated else subject.activation
