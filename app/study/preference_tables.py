"""Which method people prefer when they choose, compare in pairs, or rank; and how far they agree."""

from app.domain import study_agreement
from app.domain.study_agreement import Agreement
from app.domain.study_answers import Pairs
from app.domain.study_choice import luce
from app.domain.study_logit import Strength
from app.domain.study_pairs import davidson
from app.report.values import Column, Kind, Table, Value
from app.study.answered import Collected
from app.study.tables import HIGH, LOW, METHOD, SEED, table

_STRENGTH = (
    METHOD,
    Column("strength", "log strength", Kind.SIGNED),
    LOW,
    HIGH,
    Column("n", "times shown", Kind.COUNT),
)


def chosen(found: Collected) -> Table:
    """Luce's choice among the texts of a block."""
    got = luce(found.choices, seed=SEED)
    apart = "" if got.connected else " Some methods never stood beside others: compare only those that did."
    return table(
        "choice",
        "Strength by choice of the best",
        "Luce's choice axiom",
        f"{got.choices} choices among two or more texts on {got.neurons} neurons; a choice is one event, never several wins. A text that m"
        " methods share has the mean of their log strengths. Regularised (ridge); intervals by bootstrap over neurons, of these raters."
        + apart,
        _STRENGTH,
        [_strength(each) for each in got.strengths] if got.choices else (),
        "It fills with choices of the best.",
    )


def paired(found: Collected) -> Table:
    """Davidson's model of pairs with ties."""
    asked = found.pairs
    got = davidson(asked, seed=SEED)
    apart = "" if got.connected else " Some methods were never compared with others, even through a third."
    ties = "" if got.ties is None else f" Tie parameter ν {got.ties:.2f}"
    first = (
        ""
        if got.shown_first is None
        else f"; what is shown first gains {got.shown_first:+.2f} in log strength."
    )
    return table(
        "pairs",
        "Strength by pairs, with ties",
        "Davidson 1970",
        f"{got.pairs} comparisons, {got.tied} of them ties, on {got.neurons} neurons.{ties}{first} Regularised (ridge); intervals by bootstrap"
        f" over neurons, of these raters.{apart}",
        _STRENGTH,
        [_strength(each) for each in got.strengths] if got.pairs else (),
        "It fills with comparisons of two descriptions.",
    )


def wins(found: Collected) -> Table:
    """How often one method was preferred to another, as it was answered."""
    rows = list(_wins(found.pairs))
    return table(
        "wins",
        "Pairs as they were answered",
        "",
        "Of all comparisons of two methods: preferred, tied, preferred the other.",
        (
            METHOD,
            Column("other", "other method"),
            Column("won", "preferred", Kind.COUNT),
            Column("tied", "tied", Kind.COUNT),
            Column("lost", "preferred the other", Kind.COUNT),
        ),
        rows,
        "It fills with comparisons of two descriptions.",
    )


def _wins(asked: Pairs) -> list[tuple[Value, ...]]:
    rows: list[tuple[Value, ...]] = []
    for a, name in enumerate(asked.names):
        for b in range(a + 1, len(asked.names)):
            forward = (asked.first == a) & (asked.second == b)
            backward = (asked.first == b) & (asked.second == a)
            counts = [
                int(
                    (forward & (asked.outcomes == outcome)).sum()
                    + (backward & (asked.outcomes == -outcome)).sum()
                )
                for outcome in (1, 0, -1)
            ]
            if any(counts):
                rows.append((name, asked.names[b], *counts))
    return rows


def ranked(found: Collected) -> Table:
    """Mean places."""
    got = found.ranks
    rows: list[tuple[Value, ...]] = []
    for name, column in zip(got.names, got.values.T, strict=True):
        there = -column[column == column]
        if len(there):
            sem = float(there.std(ddof=1) / len(there) ** 0.5) if len(there) > 1 else None
            rows.append((name, float(there.mean()), sem, len(there), float((there == 1).mean())))
    return table(
        "ranks",
        "Mean place",
        "",
        "1 is the best; methods that say the same share the mean of the places that they cover. SEM ignores clustering.",
        (
            METHOD,
            Column("place", "mean place", Kind.SCORE),
            Column("sem", "SEM", Kind.SCORE, joined=" ± "),
            Column("n", "blocks", Kind.COUNT),
            Column("first", "alone first", Kind.SHARE),
        ),
        rows,
        "It fills with ranks.",
    )


def agreement(found: Collected) -> Table:
    """Krippendorff's alpha."""
    rows = [
        _agreement("ratings", "ordinal", study_agreement.of_ratings(found.ratings, SEED)),
        _agreement("choices of the best", "nominal", study_agreement.of_choices(found.choices, SEED)),
    ]
    return table(
        "agreement",
        "How far raters agree",
        "Krippendorff's alpha",
        "1 is perfect agreement, 0 what chance gives. The unit is a description of a neuron; intervals by bootstrap over neurons. Without two"
        " raters of one neuron it cannot be estimated.",
        (
            Column("answers", "answers"),
            Column("level", "level"),
            Column("alpha", "alpha", Kind.SIGNED),
            LOW,
            HIGH,
            Column("units", "descriptions", Kind.COUNT),
            Column("neurons", "neurons", Kind.COUNT),
            Column("note", "note"),
        ),
        rows,
        "",
    )


def _agreement(what: str, level: str, got: Agreement) -> tuple[Value, ...]:
    return (what, level, got.alpha, got.low, got.high, got.units, got.neurons, got.reason)


def _strength(each: Strength) -> tuple[Value, ...]:
    return (each.name, each.strength, each.low, each.high, each.times)
