"""Neuron puzzles: sets, puzzles with their truth, runs and what came out."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from app.domain.explanations import ExplainOptions, Method
from app.domain.puzzle_tallies import Counted, JudgeTally, RankTally
from app.errors import NotFound
from app.jobs.requests import PuzzlesRequest
from app.store import puzzle_results, puzzle_runs, puzzles
from app.store.puzzle_results import Line, RunResult
from app.store.puzzle_runs import Answer, Ranking
from app.store.puzzles import PuzzleSet, StoredPuzzle
from app.web.api.puzzle_schemas import (
    AnswerOut,
    CountedOut,
    JudgeTallyOut,
    PuzzleOut,
    PuzzleSentenceOut,
    PuzzleSetOut,
    RankedOut,
    RankingOut,
    RankTallyOut,
    ReasonOut,
    RunIn,
    RunLineOut,
    RunOut,
    RunWholeOut,
    VerdictOut,
)
from app.web.api.schemas import JobStarted, ListOf
from app.web.dependencies import JobsDep, StoreDep

router = APIRouter(prefix="/puzzles", tags=["puzzles"])

SetSlug = Annotated[str, Path(description="Slug of the set.", examples=["neuron-puzzles"])]
RunId = Annotated[str, Path(description="The job that began it.", examples=["puzzles-3f2a9c41d7e0"])]


@router.get("")
def list_puzzle_sets(store: StoreDep) -> ListOf[PuzzleSetOut]:
    """All sets in the store."""
    with store.session() as session:
        return ListOf(items=[_set(each) for each in puzzles.sets(session)])


@router.get("/{set}")
def list_puzzles(store: StoreDep, set: SetSlug) -> ListOf[PuzzleOut]:
    """The puzzles of a set, truth and false statements included."""
    with store.session() as session:
        return ListOf(items=[_puzzle(each) for each in puzzles.of_set(session, set)])


@router.get("/{set}/runs")
def list_puzzle_runs(store: StoreDep, set: SetSlug) -> ListOf[RunOut]:
    """What came out of every run over a set, newest first."""
    with store.session() as session:
        return ListOf(items=[RunOut(**_run(each)) for each in puzzle_results.results(session, set)])


@router.get("/{set}/runs/{run}")
def get_puzzle_run(store: StoreDep, set: SetSlug, run: RunId) -> RunWholeOut:
    """One run with every statement, verdict and ranking."""
    with store.session() as session:
        there = puzzles.get_set(session, set)
        if puzzle_runs.get(session, run).layer_id != there.layer_id:
            raise NotFound(f"The run {run} is over another set of puzzles.")
        found = puzzle_results.result(session, set, run)
    return RunWholeOut(**_run(found), lines=[_line(line) for line in found.lines])


@router.post("/{set}/runs", status_code=202)
def start_puzzle_run(jobs: JobsDep, set: SetSlug, request: RunIn) -> JobStarted:
    """Run an explainer over puzzles, judge, rank; or go on with a run. The run's id is that of the job that begins it."""
    explain = None
    if request.explainer:
        explain = ExplainOptions(Method(request.method), explainer=request.explainer, seed=request.seed)
    asked = PuzzlesRequest(
        set,
        tuple(request.puzzles),
        explain,
        request.revise_with,
        request.judge,
        request.judge_endpoint,
        request.rank_with,
        request.simulator_endpoint,
        request.simulator_model,
        request.seed,
        request.run,
        author="api",
        fresh=request.fresh,
    )
    return JobStarted(job_id=jobs.enqueue_puzzles(asked))


def _set(each: PuzzleSet) -> PuzzleSetOut:
    return PuzzleSetOut(slug=each.slug, name=each.name, puzzles=each.puzzles, source=each.source)


def _puzzle(stored: StoredPuzzle) -> PuzzleOut:
    puzzle = stored.puzzle
    return PuzzleOut(
        index=stored.ref.index,
        key=puzzle.key,
        name=puzzle.name,
        truth=puzzle.truth,
        false=list(puzzle.false),
        sentences=[
            PuzzleSentenceOut(
                tokens=list(each.pieces), activations=list(each.activations), levels=list(levels)
            )
            for each, levels in zip(puzzle.sentences, puzzle.levels, strict=True)
        ],
    )


def _reasons(found: tuple[tuple[str, int], ...]) -> list[ReasonOut]:
    return [ReasonOut(reason=reason, times=times) for reason, times in found]


def _counted(each: Counted) -> CountedOut:
    return CountedOut(right=each.right, judged=each.judged)


def _judge(tally: JudgeTally) -> JudgeTallyOut:
    return JudgeTallyOut(
        judge=tally.judge,
        name=tally.name,
        first=_counted(tally.first),
        final=None if tally.final is None else _counted(tally.final),
        better=tally.better,
        worse=tally.worse,
        unjudged=tally.unjudged,
        failures=_reasons(tally.reasons),
        chance=tally.chance,
    )


def _rank(tally: RankTally) -> RankTallyOut:
    return RankTallyOut(
        simulator=tally.simulator,
        model=tally.model,
        seed=tally.seed,
        ranked=tally.ranked,
        first=tally.first,
        top_two=tally.top_two,
        undefined=_reasons(tally.undefined),
    )


def _run(found: RunResult) -> dict[str, Any]:
    run = found.run
    return {
        "id": run.id,
        "explainer": run.explainer,
        "method": run.method,
        "seed": run.seed,
        "author": run.author,
        "created_at": run.created_at,
        "puzzles": found.puzzles,
        "explained": found.explained,
        "revised": found.revised,
        "nothing_to_revise": found.nothing_to_revise,
        "failures": _reasons(found.failures),
        "judges": [_judge(each) for each in found.judges],
        "rankings": [_rank(each) for each in found.rankings],
    }


def _answer(answer: Answer | None, line: Line) -> AnswerOut | None:
    if answer is None:
        return None
    verdicts = [
        VerdictOut(judge=by.judge, name=by.name, right=right)
        for (id_, by), right in line.verdicts.items()
        if id_ == answer.explanation_id
    ]
    return AnswerOut(
        explanation=answer.explanation_id,
        state=answer.state,
        text=answer.text,
        note=answer.note,
        verdicts=verdicts,
    )


def _ranking(each: Ranking) -> RankingOut:
    return RankingOut(
        simulator=each.simulator,
        model=each.simulator_model,
        seed=each.seed,
        state=each.state,
        place=each.place,
        reason=each.reason,
        statements=[RankedOut(**one._asdict()) for one in each.statements],
    )


def _line(line: Line) -> RunLineOut:
    return RunLineOut(
        index=line.puzzle.ref.index,
        key=line.puzzle.puzzle.key,
        first=_answer(line.first, line),
        revised=_answer(line.revised, line),
        rankings=[_ranking(each) for each in line.rankings],
    )
