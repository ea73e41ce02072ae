"""People's ratings beside automated scores of the same explanations: does the score know what people prefer?"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Float64
from app.domain.study_answers import Ratings
from app.domain.study_scores import Compared, Gap, compared
from app.report.values import Column, Kind, Table, Value
from app.store import Session, explanations
from app.study.answered import Collected
from app.study.tables import SEED, table


class Measured(NamedTuple):
    """One way of scoring."""

    metric: Metric
    protocol: Protocol
    sample: Sample
    by: str  # simulator or judge, with its model

    @property
    def label(self) -> str:
        by = f", by {self.by}" if self.by else ""
        return f"{self.metric.replace('_', ' ')}, {self.sample} ({self.protocol}){by}"


class Beside(NamedTuple):
    """Ratings against one way of scoring."""

    measured: Measured
    found: Compared


def beside(s: Session, found: Collected) -> list[Beside]:
    """Ratings against every way in which two or more of the rated explanations were scored."""
    rated = found.ratings
    ids = _explanations(found, rated)
    wanted = sorted({id_ for id_ in ids if id_ is not None})
    scores: dict[Measured, dict[int, float]] = defaultdict(dict)
    for row in reversed(explanations.some(s, wanted)):
        for score in row.scores:
            value = score.value
            if value.state is State.OK and value.value is not None:
                by = " / ".join(filter(None, (score.simulator, score.simulator_model)))
                scores[Measured(value.metric, value.protocol, value.sample, by)][row.id] = value.value
    return [
        Beside(measured, compared(rated, _column(ids, values), seed=SEED))
        for measured, values in sorted(scores.items())
        if len(values) > 1
    ]


def _explanations(found: Collected, rated: Ratings) -> list[int | None]:
    """The explanation behind each rating."""
    behind = {
        (item, source.arm): source.explanation_id
        for item, each in enumerate(found.items)
        for text in each.texts
        for source in text.sources
    }
    return [
        behind[neuron, method]
        for neuron, method in zip(rated.neurons.tolist(), rated.methods.tolist(), strict=True)
    ]


def _column(ids: Iterable[int | None], values: dict[int, float]) -> Float64:
    return np.array([values.get(id_, np.nan) if id_ is not None else np.nan for id_ in ids], np.float64)


_BY = Column("score", "score", shared=True)


def agreement(made: list[Beside]) -> Table:
    """One line for each way of scoring."""
    rows: list[tuple[Value, ...]] = []
    for measured, got in made:
        overall, rho = got.overall, got.correlation
        rows.append(
            (
                measured.label,
                rho.texts,
                rho.rho,
                rho.low,
                rho.high,
                *_rates(overall),
                got.equal,
                got.unscored,
            )
        )
    return table(
        "scores",
        "Ratings against automated scores",
        "",
        "Spearman's correlation over descriptions of the mean rating with the score; and of two descriptions of a neuron, how often people rate"
        " the one higher that scores higher (equal ratings count half), beside how often another rater of the neuron does. Intervals by"
        " bootstrap over neurons.",
        (
            _BY,
            Column("texts", "descriptions", Kind.COUNT),
            Column("rho", "Spearman's ρ", Kind.SIGNED),
            Column("rho_low", "95 % from", Kind.SIGNED),
            Column("rho_high", "to", Kind.SIGNED),
            *_RATES,
            Column("equal", "pairs with equal scores", Kind.COUNT),
            Column("unscored", "without a score", Kind.COUNT),
        ),
        rows,
        "It fills when two or more of the rated explanations have a score by the same metric, protocol and simulator.",
    )


def gaps(made: list[Beside]) -> Table:
    """Preference rate by score gap."""
    rows: list[tuple[Value, ...]] = [
        (measured.label, _step(gap), *_rates(gap))
        for measured, got in made
        for gap in got.gaps
        if gap.score.n
    ]
    return table(
        "preference-by-gap",
        "Preference rate by score gap",
        "BILLS",
        "Of two descriptions of a neuron whose scores are so far apart: how often people rate the one higher that scores higher, equal ratings"
        " counting half. The ceiling is how often another rater of the neuron does, of those who did not rate the two equal.",
        (_BY, Column("gap", "score gap"), *_RATES),
        rows,
        "It fills when two or more of the rated explanations have a score by the same metric, protocol and simulator.",
    )


_RATES = (
    Column("share", "people agree with the score", Kind.SHARE),
    Column("low", "95 % from", Kind.SHARE),
    Column("high", "to", Kind.SHARE),
    Column("pairs", "pairs rated", Kind.COUNT),
    Column("ceiling", "another person agrees", Kind.SHARE),
    Column("ceiling_low", "95 % from", Kind.SHARE),
    Column("ceiling_high", "to", Kind.SHARE),
)


def _rates(gap: Gap) -> tuple[Value, ...]:
    score, people = gap.score, gap.people
    return (score.share, score.low, score.high, score.n, people.share, people.low, people.high)


def _step(gap: Gap) -> str:
    return f"{gap.above:g} and more" if gap.below is None else f"{gap.above:g} to {gap.below:g}"
