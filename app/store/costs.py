"""The ledger added up: by day, by job, by endpoint, by purpose."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, select, type_coerce

from app.domain.costs import CostLine, CostsBy
from app.domain.ledger import Outcome
from app.store import tables as t
from app.store.session import Session

_DAY = 86_400_000_000  # microseconds
_EPOCH = date(1970, 1, 1)


def lines(s: Session, by: CostsBy, limit: int = 200) -> list[CostLine]:
    """The sums, newest first; by endpoint and by purpose the dearest first."""
    c = t.llm_calls.c
    spent = _keyed(by, c.created_at, c.job_id).add_columns(
        func.count().label("calls"),
        func.sum(case((c.outcome == Outcome.OK, 0), else_=1)).label("failed"),
        func.sum(c.tokens_in).label("tokens_in"),
        func.sum(c.tokens_cached).label("tokens_cached"),
        func.sum(c.tokens_out).label("tokens_out"),
        func.sum(c.seconds).label("seconds"),
        func.sum(c.cost_usd).label("cost_usd"),
        func.max(c.id).label("newest"),
    )
    given = _keyed(by, t.llm_served.c.created_at, t.llm_served.c.job_id, served=True).add_columns(
        func.count().label("served"), func.sum(c.cost_usd).label("saved")
    )
    saved = {row.key: (int(row.served), float(row.saved)) for row in s.execute(given)}
    dearest = by in (CostsBy.ENDPOINT, CostsBy.PURPOSE)
    order = func.sum(c.cost_usd).desc() if dearest else func.max(c.id).desc()
    rows = s.execute(spent.order_by(order, func.max(c.id).desc()).limit(limit)).all()
    found = [
        CostLine(
            _name(by, row.key),
            row.title or _name(by, row.key),
            int(row.calls),
            int(row.failed),
            int(row.tokens_in),
            int(row.tokens_cached),
            int(row.tokens_out),
            float(row.seconds),
            float(row.cost_usd),
            *saved.pop(row.key, (0, 0.0)),
        )
        for row in rows
    ]
    return found + _only_served(s, by, saved) if len(rows) < limit else found


def _only_served(s: Session, by: CostsBy, saved: dict[Any, tuple[int, float]]) -> list[CostLine]:
    """What asked nobody, because everything that it needed had been answered before."""
    titles = {}
    if by is CostsBy.JOB and saved:
        j = t.jobs.c
        titles = {row.id: row.title for row in s.execute(select(j.id, j.title).where(j.id.in_(list(saved))))}
    return [
        CostLine(_name(by, key), titles.get(key, _name(by, key)), 0, 0, 0, 0, 0, 0.0, 0.0, *gift)
        for key, gift in saved.items()
    ]


def _keyed(
    by: CostsBy, moment: ColumnElement[Any], job_id: ColumnElement[Any], *, served: bool = False
) -> Select[Any]:
    """A selection of calls, or of answers that were given again, grouped by what they are added up by."""
    c = t.llm_calls.c
    title: ColumnElement[Any] = func.max(None)
    source = t.llm_served.join(t.llm_calls, c.id == t.llm_served.c.call_id) if served else t.llm_calls
    if by is CostsBy.DAY:
        key = type_coerce(moment, BigInteger) // _DAY
    elif by is CostsBy.ENDPOINT:
        key = c.endpoint + " / " + c.model
    elif by is CostsBy.PURPOSE:
        key = c.purpose
    elif (
        by is CostsBy.EXPERIMENT
    ):  # all its jobs together; other calls belong to none, and stand under no name
        key = t.experiments.c.id
        title = func.max(t.experiments.c.name)
        source = source.outerjoin(t.experiment_jobs, t.experiment_jobs.c.job_id == job_id).outerjoin(
            t.experiments, t.experiments.c.id == t.experiment_jobs.c.experiment_id
        )
    else:
        key, title = job_id, func.max(t.jobs.c.title)
        source = source.outerjoin(t.jobs, t.jobs.c.id == job_id)
    return select(key.label("key"), title.label("title")).select_from(source).group_by(key)


def _name(by: CostsBy, key: Any) -> str:
    if key is None:
        return ""
    return (_EPOCH + timedelta(days=int(key))).isoformat() if by is CostsBy.DAY else str(key)
