"""How a neuron page is looked at: everything that its query string holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request

from app.domain.explanations import Protocol
from app.errors import BadInput

Reader = Callable[[str, str], Any]


class Show(StrEnum):
    """Which exemplars."""

    TOP = "top"
    ALL = "all"
    BOTTOM = "bottom"
    QUANTILES = "quantiles"
    RANDOM = "random"
    SIGNS = "signs"
    COMPARE = "compare"
    VALUES = "values"


class Scale(StrEnum):
    """Which value is full colour: the neuron's strongest, or each excerpt's own."""

    SHARED = "shared"
    OWN = "own"


class Context(StrEnum):
    """How much of an excerpt is shown: tokens either side of the peak, or all of it."""

    NARROW = "8"
    AROUND = "18"
    WHOLE = "whole"

    @property
    def tokens(self) -> int | None:
        return None if self is Context.WHOLE else int(self)


@dataclass(frozen=True)
class View:
    """One way to look at a neuron. The defaults leave no trace in the address."""

    show: Show = Show.TOP
    scale: Scale = Scale.SHARED
    context: Context = Context.AROUND
    breaks: bool = False  # a newline breaks the line
    duplicates: bool = False  # show them instead of folding
    more: bool = False  # all records of this kind instead of the first ten
    protocol: Protocol = Protocol.HELDOUT_FULL
    explanation: int | None = None  # that is compared
    simulation: int | None = None  # of that explanation; its first when empty
    excerpt: int | None = None  # whose values are listed
    job: str = ""  # whose progress is followed

    def query(self, **changes: Any) -> str:
        """This view with some changes as a query string, `?` included, or empty."""
        return _query(self, tuple(changes.items()))

    def carried(self) -> str:
        """What goes along to another neuron: how to look, not at what of this one."""
        about_this = {Show.COMPARE, Show.VALUES}
        show = Show.TOP if self.show in about_this else self.show
        return self.query(show=show, more=False, explanation=None, simulation=None, excerpt=None, job="")


_DEFAULTS = tuple((field.name, field.default) for field in fields(View))


@lru_cache(maxsize=4096)
def _query(view: View, changes: tuple[tuple[str, Any], ...]) -> str:
    """A page holds some twenty such addresses, and the next neuron's page the same ones."""
    pairs = []
    changed = dict(changes)
    for name, default in _DEFAULTS:
        value = changed[name] if name in changed else getattr(view, name)
        if value != default:
            pairs.append((name, "1" if value is True else str(value)))
    return f"?{urlencode(pairs)}" if pairs else ""


def parse(query: Mapping[str, str]) -> View:
    """The view that a query string asks for; names that are none of a view's are let be.

    By hand, since every page passes here and eleven declared parameters cost more than drawing the page's frame.
    Raises BadInput that says what may stand there.
    """
    return View(**{name: _READERS[name](name, value) for name, value in query.items() if name in _READERS})


def _word(kind: type[StrEnum]) -> Reader:
    def read(name: str, value: str) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise BadInput(f"“{name}” may be {', '.join(kind)}, not “{value[:40]}”.") from None

    return read


def _flag(name: str, value: str) -> bool:
    if value not in ("0", "1", "true", "false"):
        raise BadInput(f"“{name}” may be 0 or 1, not “{value[:40]}”.")
    return value in ("1", "true")


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise BadInput(f"“{name}” is the number of one, not “{value[:40]}”.")
    return int(value)


def _text(name: str, value: str) -> str:
    if len(value) > 100:
        raise BadInput(f"“{name}” is too long.")
    return value


_READERS: dict[str, Reader] = {
    "show": _word(Show),
    "scale": _word(Scale),
    "context": _word(Context),
    "breaks": _flag,
    "duplicates": _flag,
    "more": _flag,
    "protocol": _word(Protocol),
    "explanation": _number,
    "simulation": _number,
    "excerpt": _number,
    "job": _text,
}


async def parse_view(request: Request) -> View:  # async: a plain def would go through the thread pool
    """The view of a request."""
    return parse(request.query_params)


ViewDep = Annotated[View, Depends(parse_view)]
