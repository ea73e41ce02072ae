"""Tables of pairs: the contrasts that were fixed beforehand, and the same neurons under two protocols."""

import itertools

import numpy as np

from app.domain import report_statistics as statistics
from app.domain.explanations import Sample, measured
from app.domain.report_plan import Evaluation
from app.domain.report_selection import Selection
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

SEED = 0  # of the bootstrap and of the flips: the same results give the same report

_DIFFERENCE = (
    Column("difference", "difference", Kind.SIGNED),
    Column("low", "95 % interval", Kind.SIGNED, about="percentile bootstrap over neurons"),
    Column("high", "to", Kind.SIGNED, joined=" to "),
    Column("n", "pairs", Kind.COUNT, about="neurons defined on both sides"),
)


def contrasts(material: Material) -> Table:
    """Paired differences with Holm's adjustment and non-inferiority."""
    margin = material.plan.margin
    evaluations = [each for each in material.evaluations if material.plan.primary.covers(each)]
    found = [
        (evaluation, contrast, _paired(material, evaluation, contrast.arm, contrast.against))
        for evaluation in evaluations
        for contrast in material.plan.contrasts
    ]
    adjusted = statistics.holm([difference.p for _, _, difference in found])
    rows = []
    for (evaluation, contrast, d), p in zip(found, adjusted, strict=True):
        where = Selection.of(evaluation, contrast.arm, against_arm=contrast.against)
        rows.append(
            (
                *evaluation_entries(material, evaluation),
                Entry(contrast.arm),
                Entry(contrast.against),
                Entry(d.first),
                Entry(d.second),
                Entry(d.mean, where),
                Entry(d.low),
                Entry(d.high),
                Entry(d.n, where),
                Entry(d.only_first + d.only_second),
                Entry(d.p),
                Entry(p),
                Entry(d.indicative),
                Entry(statistics.non_inferior(d, margin) if margin is not None else None),
                Entry(margin),
            )
        )
    if not material.plan.contrasts:
        needs = "Needs contrasts in the definition: pairs of methods chosen after the results are known would find differences by chance alone."
    else:
        needs = f"Needs results by the primary measure: {_primary(material)}."
    return Table(
        "contrasts",
        "Paired differences of the contrasts fixed in the definition",
        "paired bootstrap, Holm 1979",
        "The first method minus the second, neuron by neuron, over the neurons that both are defined on. "
        f"Intervals are percentile intervals of {statistics.DRAWS:,} bootstrap draws of neurons; p is two-sided, from flipping the signs of the differences "
        "(all ways to flip them up to 13 pairs, random ones above), and Holm's adjustment is over all lines of this table, so that with no difference anywhere "
        "at most one report in twenty names one. Non-inferior: the interval's lower end is above minus the margin, for each line by itself (one-sided, 2.5 %). "
        "Under 10 pairs a line is indicative.",
        (
            *EVALUATION_COLUMNS,
            ARM,
            Column("against", "against", joined=" − "),
            Column("first", "means", Kind.SCORE, about="over the pairs"),
            Column("second", "mean of the other", Kind.SCORE, joined=", "),
            *_DIFFERENCE,
            Column("left_out", "on one side only", Kind.COUNT, about="neurons left out"),
            Column("p", "p", Kind.P),
            Column("p_holm", "p, Holm", Kind.P),
            Column("indicative", "indicative", Kind.YES_NO),
            Column("non_inferior", "non-inferior", Kind.YES_NO),
            Column("margin", "margin", Kind.SCORE, joined=", margin "),
        ),
        tuple(rows),
        "" if rows else needs,
    )


def _primary(material: Material) -> str:
    protocol, sample, metric, simulators = material.plan.primary
    by = f", by {' or '.join(simulators)}" if simulators else ""
    return f"{metric.replace('_', ' ')}, {sample} ({protocol}){by}"


def _paired(material: Material, evaluation: Evaluation, arm: str, against: str) -> statistics.Difference:
    columns = material.columns
    return statistics.paired(columns.cell(evaluation, arm), columns.cell(evaluation, against), SEED)


def protocol_pairs(material: Material) -> list[tuple[Evaluation, Evaluation]]:
    """Evaluations that differ in the protocol: on the same kind of records, or where no kind is both's, on each one's own."""
    return [
        (a, b)
        for a, b in itertools.combinations(material.evaluations, 2)
        if a.protocol is not b.protocol
        and a._replace(protocol=b.protocol, sample=b.sample) == b
        and (a.sample is b.sample or not _samples(a) & _samples(b))
    ]


def _samples(evaluation: Evaluation) -> set[Sample]:
    return {sample for sample, _ in measured(evaluation.protocol)}


def protocol_gap(material: Material) -> Table:
    """The same neurons under two protocols."""
    rows = []
    for first, second in protocol_pairs(material):
        for arm in material.columns.arms_of(first):
            a, b = (material.columns.cell(each, arm) for each in (first, second))
            d = statistics.paired(a, b, SEED, test=False)
            where = Selection.of(first, arm, against_protocol=second.protocol, against_sample=second.sample)
            rows.append(
                (
                    *evaluation_entries(material, first),
                    Entry(second.protocol.value),
                    Entry(second.sample.value),
                    Entry(arm),
                    Entry(d.first),
                    Entry(d.second),
                    Entry(d.mean, where),
                    Entry(d.low),
                    Entry(d.high),
                    Entry(d.n, where),
                    Entry(_correlation(material, first, second, arm)),
                )
            )
    return Table(
        "protocol-gap",
        "The same neurons under two protocols",
        "protocol gap",
        "The score by the first protocol minus that by the second, neuron by neuron, with a bootstrap interval over neurons. This is the one place where two protocols "
        "stand in a line, as a difference and never as one mean. Their correlation says whether they order the neurons alike.",
        (
            *EVALUATION_COLUMNS[:1],
            Column("protocol", "first protocol", shared=True),
            *EVALUATION_COLUMNS[2:],
            Column("second_protocol", "second protocol", shared=True),
            Column("second_sample", "its records", shared=True),
            ARM,
            Column("first", "by the first", Kind.SCORE),
            Column("second", "by the second", Kind.SCORE),
            *_DIFFERENCE,
            Column("correlation", "correlation", Kind.SCORE, about="Pearson, over the pairs"),
        ),
        tuple(rows),
        "" if rows else "Needs scores of the same metric by two protocols, predicted by one simulator.",
    )


def _correlation(material: Material, first: Evaluation, second: Evaluation, arm: str) -> float | None:
    a, b = (material.columns.cell(each, arm) for each in (first, second))
    _, rows, columns = np.intersect1d(a.neurons, b.neurons, assume_unique=True, return_indices=True)
    x, y = a.means[rows], b.means[columns]
    both = ~np.isnan(x) & ~np.isnan(y)
    if both.sum() < 3 or not np.ptp(x[both]) or not np.ptp(y[both]):
        return None
    return float(np.corrcoef(x[both], y[both])[0, 1])
