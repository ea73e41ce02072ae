"""What people said of explanations, in studies that are closed. Until then nothing here tells that a study is under way.

Gold, practice and repeated items are left out, as in a study's results; raters whom registered rules leave out are not, since these
rules belong to the study as a whole: its results are the place for that.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import select

from app.domain import study_files
from app.domain.study_replies import ReplyKind
from app.store import tables as t
from app.store.session import Session
from app.store.study_rows import StudyState

_CHUNK = 500


class Heard(NamedTuple):
    """What one study's raters said of one explanation."""

    study_id: int
    study: str  # its name
    ratings: tuple[int, ...]  # 1 to 5, one a rater
    chosen: int  # how often its text was chosen as the best
    choices: int  # of so many choices that it was among
    top_only: bool  # raters saw top records only

    @property
    def mean(self) -> float | None:
        return sum(self.ratings) / len(self.ratings) if self.ratings else None


class Rated(NamedTuple):
    """One rater's rating of one explanation."""

    study_id: int
    rater_id: int
    item: int
    explanation_id: int
    value: int


def of_explanation(s: Session, explanation_id: int) -> list[Heard]:
    """By study, oldest first."""
    c, studies = t.study_sources.c, t.studies.c
    query = (
        select(c.study_id, c.item, c.text, studies.name, studies.definition)
        .join(t.studies, studies.id == c.study_id)
        .where(c.explanation_id == explanation_id, studies.state == StudyState.CLOSED)
        .order_by(c.study_id)
    )
    found: list[Heard] = []
    for row in s.execute(query):
        ratings: dict[int, int] = {}
        best: dict[int, int] = {}
        for rater, kind, subject, value in _answers(s, row.study_id, row.item):
            if kind is ReplyKind.RATE and subject == str(row.text):
                ratings[rater] = int(value)
            elif kind is ReplyKind.BEST:
                best[rater] = int(value)
        if ratings or best:
            chosen = sum(text == row.text for text in best.values())
            top_only = study_files.read_kept(row.definition).evidence.top_only
            found.append(Heard(row.study_id, row.name, tuple(ratings.values()), chosen, len(best), top_only))
    return found


def rated_explanations(s: Session, layers: Iterable[int]) -> list[int]:
    """The ids of all explanations of these layers (by id) that people rated or chose among, ascending."""
    c, p, e = t.study_sources.c, t.study_places.c, t.explanations.c
    done = (
        select(p.id)
        .where(
            p.study_id == c.study_id,
            p.item == c.item,
            p.done_at.is_not(None),
            p.practice.is_(False),
        )
        .exists()
    )
    query = (
        select(c.explanation_id)
        .join(t.studies, t.studies.c.id == c.study_id)
        .join(t.explanations, e.id == c.explanation_id)
        .where(t.studies.c.state == StudyState.CLOSED, e.layer_id.in_(list(layers)), done)
        .distinct()
        .order_by(c.explanation_id)
    )
    return list(s.execute(query).scalars())


def ratings_of(s: Session, explanation_ids: Iterable[int]) -> list[Rated]:
    """Every rating of these explanations, one for each rater and explanation."""
    wanted = sorted(set(explanation_ids))
    places: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(
        list
    )  # study, item -> text, explanation
    c = t.study_sources.c
    for at in range(0, len(wanted), _CHUNK):
        query = (
            select(c.study_id, c.item, c.text, c.explanation_id)
            .join(t.studies, t.studies.c.id == c.study_id)
            .where(c.explanation_id.in_(wanted[at : at + _CHUNK]), t.studies.c.state == StudyState.CLOSED)
        )
        for row in s.execute(query):
            places[row.study_id, row.item].append((row.text, row.explanation_id))
    found: dict[tuple[int, int, int, int], int] = {}
    for (study, item), behind in places.items():
        for rater, kind, subject, value in _answers(s, study, item):
            if kind is ReplyKind.RATE:
                for text, explanation in behind:
                    if subject == str(text):
                        found[study, rater, item, explanation] = int(value)
    return [Rated(*key, value) for key, value in found.items()]


def _answers(s: Session, study_id: int, item: int) -> Iterator[tuple[int, ReplyKind, str, str]]:
    """(rater, kind, subject, value) of whole answers to one item, oldest first, the newest of a question last."""
    a, p = t.study_answers.c, t.study_places.c
    query = (
        select(p.rater_id, a.kind, a.subject, a.value)
        .join(t.study_places, p.id == a.place_id)
        .where(
            p.study_id == study_id,
            p.item == item,
            p.done_at.is_not(None),
            p.practice.is_(False),
            p.repeat.is_(False),
        )
        .order_by(a.id)
    )
    for row in s.execute(query):
        yield row.rater_id, row.kind, row.subject, row.value
