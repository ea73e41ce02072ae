"""Places in a sorted list, as opaque words for an address. Exact: a float keeps all its bits."""

import base64
import binascii
from dataclasses import dataclass

import orjson

from app.errors import BadInput


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


def out_of_date() -> BadInput:
    """What is said of a cursor that stands for no place in the list."""
    return BadInput("this page's place in the list is out of date: begin at the list's first page")


def read(word: str, order: str) -> Cursor:
    """The place that a word stands for. BadInput where it is damaged or of another order."""
    refusal = out_of_date()
    try:
        data = orjson.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (binascii.Error, ValueError):
        raise refusal from None
    match data:
        case [str(made_for), float() | int() | None as value, int(index), bool(backward)] if (
            made_for == order and not isinstance(value, bool) and not isinstance(index, bool)
        ):
            if not 0 <= index < 1 << 24:
                raise refusal
            return Cursor(made_for, value, index, backward)
        case _:
            raise refusal
