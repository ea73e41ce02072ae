"""The main tables of a study's results: means, registered contrasts, all methods at once, places on the page."""

from collections.abc import Sequence

from app.domain import study_tables
from app.domain.studies import Task
from app.domain.study_answers import Blocks, blocks
from app.domain.study_friedman import friedman, positions
from app.domain.study_intervals import Interval, intervals
from app.domain.study_permutation import contrasts
from app.report.values import Column, Entry, Kind, Table, Value
from app.study.answered import Collected

THESE = "these raters"
OTHERS = "other raters too"
SEED = 0  # of bootstraps and permutations: equal answers give equal pages
SAYS = Column(
    "says", "speaks of", about="with fewer than ten raters nothing is said of others than these raters"
)
METHOD = Column("method", "method")
LOW = Column("low", "95 % from", Kind.SIGNED)
HIGH = Column("high", "to", Kind.SIGNED)


def methods(found: Collected) -> Table:
    """LEE Table 5: mean rating and how often each was chosen as the best."""
    rated, chosen = blocks(found.ratings), found.choices
    lines = study_tables.table(found.names, rated, chosen)
    spread = intervals(rated.values, rated.raters, rated.neurons, SEED)
    shares = intervals(study_tables.percent(chosen), chosen.raters, chosen.neurons, SEED)
    rows: list[tuple[Value, ...]] = []
    for line, between, share in zip(lines, spread, shares, strict=True):
        r, c = line.rating, line.chosen
        ends = (between.low, between.high, says(between if r.n else share))
        rows.append((line.name, r.mean, r.sem, *ends, r.n, c.mean, c.sem, share.low, share.high, c.n))
    return table(
        "methods",
        "Mean rating, and how often chosen as the best",
        "LEE Table 5",
        "SEM is the standard deviation over blocks (one rater, one neuron) by the root of their number, as published: it ignores clustering."
        " The interval does not: it is by bootstrap over neurons and, with ten raters or more, over raters. Where m methods say the same, a"
        " rating counts for each and a choice gives each 1/m.",
        (
            METHOD,
            Column("rating", "mean rating", Kind.SCORE),
            Column("sem", "SEM (ignores clustering)", Kind.SCORE, joined=" ± "),
            LOW._replace(kind=Kind.SCORE),
            HIGH._replace(kind=Kind.SCORE),
            SAYS,
            Column("blocks", "blocks", Kind.COUNT),
            Column("chosen", "chosen best, %", Kind.TOKENS),
            Column("chosen_sem", "SEM of it", Kind.TOKENS, joined=" ± "),
            Column("chosen_low", "95 % from", Kind.TOKENS),
            Column("chosen_high", "to", Kind.TOKENS),
            Column("chosen_blocks", "blocks with a choice", Kind.COUNT),
        ),
        rows if any(line.rating.n or line.chosen.n for line in lines) else (),
        "It fills with ratings and choices of the best.",
    )


def primary(found: Collected) -> Table:
    """The registered contrasts."""
    asked, names = found.study.definition.contrasts, found.names
    tested = compared(found)
    rows: list[tuple[Value, ...]] = []
    if tested is not None and len(tested.values) and asked:
        for each in contrasts(tested, [(names.index(a), names.index(b)) for a, b in asked], SEED):
            d = each.difference
            swaps = f"all {each.draws:,}" if each.exact else f"{each.draws:,} drawn" if each.draws else ""
            rows.append(
                (
                    f"{names[each.first]} − {names[each.second]}",
                    *(d.estimate, d.low, d.high, says(d)),
                    *(each.p, each.p_holm, d.blocks, d.neurons, d.raters),
                    *(each.raters_for, each.raters_against, swaps),
                )
            )
    measure = (
        "ratings" if Task.RATE in found.study.definition.tasks else "places, turned so that higher is better"
    )
    return table(
        "contrasts",
        "Registered contrasts",
        "primary analysis",
        f"Of {measure}, within blocks. The labels of the two methods are swapped neuron by neuron, alike for all raters of a neuron, who saw"
        " the same texts; p is the share of ways to swap that bring the difference as far from zero, adjusted by Holm over all contrasts"
        " that were registered. Raters are not drawn: p speaks of these raters, however many there were.",
        (
            Column("contrast", "contrast"),
            Column("difference", "difference", Kind.SIGNED),
            LOW,
            HIGH,
            SAYS,
            Column("p", "p", Kind.P),
            Column("p_holm", "p, Holm", Kind.P),
            Column("blocks", "blocks", Kind.COUNT),
            Column("neurons", "neurons", Kind.COUNT),
            Column("raters", "raters", Kind.COUNT),
            Column("raters_for", "raters for the first", Kind.COUNT),
            Column("raters_against", "raters for the second", Kind.COUNT),
            Column("swaps", "swaps tried"),
        ),
        rows,
        "Nothing that could be compared was answered yet." if asked else "No contrast was registered.",
    )


def overall(found: Collected) -> Table:
    """Friedman's test, over all methods at once."""
    tested = compared(found)
    rows: list[tuple[Value, ...]] = []
    if tested is not None and len(found.names) > 2:
        got = friedman(tested, SEED)
        if got.statistic is not None:
            ranks_ = ", ".join(
                f"{name} {rank:.2f}"
                for name, rank in zip(found.names, got.mean_ranks, strict=True)
                if rank is not None
            )
            rows.append(
                (
                    *(got.statistic, got.df, got.p_permuted, got.p_chi_square, got.blocks, got.neurons),
                    *(got.left_out, ranks_),
                )
            )
    return table(
        "friedman",
        "All methods at once",
        "Friedman, secondary",
        "Ranks within blocks that have every method, ties sharing the mean of their places. p is by permuting labels neuron by neuron; that of"
        " the χ² distribution, as published tables give it, takes blocks for independent.",
        (
            Column("statistic", "χ²", Kind.SCORE),
            Column("df", "degrees of freedom", Kind.COUNT),
            Column("p", "p", Kind.P),
            Column("p_chi_square", "p by χ² (ignores clustering)", Kind.P),
            Column("blocks", "whole blocks", Kind.COUNT),
            Column("neurons", "neurons", Kind.COUNT),
            Column("left_out", "blocks left out", Kind.COUNT),
            Column("mean_ranks", "mean ranks"),
        ),
        rows,
        "It needs ratings or ranks of at least three methods, in two whole blocks.",
    )


def places(found: Collected) -> Table:
    """Whether descriptions are rated by where they stand."""
    got = positions(found.ratings, SEED)
    rows: list[tuple[Value, ...]] = [
        (i, mean.mean, mean.sem, mean.n, adjusted, got.p)
        for i, (mean, adjusted) in enumerate(zip(got.means, got.adjusted, strict=True), 1)
        if mean.n
    ]
    return table(
        "positions",
        "Ratings by place on the page",
        "",
        "The order of methods is a Williams design for each rater. Adjusted: mean distance of a rating from what its block and its method"
        " would give. p, of all places together, by permuting places within blocks.",
        (
            Column("position", "place", Kind.COUNT),
            Column("rating", "mean rating", Kind.SCORE),
            Column("sem", "SEM", Kind.SCORE, joined=" ± "),
            Column("n", "ratings", Kind.COUNT),
            Column("adjusted", "adjusted", Kind.SIGNED),
            Column("p", "p", Kind.P),
        ),
        rows,
        "It fills with ratings.",
    )


def compared(found: Collected) -> Blocks | None:
    """What methods are compared by: ratings, else places; None where neither was asked."""
    tasks = found.study.definition.tasks
    if Task.RATE in tasks:
        return blocks(found.ratings)
    return found.ranks if Task.RANK in tasks else None


def says(found: Interval) -> str:
    """Whom an interval speaks of."""
    if found.low is None:
        return ""
    said = THESE if found.these_raters else OTHERS
    return f"{said}; few neurons" if found.indicative else said


def table(
    key: str,
    title: str,
    source: str,
    how: str,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[Value, ...]],
    needs: str,
) -> Table:
    """A table of plain values."""
    return Table(
        key, title, source, how, columns, tuple(tuple(Entry(value) for value in row) for row in rows), needs
    )
