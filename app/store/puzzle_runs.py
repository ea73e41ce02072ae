"""Runs over sets of puzzles: statements, verdicts on them, and rankings of truth and falsehood. Only ever added."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, select

from app.domain.explanations import State
from app.domain.puzzles import Judge, Ranked, Verdict
from app.errors import NotFound
from app.store import sql
from app.store import tables as t
from app.store.session import Session, writing

FIRST, REVISED = 0, 1  # rounds


@dataclass(frozen=True)
class Run:
    """One explainer, one method, one seed over some puzzles of a set."""

    id: str  # the job that began it
    layer_id: int
    explainer: str  # "endpoint / model"; empty where nothing is explained
    method: str
    seed: int
    revise: bool
    neurons: tuple[int, ...]
    author: str
    created_at: datetime


class Answer(NamedTuple):
    """A puzzle's statement in a run, or why there is none."""

    id: int
    run: str
    neuron: int
    round: int
    explanation_id: int | None  # of a failure too; None where nothing was asked: see `note`
    state: State  # OK without an explanation: there was nothing to revise
    note: str
    text: str
    key: str


class Judgement(NamedTuple):
    """What one judge said of one statement."""

    id: int
    explanation_id: int
    judge: Judge
    name: str
    owner: str
    verdict: Verdict


class Ranking(NamedTuple):
    """Truth and false statements of one puzzle, by one simulator."""

    id: int
    run: str
    neuron: int
    simulator: str
    asked: str
    simulator_model: str
    seed: int
    state: State
    place: int | None  # of the truth, from 1
    reason: str
    statements: tuple[Ranked, ...]


def begin(s: Session, run: Run) -> None:
    """Keep a run, once."""
    writing(s)
    values = {
        "id": run.id,
        "layer_id": run.layer_id,
        "explainer": run.explainer,
        "method": run.method,
        "seed": run.seed,
        "revise": run.revise,
        "neurons_json": json.dumps(run.neurons),
        "author": run.author,
        "created_at": run.created_at,
    }
    sql.insert_new(s, t.puzzle_runs, values, ("id",))


def find(s: Session, run: str) -> Run | None:
    """The run of this id, if it was begun."""
    row = s.execute(select(t.puzzle_runs).where(t.puzzle_runs.c.id == run)).first()
    return None if row is None else _run(row)


def get(s: Session, run: str) -> Run:
    """A run. NotFound."""
    found = find(s, run)
    if found is None:
        raise NotFound(f"there is no run over puzzles “{run[:80]}”: see /puzzles for those there are")
    return found


def of_layer(s: Session, layer_id: int) -> list[Run]:
    """All runs over a set, newest first."""
    c = t.puzzle_runs.c
    query = select(t.puzzle_runs).where(c.layer_id == layer_id).order_by(c.created_at.desc(), c.id)
    return [_run(row) for row in s.execute(query)]


def add_answer(
    s: Session,
    run: str,
    neuron: int,
    round_: int,
    explanation_id: int | None,
    state: State,
    note: str,
    key: str,
) -> None:
    """Keep a statement of a run, or why there is none. With a key that is there, nothing is written."""
    writing(s)
    values = {
        "run_id": run,
        "neuron": neuron,
        "round": round_,
        "explanation_id": explanation_id,
        "state": state,
        "note": note,
        "key": key,
        "created_at": datetime.now(UTC),
    }
    sql.insert_new(s, t.puzzle_answers, values, ("key",))


def answers(s: Session, runs: Sequence[str]) -> dict[tuple[str, int, int], Answer]:
    """By run, puzzle and round the statement that counts: the first that came about, or else the newest failure."""
    a = t.puzzle_answers.c
    query = (
        select(t.puzzle_answers, t.explanations.c.text, t.explanations.c.reason)
        .outerjoin(t.explanations, t.explanations.c.id == a.explanation_id)
        .where(a.run_id.in_(list(runs)))
        .order_by(a.id)
    )
    found: dict[tuple[str, int, int], Answer] = {}
    for row in s.execute(query):
        place = (row.run_id, row.neuron, row.round)
        if place not in found or found[place].state is not State.OK:
            found[place] = Answer(
                row.id, row.run_id, row.neuron, row.round, row.explanation_id, row.state,
                row.note or row.reason or "", row.text or "", row.key,
            )  # fmt: skip
    return found


def add_judgement(
    s: Session,
    explanation_id: int,
    judge: Judge,
    name: str,
    owner: str,
    verdict: Verdict,
    job_id: str | None,
    key: str,
) -> None:
    """Keep a verdict. With a key that is there, nothing is written."""
    writing(s)
    values = {
        "explanation_id": explanation_id,
        "judge": judge.value,
        "name": name,
        "owner": owner,
        "state": verdict.state,
        "right": verdict.right,
        "reason": verdict.reason,
        "detail_json": verdict.detail_json,
        "job_id": job_id,
        "key": key,
        "created_at": datetime.now(UTC),
    }
    sql.insert_new(s, t.puzzle_judgements, values, ("key",))


def judgements(s: Session, runs: Sequence[str]) -> list[Judgement]:
    """All verdicts on the statements of these runs, oldest first. An explanation may belong to one run alone."""
    mine = select(t.puzzle_answers.c.explanation_id).where(t.puzzle_answers.c.run_id.in_(list(runs)))
    return _judgements(s, t.puzzle_judgements.c.explanation_id.in_(mine))


def add_ranking(s: Session, ranking: Ranking, job_id: str, key: str) -> None:
    """Keep a ranking or its failure. With a key that is there, nothing is written. `ranking.id` is not looked at."""
    writing(s)
    values = {
        "run_id": ranking.run,
        "neuron": ranking.neuron,
        "simulator": ranking.simulator,
        "asked": ranking.asked,
        "simulator_model": ranking.simulator_model,
        "seed": ranking.seed,
        "state": ranking.state,
        "place": ranking.place,
        "reason": ranking.reason,
        "detail_json": json.dumps([each._asdict() for each in ranking.statements], ensure_ascii=False),
        "job_id": job_id,
        "key": key,
        "created_at": datetime.now(UTC),
    }
    sql.insert_new(s, t.puzzle_rankings, values, ("key",))


def rankings(s: Session, runs: Sequence[str]) -> list[Ranking]:
    """By run, puzzle and simulator the first ranking that did not fail, or else the newest failure."""
    c = t.puzzle_rankings.c
    query = select(t.puzzle_rankings).where(c.run_id.in_(list(runs))).order_by(c.id)
    found: dict[tuple[object, ...], Ranking] = {}
    for row in s.execute(query):
        place = (row.run_id, row.neuron, row.simulator, row.asked, row.seed)
        if place not in found or found[place].state is State.FAILED:
            found[place] = _ranking(row)
    return list(found.values())


def _judgements(s: Session, where: ColumnElement[bool]) -> list[Judgement]:
    query = select(t.puzzle_judgements).where(where).order_by(t.puzzle_judgements.c.id)
    return [
        Judgement(
            row.id, row.explanation_id, Judge(row.judge), row.name, row.owner,
            Verdict(row.right, row.state, row.reason, row.detail_json),
        )
        for row in s.execute(query)
    ]  # fmt: skip


def _run(row: Row[Any]) -> Run:
    neurons = tuple(json.loads(row.neurons_json))
    return Run(
        row.id,
        row.layer_id,
        row.explainer,
        row.method,
        row.seed,
        row.revise,
        neurons,
        row.author,
        row.created_at,
    )


def _ranking(row: Row[Any]) -> Ranking:
    said = [
        Ranked(x["text"], x["truth"], State(x["state"]), x["correlation"])
        for x in json.loads(row.detail_json)
    ]
    return Ranking(
        row.id, row.run_id, row.neuron, row.simulator, row.asked, row.simulator_model, row.seed, row.state,
        row.place, row.reason, tuple(said),
    )  # fmt: skip
