"""What the templates of the search page are given."""

from dataclasses import dataclass

from markupsafe import Markup

from app.store.list_rows import ListRow
from app.store.search_lines import Found
from app.web.contexts import Chrome
from app.web.measures import MeasureChoice
from app.web.search_asked import Asked


@dataclass(frozen=True)
class Choice:
    """One entry of a menu, or a link to the same search with one thing changed."""

    value: str  # an address where it is a link
    label: str
    chosen: bool


@dataclass(frozen=True)
class TokenLink:
    """A token, and the search for neurons that fire on it."""

    text: str
    address: str
    chosen: bool = False
    neurons: int = 0


@dataclass(frozen=True)
class FoundLine:
    """One found neuron."""

    row: Found
    address: str
    said: Markup | None  # the explanation, with what was searched for marked
    interval: Markup | None
    state: str  # why there is no score, in words
    tokens: tuple[TokenLink, ...]
    sorted_by: str  # the value that the list is sorted by and has no column for; empty where it has
    ways: tuple[str, ...]  # of words and meaning those that found it, where both were asked
    similarity: float | None  # in meaning: cosine


@dataclass(frozen=True)
class SortLink:
    """One way to sort what was found."""

    label: str
    address: str
    chosen: bool
    descending: bool


@dataclass(frozen=True)
class Results:
    """`_search_results.html`."""

    lines: tuple[FoundLine, ...]
    total: int
    sorts: tuple[SortLink, ...]
    sort_label: str
    order_words: str
    extra: str  # head of the column for what is sorted by, empty where it has one
    measure_label: str
    measure: str
    tokens: tuple[TokenLink, ...]  # what may be meant by the token that was typed
    token: str  # that is searched for, as it is shown
    notes: tuple[str, ...]
    within: ListRow | None  # the list that is searched
    meaning: str  # what search by meaning looked through, in words; empty without it
    exports: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # what, (format, address) of all results
    kept: str  # the query string that a list of all results is made by
    most: int  # neurons that such a list may have
    next: str | None  # addresses
    previous: str | None
    json: str


@dataclass(frozen=True)
class SearchPage:
    """`search.html`."""

    chrome: Chrome
    asked: Asked
    model_name: str
    models: tuple[Choice, ...]
    measures: tuple[MeasureChoice, ...]
    methods: tuple[Choice, ...]
    explainers: tuple[Choice, ...]
    polarities: tuple[Choice, ...]
    has: tuple[Choice, ...]
    lacks: tuple[Choice, ...]
    lists: tuple[Choice, ...]  # to search within; empty where there is none
    modes: tuple[Choice, ...]  # empty where there is one way only
    layers_hint: str
    filters: tuple[str, ...]  # those that are set, in short
    results: Results | None
    problem: str  # why there are none
    instead: tuple[TokenLink, ...]  # where nothing was found: other things to try
    clear: str  # address of the search without filters
