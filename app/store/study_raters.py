"""Raters of a study: invited, come, at work, gone; and the places that they hold."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from app.domain.study_places import Sitting
from app.errors import NotFound
from app.store import bulk, studies
from app.store import tables as t
from app.store.session import Session, writing
from app.store.study_rows import NOBODY, Identity, Place, RaterRow, RaterSource, RaterState

SECRET_BYTES = 18
# Asked for with every answer: made once.
_BY_SECRET = select(t.study_raters).where(t.study_raters.c.secret == bindparam("secret"))
_BY_SECRET_HELD = _BY_SECRET.with_for_update()
_PLACES = (
    select(t.study_places)
    .where(t.study_places.c.rater_id == bindparam("rater"))
    .order_by(t.study_places.c.ordinal)
)
_ENDED_EARLY = (RaterState.RETURNED, RaterState.TIMED_OUT, RaterState.SCREENED_OUT, RaterState.ERASED)


def lock(s: Session, study_id: int) -> None:
    """Let no other process hand out places of this study until the session ends."""
    writing(s)
    s.execute(select(t.studies.c.id).where(t.studies.c.id == study_id).with_for_update())


def hold_all(s: Session, study_id: int) -> None:
    """Wait for what raters are saving, and let none of them save more until the session ends."""
    lock(s, study_id)
    r = t.study_raters.c
    s.execute(select(r.id).where(r.study_id == study_id).order_by(r.id).with_for_update())


def add(
    s: Session,
    study_id: int,
    source: RaterSource,
    identity: Identity = NOBODY,
    *,
    expires_at: datetime | None = None,
) -> RaterRow:
    """A new rater, invited or arrived, with the next number."""
    lock(s, study_id)
    c = t.study_raters.c
    number = (s.execute(select(func.max(c.number)).where(c.study_id == study_id)).scalar() or 0) + 1
    now = datetime.now(UTC)
    invited = source is RaterSource.INVITATION
    id_: int = s.execute(
        insert(t.study_raters)
        .values(
            study_id=study_id,
            number=number,
            secret=secrets.token_urlsafe(SECRET_BYTES),
            source=source,
            state=RaterState.INVITED if invited else RaterState.ARRIVED,
            claimed=not invited,
            consent_version="",
            practice_failed=0,
            expires_at=expires_at,
            created_at=now,
            last_at=now,
        )
        .returning(c.id)
    ).scalar_one()
    if any(identity):
        s.execute(insert(t.study_identities).values(rater_id=id_, study_id=study_id, **identity._asdict()))
    return get(s, id_)


def get(s: Session, rater_id: int) -> RaterRow:
    """One rater. NotFound."""
    row = s.execute(select(t.study_raters).where(t.study_raters.c.id == rater_id)).first()
    if row is None:
        raise NotFound("there is no such rater")
    return _row(row)


def by_secret(s: Session, secret: str, *, hold: bool = False) -> RaterRow | None:
    """Whose browser shows this secret; `hold`: nobody else changes the rater until the session ends."""
    row = s.execute(_BY_SECRET_HELD if hold else _BY_SECRET, {"secret": secret}).first()
    return None if row is None else _row(row)


def by_number(s: Session, study_id: int, number: int) -> RaterRow:
    """A study's rater by the number of the pseudonym. NotFound."""
    c = t.study_raters.c
    query = select(t.study_raters).where(c.study_id == study_id, c.number == number)
    row = s.execute(query).first() if 0 < number < 1 << 31 else None
    if row is None:
        raise NotFound(f"study {study_id} has no rater {number}")
    return _row(row)


def of_participant(s: Session, study_id: int, participant: str) -> RaterRow | None:
    """Who came from a platform under this name."""
    c = t.study_identities.c
    query = select(c.rater_id).where(c.study_id == study_id, c.participant == participant)
    found = s.execute(query).scalar()
    return None if found is None else get(s, found)


def of_study(s: Session, study_id: int) -> list[RaterRow]:
    """All raters, in the order of their numbers."""
    c = t.study_raters.c
    query = select(t.study_raters).where(c.study_id == study_id).order_by(c.number)
    return [_row(row) for row in s.execute(query)]


def identities(s: Session, study_id: int) -> dict[int, Identity]:
    """Who raters are to the outside, by rater id. For the owner's page alone: no export reads this."""
    c = t.study_identities.c
    query = select(c.rater_id, c.label, c.platform, c.participant, c.study, c.session)
    return {row.rater_id: Identity(*row[1:]) for row in s.execute(query.where(c.study_id == study_id))}


def set_state(s: Session, rater_id: int, state: RaterState, **values: Any) -> None:
    """Move a rater on; ended states get their time."""
    now = datetime.now(UTC)
    if state.ended:
        values["ended_at"] = now
    change(s, rater_id, state=state, last_at=now, **values)


def change(s: Session, rater_id: int, **values: Any) -> None:
    """Set columns of a rater's row."""
    writing(s)
    s.execute(update(t.study_raters).where(t.study_raters.c.id == rater_id).values(**values))


def claim(s: Session, rater: RaterRow, practice: Sequence[int], timeout: timedelta) -> bool:
    """Give a rater the first place that nobody holds, or what others left of one; False where none is left.

    `practice` are the items that are practised on: everybody's, not part of what is left. Raters who have been silent for longer than
    `timeout` give up their places here.
    """
    lock(s, rater.study_id)
    r = t.study_raters.c
    now = datetime.now(UTC)
    gone = update(t.study_raters).where(
        r.study_id == rater.study_id,
        r.state.in_((RaterState.PRACTISING, RaterState.RATING)),
        r.last_at < now - timeout,
    )
    # One statement: a rater who answers at this moment is looked at again when that is done, and stays.
    s.execute(gone.values(state=RaterState.TIMED_OUT, ended_at=now))
    held = set(
        s.execute(
            select(r.slot).where(
                r.study_id == rater.study_id, r.slot.is_not(None), r.state.not_in(_ENDED_EARLY)
            )
        ).scalars()
    )
    for slot, plan in enumerate(studies.slots(s, rater.study_id)):
        if slot in held:
            continue
        left = _left(s, rater.study_id, slot, plan, practice)
        if not left:
            continue
        first = [sitting for sitting in plan if sitting.item in practice]
        bulk.insert(
            s,
            t.study_places,
            ("study_id", "rater_id", "ordinal", "item", "texts", "pairs", "repeat", "practice"),
            [
                (
                    rater.study_id,
                    rater.id,
                    i,
                    sitting.item,
                    json.dumps(sitting.texts),
                    json.dumps(sitting.pairs),
                    sitting.repeat,
                    sitting.item in practice,
                )
                for i, sitting in enumerate([*first, *left])
            ],
        )
        change(s, rater.id, slot=slot)
        return True
    return False


def _left(
    s: Session, study_id: int, slot: int, plan: Sequence[Sitting], practice: Sequence[int]
) -> list[Sitting]:
    """What of a place nobody has done. A repeated item is asked again only of who is asked the first time too."""
    p, r = t.study_places.c, t.study_raters.c
    query = (
        select(p.item)
        .join(t.study_raters, r.id == p.rater_id)
        .where(
            r.study_id == study_id,
            r.slot == slot,
            p.done_at.is_not(None),
            p.repeat.is_(False),
            p.practice.is_(False),
        )
    )
    done = set(s.execute(query).scalars())
    return [sitting for sitting in plan if sitting.item not in practice and sitting.item not in done]


def places(s: Session, rater_id: int) -> list[Place]:
    """What a rater is to do, in order."""
    return [_place(row) for row in s.execute(_PLACES, {"rater": rater_id})]


def places_of_study(s: Session, study_id: int) -> list[Place]:
    """All that raters were given to do."""
    c = t.study_places.c
    query = select(t.study_places).where(c.study_id == study_id).order_by(c.rater_id, c.ordinal)
    return [_place(row) for row in s.execute(query)]


def open_place(s: Session, place_id: int) -> None:
    """Keep when a page was first shown."""
    writing(s)
    c = t.study_places.c
    s.execute(
        update(t.study_places)
        .where(c.id == place_id, c.opened_at.is_(None))
        .values(opened_at=datetime.now(UTC))
    )


def finish_place(s: Session, place_id: int) -> None:
    """Keep that all was answered, and when for the first time."""
    writing(s)
    c = t.study_places.c
    s.execute(
        update(t.study_places).where(c.id == place_id, c.done_at.is_(None)).values(done_at=datetime.now(UTC))
    )


def clear_practice(s: Session, rater_id: int) -> None:
    """Begin the practice anew for the next try: its answers stay, and count for nothing."""
    writing(s)
    c = t.study_places.c
    s.execute(
        update(t.study_places)
        .where(c.rater_id == rater_id, c.practice.is_(True))
        .values(opened_at=None, done_at=None)
    )


def erase(s: Session, rater_id: int) -> int:
    """Delete what a rater said and who it was; the row stays as a tombstone. How many answers there were."""
    writing(s)
    s.execute(select(t.study_raters.c.id).where(t.study_raters.c.id == rater_id).with_for_update())
    p = t.study_places.c
    mine = select(p.id).where(p.rater_id == rater_id)
    deleted = s.execute(delete(t.study_answers).where(t.study_answers.c.place_id.in_(mine))).rowcount
    s.execute(delete(t.study_places).where(p.rater_id == rater_id))
    s.execute(delete(t.study_identities).where(t.study_identities.c.rater_id == rater_id))
    set_state(
        s,
        rater_id,
        RaterState.ERASED,
        secret=f"erased-{secrets.token_hex(8)}",
        consent_version="",
        consented_at=None,
        practice_failed=0,
        expires_at=None,
    )
    return int(deleted)


def _row(row: Row[Any]) -> RaterRow:
    return RaterRow(**dict(row._mapping))


def _place(row: Row[Any]) -> Place:
    id_, _, rater_id, ordinal, item, texts, pairs, repeat, practice, opened_at, done_at = tuple(row)
    return Place(id_, rater_id, ordinal, _sitting(item, texts, pairs, repeat), practice, opened_at, done_at)


@lru_cache(maxsize=50_000)
def _sitting(item: int, texts: str, pairs: str, repeat: bool) -> Sitting:
    return Sitting(item, tuple(json.loads(texts)), tuple((a, b) for a, b in json.loads(pairs)), repeat)
