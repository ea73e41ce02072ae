"""How raters worked, whom the registered rules leave out, what people wrote, and how well they simulate."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from app.domain import metrics
from app.domain.explanations import State
from app.domain.report_statistics import mean
from app.domain.study_quality import Quality, qualities
from app.domain.study_replies import ReplyKind
from app.report.values import Column, Kind, Table, Value
from app.store.study_rows import RaterState
from app.study.answered import Answered, Collected, work
from app.study.tables import METHOD, table

Excluded = Mapping[int, tuple[str, ...]]  # reasons by rater's number


def quality(found: Collected) -> tuple[Quality, ...]:
    """How each rater worked who answered an item whole."""
    numbers = sorted({each.rater.number for each in found.whole if not each.place.practice})
    return qualities(work(found), numbers)


def excluded(found: Collected, by: tuple[Quality, ...]) -> Excluded:
    """Whom the registered rules leave out, and why."""
    return found.study.definition.exclusions.excluded(by)


def raters(found: Collected, by: tuple[Quality, ...], left_out: Excluded) -> Table:
    """One line for each rater, by pseudonym."""
    states = {rater.number: rater.state for rater in found.raters}
    rows: list[tuple[Value, ...]] = [
        (
            f"Rater {each.rater}",
            states[each.rater].value.replace("_", " "),
            each.answers,
            each.median_seconds,
            each.gold_share,
            each.gold,
            each.flat_share,
            each.longest_run,
            each.exact_share,
            each.within_1_share,
            each.repeats,
            "; ".join(left_out.get(each.rater, ())),
        )
        for each in by
    ]
    erased = sum(rater.state is RaterState.ERASED for rater in found.raters)
    gone = (
        f" {erased} raters were erased on request; their answers are deleted and in no number here."
        if erased
        else ""
    )
    return table(
        "raters",
        "How raters worked",
        "",
        "Seconds from the first showing of an item to its last answer. Straight: the same rating for all descriptions of an item. Consistency:"
        " ratings of items that were asked twice." + gone,
        (
            Column("rater", "rater"),
            Column("state", "state"),
            Column("items", "items", Kind.COUNT),
            Column("seconds", "median time", Kind.SECONDS),
            Column("gold", "gold right", Kind.SHARE),
            Column("gold_n", "gold items", Kind.COUNT),
            Column("straight", "straight", Kind.SHARE),
            Column("run", "longest run", Kind.COUNT, about="equal ratings one after another"),
            Column("same", "same again", Kind.SHARE),
            Column("near", "within 1", Kind.SHARE),
            Column("repeats", "ratings repeated", Kind.COUNT),
            Column("excluded", "left out by the registered rules"),
        ),
        rows,
        "Nobody has answered an item yet.",
    )


def simulators(found: Collected) -> Table:
    """People in the simulator's place: how well marks follow activations."""
    values: dict[int, list[float]] = defaultdict(list)
    undefined: dict[int, int] = defaultdict(int)
    for each in found.main:
        value = _correlation(each, found.study.definition.polarity.sign)
        if value is None:
            continue
        for source in each.item.texts[each.place.sitting.texts[0]].sources if each.item.texts else ():
            if isinstance(value, State):
                undefined[source.arm] += 1
            else:
                values[source.arm].append(value)
    rows: list[tuple[Value, ...]] = []
    for arm, name in enumerate(found.names):
        got = mean(np.array(values[arm], np.float64))
        if got.n or undefined[arm]:
            rows.append((name, got.mean, got.sem, got.n, undefined[arm]))
    return table(
        "simulators",
        "People as simulators",
        "",
        "Correlation of the tokens that a rater marked (1, others 0) with the activations (of the study's polarity, below zero as 0), over all"
        " tokens that the rater saw. SEM ignores clustering. Where nothing was marked, or all, there is no correlation.",
        (
            METHOD,
            Column("correlation", "mean correlation", Kind.SCORE),
            Column("sem", "SEM", Kind.SCORE, joined=" ± "),
            Column("n", "items", Kind.COUNT),
            Column("undefined", "without a value", Kind.COUNT),
        ),
        rows,
        "It fills where raters mark where a neuron fires.",
    )


def _correlation(each: Answered, sign: int) -> float | State | None:
    """None where nothing was marked because nothing was asked."""
    marked: list[float] = []
    actual: list[float] = []
    for i, record in enumerate(each.item.records):
        value = each.given.get((ReplyKind.SIMULATE, str(i)))
        if value is None:
            return None
        on = {int(token) for token in value.split(",") if token}
        marked += [float(token in on) for token in range(len(record.pieces))]
        actual += [max(0.0, sign * activation) for activation in record.values]
    return metrics.correlation(np.array(actual), np.array(marked)) if marked else None


def written(found: Collected) -> Table:
    """What people said that neurons do."""
    rows: list[tuple[Value, ...]] = [
        (str(each.item.neuron), f"Rater {each.rater.number}", each.given[ReplyKind.WRITE, ""], each.seconds)
        for each in found.main
        if (ReplyKind.WRITE, "") in each.given
    ]
    return table(
        "written",
        "Explanations that raters wrote",
        "BILLS, human baseline",
        "From the records that the explainer is shown.",
        (
            Column("neuron", "neuron"),
            Column("rater", "rater"),
            Column("text", "explanation"),
            Column("seconds", "time", Kind.SECONDS),
        ),
        rows,
        "It fills where raters write explanations.",
    )


def comments(found: Collected) -> Table:
    """What raters remarked."""
    rows: list[tuple[Value, ...]] = [
        (f"Rater {each.rater.number}", str(each.item.neuron or each.item.note), words)
        for each in found.whole
        if (words := each.given.get((ReplyKind.COMMENT, ""), ""))
    ]
    return table(
        "comments",
        "Comments",
        "",
        "As raters wrote them.",
        (Column("rater", "rater"), Column("item", "item"), Column("comment", "comment")),
        rows,
        "Nobody has left a comment.",
    )
