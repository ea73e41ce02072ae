"""Tables of scores: means by method and sample, counts above thresholds, similarity beside its chance floor, ranks."""

import numpy as np

from app.domain import report_statistics as statistics
from app.domain.explanations import Metric, State
from app.domain.report_columns import Cell
from app.domain.report_plan import Evaluation
from app.domain.report_selection import Selection, members
from app.report.values import (
    ARM,
    EVALUATION_COLUMNS,
    Column,
    Entry,
    Kind,
    Material,
    Table,
    evaluation_entries,
)

THRESHOLDS = (0.7, 0.9)  # BILLS' counts
EVERYONE = "all"
SEVERAL_SEEDS = "Seeds of a neuron are averaged first."

_MEANS = (
    Column("mean", "mean ± SEM", Kind.SCORE, about="standard error of the mean over neurons"),
    Column("sem", "SEM", Kind.SCORE, joined=" ± "),
    Column("n", "n", Kind.COUNT, about="neurons with a defined score, of those with any result"),
    Column("asked", "of", Kind.COUNT, joined=" of "),
    Column("mean_constant_0", "with constant as 0", Kind.SCORE, about="constant predictions counted as 0"),
    Column("sem_constant_0", "SEM of that", Kind.SCORE, joined=" ± "),
    Column("n_constant_0", "n of that", Kind.COUNT, joined=", n "),
    Column(
        "seed_sd",
        "seed to seed",
        Kind.SCORE,
        about="standard deviation of a neuron's score over seeds, pooled; then the lowest and the highest mean of a seed",
    ),
    Column("seed_low", "lowest mean of a seed", Kind.SCORE, joined="; means "),
    Column("seed_high", "highest mean of a seed", Kind.SCORE, joined=" to "),
    Column("failures", "failures", Kind.COUNT, about="results without a value, by why"),
    Column("failures_by_state", "by why", joined=": "),
)


def _mean_entries(cell: Cell, where: Selection) -> tuple[Entry, ...]:
    found = statistics.summary(cell)
    there = _with_state(where, State.OK)
    failures = sum(found.failures.values())
    seeds = found.seeds
    return (
        Entry(found.defined.mean, there),
        Entry(found.defined.sem),
        Entry(found.defined.n, there),
        Entry(found.asked, where),
        Entry(found.constant_0.mean),
        Entry(found.constant_0.sem),
        Entry(found.constant_0.n),
        Entry(seeds.sd),
        Entry(seeds.low),
        Entry(seeds.high),
        Entry(
            failures, _with_state(where, next(iter(found.failures))) if len(found.failures) == 1 else where
        ),
        Entry(", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in found.failures.items()) or None),
    )


def _with_state(where: Selection, state: State) -> Selection:
    return Selection(**{**where.__dict__, "state": state})


def groups(material: Material) -> tuple[str, ...]:
    """The samples of neurons: each that the definition has, and all neurons together where it has not exactly one."""
    named = tuple(dict.fromkeys(each.name for each in material.plan.groups))
    return named if len(named) == 1 else (*named, EVERYONE)


def of_group(material: Material, cell: Cell, group: str) -> Cell:
    """A cell's neurons that were sampled so."""
    if group == EVERYONE:
        return cell
    return cell.take(members(material.columns, material.plan, group)[cell.neurons])


def scores(material: Material) -> Table:
    """LEE Table 2."""
    rows = []
    for evaluation in material.evaluations:
        if evaluation.metric is Metric.EMBEDDING:
            continue
        rows += _rows(material, evaluation)
    return Table(
        "scores",
        "Scores by method and sample",
        "LEE Table 2",
        "Mean over neurons with a defined score, and its standard error. "
        f"{SEVERAL_SEEDS} What has no score is left out, counted as a failure, and never averaged over; where the prediction is "
        "constant, the second mean counts it as 0. No line mixes models, protocols, records, metrics or simulators.",
        (*EVALUATION_COLUMNS, Column("group", "neurons"), ARM, *_MEANS),
        tuple(rows),
        "Needs a score of any explanation: none has been made yet." if not rows else "",
    )


def _rows(material: Material, evaluation: Evaluation) -> list[tuple[Entry, ...]]:
    rows = []
    for group in groups(material):
        for arm in material.columns.arms_of(evaluation):
            cell = of_group(material, material.columns.cell(evaluation, arm), group)
            if not len(cell.neurons):
                continue
            where = Selection.of(evaluation, arm, group=None if group == EVERYONE else group)
            start = (*evaluation_entries(material, evaluation), Entry(group), Entry(arm))
            rows.append((*start, *_mean_entries(cell, where)))
    return rows


def similarity(material: Material) -> Table:
    """LEE Table 3."""
    rows = []
    for evaluation in material.evaluations:
        if evaluation.metric is Metric.EMBEDDING:
            for row in _rows(material, evaluation):
                arm, mean = row[len(EVALUATION_COLUMNS) + 1].value, row[len(EVALUATION_COLUMNS) + 2].value
                floor = _floor(material, evaluation, str(arm))
                above = float(mean) - floor if isinstance(mean, float) and floor is not None else None
                rows.append((*row, Entry(floor), Entry(above)))
    return Table(
        "similarity",
        "Similarity to reference explanations, by method and sample",
        "LEE Table 3",
        "Cosine of the embeddings of an explanation and of the same neuron's reference explanation. The chance floor is the mean "
        "similarity to other neurons' reference explanations: statements of one style are alike whatever they are about, so only what is above it says "
        f"anything. {SEVERAL_SEEDS}",
        (
            *EVALUATION_COLUMNS,
            Column("group", "neurons"),
            ARM,
            *_MEANS,
            Column(
                "floor",
                "chance floor",
                Kind.SCORE,
                about="the similarity that statements about other neurons have",
            ),
            Column("above_floor", "above it", Kind.SIGNED),
        ),
        tuple(rows),
        ""
        if rows
        else "Needs embedding similarity among the experiment's scores, and neurons with a reference explanation.",
    )


def _floor(material: Material, evaluation: Evaluation, arm: str) -> float | None:
    """The mean of the floors beside the defined values; None where none is known."""
    cell = material.columns.cell(evaluation, arm)
    found = [
        floor
        for row in cell.rows[~np.isnan(cell.values)].tolist()
        if (floor := material.columns.results[row].floor) is not None
    ]
    return float(np.mean(found)) if found else None


def counts(material: Material) -> Table:
    """BILLS' counts above .7 and .9."""
    rows = []
    for evaluation in material.evaluations:
        if evaluation.metric is Metric.EMBEDDING:
            continue
        for arm in material.columns.arms_of(evaluation):
            means = material.columns.cell(evaluation, arm).means
            defined = int((~np.isnan(means)).sum())
            row = [*evaluation_entries(material, evaluation), Entry(arm)]
            for threshold in THRESHOLDS:
                above = int((means >= threshold).sum())
                row += [
                    Entry(above, Selection.of(evaluation, arm, low=threshold)),
                    Entry(above / defined if defined else None),
                ]
            there = Selection.of(evaluation, arm, state=State.OK)
            rows.append((*row, Entry(defined, there), Entry(len(means) - defined)))
    columns: list[Column] = [*EVALUATION_COLUMNS, ARM]
    for threshold in THRESHOLDS:
        name = f"{threshold:g}".removeprefix("0.")
        columns += [
            Column(f"at_least_{name}", f"≥ {threshold:g}", Kind.COUNT),
            Column(f"share_{name}", f"share ≥ {threshold:g}", Kind.SHARE, joined=", "),
        ]
    return Table(
        "counts",
        "Neurons with a score of .7 or more, and of .9 or more",
        "BILLS, counts of well-explained neurons",
        "Neurons whose score (the mean of its seeds) is so high; shares are of the neurons with a defined score. The sample of an experiment is not "
        "the whole model: shares of neurons that were chosen by score say nothing about the others.",
        (*columns, Column("n", "n", Kind.COUNT), Column("undefined", "neurons without a score", Kind.COUNT)),
        tuple(rows),
        "" if rows else "Needs a score of any explanation: none has been made yet.",
    )


def ranks(material: Material) -> Table:
    """LEE Table 6."""
    rows = []
    for evaluation in material.evaluations:
        arms = material.columns.arms_of(evaluation)
        found = statistics.ranked([material.columns.cell(evaluation, arm) for arm in arms])
        for arm, mean, rank in zip(arms, found.means, found.ranks, strict=True):
            where = Selection.of(evaluation, arm, state=State.OK)
            rows.append(
                (
                    *evaluation_entries(material, evaluation),
                    Entry(arm),
                    Entry(rank, where),
                    Entry(mean),
                    Entry(found.n),
                )
            )
    return Table(
        "ranks",
        "Rank of each method by each evaluation",
        "LEE Table 6",
        "1 is the highest mean; equal means share the mean of their places. Means are over the neurons on which every ranked method is defined, so that no "
        "method is judged on easier neurons; they may differ from those of the scores. A method without any value has no rank. "
        "Ranks hide how close the methods are: see the paired differences.",
        (
            *EVALUATION_COLUMNS,
            ARM,
            Column("rank", "rank", Kind.RANK),
            Column("mean", "mean", Kind.SCORE),
            Column("n", "n", Kind.COUNT, about="neurons that all ranked methods are defined on"),
        ),
        tuple(rows),
        "" if rows else "Needs a score of any explanation: none has been made yet.",
    )
