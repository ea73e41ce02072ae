"""Counting how a run over puzzles went: k of n, never over what is missing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.domain.explanations import State
from app.domain.puzzles import Judge


class Counted(NamedTuple):
    """k right of n that were judged."""

    right: int
    judged: int


class JudgeTally(NamedTuple):
    """A run as one judge sees it."""

    judge: Judge
    name: str  # which embedder, language model or persons
    first: Counted  # first statements
    final: Counted | None  # with the second round; None where there was none
    better: int  # puzzles wrong at first and right at last, of those judged both times
    worse: int
    unjudged: int  # statements without a verdict
    reasons: tuple[tuple[str, int], ...]  # why, where the judge failed; the commonest first
    chance: (
        float | None
    )  # how many of the first statements a blind guess would get right; None where that is no guess


class RankTally(NamedTuple):
    """Truth and false statements of a run's puzzles, as one simulator sees them."""

    simulator: str
    model: str
    seed: int
    ranked: int  # puzzles whose truth has a place
    first: int
    top_two: int
    undefined: tuple[tuple[str, int], ...]  # why the others have none


class Statements(NamedTuple):
    """A puzzle's statements in a run by what stands for them in verdicts; None where there is none."""

    first: int | None
    final: int | None  # of the second round; the first where that found nothing to revise
    choices: int  # statements that the puzzle has, the truth included


def judged(
    judge: Judge,
    name: str,
    statements: Sequence[Statements],
    verdicts: Mapping[int, bool | None],
    reasons: Sequence[str],
    *,
    revised: bool,
) -> JudgeTally:
    """The tally of one judge. `verdicts` are of statements; None, or no entry, where there is none."""
    firsts = [_verdict(verdicts, each.first) for each in statements]
    finals = [_verdict(verdicts, each.final) for each in statements]
    both = [(a, b) for a, b in zip(firsts, finals, strict=True) if a is not None and b is not None]
    made = {i for each in statements for i in (each.first, each.final) if i is not None}
    chance = sum(1 / each.choices for each, one in zip(statements, firsts, strict=True) if one is not None)
    return JudgeTally(
        judge,
        name,
        _count(firsts),
        _count(finals) if revised else None,
        sum(not a and b for a, b in both) if revised else 0,
        sum(a and not b for a, b in both) if revised else 0,
        sum(verdicts.get(i) is None for i in made),
        tuple(Counter(reasons).most_common()),
        chance if judge is Judge.SIMILARITY else None,
    )


def ranked(
    simulator: str, model: str, seed: int, places: Sequence[tuple[State, int | None, str]]
) -> RankTally:
    """The tally of one simulator from (state, place of the truth, reason) of every puzzle."""
    defined = [place for _, place, _ in places if place is not None]
    return RankTally(
        simulator,
        model,
        seed,
        len(defined),
        sum(place == 1 for place in defined),
        sum(place <= 2 for place in defined),
        tuple(Counter(reason for _, place, reason in places if place is None).most_common()),
    )


def _verdict(verdicts: Mapping[int, bool | None], statement: int | None) -> bool | None:
    return None if statement is None else verdicts.get(statement)


def _count(verdicts: Sequence[bool | None]) -> Counted:
    known = [each for each in verdicts if each is not None]
    return Counted(sum(known), len(known))
