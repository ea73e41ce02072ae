"""A model's neurons and explanations as columns in memory: what searches filter and sort by.

Loaded when something is searched for the first time (about a second for 307,200 neurons), then only what was added since. Each
search looks whether there is anything new, so that processes that share a store see what the others write. A value
of this module never changes: what is new makes a new one.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import Method, Metric, Protocol, Sample, State
from app.domain.neurons import Bool, Float32, Float64, Int32
from app.errors import NotFound
from app.store import arrays, measure_columns, memory, names, scores, types
from app.store.session import Session, Store
from app.store.tables import INDEX_BITS

STATISTICS = ("mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density")
Measure = tuple[Protocol, Sample, Metric]

_VERSION = (
    "SELECT c.id, (SELECT max(id) FROM explanations), (SELECT max(id) FROM scores), c.revision FROM models m "
    "JOIN collections c ON c.model_id = m.id AND c.state = 1 WHERE m.slug = "
)
# On PostgreSQL a row may become visible after one with a higher id: a short transaction's rows are looked for once more.
LATE = 20_000
_FEW = 4_000


class LayerAt(NamedTuple):
    """A layer and where its neurons stand."""

    slug: str
    ordinal: int
    part: int
    layer_id: int
    first: int  # its first neuron in the columns
    end: int


class Version(NamedTuple):
    """What the columns were read from: newer ids mean that there is more."""

    collection: int
    explanation: int
    score: int
    revision: int  # of the collection: an import lets it grow


@dataclass(frozen=True, eq=False)
class Explained:
    """The explanations that came about, by neuron and then by id. E of them."""

    ids: NDArray[np.int64]  # [E]
    neurons: Int32  # [E] place in the columns
    methods: NDArray[np.uint16]  # [E] place in `method_names`
    explainers: NDArray[np.uint16]  # [E] place in `explainer_names`
    polarities: NDArray[np.uint8]  # [E] as in the store: 0 positive, 1 negative
    method_names: tuple[str, ...]
    explainer_names: tuple[str, ...]

    @cached_property
    def _row_of(self) -> Int32:
        """[last id - first id + 1] the row of each id; -1 for an id that is not there."""
        first, last = (int(self.ids.min()), int(self.ids.max())) if len(self.ids) else (0, -1)
        found = np.full(last - first + 1, -1, np.int32)
        found[self.ids - first] = np.arange(len(self.ids), dtype=np.int32)
        return found

    @cached_property
    def _first_id(self) -> int:
        return int(self.ids.min()) if len(self.ids) else 0

    def places(self, ids: NDArray[np.int64]) -> Int32:
        """Where these explanations stand; -1 for one that is not there."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int32)
        at = ids - self._first_id
        inside = (at >= 0) & (at < len(self._row_of))
        if inside.all():
            return self._row_of[at]
        return np.where(inside, self._row_of[np.where(inside, at, 0)], np.int32(-1))

    def rows(self, ids: NDArray[np.int64]) -> Int32:
        """The same without those that are not there."""
        found = self.places(ids)
        return found[found >= 0]

    def ascending(self, ids: NDArray[np.int64]) -> Int32:
        """The same in the order of neurons. Of many, marking them is quicker than sorting."""
        found = self.rows(ids)
        if len(found) < _FEW:
            return np.sort(found)
        there = np.zeros(len(self.ids), np.bool_)
        there[found] = True
        return np.flatnonzero(there).astype(np.int32)

    def method(self, name: str) -> Bool:
        """[E] which are of this method."""
        if name not in self.method_names:
            return np.zeros(len(self.ids), np.bool_)
        same: Bool = self.methods == self.method_names.index(name)
        return same

    @cached_property
    def lookup(self) -> Bool:
        """[E] which are token lookup."""
        return self.method(Method.TOKEN_LOOKUP)


@dataclass(frozen=True, eq=False)
class Columns:
    """One model. N neurons in the order of layers and indices."""

    model: str
    version: Version
    layers: tuple[LayerAt, ...]
    places: NDArray[
        np.int64
    ]  # [N] (the layer's place << 24) + index: ascending, and stays when others are added
    statistics: dict[str, Float32]  # [N] each
    explained: Explained
    measures: "dict[Measure, MeasureColumn]" = field(default_factory=dict)  # those asked for so far
    derived: dict[str, Any] = field(
        default_factory=dict
    )  # what other modules make of the neurons and keep with them
    known: dict[str, Any] = field(
        default_factory=dict
    )  # the same for what a new score or explanation may change
    asked: "OrderedDict[Any, Int32]" = field(
        default_factory=OrderedDict
    )  # explanations that the latest searches found

    def __len__(self) -> int:
        return len(self.places)

    def neurons_at(self, keys: NDArray[np.int64]) -> Int32:
        """Where the neurons with these places stand; -1 for one that is not there."""
        if not len(self.places):
            return np.full(len(keys), -1, np.int32)
        at = np.minimum(np.searchsorted(self.places, keys), len(self.places) - 1)
        return np.where(self.places[at] == keys, at, -1).astype(np.int32)


class MeasureColumn(NamedTuple):
    """One measure's scores."""

    values: Float64  # [E] the explanation's best score; NaN without one
    best: Float64  # [N] the best of all explanations
    best_row: Int32  # [N] the explanation that has it; -1 without one
    lookup: Float64  # [N] that of token lookup


_HELD: "WeakKeyDictionary[Store, dict[str, Columns]]" = WeakKeyDictionary()
_LOCK = Lock()


def columns(store: Store, s: Session, slug: str) -> Columns:
    """The model's columns as the store is now. Raises NotFound for an unknown model and for one without neurons."""
    version = _version(s, slug)
    held = _HELD.get(store, {}).get(slug)
    if held is not None and held.version == version:
        return held
    with _LOCK:
        held = _HELD.setdefault(store, {}).get(slug)
        if held is not None and held.version == version:
            return held
        if held is not None and _only_grown(held.version, version):
            fresh = _grown(s, held, version)
        else:
            fresh = _loaded(s, slug, version)
            memory.give_back()
        _HELD[store][slug] = fresh
    return fresh


def measure(s: Session, c: Columns, wanted: Measure) -> MeasureColumn:
    """The scores by one measure, read when they are asked for the first time."""
    found = c.measures.get(wanted)
    if found is None:
        values = measure_columns.read(s, c, wanted)
        found = c.measures[wanted] = _measured(c, values)
        memory.give_back()
    return found


def stored_measures(s: Session, c: Columns) -> list[Measure]:
    """The measures by which any neuron of the model has a score or a reason for having none."""
    found = c.known.get("measures")
    if found is None:
        found = c.known["measures"] = scores.measures(s, c.model)
    return list(found)


def _version(s: Session, slug: str) -> Version:
    mark = "?" if s.dialect.name == "sqlite" else "%s"
    row = s.exec_driver_sql(_VERSION + mark, (slug,)).first()
    if row is None:
        names.parts_of(s, slug)  # raises the NotFound that fits
        raise NotFound(f"model “{slug}” has no neurons yet: its collection has not ended")
    return Version(row[0], row[1] or 0, row[2] or 0, row[3])


def _only_grown(old: Version, new: Version) -> bool:
    """Whether nothing is new but explanations and scores, and none of the newest is gone: with a collection that never ended."""
    same = (old.collection, old.revision) == (new.collection, new.revision)
    return same and old.explanation <= new.explanation and old.score <= new.score


def _loaded(s: Session, slug: str, version: Version) -> Columns:
    parts = names.parts_of(s, slug)
    ids = {row.part: row.layer for row in s.exec_driver_sql(
        f"SELECT id AS part, layer_id AS layer FROM parts WHERE collection_id = {int(version.collection)}"  # noqa: S608
    )}  # fmt: skip
    wanted: list[arrays.Column] = [("id", "id", "i8"), *((name, name, "f8") for name in STATISTICS)]
    layers, places = [], []
    held: dict[str, list[Float32]] = {name: [] for name in STATISTICS}
    first = 0
    for rank, part in enumerate(parts):
        start = names.neuron_id(part.id, 0)
        end = names.neuron_id(part.id + 1, 0)
        rows = arrays.read(s, wanted, f"FROM neurons WHERE id >= {start} AND id < {end} ORDER BY id")
        layers.append(LayerAt(part.slug, part.ordinal, part.id, ids[part.id], first, first + len(rows)))
        places.append(rows["id"] - start + (rank << INDEX_BITS))
        for name in STATISTICS:
            held[name].append(rows[name].astype(np.float32))
        first += len(rows)
    none = np.zeros(0, np.float32)
    empty = Explained(
        np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint16), np.zeros(0, np.uint16),
        np.zeros(0, np.uint8), (), (),
    )  # fmt: skip
    bare = Columns(
        slug,
        version,
        tuple(layers),
        np.concatenate(places) if places else np.zeros(0, np.int64),
        {name: np.concatenate(values) if values else none for name, values in held.items()},
        empty,
    )
    explained = _explained(s, bare, above=0)
    return Columns(slug, version, bare.layers, bare.places, bare.statistics, explained)


def _grown(s: Session, old: Columns, version: Version) -> Columns:
    """The same neurons with what was said and scored since."""
    late = LATE if s.dialect.name == "postgresql" else 0
    explained = old.explained
    if version.explanation != old.version.explanation:
        explained = _explained(s, old, above=old.version.explanation - late)
    fresh = Columns(old.model, version, old.layers, old.places, old.statistics, explained)
    fresh.derived.update(old.derived)
    moved = explained.rows(old.explained.ids)
    for wanted, column in list(old.measures.items()):
        values = np.full(len(explained.ids), np.nan)
        values[moved] = column.values
        if version.score != old.version.score:
            measure_columns.add(s, fresh, wanted, values, above=old.version.score - late)
        fresh.measures[wanted] = _measured(fresh, values)
    return fresh


def _explained(s: Session, c: Columns, above: int) -> Explained:
    """What `c` has, and what has a higher id than `above`."""
    old = c.explained
    origins = s.exec_driver_sql("SELECT id, method, explainer FROM origins").all()
    methods = tuple(dict.fromkeys([*old.method_names, *(row[1] for row in origins)]))
    explainers = tuple(dict.fromkeys([*old.explainer_names, *(row[2] for row in origins)]))
    layers = ", ".join(str(layer.layer_id) for layer in c.layers) or "-1"
    rows = arrays.read(
        s,
        [("id", "id", "i8"), ("layer", "layer_id", "i8"), ("neuron", "neuron", "i8"), ("origin", "origin_id", "i8"),
         ("polarity", "polarity", "i8")],
        f"FROM explanations WHERE id > {int(above)} AND state = {types.STATES[State.OK]} AND layer_id IN ({layers})",
    )  # fmt: skip
    rows = rows[~np.isin(rows["id"], old.ids)] if len(old.ids) else rows
    size = 1 + max((layer.layer_id for layer in c.layers), default=0)
    ranks = np.zeros(size, np.int64)
    for rank, layer in enumerate(c.layers):
        ranks[layer.layer_id] = rank
    at = c.neurons_at((ranks[rows["layer"]] << INDEX_BITS) + rows["neuron"])
    rows, at = rows[at >= 0], at[at >= 0]
    origin_ids = np.array([row[0] for row in origins], np.int64)
    order = np.argsort(origin_ids)
    place = order[np.searchsorted(origin_ids, rows["origin"], sorter=order)] if len(rows) else order[:0]
    method_of = np.array([methods.index(row[1]) for row in origins], np.uint16)
    explainer_of = np.array([explainers.index(row[2]) for row in origins], np.uint16)
    ids = np.concatenate([old.ids, rows["id"]])
    neurons = np.concatenate([old.neurons, at])
    by_neuron = np.lexsort((ids, neurons))
    return Explained(
        ids[by_neuron],
        neurons[by_neuron],
        np.concatenate([old.methods, method_of[place]])[by_neuron],
        np.concatenate([old.explainers, explainer_of[place]])[by_neuron],
        np.concatenate([old.polarities, rows["polarity"].astype(np.uint8)])[by_neuron],
        methods,
        explainers,
    )


def _measured(c: Columns, values: Float64) -> MeasureColumn:
    everything = np.arange(len(values), dtype=np.int32)
    best, row = best_of(c, everything, values)
    lookup, _ = best_of(c, everything[c.explained.lookup], values)
    return MeasureColumn(values, best, row, lookup)


def best_of(c: Columns, rows: Int32, values: Float64) -> tuple[Float64, Int32]:
    """By neuron, [N]: the best score among these explanations (ascending rows), and which has it (of equals the oldest).

    Without any score: NaN and -1.
    """
    best, at = np.full(len(c), np.nan), np.full(len(c), -1, np.int32)
    scored = rows[~np.isnan(values[rows])]
    if not len(scored):
        return best, at
    neurons = c.explained.neurons[scored]
    starts = np.flatnonzero(np.r_[True, neurons[1:] != neurons[:-1]])
    top = np.maximum.reduceat(values[scored], starts)
    best[neurons[starts]] = top
    first = scored[values[scored] == best[neurons]][
        ::-1
    ]  # of those that have it, the first one is written last
    at[c.explained.neurons[first]] = first
    return best, at
