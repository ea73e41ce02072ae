"""The best score of every neuron by measure and method: derived from scores, for lists and charts."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, MetaData, Table, and_, delete, insert, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.explanations import ScoreValue, State
from app.store import bulk, sql
from app.store import tables as t
from app.store.session import Session, writing
from app.store.types import plain


def consider(
    s: Session, explanation_id: int, collection_id: int, values: list[tuple[int, ScoreValue]]
) -> None:
    """Let new scores, as (score id, value), take the place of worse ones. A value beats a state; a newer state an older."""
    query = (
        select(t.parts.c.id, t.explanations.c.neuron, t.origins.c.method)
        .select_from(t.explanations)
        .join(t.origins, t.origins.c.id == t.explanations.c.origin_id)
        .join(t.parts, t.parts.c.layer_id == t.explanations.c.layer_id)
        .where(t.explanations.c.id == explanation_id, t.parts.c.collection_id == collection_id)
    )
    row = s.execute(query).first()
    if row is None:
        return  # the layer is not part of this collection, so no list shows it
    method = sql.interned(s, t.methods, "name", row.method)
    for score_id, score in values:
        new = _insert(s).values(
            part_id=row.id,
            protocol=score.protocol,
            sample=score.sample,
            metric=score.metric,
            neuron=row.neuron,
            method_id=method,
            state=score.state,
            value=score.value,
            explanation_id=explanation_id,
            score_id=score_id,
        )
        s.execute(_or_better(new))


def consider_many(s: Session, rows: Iterable[tuple[Any, ...]]) -> None:
    """`consider` for many scores at once: rows of driver values in the order of the table's columns, oldest first."""
    writing(s)
    chosen: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:
        key, value = row[:_KEY], row[_VALUE]
        there = chosen.get(key)
        if there is None or (there[_VALUE] is None if value is None else _exceeds(value, there[_VALUE])):
            chosen[key] = row
    if not chosen:
        return
    columns = [column.name for column in t.best_scores.columns]
    offered = Table(
        "offered_best_scores",
        MetaData(),
        *(Column(column.name, plain(column.type)) for column in t.best_scores.columns),
        prefixes=["TEMPORARY"],
    )
    offered.create(s)
    bulk.insert(s, offered, columns, chosen.values())
    # A condition, or SQLite takes ON CONFLICT for a join's.
    s.execute(_or_better(_insert(s).from_select(columns, select(offered).where(true()))))
    offered.drop(s)


_KEY = len(t.best_scores.primary_key.columns)
_VALUE = [column.name for column in t.best_scores.columns].index("value")


def _exceeds(value: float, other: float | None) -> bool:
    return other is None or value > other


def _insert(s: Session) -> Any:
    make = sqlite.insert if s.dialect.name == "sqlite" else postgresql.insert
    return make(t.best_scores)


def _or_better(new: Any) -> Any:
    """The insertion that takes the place of a row with a worse value. A value beats a state; a newer state an older."""
    b, offered = t.best_scores.c, new.excluded
    better = or_(
        and_(offered.value.is_not(None), or_(b.value.is_(None), offered.value > b.value)),
        and_(offered.value.is_(None), b.value.is_(None)),
    )
    return new.on_conflict_do_update(
        index_elements=list(t.best_scores.primary_key.columns),
        set_={name: offered[name] for name in ("state", "value", "explanation_id", "score_id")},
        where=better,
    )


def rebuild(s: Session) -> int:
    """Make the table anew from all scores; how many rows it has now."""
    writing(s)
    s.execute(delete(t.best_scores))
    for name in s.execute(select(t.origins.c.method).distinct()).scalars().all():
        sql.interned(s, t.methods, "name", name)
    sc, e = t.scores.c, t.explanations.c
    columns = [column.name for column in t.best_scores.columns]
    query = (
        select(
            t.parts.c.id,
            sc.protocol,
            sc.sample,
            sc.metric,
            e.neuron,
            t.methods.c.id,
            sc.state,
            sc.value,
            sc.explanation_id,
            sc.id,
        )
        .select_from(t.scores)
        .join(t.explanations, e.id == sc.explanation_id)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .join(t.methods, t.methods.c.name == t.origins.c.method)
        .join(t.parts, and_(t.parts.c.collection_id == sc.collection_id, t.parts.c.layer_id == e.layer_id))
    )
    best: dict[tuple[object, ...], tuple[object, ...]] = {}
    for row in s.execute(query.order_by(sc.value.is_not(None), sc.value, sc.id.desc())):
        # From worst to best, the first of equals last; of states (they come first), the newest last.
        key = tuple(row[:6])
        if row.state is State.OK or key not in best:
            best[key] = tuple(row)
    for values in best.values():
        s.execute(insert(t.best_scores).values(dict(zip(columns, values, strict=True))))
    return len(best)
