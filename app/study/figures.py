"""A study's results as figures: means with intervals, how ratings are spread, places, and preference by score gap."""

import numpy as np

from app.domain.studies import SCALE, SCALE_WORDS
from app.domain.study_answers import blocks
from app.domain.study_intervals import intervals
from app.report.values import Figure, Point
from app.study.answered import Collected
from app.study.score_tables import Beside
from app.study.tables import SEED, says


def means(found: Collected) -> Figure:
    """Mean rating of each method."""
    rated = blocks(found.ratings)
    spread = intervals(rated.values, rated.raters, rated.neurons, SEED)
    points = tuple(
        Point(
            name,
            between.estimate,
            f"{name}: {between.estimate:.2f}"
            + (f" ({between.low:.2f} to {between.high:.2f})" if between.low is not None else ""),
            None,
            low=between.low,
            high=between.high,
            n=between.blocks,
        )
        for name, between in zip(found.names, spread, strict=True)
        if between.estimate is not None
    )
    whom = next((says(each) for each in spread if each.low is not None), "")
    return Figure(
        "means",
        "Mean rating by method",
        "LEE Table 5",
        f"Whiskers are 95 % intervals by bootstrap; they speak of {whom or 'nobody yet'}.",
        "method",
        "mean rating, 1 to 5",
        points,
        axis="name",
        spread="95 % interval",
        needs="It fills with ratings.",
    )


def spread(found: Collected) -> Figure:
    """How often each value of the scale was given to each method."""
    rated = found.ratings
    points: list[Point] = []
    for arm, name in enumerate(found.names):
        mine = rated.values[rated.methods == arm]
        for value, words in zip(SCALE, SCALE_WORDS, strict=True):
            share = float((mine == value).mean()) if len(mine) else 0.0
            if len(mine):
                points.append(
                    Point(
                        f"{value} {words}",
                        100 * share,
                        f"{name}: {words}, {share:.0%}",
                        None,
                        series=name,
                        n=len(mine),
                    )
                )
    return Figure(
        "spread",
        "How ratings are spread",
        "",
        "Share of each value of the scale among a method's ratings.",
        "rating",
        "share of ratings, %",
        tuple(points),
        axis="name",
        needs="It fills with ratings.",
    )


def order(found: Collected) -> Figure:
    """Mean rating by place on the page."""
    rated = found.ratings
    points: list[Point] = []
    for place in np.unique(rated.positions).tolist():
        mine = rated.values[rated.positions == place]
        points.append(
            Point(place + 1, float(mine.mean()), f"place {place + 1}: {mine.mean():.2f}", None, n=len(mine))
        )
    return Figure(
        "positions",
        "Mean rating by place on the page",
        "",
        "A slope would mean that people rate by place: the order of methods is balanced, so that no method gains by it.",
        "place, from the top",
        "mean rating, 1 to 5",
        tuple(points),
        lines=True,
        needs="It fills with ratings.",
    )


def preference(made: list[Beside]) -> Figure:
    """Preference rate by score gap, beside what another person gives."""
    points: list[Point] = []
    for measured, got in made:
        for gap in got.gaps:
            middle = gap.above if gap.below is None else (gap.above + gap.below) / 2
            for rate, series in (
                (gap.score, measured.label),
                (gap.people, f"another rater ({measured.metric})"),
            ):
                if rate.share is not None:
                    points.append(
                        Point(
                            middle,
                            100 * rate.share,
                            f"{series}, gap from {gap.above:g}: {rate.share:.0%} of {rate.n}",
                            None,
                            series=series,
                            low=None if rate.low is None else 100 * rate.low,
                            high=None if rate.high is None else 100 * rate.high,
                            n=rate.n,
                        )
                    )
    return Figure(
        "preference-by-gap",
        "Preference rate by score gap",
        "BILLS",
        "How often people rate the one of two descriptions higher that scores higher; half is chance. The ceiling is another rater of the neuron.",
        "how far the two scores are apart",
        "people agree, %",
        tuple(points),
        lines=True,
        spread="95 % interval",
        needs="It fills when rated explanations have scores.",
    )
