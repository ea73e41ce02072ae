"""Jobs as people see them: what is asked for, how far it is, how it ended. The engine keeps its own books."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.errors import Conflict, NotFound
from app.store import cursors
from app.store import tables as t
from app.store.rows import JobRow, JobState, Page
from app.store.session import Session, writing
from app.store.types import Moment

COLLECT = "collect"  # kinds of which a model has one at a time: uq_jobs_collecting, uq_jobs_embedding
EMBED = "embed"
_ACTIVE = (JobState.QUEUED, JobState.RUNNING)
_NEWEST_FIRST = (t.jobs.c.created_at.desc(), t.jobs.c.id)
_OLDEST_FIRST = (t.jobs.c.created_at, t.jobs.c.id.desc())
_BACK = "-"  # no id begins with it


@dataclass(frozen=True)
class Active:
    """The head of what has not ended, and how much more of it there is."""

    rows: tuple[JobRow, ...]  # what runs, then what waits; both oldest first
    more_running: int
    more_waiting: int


def add(
    s: Session,
    id: str,
    kind: str,
    title: str,
    parameters_json: str,
    *,
    total: int = 0,
    unit: str = "",
    model: str | None = None,
) -> JobRow:
    """Add a queued job, or give back the one with this id. Conflict: a second active collection, or embedding, of a model."""
    writing(s)
    if (found := _find(s, id)) is not None:
        return found
    if kind == COLLECT and model is not None and (other := running_collection_of(s, model)) is not None:
        raise Conflict(
            f"“{model}” is being collected already by job {other.id}: wait for it, or cancel it with `neuronarium cancel {other.id}`"
        )
    if kind == EMBED and (other_id := _active_of(s, kind, model)) is not None:
        raise Conflict(
            f"explanations of “{model}” are being embedded already by job {other_id}: wait for it, or cancel it with `neuronarium cancel {other_id}`"
        )
    query = insert(t.jobs).values(
        id=id,
        kind=kind,
        title=title,
        parameters_json=parameters_json,
        state=JobState.QUEUED,
        done=0,
        total=total,
        unit=unit,
        note="",
        reason="",
        worker="",
        attempts=0,
        resumptions=0,
        model=model,
        created_at=datetime.now(UTC),
        result_json="",
    )
    try:
        s.execute(query)
    except IntegrityError:  # PostgreSQL: another transaction was quicker, and its row could not be seen
        raise Conflict(
            f"job {id} cannot be added: “{model}” is being {'embedded' if kind == EMBED else 'collected'} already"
        ) from None
    return get(s, id)


def _active_of(s: Session, kind: str, model: str | None) -> str | None:
    """The id of a model's job of this kind that has not ended."""
    c = t.jobs.c
    query = select(c.id).where(c.kind == kind, c.model == model, c.state.in_(_ACTIVE))
    found: str | None = s.execute(query.limit(1)).scalar()
    return found


def get(s: Session, id: str) -> JobRow:
    """One job with its cost so far."""
    found = _find(s, id)
    if found is None:
        raise NotFound(f"there is no job {id}")
    return found


def list_jobs(s: Session, *states: JobState, limit: int = 100) -> list[JobRow]:
    """Jobs in these states, or in any; newest first."""
    return _rows(s, *_of(states), limit=limit)


def count(s: Session, *states: JobState) -> int:
    """How many jobs are in these states, or in any."""
    found: int = s.execute(select(func.count()).select_from(t.jobs).where(*_of(states))).scalar_one()
    return found


def active(s: Session, limit: int) -> Active:
    """The first jobs of those that have not ended, in the order in which they are done."""
    running = _rows(s, *_of((JobState.RUNNING,)), limit=limit, order=_OLDEST_FIRST)
    left = limit - len(running)
    waiting = _rows(s, *_of((JobState.QUEUED,)), limit=left, order=_OLDEST_FIRST) if left else []
    return Active(
        (*running, *waiting),
        count(s, JobState.RUNNING) - len(running),
        count(s, JobState.QUEUED) - len(waiting),
    )


def page(s: Session, *states: JobState, cursor: str | None = None, limit: int = 100) -> Page[JobRow]:
    """One page of `list_jobs`. A cursor is the id of the job that the page comes after, or with `-` before.

    BadInput where that job is not there.
    """
    where, backward = _of(states), cursor is not None and cursor.startswith(_BACK)
    if cursor is not None:
        at = _find(s, cursor.removeprefix(_BACK))
        if at is None:
            raise cursors.out_of_date()
        where.append(_beyond(at, backward))
    found = _rows(s, *where, limit=limit + 1, order=_OLDEST_FIRST if backward else _NEWEST_FIRST)
    rows, has_next, has_previous = cursors.window(found, limit, backward=backward, first=cursor is None)
    return Page(
        tuple(rows),
        next=rows[-1].id if has_next else None,
        previous=_BACK + rows[0].id if has_previous else None,
        total=count(s, *states),
    )


def claim(s: Session, id: str, worker: str) -> JobRow:
    """A worker begins with a job: running, one more attempt. One that has ended stays as it is."""
    row = get(s, id)
    if row.state.ended:
        return row
    _update(
        s,
        id,
        state=JobState.RUNNING,
        worker=worker,
        attempts=t.jobs.c.attempts + 1,
        started_at=_first_start(),
    )
    return get(s, id)


def update_progress(
    s: Session,
    id: str,
    done: int,
    *,
    total: int | None = None,
    unit: str | None = None,
    note: str | None = None,
) -> None:
    """How far a job is. What is None stays; a job that has ended stays as it is.

    `done` never goes back: what a job does again after its worker died is no progress. Getting further than ever is,
    and forgets the workers that died before.
    """
    given = {"total": total, "unit": unit, "note": note}
    further = t.jobs.c.done < done
    _update(
        s,
        id,
        done=case((further, done), else_=t.jobs.c.done),
        resumptions=case((further, 0), else_=t.jobs.c.resumptions),
        **{name: value for name, value in given.items() if value is not None},
    )


def set_state(
    s: Session, id: str, state: JobState, *, reason: str = "", result_json: str | None = None
) -> JobRow:
    """Move a job to a state; the row as it is then. A job that has ended stays as it is, so look at the row."""
    values: dict[str, Any] = {"state": state, "reason": reason}
    if state is JobState.RUNNING:
        values["started_at"] = _first_start()
    if state.ended:
        values["ended_at"] = datetime.now(UTC)
    if result_json is not None:
        values["result_json"] = result_json
    _update(s, id, **values)
    return get(s, id)


def resumed(s: Session, id: str, worker: str = "") -> int:
    """A job whose worker died goes back into the queue; how many have died since it last got further."""
    _update(s, id, state=JobState.QUEUED, worker=worker, resumptions=t.jobs.c.resumptions + 1)
    return get(s, id).resumptions


def left(s: Session, worker: str) -> None:
    """A worker stops as it was asked to: what it was doing goes back into the queue, and counts as no death."""
    writing(s)
    mine = (t.jobs.c.worker == worker, t.jobs.c.state == JobState.RUNNING)
    s.execute(update(t.jobs).where(*mine).values(state=JobState.QUEUED, worker=""))


def running_collection_of(s: Session, slug: str) -> JobRow | None:
    """The queued or running collection of a model."""
    found = _rows(s, t.jobs.c.kind == COLLECT, t.jobs.c.model == slug, t.jobs.c.state.in_(_ACTIVE), limit=1)
    return found[0] if found else None


def _first_start() -> ColumnElement[datetime]:
    """The moment of the first start: the one that is there, else now."""
    return func.coalesce(t.jobs.c.started_at, literal(datetime.now(UTC), Moment()))


def _update(s: Session, id: str, **values: Any) -> None:
    """Change a job that has not ended; whether it is there is for the caller to find out."""
    writing(s)
    s.execute(update(t.jobs).where(t.jobs.c.id == id, t.jobs.c.state.in_(_ACTIVE)).values(**values))


def _find(s: Session, id: str) -> JobRow | None:
    found = _rows(s, t.jobs.c.id == id, limit=1)
    return found[0] if found else None


def _of(states: tuple[JobState, ...]) -> list[ColumnElement[bool]]:
    return [t.jobs.c.state.in_(states)] if states else []


def _beyond(at: JobRow, backward: bool) -> ColumnElement[bool]:
    """What comes after a job in the list of the newest first, or (backward) before it."""
    moment, id = t.jobs.c.created_at, t.jobs.c.id
    if backward:
        return or_(moment > at.created_at, and_(moment == at.created_at, id < at.id))
    return or_(moment < at.created_at, and_(moment == at.created_at, id > at.id))


def _rows(
    s: Session,
    *where: ColumnElement[bool],
    limit: int,
    order: tuple[ColumnElement[Any], ...] = _NEWEST_FIRST,
) -> list[JobRow]:
    cost = (
        select(func.coalesce(func.sum(t.llm_calls.c.cost_usd), 0.0))
        .where(t.llm_calls.c.job_id == t.jobs.c.id)
        .scalar_subquery()
    )
    query = select(t.jobs, cost.label("cost_usd")).where(*where).order_by(*order).limit(limit)
    return [_row(row) for row in s.execute(query)]


def _row(row: Row[Any]) -> JobRow:
    return JobRow(
        id=row.id,
        kind=row.kind,
        title=row.title,
        parameters_json=row.parameters_json,
        state=row.state,
        done=row.done,
        total=row.total,
        unit=row.unit,
        note=row.note,
        reason=row.reason,
        cost_usd=row.cost_usd,
        worker=row.worker,
        attempts=row.attempts,
        resumptions=row.resumptions,
        model=row.model,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        result_json=row.result_json,
    )
