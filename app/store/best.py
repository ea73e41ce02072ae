"""The best score of every neuron by measure and method: derived from scores, for lists and charts."""

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.explanations import ScoreValue, State
from app.store import sql
from app.store import tables as t
from app.store.session import Session, writing


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
    make = sqlite.insert if s.dialect.name == "sqlite" else postgresql.insert
    b = t.best_scores.c
    for score_id, score in values:
        new = make(t.best_scores).values(
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
        offered = new.excluded
        better = or_(
            and_(offered.value.is_not(None), or_(b.value.is_(None), offered.value > b.value)),
            and_(offered.value.is_(None), b.value.is_(None)),
        )
        s.execute(
            new.on_conflict_do_update(
                index_elements=list(t.best_scores.primary_key.columns),
                set_={name: offered[name] for name in ("state", "value", "explanation_id", "score_id")},
                where=better,
            )
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
