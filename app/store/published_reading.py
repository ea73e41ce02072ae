"""Published data back out of the store, with the very words and decimals that came in."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import select

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import Float64, Int32, UInt8
from app.domain.published import RelationKind
from app.store import codec, excerpts, imported_simulations, models, names, packed_simulations
from app.store import tables as t
from app.store.examples import NO_FILE
from app.store.neurons import number
from app.store.packed_simulations import Unpacked
from app.store.published_explanations import METRICS
from app.store.session import Session


class StoredRecord(NamedTuple):
    """One neuron's published activations. R records of T tokens, also those given as examples, which are of no file."""

    neuron: int
    statistics: tuple[float, float, float, float]  # NaN where undefined
    boundaries: tuple[float, float, float, float]  # NaN where not given
    kinds: UInt8  # [R]
    excerpts: Int32  # [R]
    activations: Float64  # [R, T]


class StoredExplained(NamedTuple):
    """One published explanation."""

    neuron: int
    text: str
    scores: tuple[
        float | None, ...
    ]  # of `published_explanations.METRICS`; NaN where undefined, None where not given
    simulation: Unpacked | None
    scale: str


class StoredRelation(NamedTuple):
    """One published table."""

    neuron: int
    data: bytes  # JSON


def words(s: Session, slug: str) -> tuple[str, ...]:
    """The tokens of an imported model by id."""
    return tuple(piece.decode("utf-8", "surrogatepass") for piece in models.vocabulary(s, slug).pieces)


def tokens(s: Session, slug: str) -> Int32:
    """All excerpts of a model's complete collection, [E, T] token ids."""
    collection = names.current_collection(s, names.model_id(s, slug))
    return excerpts.read(s, slug, collection).tokens if collection is not None else np.zeros((0, 0), np.int32)


def record_chunk(s: Session, slug: str, layer: str, first: int, last: int) -> Iterator[StoredRecord]:
    """The neurons of a layer, from `first` to `last`, whose activations were imported."""
    part = names.part(s, slug, layer)
    zero, n = names.neuron_id(part.id, 0), t.neurons.c
    query = (
        select(n.id, n.mean, n.variance, n.skewness, n.kurtosis, t.exemplars.c.data)
        .join(t.exemplars, t.exemplars.c.id == n.id)
        .where(n.id.between(zero + first, zero + last))
        .order_by(n.id)
    )
    for row in s.execute(query):
        source = codec.decode_source(row.data)
        if source is None or source[1] == NO_FILE:
            continue
        found = codec.decode_records(row.data)
        yield StoredRecord(
            row.id - zero,
            (number(row.mean), number(row.variance), number(row.skewness), number(row.kurtosis)),
            source[0],
            part.kinds[found.slots],
            found.excerpts,
            codec.decode_exact(row.data),
        )


def explained_chunk(s: Session, slug: str, layer: str, first: int, last: int) -> Iterator[StoredExplained]:
    """The published explanations of the neurons from `first` to `last`, in the order of neurons and of import."""
    part = names.part(s, slug, layer)
    e, o = t.explanations.c, t.origins.c
    query = (
        select(e.id, e.neuron, e.text)
        .join(t.origins, o.id == e.origin_id)
        .where(e.layer_id == part.layer_id, e.neuron.between(first, last))
        .where(o.parameters_json.contains('"form": "openai"', autoescape=True))
        .order_by(e.neuron, e.id)
    )
    rows = s.execute(query).all()
    ids = [row.id for row in rows]
    scores, simulated = _scores(s, ids), _simulations(s, ids)
    for row in rows:
        simulation, scale = simulated.get(row.id, (None, ""))
        mine = scores.get(row.id, {})
        yield StoredExplained(
            row.neuron, row.text, tuple(mine.get(metric) for metric in METRICS), simulation, scale
        )


def relation_chunk(
    s: Session, slug: str, layer: str, kind: RelationKind, first: int, last: int
) -> Iterator[StoredRelation]:
    """The tables of one kind of the neurons from `first` to `last`."""
    part = names.part(s, slug, layer)
    zero, c = names.neuron_id(part.id, 0), t.neuron_relations.c
    query = select(c.id, c.data).where(c.id.between(zero + first, zero + last), c.kind == int(kind))
    for row in s.execute(query.order_by(c.id)):
        yield StoredRelation(row.id - zero, row.data)


def _scores(s: Session, ids: Sequence[int]) -> dict[int, dict[Metric, float]]:
    c = t.scores.c
    query = select(c.explanation_id, c.metric, c.value).where(
        c.explanation_id.in_(ids), c.protocol == Protocol.BILLS_5_5, c.sample == Sample.TOP_AND_RANDOM
    )
    found: dict[int, dict[Metric, float]] = {}
    for row in s.execute(query.order_by(c.id)):
        found.setdefault(row.explanation_id, {}).setdefault(row.metric, number(row.value))
    return found


def _simulations(s: Session, ids: Sequence[int]) -> dict[int, tuple[Unpacked, str]]:
    sim, p = t.simulations.c, t.parameters.c
    query = (
        select(sim.explanation_id, sim.data, p.json)
        .join(t.parameters, p.id == sim.parameters_id)
        .where(sim.explanation_id.in_(ids), sim.simulator == "published")
    )
    found = {}
    for row in s.execute(query):
        found[row.explanation_id] = (
            packed_simulations.unpack(row.data),
            imported_simulations.scale_of(row.json),
        )
    return found
