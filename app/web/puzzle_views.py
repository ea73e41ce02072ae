"""Runs over puzzles as their pages show them."""

from collections.abc import Sequence
from enum import StrEnum

from app.domain.explanations import State
from app.domain.puzzles import Judge
from app.store.puzzle_results import JudgeName, Line, RunResult
from app.store.puzzle_runs import Answer, Ranking
from app.web.explanation_items import path_of
from app.web.formats import number, words
from app.web.puzzle_contexts import Placed, PuzzleLine, RunCard, Said, Tally, Verdict
from app.web.puzzle_words import judge_name, judged_by, of_puzzles, rank_words, run_words, tally_words


class Filter(StrEnum):
    """Which statements of a run, by what judges say of the last one on each puzzle."""

    EVERY = "all"
    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "none"


def card(result: RunResult) -> RunCard:
    """One run in short; every count leads to its statements."""
    here = f"/puzzles/{result.set}/runs/{result.run.id}"
    return RunCard(
        result,
        run_words(result.run),
        of_puzzles(result),
        tuple(
            Tally(tally_words(t), judged_by(t), t.reasons, f"{here}?judge={t.judge}#statements")
            for t in result.judges
        ),
        tuple(Tally(rank_words(t), "", t.undefined, f"{here}#statements") for t in result.rankings),
        here,
    )


def lines(result: RunResult, judge: Judge | None, show: Filter) -> tuple[PuzzleLine, ...]:
    """The puzzles of a run: all, or those that this kind of judge finds right, wrong, or has no verdict on at last."""
    return tuple(_line(line) for line in result.lines if show is Filter.EVERY or _shown(line, judge, show))


def _shown(line: Line, judge: Judge | None, show: Filter) -> bool:
    last = (
        line.final
        if line.final is not None
        else (line.first.explanation_id if line.first is not None else None)
    )
    said = [right for (id_, by), right in line.verdicts.items() if id_ == last and judge in (None, by.judge)]
    known = [right for right in said if right is not None]
    if show is Filter.MISSING:
        return not known
    return (show is Filter.RIGHT) in known


def _line(line: Line) -> PuzzleLine:
    puzzle = line.puzzle.puzzle
    nothing = ""
    revised = line.revised
    if revised is not None and revised.explanation_id is None and revised.state is State.OK:
        nothing, revised = revised.note, None
    return PuzzleLine(
        puzzle.name,
        path_of(line.puzzle.ref),
        puzzle.truth,
        _said(line.first, line),
        _said(revised, line),
        nothing,
        tuple(map(_placed, line.rankings)),
    )


def _said(answer: Answer | None, line: Line) -> Said | None:
    if answer is None:
        return None
    verdicts = tuple(
        _verdict(by, right) for (id_, by), right in line.verdicts.items() if id_ == answer.explanation_id
    )
    address = f"/explanations/{answer.explanation_id}" if answer.explanation_id is not None else ""
    return Said(answer.text, answer.note if answer.state is not State.OK else "", address, verdicts)


def _verdict(by: JudgeName, right: bool | None) -> Verdict:
    said = {True: "right", False: "wrong", None: "no verdict"}[right]
    return Verdict(said, right, judge_name(by.judge, by.name))


def _placed(ranking: Ranking) -> Placed:
    who = f"{words(ranking.simulator)} {ranking.simulator_model}".strip()
    said = f"truth in place {ranking.place}" if ranking.place is not None else f"no place: {ranking.reason}"
    ordered = sorted(
        ranking.statements, key=lambda each: (each.correlation is None, -(each.correlation or 0))
    )
    return Placed(
        f"{said}, simulated by {who}",
        tuple(
            (each.text, each.truth, number(each.correlation) if each.correlation is not None else "undefined")
            for each in ordered
        ),
    )


def cards(results: Sequence[RunResult]) -> tuple[RunCard, ...]:
    """Newest first."""
    return tuple(card(each) for each in sorted(results, key=lambda each: each.run.created_at, reverse=True))
