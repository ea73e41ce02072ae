"""What the templates of lists, bookmarks and a neuron's kept things are given, and how it is made of the store's rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from app.store import Store, models
from app.store.list_rows import Comment, Containing, ListLine, ListRow
from app.web import charts, trust_marks
from app.web.contexts import Chrome
from app.web.explanation_items import path_of
from app.web.formats import moment
from app.web.measures import DEFAULT, Measure
from app.web.neuron_contexts import Choice
from app.web.pages.layer import TOKENS_SHOWN, token_text


class ItemLine(NamedTuple):
    """A neuron of a list."""

    id: int
    ref: str  # `model/layer/index`
    address: str  # of its page
    place: str  # `8:101`
    model: str
    tokens: tuple[str, ...]
    text: str
    method: str
    score: float | None
    interval: Markup
    measure: str  # where it is not the usual one
    trust: Markup
    state: str  # why there is no score, in words
    there: bool
    note: str
    author: str
    when: str
    when_exact: str
    action: str  # what the forms of this item begin their addresses with


@dataclass(frozen=True)
class ListsPage:
    """`lists.html`."""

    chrome: Chrome
    lists: tuple[ListRow, ...]
    bookmarks: int
    who: str
    json: str


@dataclass(frozen=True)
class ListPage:
    """`list.html`: one list, for those who may change it or (`editable` false) by its shared link."""

    chrome: Chrome
    row: ListRow
    items: tuple[ItemLine, ...]
    editable: bool
    first: int  # the number of the first neuron shown, from 1; 0 where it is not known
    next: str  # addresses, empty where there is nothing that way
    previous: str
    back: str  # where forms lead back to
    files: tuple[tuple[str, str], ...]  # format, address
    within: tuple[
        tuple[str, str], ...
    ]  # model and the search within this list, for each model that it has neurons of
    exports: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]  # model, what, (format, address)
    shared: str  # the address that shows it to anybody, empty while it is not shared
    json: str


@dataclass(frozen=True)
class BookmarksPage:
    """`bookmarks.html`."""

    chrome: Chrome
    items: tuple[ItemLine, ...]
    total: int
    next: str
    previous: str
    json: str


class CommentLine(NamedTuple):
    """What somebody said."""

    id: int
    author: str
    text: str
    when: str
    when_exact: str
    withdrawn: bool
    own: bool


@dataclass(frozen=True)
class Kept:
    """`_kept.html`: what people keep of one neuron."""

    here: str  # path of the neuron
    who: str
    bookmarked: bool
    inside: tuple[Containing, ...]
    others: tuple[ListRow, ...]  # lists that it is not in
    comments: tuple[CommentLine, ...]
    polarities: tuple[Choice, ...]
    blind: bool  # whether it must be said what was looked at: imported data has nothing held out
    stored: int  # the explanation just written, 0 where there is none
    refresh: str  # address from which the page takes its explanations anew, empty where nothing changed


@dataclass(frozen=True)
class KeptFragment:
    """`_kept.html` for htmx."""

    kept: Kept


@dataclass(frozen=True)
class KeptPage:
    """`kept.html`: the same as a page of its own."""

    chrome: Chrome
    name: str
    kept: Kept


def item_lines(store: Store, rows: Sequence[ListLine], action: str) -> tuple[ItemLine, ...]:
    """Lines of the store as pages show them; `action` is the list's address."""
    return tuple(_line(store, row, action) for row in rows)


def _line(store: Store, row: ListLine, action: str) -> ItemLine:
    item, best = row.item, row.best
    ref = item.ref
    score = best.value if best else None
    drawn, measure, trust = Markup(""), "", Markup("")
    if best is not None and score is not None:
        drawn = charts.interval(score, best.low, best.high)
        by = Measure(best.protocol, best.sample, best.metric)
        measure = "" if by == DEFAULT else by.label
        trust = trust_marks.html(*by)
    tokens: tuple[str, ...] = ()
    if row.top_tokens:
        vocabulary = models.cached_vocabulary(store, ref.model)
        tokens = tuple(token_text(vocabulary, token.id) for token in row.top_tokens[:TOKENS_SHOWN])
    return ItemLine(
        item.id,
        str(ref),
        path_of(ref),
        f"{ref.layer.removesuffix('-mlp')}:{ref.index}",
        ref.model,
        tokens,
        row.text,
        row.method,
        score,
        drawn,
        measure,
        trust,
        "" if score is not None else "not scored" if row.text else "no explanation yet",
        row.there,
        item.note,
        item.author,
        moment(item.added_at),
        item.added_at.isoformat(timespec="seconds"),
        f"{action}/items/{ref.model}/{ref.layer}/{ref.index}",
    )


def comment_lines(rows: Sequence[Comment], owner: str) -> tuple[CommentLine, ...]:
    """Comments as somebody sees them."""
    return tuple(
        CommentLine(
            row.id,
            row.author,
            row.text,
            moment(row.created_at),
            row.created_at.isoformat(timespec="seconds"),
            row.withdrawn_at is not None,
            row.owner == owner and row.withdrawn_at is None,
        )
        for row in rows
    )
