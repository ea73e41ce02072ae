"""A page of a sorted list whose values are all in memory: found by its place, never by counting from the beginning.

The order is that of `listing`: without the value last in either direction, equal values by place. Every page takes one
pass over the values, the first as the ten thousandth.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Bool
from app.store.cursors import Cursor, Window, window

Ints = NDArray[np.integer]


class Order(NamedTuple):
    """What is sorted by: values [K] as they are shown, NaN where there is none, beside ascending places [K]."""

    values: NDArray[np.floating]
    places: NDArray[np.int64]
    descending: bool
    by_place: bool = False  # the place alone decides, and `descending` turns it round


def page(order: Order, at: Cursor | None, limit: int) -> Window[int]:
    """The items of one page, as positions in `values`, and which ways there are more."""
    backward = at is not None and at.backward
    if order.by_place:
        return window(_next_places(order, at, limit + 1), limit, backward=backward, first=at is None)
    # Keys whose rising order is the list's; infinity for what is missing.
    keys = -order.values if order.descending else order.values
    keys = np.where(np.isnan(keys), keys.dtype.type(np.inf), keys)
    if at is None:
        read = smallest(keys, limit + 1, True)
    else:
        left = np.flatnonzero(_beyond(order, keys, at))
        chosen = keys[left]
        read = left[smallest(-chosen if backward else chosen, limit + 1, not backward)]
    return window(read.tolist(), limit, backward=backward, first=at is None)


def _next_places(order: Order, at: Cursor | None, n: int) -> list[int]:
    """Up to `n` positions away from a place, in the list's order or (backward) against it."""
    rising = order.descending == (at is not None and at.backward)
    low, high = 0, len(order.places)
    if at is not None and rising:
        low = int(np.searchsorted(order.places, at.index, "right"))
    elif at is not None:
        high = int(np.searchsorted(order.places, at.index, "left"))
    return (
        list(range(low, min(high, low + n))) if rising else list(range(high - 1, max(low, high - n) - 1, -1))
    )


def smallest(keys: NDArray[np.floating], n: int, rising: bool) -> NDArray[np.intp]:
    """Positions of the `n` smallest keys in order; equal ones by position, rising or falling. Infinity is a key as any."""
    if n < len(keys):
        edge = np.partition(keys, n - 1)[n - 1]
        below, level = np.flatnonzero(keys < edge), np.flatnonzero(keys == edge)
        missing = n - len(below)
        chosen = np.concatenate([below, level[:missing] if rising else level[-missing:]])
    else:
        chosen = np.arange(len(keys))
    return chosen[np.lexsort((chosen if rising else -chosen, keys[chosen]))]


def _beyond(order: Order, keys: NDArray[np.floating], at: Cursor) -> Bool:
    """What comes after a place in the list, or before it if the cursor looks backward."""
    later = order.places < at.index if at.backward else order.places > at.index
    if at.value is None:
        key = keys.dtype.type(np.inf)
    else:
        key = keys.dtype.type(-at.value if order.descending else at.value)
    further = keys < key if at.backward else keys > key
    beyond: Bool = further | ((keys == key) & later)
    return beyond
