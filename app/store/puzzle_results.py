"""What came out of the runs over a set of puzzles, for pages, files and reports."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from app.domain.explanations import State
from app.domain.puzzle_tallies import JudgeTally, RankTally, Statements, judged, ranked
from app.domain.puzzles import Judge, majority
from app.store import puzzle_runs, puzzles
from app.store.puzzle_runs import FIRST, REVISED, Answer, Judgement, Ranking, Run
from app.store.puzzles import StoredPuzzle
from app.store.session import Session


class JudgeName(NamedTuple):
    """One judge. All persons together are one, without a name."""

    judge: Judge
    name: str


@dataclass(frozen=True)
class Line:
    """One puzzle of a run."""

    puzzle: StoredPuzzle
    first: Answer | None
    revised: Answer | None
    verdicts: dict[
        tuple[int, JudgeName], bool | None
    ]  # by explanation; None where the judge failed or persons disagree
    rankings: tuple[Ranking, ...]

    @property
    def final(self) -> int | None:
        """The explanation that stands after the second round: the first where there was nothing to revise."""
        if self.revised is None or self.revised.state is not State.OK:
            return None
        if self.revised.explanation_id is not None:
            return self.revised.explanation_id
        return None if self.first is None else self.first.explanation_id


@dataclass(frozen=True)
class RunResult:
    """One run with everything that was made of it."""

    run: Run
    set: str  # slug
    puzzles: int
    explained: int  # puzzles with a first statement
    revised: int  # with a second one
    nothing_to_revise: int
    failures: tuple[tuple[str, int], ...]  # why statements came to nothing, the commonest first
    judges: tuple[JudgeTally, ...]
    rankings: tuple[RankTally, ...]
    lines: tuple[Line, ...]


def results(s: Session, slug: str) -> list[RunResult]:
    """All runs over a set, newest first. NotFound."""
    layer = puzzles.get_set(s, slug).layer_id
    return _results(s, slug, puzzle_runs.of_layer(s, layer))


def result(s: Session, slug: str, run: str) -> RunResult:
    """One run. NotFound."""
    [found] = _results(s, slug, [puzzle_runs.get(s, run)])
    return found


def _results(s: Session, slug: str, runs: list[Run]) -> list[RunResult]:
    there = {each.ref.index: each for each in puzzles.of_set(s, slug)}
    ids = [run.id for run in runs]
    answers = puzzle_runs.answers(s, ids)
    by_explanation: dict[int, list[Judgement]] = {}
    for each in puzzle_runs.judgements(s, ids):
        by_explanation.setdefault(each.explanation_id, []).append(each)
    rankings: dict[str, list[Ranking]] = {}
    for ranking in puzzle_runs.rankings(s, ids):
        rankings.setdefault(ranking.run, []).append(ranking)
    return [_result(slug, run, there, answers, by_explanation, rankings.get(run.id, [])) for run in runs]


def _result(
    slug: str,
    run: Run,
    there: dict[int, StoredPuzzle],
    answers: dict[tuple[str, int, int], Answer],
    judgements: dict[int, list[Judgement]],
    rankings: list[Ranking],
) -> RunResult:
    lines = []
    judgements_of: list[Judgement] = []
    for neuron in run.neurons:
        first, revised = (answers.get((run.id, neuron, round_)) for round_ in (FIRST, REVISED))
        verdicts: dict[tuple[int, JudgeName], bool | None] = {}
        for answer in (first, revised):
            if answer is not None and answer.explanation_id is not None:
                said = judgements.get(answer.explanation_id, [])
                judgements_of += said
                verdicts |= {(answer.explanation_id, by): right for by, right in _verdicts(said).items()}
        mine = tuple(each for each in rankings if each.neuron == neuron)
        lines.append(Line(there[neuron], first, revised, verdicts, mine))
    made = [each for line in lines for each in (line.first, line.revised) if each is not None]
    return RunResult(
        run,
        slug,
        len(run.neurons),
        sum(line.first is not None and bool(line.first.text) for line in lines),
        sum(line.revised is not None and bool(line.revised.text) for line in lines),
        sum(
            line.revised is not None and line.revised.state is State.OK and not line.revised.text
            for line in lines
        ),
        tuple(Counter(each.note for each in made if each.state is not State.OK).most_common()),
        _judges(lines, judgements_of),
        _rankings(rankings),
        tuple(lines),
    )


def _verdicts(said: list[Judgement]) -> dict[JudgeName, bool | None]:
    """By judge: the newest verdict of each; of several persons what most of them say."""
    newest = {(each.judge, each.name, each.owner): each.verdict for each in said}
    found: dict[JudgeName, bool | None] = {
        JudgeName(judge, name): verdict.right
        for (judge, name, _), verdict in newest.items()
        if judge is not Judge.PERSON
    }
    persons = [
        v.right for (judge, _, _), v in newest.items() if judge is Judge.PERSON and v.right is not None
    ]
    if any(each.judge is Judge.PERSON for each in said):
        found[JudgeName(Judge.PERSON, "")] = majority(persons) if persons else None
    return found


def _judges(lines: list[Line], said: list[Judgement]) -> tuple[JudgeTally, ...]:
    who = sorted({by for line in lines for _, by in line.verdicts})
    revised = any(line.revised is not None for line in lines)
    statements = [
        Statements(
            line.first.explanation_id if line.first is not None and line.first.text else None,
            line.final,
            1 + len(line.puzzle.puzzle.false),
        )
        for line in lines
    ]
    found = []
    for by in who:
        verdicts = {
            id_: right for line in lines for (id_, judge), right in line.verdicts.items() if judge == by
        }
        mine = [each for each in said if each.judge is by.judge and by.name in ("", each.name)]
        newest = {(each.explanation_id, each.owner): each.verdict for each in mine}
        reasons = [each.reason for each in newest.values() if each.right is None]
        name = by.name
        if by.judge is Judge.PERSON:
            people = {each.owner: each.name for each in mine}
            name = next(iter(people.values())) if len(people) == 1 else f"{len(people)} persons"
        found.append(judged(by.judge, name, statements, verdicts, reasons, revised=revised))
    return tuple(found)


def _rankings(rankings: list[Ranking]) -> tuple[RankTally, ...]:
    groups: dict[tuple[str, str, int], list[Ranking]] = {}
    for each in rankings:
        groups.setdefault((each.simulator, each.asked, each.seed), []).append(each)
    return tuple(
        ranked(
            simulator,
            next((each.simulator_model for each in some if each.simulator_model), asked),
            seed,
            [(each.state, each.place, each.reason) for each in some],
        )
        for (simulator, asked, seed), some in groups.items()
    )
