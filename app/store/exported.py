"""A model's explanations and neurons, all of them, batch by batch: what exports are written from."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select

from app.domain.explanations import State
from app.domain.neurons import Polarity
from app.store import names, packing, scores
from app.store import tables as t
from app.store.explanation_rows import ScoreRow
from app.store.rows import StoredTokens
from app.store.session import Session, Store

STEP = 256  # neurons of one query


class Exported(NamedTuple):
    """One explanation with all its scores."""

    layer: str
    ordinal: int
    neuron: int
    polarity: Polarity
    text: str
    method: str
    explainer: str
    author: str
    prompt_version: str
    code_version: str
    created_at: datetime
    scores: tuple[ScoreRow, ...]


class ExportedNeuron(NamedTuple):
    """One neuron's statistics and top tokens; None where they are not known."""

    layer: str
    neuron: int
    mean: float | None
    variance: float | None
    skewness: float | None
    kurtosis: float | None
    maximum: float | None
    minimum: float | None
    density: float | None
    tokens: StoredTokens | None


Neurons = Mapping[str, Collection[int]]  # layer slug -> indices


def explanations(
    store: Store,
    slug: str,
    layers: Collection[str] = (),
    methods: Collection[str] = (),
    neurons: Neurons | None = None,
) -> Iterator[list[Exported]]:
    """The model's explanations that came about, by layer and neuron; within a neuron the oldest first.

    Only of these layers, methods and neurons, where any are named. Every batch is a session of its own, so that nothing is
    locked for long; what is added after the first one is left out. Failed explanations have no text and are left out.
    """
    with store.session() as s:
        model = names.model_id(s, slug)
        query = select(t.layers.c.id, t.layers.c.slug, t.layers.c.ordinal).where(t.layers.c.model_id == model)
        chosen = s.execute(query.order_by(t.layers.c.ordinal, t.layers.c.slug)).all()
        last = s.execute(select(func.max(t.explanations.c.id))).scalar() or 0
    e = t.explanations.c
    for id_, layer, ordinal in chosen:
        if (layers and layer not in layers) or (neurons is not None and layer not in neurons):
            continue
        query_ = _select(methods).where(e.layer_id == id_, e.id <= last)
        runs = _every_run(store, id_, last) if neurons is None else _runs(neurons[layer])
        for run in runs:
            with store.session() as s:
                rows = s.execute(query_.where(run.holds(e.neuron))).all()
                batch = _batch(s, rows, layer, ordinal)
            if batch:
                yield batch


class _Run(NamedTuple):
    """Neurons of one query: from `first` to `last`, or of these only `some`."""

    first: int
    last: int
    some: tuple[int, ...] = ()

    def holds(self, column: ColumnElement[int], zero: int = 0) -> ColumnElement[bool]:
        if self.some:
            return column.in_([zero + index for index in self.some])
        return column.between(zero + self.first, zero + self.last)


def _runs(neurons: Collection[int]) -> Iterator[_Run]:
    """These neurons in rising order, some at a time; neighbours as a range."""
    ordered = sorted(set(neurons))
    for at in range(0, len(ordered), STEP):
        some = ordered[at : at + STEP]
        whole = some[-1] - some[0] + 1 == len(some)
        yield _Run(some[0], some[-1], () if whole else tuple(some))


def _every_run(store: Store, layer_id: int, last: int) -> Iterator[_Run]:
    """All neurons of a layer that have explanations."""
    e = t.explanations.c
    at = 0
    while True:
        with store.session() as s:
            here = (e.layer_id == layer_id) & (e.neuron >= at) & (e.id <= last)
            found = s.execute(select(func.min(e.neuron)).where(here)).scalar()
        if found is None:
            return
        at = found + STEP
        yield _Run(found, at - 1)


def _select(methods: Collection[str]) -> Select[Any]:
    e, o = t.explanations.c, t.origins.c
    query = (
        select(
            e.id,
            e.neuron,
            e.polarity,
            e.text,
            e.created_at,
            o.method,
            o.explainer,
            o.author,
            o.prompt_version,
            o.code_version,
        )
        .join(t.origins, o.id == e.origin_id)
        .where(e.state == State.OK)
        .order_by(e.neuron, e.created_at, o.method, o.explainer, o.author, e.polarity, e.text, e.id)
    )
    return query.where(o.method.in_(sorted(methods))) if methods else query


def _batch(s: Session, rows: Sequence[Any], layer: str, ordinal: int) -> list[Exported]:
    of = scores.of_explanations(s, [row.id for row in rows])
    return [
        Exported(
            layer,
            ordinal,
            row.neuron,
            row.polarity,
            row.text,
            row.method,
            row.explainer,
            row.author,
            row.prompt_version,
            row.code_version,
            row.created_at,
            tuple(of.get(row.id, ())),
        )
        for row in rows
    ]


def neurons(
    store: Store, slug: str, layers: Collection[str] = (), only: Neurons | None = None
) -> Iterator[list[ExportedNeuron]]:
    """The neurons of the collection that pages show, by layer and index; of these layers and neurons where any are named."""
    with store.session() as s:
        parts = names.parts_of(s, slug)
    n = t.neurons.c
    for part in parts:
        if (layers and part.slug not in layers) or (only is not None and part.slug not in only):
            continue
        zero = names.neuron_id(part.id, 0)
        query = select(t.neurons, t.neuron_tokens.c.data).outerjoin(
            t.neuron_tokens, t.neuron_tokens.c.id == n.id
        )
        for run in _runs(range(part.neurons) if only is None else only[part.slug]):
            with store.session() as s:
                rows = s.execute(query.where(run.holds(n.id, zero)).order_by(n.id)).all()
            if rows:
                yield [_neuron(part.slug, row, zero) for row in rows]


def _neuron(layer: str, row: Any, zero: int) -> ExportedNeuron:
    tokens = StoredTokens(*packing.unpack_tokens(row.data)) if row.data is not None else None
    return ExportedNeuron(
        layer,
        row.id - zero,
        row.mean,
        row.variance,
        row.skewness,
        row.kurtosis,
        row.maximum,
        row.minimum,
        row.density,
        tokens,
    )
