"""What people keep, as it comes out of the store: frozen, plain."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.domain.neurons import NeuronRef
from app.store.rows import BestScore, TopToken


class Key(NamedTuple):
    """A neuron as lists, bookmarks, comments and explanations name it in the store: it outlives collections."""

    layer_id: int
    neuron: int


@dataclass(frozen=True)
class ListRow:
    """A named list of neurons, of any number of models."""

    id: int
    slug: str
    name: str
    description: str
    author: str
    revision: int  # raised with every change
    share_token: str | None
    neurons: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ListItem:
    """A neuron in a list, or among somebody's bookmarks."""

    id: int
    ref: NeuronRef
    key: Key
    position: int
    note: str
    author: str
    added_at: datetime


@dataclass(frozen=True)
class ListLine:
    """A neuron in a list with what there is to say of it."""

    item: ListItem
    there: bool  # in the collection that pages show
    top_tokens: tuple[TopToken, ...]
    best: BestScore | None  # by the first of `list_lines.MEASURES` that it has a value of
    text: str  # the best-scoring explanation, else the newest; empty where nothing was said
    method: str  # of that explanation


class Containing(NamedTuple):
    """A list that a neuron is in."""

    id: int
    slug: str
    name: str
    note: str


@dataclass(frozen=True)
class Sample:
    """A list's neurons as they were at one time, in its order; never changed afterwards."""

    digest: str
    list_id: int
    name: str
    revision: int
    keys: tuple[Key, ...]
    created_at: datetime


@dataclass(frozen=True)
class Comment:
    """What somebody said of a neuron. Of a withdrawn one nothing but that it was there is told."""

    id: int
    ref: NeuronRef
    author: str
    owner: str
    text: str  # empty once withdrawn
    created_at: datetime
    withdrawn_at: datetime | None
