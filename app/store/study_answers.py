"""What raters answered. Saved one by one; of several answers to one question the newest counts, and an equal one is not written."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, insert, select

from app.domain.study_replies import Reply, ReplyKind
from app.store import tables as t
from app.store.session import Session, writing
from app.store.study_rows import AnswerRow

# With every answer: made once.
_HELD = select(t.study_places.c.opened_at).where(t.study_places.c.id == bindparam("place")).with_for_update()
_OF_PLACE = (
    select(t.study_answers.c.kind, t.study_answers.c.subject, t.study_answers.c.value, t.study_answers.c.at)
    .where(t.study_answers.c.place_id == bindparam("place"))
    .order_by(t.study_answers.c.id)
)
_INSERT = insert(t.study_answers)


class Kept(NamedTuple):
    """What came of replies."""

    fresh: int  # replies that said something new
    given: dict[tuple[ReplyKind, str], str]  # the newest answer to each question of the item


def save(s: Session, place_id: int, replies: Sequence[Reply]) -> Kept:
    """Keep replies to one item. The place is locked, so that a double click counts once."""
    writing(s)
    row = s.execute(_HELD, {"place": place_id}).one()
    now = datetime.now(UTC)
    given, last = _newest(s, place_id)
    since = max((moment for moment in (row.opened_at, last) if moment is not None), default=now)
    fresh = [reply for reply in replies if given.get((reply.kind, reply.subject)) != reply.value]
    if fresh:
        seconds = (now - since).total_seconds()
        s.execute(
            _INSERT,
            [{"place_id": place_id, **reply._asdict(), "seconds": seconds, "at": now} for reply in fresh],
        )
    given.update({(reply.kind, reply.subject): reply.value for reply in fresh})
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
    found: dict[tuple[ReplyKind, str], str] = {}
    last: datetime | None = None
    for kind, subject, value, at in s.execute(_OF_PLACE, {"place": place_id}):
        found[kind, subject] = value
        last = at
    return found, last
