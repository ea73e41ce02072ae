"""Places in a sorted list, as opaque words for an address. Exact: a float keeps all its bits."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import orjson

from app.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class Cursor:
    """The neuron beside which a page begins, by the value it was sorted by."""

    order: str  # what the list was sorted by; a cursor serves no other order
    value: float | None
    index: int
    backward: bool = False  # the page that ends before it, not the one that begins after it

    def word(self) -> str:
        """URL-safe text."""
        data = orjson.dumps([self.order, self.value, self.index, self.backward])
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Window(NamedTuple, Generic[T]):
    """The rows of one page in the list's order, and which ways there are more."""

    rows: list[T]
    has_next: bool
    has_previous: bool


def window(read: Sequence[T], limit: int, *, backward: bool, first: bool) -> Window[T]:
    """A page from up to `limit` + 1 rows as they were read: away from its cursor, or from the `first` page's start."""
    rows, more = list(read[:limit]), len(read) > limit
    if backward:
        return Window(rows[::-1], bool(rows), more)
    return Window(rows, more, not first and bool(rows))


def out_of_date() -> BadInput:
    """What is said of a cursor that stands for no place in the list."""
    return BadInput("this page's place in the list is out of date: begin at the list's first page")


def read(word: str, order: str, below: int = 1 << 24) -> Cursor:
    """The place that a word stands for. BadInput where it is damaged, of another order, or its index not `below`."""
    refusal = out_of_date()
    try:
        data = orjson.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (binascii.Error, ValueError):
        raise refusal from None
    match data:
        case [str(made_for), float() | int() | None as value, int(index), bool(backward)] if (
            made_for == order and not isinstance(value, bool) and not isinstance(index, bool)
        ):
            if not 0 <= index < below:
                raise refusal
            return Cursor(made_for, value, index, backward)
        case _:
            raise refusal
