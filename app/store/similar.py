"""Neurons that resemble one: by what is said of them, by the excerpts they fire most strongly on, by the tokens they fire on.

Each is found exactly over the whole model, from what the store keeps: explanations with an embedding, top records, top tokens.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain import similarity
from app.domain.embeddings import Embedder
from app.domain.neurons import Float32, Float64, Int32, NeuronRef
from app.errors import BadInput
from app.store import excerpt_index, names, neuron_columns, search_lines, semantic, token_index
from app.store.neuron_columns import Columns, Measure
from app.store.search_lines import Found, Picked
from app.store.session import Session, Store
from app.store.tables import INDEX_BITS
from app.store.token_index import TokenIndex

_NORMS = "token lengths"
MORE = 4  # several explanations of one neuron may be near: so many times as many are asked for


class Alike(NamedTuple):
    """A neuron that resembles the one asked for."""

    found: Found  # with its best explanation; by explanation: with the one that is near
    value: float  # cosine of the explanations; Jaccard of the top excerpts; cosine over top tokens
    shared: int  # excerpts or tokens that both have; 0 by explanation


class Resembling(NamedTuple):
    """The neurons that resemble one in one way, most alike first."""

    items: tuple[Alike, ...]
    own: int  # its top excerpts or top tokens; by explanation: the id of the one that was compared
    why_none: str = ""  # in a sentence, where nothing could be compared
    preparing: bool = False  # not ready yet: ask again


class Place(NamedTuple):
    """Where a neuron stands."""

    columns: Columns
    at: int
    id: int  # in the store


def place(store: Store, s: Session, ref: NeuronRef) -> Place:
    """Raises NotFound that says what exists."""
    part = names.part_of(s, ref)
    columns = neuron_columns.columns(store, s, ref.model)
    rank = next((i for i, layer in enumerate(columns.layers) if layer.slug == ref.layer), -1)
    at = (
        int(columns.neurons_at(np.array([(rank << INDEX_BITS) + ref.index], np.int64))[0])
        if rank >= 0
        else -1
    )
    if at < 0:
        raise names.absent(ref)
    return Place(columns, at, names.neuron_id(part.id, ref.index))


def by_explanation(
    store: Store, s: Session, here: Place, measure: Measure, k: int, embedder: Callable[[], Embedder]
) -> Resembling:
    """By the embedding of its best explanation by the measure, token lookup aside (without a score the newest): the nearest of other neurons, exactly."""
    c = here.columns
    row = _said(s, c, here.at, measure)
    if row < 0:
        return Resembling((), 0, "Nobody has said anything about this neuron yet that could be compared.")
    explanation = int(c.explained.ids[row])
    try:
        matches = semantic.similar(store, explanation, MORE * k, embedder())
    except BadInput as error:
        return Resembling((), explanation, error.sentence)
    rows = c.explained.places(np.array([match.explanation_id for match in matches], np.int64))
    picked: dict[int, tuple[Picked, float]] = {}
    for match, near in zip(matches, rows.tolist(), strict=True):
        at = int(c.explained.neurons[near]) if near >= 0 else here.at
        if at != here.at and at not in picked and len(picked) < k:
            picked[at] = Picked(at, near, np.nan), match.similarity
    found = search_lines.lines(s, c, [each for each, _ in picked.values()], measure, None)
    values = [value for _, value in picked.values()]
    return Resembling(
        tuple(Alike(each, value, 0) for each, value in zip(found, values, strict=True)), explanation
    )


def by_excerpts(
    store: Store, s: Session, here: Place, measure: Measure, k: int, patience: float
) -> Resembling:
    """By Jaccard over the excerpts of their top records. Not ready where making the index takes over `patience` seconds."""
    index = excerpt_index.index(store, here.columns.model, patience)
    if index is None:
        return Resembling((), 0, preparing=True)
    own = index.place(here.id)
    if own < 0:
        return Resembling((), 0, "No strong records of this neuron are stored.")
    shared = index.sharing(own)
    values = similarity.jaccard(shared, int(index.sizes[own]), index.sizes)
    chosen = similarity.nearest(values, k, own)
    at = _in_columns(here.columns, index.ids[chosen])
    there = at >= 0  # an import may have brought some since the columns were read
    picked = list(
        zip(at[there].tolist(), values[chosen][there].tolist(), shared[chosen][there].tolist(), strict=True)
    )
    return Resembling(_alike(s, here.columns, measure, picked), int(index.sizes[own]))


def by_tokens(s: Session, here: Place, measure: Measure, k: int) -> Resembling:
    """By the cosine of their mean activations on their top tokens, those with a mean above 0."""
    c = here.columns
    index = token_index.index(s, c)
    mine = index.tokens_of(here.at)
    if not len(mine.tokens):
        return Resembling((), 0, "No token makes this neuron fire on average, or none is stored of it.")
    others = [index.of(token) for token in mine.tokens.tolist()]
    owners = [each.neurons for each in others]
    lengths = _lengths(c, index)
    values: Float64 = similarity.cosines(
        mine.means, owners, [each.means for each in others], lengths, float(lengths[here.at])
    )
    shared = similarity.shared_counts(owners, len(c))
    chosen = similarity.nearest(values, k, here.at)
    picked = list(zip(chosen.tolist(), values[chosen].tolist(), shared[chosen].tolist(), strict=True))
    return Resembling(_alike(s, c, measure, picked), len(mine.tokens))


def _lengths(c: Columns, index: TokenIndex) -> Float32:
    found = c.derived.get(_NORMS)
    if found is None:
        fires = index.means > 0
        found = similarity.norms(index.neurons[fires], index.means[fires], len(c))
        c.derived[_NORMS] = found
    lengths: Float32 = found
    return lengths


def _said(s: Session, c: Columns, at: int, measure: Measure) -> int:
    """The best-scored explanation of a neuron that is not token lookup, without a score the newest; -1 without one."""
    low, high = np.searchsorted(c.explained.neurons, [at, at + 1])
    others = low + np.flatnonzero(~c.explained.lookup[low:high])
    if not len(others):
        return -1
    values = neuron_columns.measure(s, c, measure).values[others]
    return int(others[-1] if np.isnan(values).all() else others[np.nanargmax(values)])


def _in_columns(c: Columns, ids: NDArray[np.int64]) -> Int32:
    """Where neurons with these ids stand; -1 for one that is not there."""
    ranks = {layer.part: rank for rank, layer in enumerate(c.layers)}
    parts = np.array([ranks.get(part, -1) for part in (ids >> INDEX_BITS).tolist()], np.int64)
    keys = (parts << INDEX_BITS) + (ids & ((1 << INDEX_BITS) - 1))
    return c.neurons_at(np.where(parts >= 0, keys, -1))


def _alike(
    s: Session, c: Columns, measure: Measure, picked: list[tuple[int, float, int]]
) -> tuple[Alike, ...]:
    best = neuron_columns.measure(s, c, measure).best_row
    wanted = [Picked(at, int(best[at]), np.nan) for at, _, _ in picked]
    found = search_lines.lines(s, c, wanted, measure, None)
    return tuple(Alike(each, value, n) for each, (_, value, n) in zip(found, picked, strict=True))
