"""What a search reaches beside words and filters: search by meaning, and lists."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import AnswerError, AppError, EndpointError, ModelError, NotFound, Refused
from app.jobs import embedders
from app.settings import Settings
from app.store import Session, Store, lists, semantic
from app.store.list_rows import Key, ListRow
from app.store.neuron_columns import Columns

NEAREST = 500  # explanations that are taken by meaning


class Nearest(NamedTuple):
    """What search by meaning gave."""

    similarities: dict[int, float]  # explanation's id -> cosine, the nearest first
    notes: tuple[str, ...]  # what is to be said of it


class Unavailable(AppError):
    """Search by meaning gave nothing that could be shown; the sentence says why and what to do."""


# The ids of explanations that filters leave; None: all.
Among = Callable[[], NDArray[np.int64] | None]


def nearest(settings: Settings, store: Store, columns: Columns, text: str, among: Among) -> Nearest:
    """The explanations that say something like `text`. BadInput for a text that cannot be embedded, Unavailable."""
    slug = columns.model
    absent = embedders.not_set_up(settings)
    if absent:
        raise Unavailable(absent)
    by = embedders.embedder(settings)
    known = columns.explained.rows(semantic.embedded(store, slug, by))
    if not len(known):
        raise Unavailable(
            f"No explanation of {slug} is embedded yet, so there is nothing to compare: run `neuronarium embed {slug}`."
        )
    try:
        vector = embedders.query_vector(settings, store, text)
    except (EndpointError, AnswerError, ModelError, NotFound, Refused) as error:
        raise Unavailable(f"Search by meaning did not work: {error.sentence}") from error
    matches = semantic.search(store, slug, vector, NEAREST, by, among())
    lookup = columns.explained.lookup
    said, there = int((~lookup).sum()), int((~lookup[known]).sum())
    notes: tuple[str, ...] = ()
    if there < said:
        notes = (
            f"{there:,} of {said:,} explanations are embedded; the others are not found by meaning until"
            f" `neuronarium embed {slug}` is run.",
        )
    return Nearest({match.explanation_id: match.similarity for match in matches}, notes)


def set_up(settings: Settings) -> bool:
    """Whether anything embeds here. Asks nothing."""
    return not embedders.not_set_up(settings)


def chosen_list(s: Session, word: str) -> ListRow | None:
    """The list that a search is within. NotFound says which there are."""
    return lists.named(s, word) if word else None


def members(s: Session, chosen: ListRow | None) -> list[Key] | None:
    """Its neurons, of whatever model."""
    return None if chosen is None else lists.neuron_keys(s, chosen.id)
