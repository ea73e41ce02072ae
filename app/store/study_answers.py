"""What raters answered. Saved one by one; of several answers to one question the newest counts, and an equal one is not written."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, insert, select

from app.domain.study_replies import Reply, ReplyKind
from app.store import tables as t
from app.store.session import Session, writing
from app.store.study_rows import AnswerRow


class Kept(NamedTuple):
    """What came of replies."""

    fresh: int  # replies that said something new
    given: dict[tuple[ReplyKind, str], str]  # the newest answer to each question of the item


def save(s: Session, place_id: int, replies: Sequence[Reply]) -> Kept:
    """Keep replies to one item. The place is locked, so that a double click counts once."""
    writing(s)
    p = t.study_places.c
    row = s.execute(select(p.opened_at).where(p.id == place_id).with_for_update()).one()
    now = datetime.now(UTC)
    given, last = _newest(s, place_id)
    since = max((moment for moment in (row.opened_at, last) if moment is not None), default=now)
    fresh = [reply for reply in replies if given.get((reply.kind, reply.subject)) != reply.value]
    for reply in fresh:
        s.execute(
            insert(t.study_answers).values(
                place_id=place_id,
                kind=reply.kind,
                subject=reply.subject,
                value=reply.value,
                seconds=(now - since).total_seconds(),
                at=now,
            )
        )
        given[reply.kind, reply.subject] = reply.value
    return Kept(len(fresh), given)


def given(s: Session, place_id: int) -> dict[tuple[ReplyKind, str], str]:
    """The newest answer to each question of one item."""
    return _newest(s, place_id)[0]


def given_of(s: Session, study_id: int, items: Sequence[int]) -> dict[int, dict[tuple[ReplyKind, str], str]]:
    """The newest answers to some items of a study, by place."""
    a, p = t.study_answers.c, t.study_places.c
    query = (
        select(a.place_id, a.kind, a.subject, a.value)
        .join(t.study_places, p.id == a.place_id)
        .where(p.study_id == study_id, p.item.in_(items))
        .order_by(a.id)
    )
    found: dict[int, dict[tuple[ReplyKind, str], str]] = {}
    for row in s.execute(query):
        found.setdefault(row.place_id, {})[row.kind, row.subject] = row.value
    return found


def commented(s: Session, study_id: int) -> set[int]:
    """The places that have a comment; what it says is nobody's business before the close."""
    a, p = t.study_answers.c, t.study_places.c
    query = (
        select(a.place_id, a.value)
        .join(t.study_places, p.id == a.place_id)
        .where(p.study_id == study_id, a.kind == ReplyKind.COMMENT)
        .order_by(a.id)
    )
    newest = {row.place_id: row.value for row in s.execute(query)}
    return {place for place, words in newest.items() if words}


def of_study(s: Session, study_id: int) -> list[AnswerRow]:
    """All answers, oldest first, those that were changed later too."""
    a, p = t.study_answers.c, t.study_places.c
    query = (
        select(a.place_id, a.kind, a.subject, a.value, a.seconds, a.at)
        .join(t.study_places, p.id == a.place_id)
        .where(p.study_id == study_id)
        .order_by(a.id)
    )
    return [AnswerRow(*row) for row in s.execute(query)]


def count(s: Session, study_id: int) -> int:
    """How many answers are stored, those that were changed later too."""
    a, p = t.study_answers.c, t.study_places.c
    query = select(func.count(a.id)).join(t.study_places, p.id == a.place_id).where(p.study_id == study_id)
    return int(s.execute(query).scalar_one())


def _newest(s: Session, place_id: int) -> tuple[dict[tuple[ReplyKind, str], str], datetime | None]:
    a = t.study_answers.c
    query = select(a.kind, a.subject, a.value, a.at).where(a.place_id == place_id).order_by(a.id)
    found: dict[tuple[ReplyKind, str], str] = {}
    last: datetime | None = None
    for row in s.execute(query):
        found[row.kind, row.subject] = row.value
        last = row.at
    return found, last
