"""Results on puzzles as a report takes them: one row a judge or simulator of a run."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from app.domain.report_plan import PuzzleRun
from app.store import puzzle_results, puzzles
from app.store.puzzle_results import RunResult
from app.store.session import Session


class Maker(NamedTuple):
    """Whose runs a report is about."""

    method: str
    explainer: str  # "endpoint / model"


def of_makers(s: Session, makers: Collection[Maker]) -> tuple[PuzzleRun, ...]:
    """LEE Table 4 and BILLS' ranks: the runs by these methods and explainers over any set, each with whom it was judged or
    ranked by. What has no verdict or no place is in no count.
    """
    every = [result for each in puzzles.sets(s) for result in puzzle_results.results(s, each.slug)]
    mine = [result for result in every if Maker(result.run.method, result.run.explainer) in makers]
    order = sorted(
        mine, key=lambda each: (each.run.method, each.run.explainer, each.set, each.run.created_at)
    )
    return tuple(row for result in order for row in _rows(result))


def _rows(result: RunResult) -> Iterable[PuzzleRun]:
    run = result.run
    which = f"{result.set}, seed {run.seed}"
    for tally in result.judges:
        yield PuzzleRun(
            run.method,
            run.explainer,
            f"{tally.judge} ({tally.name}); {which}",
            result.puzzles,
            right=tally.first.right,
            judged=tally.first.judged,
            right_revised=None if tally.final is None else tally.final.right,
            judged_revised=None if tally.final is None else tally.final.judged,
        )
    for ranking in result.rankings:
        yield PuzzleRun(
            run.method,
            run.explainer,
            f"{ranking.simulator} ({ranking.model}); {which}",
            result.puzzles,
            first=ranking.first,
            top_two=ranking.top_two,
            ranked=ranking.ranked,
        )
