"""A layer's neurons in any order, page by page.

Paging is by value and not by number of rows skipped: whatever is added between two pages, nothing is shown twice or left out
among neurons whose value stays. Neurons without the value come last in either direction; equal values by index.
"""

from math import nan
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, cast, func, not_, null, or_, select

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import NeuronRef
from app.errors import BadInput
from app.store import cursors, names, packing
from app.store import tables as t
from app.store.rows import BestScore, NeuronRow, NeuronSort, Page, TopToken
from app.store.session import Session

MOST = 500  # neurons a page


def page(
    s: Session,
    slug: str,
    layer: str,
    sort: NeuronSort = NeuronSort.INDEX,
    descending: bool = False,
    cursor: str | None = None,
    limit: int = 50,
    protocol: Protocol = Protocol.HELDOUT_FULL,
    metric: Metric = Metric.CORRELATION,
    sample: Sample = Sample.TOP_AND_RANDOM,
) -> Page[NeuronRow]:
    """One page of a layer's neurons. `sort` by score, and the best score shown, are by the one measure named."""
    if not 1 <= limit <= MOST:
        raise BadInput(f"a page holds 1 to {MOST} neurons, not {limit}")
    part = names.part(s, slug, layer)
    order = f"{sort}/{'-' if descending else '+'}"
    if sort is NeuronSort.SCORE:
        order += f"/{protocol}/{metric}/{sample}"
    at = cursors.read(cursor, order) if cursor else None
    backward = at is not None and at.backward
    first = names.neuron_id(part.id, 0)
    listed = _listed(part, first, sort, protocol, metric, sample)
    id_, value = listed.c.id, listed.c.sorted_by
    query = select(listed)
    if at is not None:
        query = query.where(_beyond(value, id_, at.value, first + at.index, sort, descending, backward))
    query = query.order_by(*_order(value, id_, sort, descending, backward)).limit(limit + 1)
    rows, has_next, has_previous = cursors.window(
        s.execute(query).all(), limit, backward=backward, first=at is None
    )
    indices = [row.id - first for row in rows]
    tokens = tokens_of(s, first, indices)
    best = best_of(s, part.id, indices, protocol, metric, sample)
    items = tuple(
        NeuronRow(
            ref=NeuronRef(slug, layer, index),
            density=_number(row.density),
            maximum=_number(row.maximum),
            minimum=_number(row.minimum),
            mean=_number(row.mean),
            variance=_number(row.variance),
            skewness=_number(row.skewness),
            kurtosis=_number(row.kurtosis),
            top_tokens=tokens.get(index, ()),
            best=best.get(index),
        )
        for row, index in zip(rows, indices, strict=True)
    )

    def place(i: int, before: bool) -> str:
        return cursors.Cursor(order, rows[i].sorted_by, indices[i], before).word()

    return Page(
        items,
        next=place(-1, False) if has_next else None,
        previous=place(0, True) if has_previous else None,
        total=part.row["present"],
    )


def _listed(
    part: names.Part, first: int, sort: NeuronSort, protocol: Protocol, metric: Metric, sample: Sample
) -> Subquery:
    """A layer's neurons with the value to sort by as `sorted_by` (NULL where the index alone decides)."""
    n = t.neurons.c
    mine = n.id.between(first, first + part.neurons - 1)
    if sort is not NeuronSort.SCORE:
        value = cast(null(), n.mean.type) if sort is NeuronSort.INDEX else n[sort.value]
        return select(t.neurons, value.label("sorted_by")).where(mine).subquery()
    b = t.best_scores.c
    # Joined by the primary key of best_scores: a join with the grouped scores would be quadratic in SQLite.
    same = and_(
        b.part_id == part.id,
        b.protocol == protocol,
        b.sample == sample,
        b.metric == metric,
        b.neuron == n.id - first,
    )
    best = select(t.neurons, func.max(b.value).label("sorted_by")).select_from(t.neurons)
    return best.outerjoin(t.best_scores, same).where(mine).group_by(n.id).subquery()


def _order(
    value: ColumnElement[float | None],
    id_: ColumnElement[int],
    sort: NeuronSort,
    descending: bool,
    backward: bool,
) -> list[ColumnElement[Any]]:
    """The order to read in: that of the list, or its exact reverse."""
    if sort is NeuronSort.INDEX:
        return [id_.desc() if descending != backward else id_.asc()]
    missing = value.is_(None)
    if backward:
        return [missing.desc(), value.asc() if descending else value.desc(), id_.desc()]
    return [missing.asc(), value.desc() if descending else value.asc(), id_.asc()]


def _beyond(
    value: ColumnElement[float | None],
    id_: ColumnElement[int],
    at_value: float | None,
    at_id: int,
    sort: NeuronSort,
    descending: bool,
    backward: bool,
) -> ColumnElement[bool]:
    """What comes after a place in the list, or (backward) before it."""
    if sort is NeuronSort.INDEX:
        return id_ < at_id if descending != backward else id_ > at_id
    later = id_ < at_id if backward else id_ > at_id
    missing = value.is_(None)
    if at_value is None:
        return or_(not_(missing), and_(missing, later)) if backward else and_(missing, later)
    further = value > at_value if descending == backward else value < at_value
    here = or_(further, and_(value == at_value, later))
    return here if backward else or_(missing, here)


def tokens_of(s: Session, first: int, indices: list[int]) -> dict[int, tuple[TopToken, ...]]:
    """The top tokens of neurons of one layer, whose first neuron has the id `first`, by index."""
    query = select(t.neuron_tokens).where(t.neuron_tokens.c.id.in_([first + i for i in indices]))
    found = {}
    for row in s.execute(query):
        ids, means, counts = packing.unpack_tokens(row.data)
        found[row.id - first] = tuple(map(TopToken, ids.tolist(), means.tolist(), counts.tolist()))
    return found


def best_of(
    s: Session, part: int, indices: list[int], protocol: Protocol, metric: Metric, sample: Sample
) -> dict[int, BestScore]:
    """The best score of each neuron by one measure, over all methods; a state only where no method has a value."""
    b, e, o, sc = t.best_scores.c, t.explanations.c, t.origins.c, t.scores.c
    query = (
        select(b.neuron, b.state, b.value, b.explanation_id, sc.low, sc.high, e.text, e.polarity, o.method)
        .join(t.scores, sc.id == b.score_id)
        .join(t.explanations, e.id == b.explanation_id)
        .join(t.origins, o.id == e.origin_id)
        .where(b.part_id == part, b.protocol == protocol, b.sample == sample, b.metric == metric)
        .where(b.neuron.in_(indices))
        .order_by(b.value.is_(None), b.value.desc(), b.score_id)
    )
    found: dict[int, BestScore] = {}
    for row in s.execute(query):
        if row.neuron not in found:
            found[row.neuron] = BestScore(
                protocol,
                sample,
                metric,
                row.state,
                row.value,
                row.low,
                row.high,
                row.explanation_id,
                row.text,
                row.method,
                row.polarity,
            )
    return found


def _number(value: float | None) -> float:
    return nan if value is None else value
