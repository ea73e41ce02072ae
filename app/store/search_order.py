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
    keys, rising = _keys(order)
    left = np.arange(len(keys)) if at is None else np.flatnonzero(_beyond(order, keys, rising, at))
    chosen = keys[left]
    read = left[smallest(-chosen if backward else chosen, limit + 1, rising != backward)]
    return window(read.tolist(), limit, backward=backward, first=at is None)


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


def _keys(order: Order) -> tuple[NDArray[np.floating], bool]:
    """Keys whose rising order is the list's, infinity for what is missing, and whether places rise with it."""
    if order.by_place:
        return np.zeros(len(order.places), np.float32), not order.descending
    keys = -order.values if order.descending else order.values
    return np.where(np.isnan(keys), np.inf, keys), True


def _beyond(order: Order, keys: NDArray[np.floating], rising: bool, at: Cursor) -> Bool:
    """What comes after a place in the list, or before it if the cursor looks backward."""
    places = order.places
    later = places > at.index if rising != at.backward else places < at.index
    if order.by_place:
        key = keys.dtype.type(0)
    elif at.value is None:
        key = keys.dtype.type(np.inf)
    else:
        key = keys.dtype.type(-at.value if order.descending else at.value)
    further = keys < key if at.backward else keys > key
    beyond: Bool = further | ((keys == key) & later)
    return beyond
