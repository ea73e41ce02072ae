"""How a neuron page is looked at: everything that its query string holds."""

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query

from app.domain.explanations import Protocol


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


async def parse_view(  # async: a plain def would go through the thread pool
    show: Annotated[Show, Query()] = Show.TOP,
    scale: Annotated[Scale, Query()] = Scale.SHARED,
    context: Annotated[Context, Query()] = Context.AROUND,
    breaks: Annotated[bool, Query()] = False,
    duplicates: Annotated[bool, Query()] = False,
    more: Annotated[bool, Query()] = False,
    protocol: Annotated[Protocol, Query()] = Protocol.HELDOUT_FULL,
    explanation: Annotated[int | None, Query(ge=0)] = None,
    simulation: Annotated[int | None, Query(ge=0)] = None,
    excerpt: Annotated[int | None, Query(ge=0)] = None,
    job: Annotated[str, Query(max_length=100)] = "",
) -> View:
    """The view that the query string asks for."""
    return View(
        show, scale, context, breaks, duplicates, more, protocol, explanation, simulation, excerpt, job
    )


ViewDep = Annotated[View, Depends(parse_view)]
