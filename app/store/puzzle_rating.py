"""What a person may still judge: statements about puzzles, each once, whoever made them."""

import hashlib
from typing import NamedTuple

from sqlalchemy import select

from app.domain.explanations import State
from app.domain.puzzles import Judge, Verdict
from app.store import puzzle_runs
from app.store import tables as t
from app.store.session import Session


class Statement(NamedTuple):
    """One statement about one puzzle. Equal ones of several runs are one."""

    model: str  # slug of the set
    layer_id: int
    neuron: int
    text: str
    explanations: tuple[int, ...]


def statements(s: Session) -> list[Statement]:
    """All that explainers said about puzzles, in an order that tells nothing of how it came about."""
    a, e = t.puzzle_answers.c, t.explanations.c
    query = (
        select(t.models.c.slug, e.layer_id, e.neuron, e.text, e.id)
        .join(t.explanations, e.id == a.explanation_id)
        .join(t.layers, t.layers.c.id == e.layer_id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .where(a.state == State.OK)
        .order_by(e.id)
    )
    found: dict[tuple[str, int, int, str], list[int]] = {}
    for row in s.execute(query):
        found.setdefault((row.slug, row.layer_id, row.neuron, row.text), []).append(row.id)
    return [Statement(*place, tuple(ids)) for place, ids in found.items()]


def waiting(s: Session, owner: str) -> list[Statement]:
    """Those that somebody has not judged, in an order of this person's own."""
    j = t.puzzle_judgements.c
    query = select(j.explanation_id).where(j.judge == Judge.PERSON.value, j.owner == owner)
    done = set(s.execute(query).scalars())

    def order(each: Statement) -> bytes:
        said = f"{owner}\n{each.model}\n{each.neuron}\n{each.text}"
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()

    return sorted((each for each in statements(s) if not done.issuperset(each.explanations)), key=order)


def judge(s: Session, statement: Statement, right: bool, name: str, owner: str) -> None:
    """Keep a person's verdict, on every explanation that says this. A second one by the same person changes nothing."""
    for explanation in statement.explanations:
        key = f"person/{owner}/{explanation}"
        puzzle_runs.add_judgement(s, explanation, Judge.PERSON, name, owner, Verdict(right), None, key)
