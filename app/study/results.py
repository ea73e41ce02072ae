"""A study's results: a function of what was answered, so that page, API, command line and every file show one computation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.studies import Task
from app.errors import Refused
from app.report.values import Figure, Table
from app.store import Store, studies
from app.store.study_rows import StudyRow, StudyState
from app.study import export, figures, people_tables, preference_tables, score_tables, tables
from app.study.answered import collect
from app.study.heading import StudyHeading, heading


@dataclass(frozen=True)
class Results:
    """Everything that can be said, with or without the raters that the registered rules leave out."""

    heading: StudyHeading
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    answers: Table
    dictionary: Table

    @property
    def files(self) -> Mapping[str, Table]:
        """Every table by its key, answers and dictionary included."""
        return {each.key: each for each in (*self.tables, self.answers, self.dictionary)}


def results(store: Store, study_id: int, *, exclude: bool = True) -> Results:
    """Of a study that is closed, or was unblinded. Refused before: until then progress and data quality alone may be seen.

    `exclude` applies the registered exclusions.
    """
    with store.session() as session:
        row = studies.get(session, study_id)
        demand_open(row)
        everything = collect(session, row)
        by = people_tables.quality(everything)
        left_out = people_tables.excluded(everything, by)
        found = everything.without(tuple(left_out)) if exclude else everything
        scored = score_tables.beside(session, found) if Task.RATE in row.definition.tasks else []
    reasons = tuple((rater, "; ".join(why)) for rater, why in sorted(left_out.items()))
    asked = set(row.definition.tasks)
    made: tuple[tuple[set[Task], Callable[[], Table]], ...] = (
        ({Task.RATE, Task.BEST}, lambda: tables.methods(found)),
        ({Task.RATE, Task.RANK}, lambda: tables.primary(found)),
        ({Task.RATE, Task.RANK}, lambda: tables.overall(found)),
        ({Task.BEST}, lambda: preference_tables.chosen(found)),
        ({Task.PAIR}, lambda: preference_tables.paired(found)),
        ({Task.PAIR}, lambda: preference_tables.wins(found)),
        ({Task.RANK}, lambda: preference_tables.ranked(found)),
        ({Task.SIMULATE}, lambda: people_tables.simulators(found)),
        ({Task.WRITE}, lambda: people_tables.written(found)),
        ({Task.RATE, Task.BEST}, lambda: preference_tables.agreement(found)),
        ({Task.RATE}, lambda: tables.places(found)),
        ({Task.RATE}, lambda: score_tables.agreement(scored)),
        ({Task.RATE}, lambda: score_tables.gaps(scored)),
        (asked, lambda: people_tables.raters(everything, by, left_out)),
        (asked, lambda: people_tables.comments(everything)),
    )
    drawn: tuple[Callable[[], Figure], ...] = (
        lambda: figures.means(found),
        lambda: figures.spread(found),
        lambda: figures.order(found),
        lambda: figures.preference(scored),
    )
    return Results(
        heading(found, reasons, exclude and bool(left_out)),
        tuple(make() for tasks, make in made if tasks & asked),
        tuple(make() for make in drawn) if Task.RATE in asked else (),
        export.answers(everything, frozenset(left_out)),
        export.dictionary(),
    )


def demand_open(row: StudyRow) -> None:
    """Refused where results may not be shown yet."""
    if row.results_open:
        return
    if row.state is StudyState.DRAFT:
        raise Refused(f"Study {row.id} “{row.name}” has not started: there are no results.")
    raise Refused(
        f"Study {row.id} “{row.name}” is still open: results are hidden until its close. Close it first, or unblind it early, which is kept"
        " in its log and printed in every export."
    )
