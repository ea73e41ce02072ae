"""What is made of all results of a search: files, and lists. For pages, API and command line alike."""

from collections.abc import Iterator
from typing import Literal

from app.domain.list_files import Entry
from app.errors import BadInput
from app.exchange import exporting
from app.exchange.exporting import Chosen, Format
from app.settings import Settings
from app.store import Store, list_items, lists
from app.store.list_rows import ListRow
from app.web import search_run
from app.web.formats import count
from app.web.search_asked import Asked

What = Literal["explanations", "neurons"]
MOST = 10_000  # neurons of a list made from a search


def chunks(
    settings: Settings,
    store: Store,
    asked: Asked,
    what: What,
    format: Format,
    chosen: Chosen = exporting.EVERYTHING,
) -> tuple[str, Iterator[bytes]]:
    """The model, and a file of all explanations, or of the statistics, of every neuron that is found. Raises as the search does.

    `chosen` may narrow it by layers and methods; its neurons are those of the search.
    """
    with store.session() as session:
        found = search_run.everything(settings, store, session, asked)
    chosen = chosen._replace(neurons=found.by_layer())
    write = exporting.explanations if what == "explanations" else exporting.neurons
    return found.model, write(store, found.model, format, chosen)


def keep(settings: Settings, store: Store, asked: Asked, name: str, author: str) -> ListRow:
    """A new list of all neurons that are found, in the order of the search, whose address it is described by.

    BadInput where nothing, or too much, is found; also as the search and `lists.create` raise it.
    """
    with store.session() as session:
        found = search_run.everything(settings, store, session, asked)
    total = len(found.indices)
    if not total:
        raise BadInput("this search finds no neuron, so there is nothing to keep")
    if total > MOST:
        raise BadInput(
            f"this search finds {count(total)} neurons, and a list is made of at most {count(MOST)}:"
            " narrow it by filters, or download all of it instead"
        )
    entries = [Entry(n, ref.model, ref.layer, ref.index, "") for n, ref in enumerate(found.refs(), 1)]
    address = asked.address(model=found.model, cursor=None)
    about = f"Found by {address}" if len(address) <= 1_900 else "Found by a search."
    with store.session() as session:
        row = lists.create(session, name, about, author)
        return list_items.fill(session, row.slug, entries, author).row
