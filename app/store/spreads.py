"""How scores and statistics are spread over a model's layers, kept in memory by the store until something is added.

Over 300,000 neurons they take most of a second to compute. What is kept is checked at every use, by whichever process wrote: statistics
change with the collection alone, scores layer by layer with every new one.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.seeds import SeedSpread, seed_spread
from app.store import names, neurons, scores
from app.store import tables as t
from app.store.rows import CollectionState, LayerDistribution, LayerScores, NeuronSort
from app.store.session import Session, Store

MOST = 64  # entries kept, each of some 50 layers
# PostgreSQL shows a transaction's rows when it ends: one with an older number may come to light after a newer one.
LATE = timedelta(seconds=60)
MANY = 5_000  # new scores at once, beyond which all layers are looked at anew

Key = tuple[object, ...]
Stamp = tuple[int, datetime]  # of a score: its id, and when it was made


@dataclass(frozen=True)
class Held:
    """What was computed, and what it was computed of."""

    collection: Key  # its row
    value: Any
    newest: Stamp | None = None
    until: float = float("inf")  # by the monotonic clock


def statistic(store: Store, slug: str, by: NeuronSort) -> list[LayerDistribution]:
    """As `neurons.distribution` gives it."""
    key = (slug, by)
    with store.session() as s:
        collection = _collection(s, slug)
        known = _known(store, key)
        if known is None or known.collection != collection:
            known = _keep(store, key, Held(collection, neurons.distribution(s, slug, by)))
    found: list[LayerDistribution] = known.value
    return found


def by_layer(
    store: Store,
    slug: str,
    protocol: Protocol,
    sample: Sample,
    metric: Metric = Metric.CORRELATION,
    method: str | None = None,
) -> list[LayerScores]:
    """As `scores.by_layer` gives it; of another process's scores at most a minute late."""
    key = (slug, protocol, sample, metric, method)
    with store.session() as s:
        parts = names.parts_of(s, slug)
        collection, newest = _collection(s, slug), _newest(s)
        known = _known(store, key)
        changed = None if known is None else _changed(s, known, collection, newest)
        held: dict[int, LayerScores] = known.value if known is not None and changed is not None else {}
        if changed is None or changed:
            held = {
                part.id: held[part.id]
                if part.id in held and part.id not in (changed or ())
                else scores.of_part(s, part, protocol, sample, metric, method)
                for part in parts
            }
            until = _until(newest)
            if changed is not None and known is not None:
                until = min(until, known.until)
            _keep(store, key, Held(collection, held, newest, until))
        elif known is not None and known.newest != newest:
            _keep(store, key, Held(collection, held, newest, known.until))
    return [held[part.id] for part in parts]


VARYING = ("sent_seed", "failed_answers")  # parameters of an explanation that its seed decides


def by_seed(store: Store, slug: str, protocol: Protocol, sample: Sample, metric: Metric) -> SeedSpread | None:
    """How far scores of explanations that were asked for differ where nothing but the seed does: the same neuron and side,
    method, explainer, prompt and evidence, and simulator. None where nothing has two seeds.
    """
    key = ("seeds", slug, protocol, sample, metric)
    with store.session() as s:
        collection, newest = _collection(s, slug), _newest(s)
        known = _known(store, key)
        late = known is not None and time.monotonic() > known.until
        if known is None or late or (known.collection, known.newest) != (collection, newest):
            value = _by_seed(s, slug, protocol, sample, metric)
            known = _keep(store, key, Held(collection, value, newest, _until(newest)))
    found: SeedSpread | None = known.value
    return found


def _by_seed(s: Session, slug: str, protocol: Protocol, sample: Sample, metric: Metric) -> SeedSpread | None:
    e, o, sc, sim = t.explanations.c, t.origins.c, t.scores.c, t.simulations.c
    p, part_ids = t.parts.c, [part.id for part in names.parts_of(s, slug)]
    query = (
        select(
            e.layer_id, e.neuron, e.polarity, o.method, o.explainer, o.prompt_version, o.parameters_json,
            sim.simulator, sim.simulator_model, e.seed, sim.seed.label("simulation_seed"), sc.value,
        )
        .select_from(t.explanations)
        .join(t.origins, o.id == e.origin_id)
        .join(t.scores, sc.explanation_id == e.id)
        .join(t.parts, (p.layer_id == e.layer_id) & (p.collection_id == sc.collection_id))
        .outerjoin(t.simulations, sim.id == sc.simulation_id)
        .where(
            e.key.is_not(None), e.state == State.OK, p.id.in_(part_ids),
            sc.protocol == protocol, sc.sample == sample, sc.metric == metric, sc.value.is_not(None),
        )
        .order_by(sc.id)
    )  # fmt: skip
    groups: dict[Key, dict[Key, float]] = {}
    for row in s.execute(query):
        said = json.loads(row.parameters_json)
        same = json.dumps({name: said[name] for name in said if name not in VARYING}, sort_keys=True)
        key = (*row[:6], same, row.simulator, row.simulator_model)
        groups.setdefault(key, {})[row.seed, row.simulation_seed] = row.value  # the newest of each
    return seed_spread(list(each.values()) for each in groups.values())


def _collection(s: Session, slug: str) -> Key:
    """All that the row of the model's complete collection says."""
    c = t.collections.c
    model = names.model_id(s, slug)
    query = select(t.collections).where(c.model_id == model, c.state == CollectionState.COMPLETE)
    return tuple(s.execute(query).first() or ())


def _newest(s: Session) -> Stamp | None:
    sc = t.scores.c
    row = s.execute(select(sc.id, sc.created_at).order_by(sc.id.desc()).limit(1)).first()
    return (row.id, row.created_at) if row is not None else None


def _changed(s: Session, known: Held, collection: Key, newest: Stamp | None) -> set[int] | None:
    """The parts that have scores since; None where everything has to be looked at."""
    if known.collection != collection or time.monotonic() > known.until:
        return None
    if known.newest == newest:
        return set()
    if known.newest is None or newest is None or newest[0] - known.newest[0] > MANY:
        return None
    sc, e, p = t.scores.c, t.explanations.c, t.parts.c
    # A score is never taken back, unless with a collection that never ended: its number is then given again.
    there = s.execute(select(sc.created_at).where(sc.id == known.newest[0])).scalar()
    if there != known.newest[1]:
        return None
    query = (
        select(p.id)
        .select_from(t.scores)
        .join(t.explanations, e.id == sc.explanation_id)
        .join(t.parts, p.layer_id == e.layer_id)
        .where(sc.id > known.newest[0])
        .distinct()
    )
    return set(s.execute(query).scalars())


def _until(newest: Stamp | None) -> float:
    """How long what was computed may be kept: while a score is new, an older one may still come to light."""
    recent = newest is not None and newest[1] > datetime.now(UTC) - LATE
    return time.monotonic() + LATE.total_seconds() if recent else float("inf")


def _known(store: Store, key: Key) -> Held | None:
    with store.lock:
        return store.spreads.get(key)


def _keep(store: Store, key: Key, held: Held) -> Held:
    with store.lock:
        store.spreads.pop(key, None)
        while len(store.spreads) >= MOST:
            store.spreads.pop(next(iter(store.spreads)))
        store.spreads[key] = held
    return held
