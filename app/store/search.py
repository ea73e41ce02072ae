"""Neurons of a model by what is said of them, by a token, and by filters that combine.

What is asked about an explanation (its words, method, explainer, polarity, score) is asked about one and the same explanation;
a neuron is found if it has such a one, and shown with the best-scoring of them. Everything else is asked about the neuron.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.fusion import reciprocal_rank
from app.domain.neurons import Bool, Float64, Int32, NeuronRef
from app.domain.text_query import TextQuery
from app.errors import BadInput
from app.store import (
    cursors,
    neuron_columns,
    people,
    search_lines,
    search_order,
    text_index,
    token_index,
    types,
)
from app.store.neuron_columns import Columns, MeasureColumn
from app.store.rows import Page
from app.store.search_lines import Found, Picked
from app.store.search_wanted import ANY, EXPLANATION, RATING, Range, SearchSort, Wanted
from app.store.session import Session, Store
from app.store.tables import INDEX_BITS

__all__ = [
    "ANY",
    "EXPLANATION",
    "FUSED",
    "MOST",
    "RATING",
    "Everything",
    "Range",
    "SearchSort",
    "Wanted",
    "candidates",
    "every",
    "find",
]

MOST = 500  # neurons a page
KEPT_SEARCHES = 16
FUSED = 1000  # of each ranked list that is fused, the first so many


class _Said(NamedTuple):
    """Neurons that are left after what was asked about explanations. K of them, in the order of the columns."""

    at: Int32  # [K]
    score: Float64  # [K] of the explanation that is shown; NaN without one
    row: Int32  # [K] that explanation, -1 for none
    relevance: Float64 | None  # [K]


def find(
    store: Store, s: Session, slug: str, wanted: Wanted, cursor: str | None = None, limit: int = 50
) -> Page[Found]:
    """One page of what is found. BadInput for a page size, a sort or a cursor that does not fit."""
    if not 1 <= limit <= MOST:
        raise BadInput(f"a page holds 1 to {MOST} neurons, not {limit}")
    c = neuron_columns.columns(store, s, slug)
    name = f"{wanted.sort}/{'-' if wanted.descending else '+'}"
    if wanted.sort in (SearchSort.SCORE, SearchSort.GAIN):
        name += f"/{wanted.protocol}/{wanted.metric}/{wanted.sample}"
    place = cursors.read(cursor, name, below=1 << (2 * INDEX_BITS)) if cursor else None
    measured, on_token, said, order = _found(s, c, wanted)
    values, places = order.values, order.places
    rows, has_next, has_previous = search_order.page(order, place, limit)
    shown = said.row[rows]
    worded = _among(_having_words(s, c, wanted.text), shown) if wanted.text is not None else shown < -1
    picked = [
        Picked(int(said.at[i]), int(said.row[i]), float(measured.lookup[said.at[i]]), bool(words))
        for i, words in zip(rows, worded, strict=True)
    ]
    items = search_lines.lines(s, c, picked, (wanted.protocol, wanted.sample, wanted.metric), on_token)

    def word(i: int, before: bool) -> str:
        value = float(values[rows[i]])
        kept = None if wanted.sort is SearchSort.INDEX or np.isnan(value) else value
        return cursors.Cursor(name, kept, int(places[rows[i]]), before).word()

    return Page(
        items,
        next=word(-1, False) if has_next else None,
        previous=word(0, True) if has_previous else None,
        total=len(said.at),
    )


class Everything(NamedTuple):
    """All that a search finds, in its order. K neurons."""

    model: str
    layers: tuple[str, ...]
    ranks: NDArray[np.int64]  # [K] place in `layers`
    indices: NDArray[np.int64]  # [K]

    def by_layer(self) -> dict[str, list[int]]:
        """The indices of each layer that has any."""
        each = ((layer, self.indices[self.ranks == rank].tolist()) for rank, layer in enumerate(self.layers))
        return {layer: found for layer, found in each if found}

    def refs(self) -> list[NeuronRef]:
        """Their names."""
        pairs = zip(self.ranks.tolist(), self.indices.tolist(), strict=True)
        return [NeuronRef(self.model, self.layers[rank], index) for rank, index in pairs]


def every(store: Store, s: Session, slug: str, wanted: Wanted) -> Everything:
    """All that `find` finds on all its pages. BadInput for a sort that does not fit."""
    c = neuron_columns.columns(store, s, slug)
    order = _found(s, c, wanted).order
    keys = -order.values if order.descending else order.values
    if order.by_place:
        places = order.places[::-1] if order.descending else order.places
    else:
        places = order.places[np.lexsort((order.places, keys))]  # what has no value comes last
    layers = tuple(layer.slug for layer in c.layers)
    return Everything(c.model, layers, places >> INDEX_BITS, places & ((1 << INDEX_BITS) - 1))


def candidates(store: Store, s: Session, slug: str, wanted: Wanted) -> NDArray[np.int64] | None:
    """Ids of the explanations that have all that is asked but words and meaning; None: every one."""
    c = neuron_columns.columns(store, s, slug)
    measured = neuron_columns.measure(s, c, (wanted.protocol, wanted.sample, wanted.metric))
    on_token = token_index.index(s, c).of(wanted.token) if wanted.token is not None else None
    kept = _kept(s, c, measured, wanted, on_token)
    if kept is None and not _asks_explanations(wanted):
        return None
    return c.explained.ids[_narrowed(c, measured, wanted, kept, None)]


class _All(NamedTuple):
    """All that is found, and its order."""

    measured: MeasureColumn
    on_token: token_index.OnToken | None
    said: _Said
    order: search_order.Order


def _found(s: Session, c: Columns, wanted: Wanted) -> _All:
    measured = neuron_columns.measure(s, c, (wanted.protocol, wanted.sample, wanted.metric))
    on_token = token_index.index(s, c).of(wanted.token) if wanted.token is not None else None
    said = _said(s, c, measured, wanted, _kept(s, c, measured, wanted, on_token))
    values = _values(c, measured, wanted, said, on_token)
    by_place = wanted.sort is SearchSort.INDEX
    return _All(
        measured, on_token, said, search_order.Order(values, c.places[said.at], wanted.descending, by_place)
    )


def _said(s: Session, c: Columns, measured: MeasureColumn, wanted: Wanted, kept: Bool | None) -> _Said:
    """Of the neurons `kept` [N] those that have an explanation as asked for; all where nothing was asked about explanations."""
    if wanted.ranked is not None:
        return _fused(s, c, measured, wanted, kept)
    if wanted.text is None and not _asks_explanations(wanted):
        at = np.arange(len(c), dtype=np.int32) if kept is None else np.flatnonzero(kept).astype(np.int32)
        if kept is None:
            return _Said(at, measured.best, measured.best_row, None)
        return _Said(at, measured.best[at], measured.best_row[at], None)
    rows = _having_words(s, c, wanted.text) if wanted.text is not None else None
    return _by_neuron(c, _narrowed(c, measured, wanted, kept, rows), measured.values, None)


def _fused(s: Session, c: Columns, measured: MeasureColumn, wanted: Wanted, kept: Bool | None) -> _Said:
    """By meaning, or by words and meaning together: the first so many of each list, of those that pass the filters."""
    near = c.explained.rows(np.array(wanted.ranked, np.int64))
    lists = [_narrowed(c, measured, wanted, kept, near).tolist()]
    if wanted.text is not None:
        found = _narrowed(c, measured, wanted, kept, _having_words(s, c, wanted.text))
        best_first = np.argsort(-measured.values[found], kind="stable")[:FUSED]
        lists.insert(0, found[best_first].tolist())
    fused = reciprocal_rank(lists)
    weights = np.full(len(c.explained.ids), np.nan)
    weights[[row for row, _ in fused]] = [weight for _, weight in fused]
    rows = np.sort(np.array([row for row, _ in fused], np.int32))  # in the order of neurons again
    return _by_neuron(c, rows, measured.values, weights)


def _narrowed(
    c: Columns, measured: MeasureColumn, wanted: Wanted, kept: Bool | None, rows: Int32 | None
) -> Int32:
    """Those of these explanations (None: of all), in their order, that have what is asked of explanations, of neurons `kept`."""
    e = c.explained
    if kept is not None:
        there = kept[e.neurons] if rows is None else kept[e.neurons[rows]]
        rows = np.flatnonzero(there).astype(np.int32) if rows is None else rows[there]
    within = np.arange(len(e.ids), dtype=np.int32) if rows is None else rows
    tests: list[Bool] = []
    if wanted.method is not None:
        code = e.method_names.index(wanted.method) if wanted.method in e.method_names else -1
        tests.append(e.methods[within] == code)
    if wanted.explainer is not None:
        code = e.explainer_names.index(wanted.explainer) if wanted.explainer in e.explainer_names else -1
        tests.append(e.explainers[within] == code)
    if wanted.polarity is not None:
        tests.append(e.polarities[within] == types.POLARITIES[wanted.polarity])
    if wanted.score and not wanted.best:
        tests.append(wanted.score.holds(measured.values[within]))
    if wanted.sort is SearchSort.GAIN:
        tests.append(~e.lookup[within])
    return within[np.logical_and.reduce(tests)] if tests else within


def _asks_explanations(wanted: Wanted) -> bool:
    """Whether anything but words and meaning is asked about explanations."""
    named = wanted.method, wanted.explainer, wanted.polarity
    of_one = bool(wanted.score) and not wanted.best
    return any(each is not None for each in named) or of_one or wanted.sort is SearchSort.GAIN


def _having_words(s: Session, c: Columns, query: TextQuery) -> Int32:
    """The explanations that the words find, by neuron. Kept for the next pages of the same search."""
    found = c.asked.get(query)
    if found is None:
        found = c.explained.ascending(text_index.matching(s, c, query))
        c.asked[query] = found
        while len(c.asked) > KEPT_SEARCHES:
            c.asked.popitem(last=False)
    return found


def _among(ascending: Int32, rows: Int32) -> Bool:
    """Which of a few rows are among very many."""
    if not len(ascending):
        return np.zeros(len(rows), np.bool_)
    at = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    there: Bool = ascending[at] == rows
    return there


def _by_neuron(c: Columns, rows: Int32, values: Float64, weights: Float64 | None) -> _Said:
    """From explanations (ascending rows) to their neurons, each with the most relevant, best-scoring or else newest one."""
    if not len(rows):
        none = np.zeros(0, np.int32)
        return _Said(none, np.zeros(0), none, None if weights is None else np.zeros(0))
    neurons = c.explained.neurons[rows]
    first = np.ones(len(rows), np.bool_)
    np.not_equal(neurons[1:], neurons[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    row = rows[starts]
    if len(starts) < len(rows):
        sizes = np.diff(starts, append=len(rows))
        several = sizes > 1
        chosen = _chosen(
            rows[np.repeat(several, sizes)], sizes[several], values if weights is None else weights
        )
        row[several] = chosen
    return _Said(neurons[starts], values[row], row, None if weights is None else weights[row])


def _chosen(rows: Int32, sizes: NDArray[np.intp], keys: Float64) -> Int32:
    """Of every group of rows the last of those with the highest key; NaN is lowest. `sizes` [G] sum to all rows."""
    key = keys[rows]
    key = np.where(np.isnan(key), -np.inf, key)
    starts = np.cumsum(sizes) - sizes
    is_top = key == np.repeat(np.maximum.reduceat(key, starts), sizes)
    return rows[np.maximum.reduceat(np.where(is_top, np.arange(len(rows)), -1), starts)]


def _kept(
    s: Session, c: Columns, measured: MeasureColumn, wanted: Wanted, on_token: token_index.OnToken | None
) -> Bool | None:
    """[N] which neurons have what was asked about neurons; None: all of them."""
    masks: list[Bool] = []  # [N] each
    if wanted.layers is not None:
        mask = np.zeros(len(c), np.bool_)
        for layer in c.layers:
            if layer.slug in wanted.layers:
                mask[layer.first : layer.end] = True
        masks.append(mask)
    if wanted.score and wanted.best:
        masks.append(wanted.score.holds(measured.best))
    if wanted.density:
        masks.append(wanted.density.holds(c.statistics["density"]))
    if wanted.kurtosis:
        masks.append(wanted.kurtosis.holds(c.statistics["kurtosis"]))
    masks += [_having(s, c, name) for name in wanted.has]
    masks += [~_having(s, c, name) for name in wanted.lacks]
    if on_token is not None:
        masks.append(_only(c, on_token.neurons))
    if wanted.members is not None:
        ranks = {layer.layer_id: rank for rank, layer in enumerate(c.layers)}
        keys = [(ranks[id_] << INDEX_BITS) + index for id_, index in wanted.members if id_ in ranks]
        members = c.neurons_at(np.array(keys, np.int64))
        masks.append(_only(c, members[members >= 0]))
    if not masks:
        return None
    every: Bool = np.logical_and.reduce(masks)
    return every


def _having(s: Session, c: Columns, name: str) -> Bool:
    """[N] which neurons have an explanation of a method, one that is not token lookup, or one that people rated."""
    e = c.explained
    if name == RATING:
        ids = people.rated_explanations(s, [layer.layer_id for layer in c.layers])
        return _only(c, e.neurons[e.rows(np.array(ids, np.int64))])
    return _only(c, e.neurons[~e.lookup if name == EXPLANATION else e.method(name)])


def _only(c: Columns, neurons: Int32) -> Bool:
    mask = np.zeros(len(c), np.bool_)
    mask[neurons] = True
    return mask


def _values(
    c: Columns, measured: MeasureColumn, wanted: Wanted, said: _Said, on_token: token_index.OnToken | None
) -> NDArray[np.floating]:
    """[K] what the neurons are sorted by."""
    match wanted.sort:
        case SearchSort.INDEX:
            return np.zeros(len(said.at), np.float32)
        case SearchSort.SCORE:
            return said.score
        case SearchSort.GAIN:
            gain: Float64 = said.score - measured.lookup[said.at]
            return gain
        case SearchSort.RELEVANCE:
            if said.relevance is None:
                raise BadInput("only a search by meaning is sorted by relevance: sort by score")
            return said.relevance
        case SearchSort.TOKEN | SearchSort.TOKEN_MEAN:
            if on_token is None:
                raise BadInput("only a search for a token is sorted by it: name one, or sort by score")
            means = np.full(len(c), np.nan)
            means[on_token.neurons] = on_token.means
            if wanted.sort is SearchSort.TOKEN:
                means /= c.statistics["maximum"]
            return means[said.at]
        case _:
            return c.statistics[wanted.sort.value][said.at]
