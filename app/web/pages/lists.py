"""Named lists of neurons: all of them, one of them, its shared link and its files; and bookmarks."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain.list_files import Format
from app.domain.neurons import NeuronRef
from app.store import bookmarks, list_items, list_lines, lists
from app.store.list_items import Move
from app.web.author import NamesDep, WhoDep
from app.web.dependencies import StoreDep
from app.web.list_answers import PAGE_SIZE, back_to, file, list_page
from app.web.list_contexts import BookmarksPage, ListsPage, item_lines
from app.web.measures import address
from app.web.pages import go
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]
Cursor = Annotated[str | None, Query(max_length=100)]


@router.get("/lists")
def show_lists(request: Request, store: StoreDep, who: WhoDep) -> HTMLResponse:
    """All lists, and a form for a new one."""
    with store.session() as session:
        rows = lists.every(session)
        marked = bookmarks.page(session, who.owner, limit=1).total
    context = ListsPage(chrome(request, "Lists", "lists"), tuple(rows), marked, who.name, "/api/v1/lists")
    return page("lists.html", context)


@router.post("/lists")
def create(
    request: Request, store: StoreDep, who: WhoDep, names: NamesDep, name: Text = "", description: Text = ""
) -> Response:
    """A new list, and on to it."""
    with store.session() as session:
        row = lists.create(session, name, description, who.name)
    return names.keep(request, RedirectResponse(f"/lists/{row.slug}", 303), who)


@router.get("/lists/{slug}")
def show_list(request: Request, slug: str, store: StoreDep, cursor: Cursor = None) -> HTMLResponse:
    """One list, to be looked at and changed."""
    with store.session() as session:
        row = lists.get(session, slug)
    return page("list.html", list_page(request, store, row, cursor, here=f"/lists/{slug}", editable=True))


@router.get("/lists/{slug}/export")
def export(slug: str, store: StoreDep, format: Format = Format.CSV) -> Response:
    """The list as a file."""
    with store.session() as session:
        row = lists.get(session, slug)
    return file(store, row, format)


@router.post("/lists/{slug}/edit")
def edit(slug: str, store: StoreDep, name: Text = "", description: Text = "") -> Response:
    """Another name and description."""
    with store.session() as session:
        lists.edit(session, slug, name, description)
    return RedirectResponse(f"/lists/{slug}", 303)


@router.post("/lists/{slug}/delete")
def delete(slug: str, store: StoreDep) -> Response:
    """The list is gone; its neurons stay where they are."""
    with store.session() as session:
        lists.remove(session, slug)
    return RedirectResponse("/lists", 303)


@router.post("/lists/{slug}/share")
def share(slug: str, store: StoreDep) -> Response:
    """A link that shows the list to anybody who has it."""
    with store.session() as session:
        lists.share(session, slug)
    return RedirectResponse(f"/lists/{slug}#share", 303)


@router.post("/lists/{slug}/unshare")
def unshare(slug: str, store: StoreDep) -> Response:
    """The link shows nothing any more."""
    with store.session() as session:
        lists.unshare(session, slug)
    return RedirectResponse(f"/lists/{slug}#share", 303)


@router.post("/lists/{slug}/items")
def add(
    request: Request,
    slug: str,
    store: StoreDep,
    who: WhoDep,
    names: NamesDep,
    q: Text = "",
    note: Text = "",
    back: Text = "",
) -> Response:
    """One more neuron, named as the search box takes it."""
    with store.session() as session:
        ref = go.resolve(session, go.parse(q))
    with store.session() as session:
        list_items.add(session, slug, ref, note, who.name)
    return names.keep(request, back_to(back, f"/lists/{slug}"), who)


@router.post("/lists/{slug}/items/{model}/{layer}/{index:index}/note")
def set_note(
    slug: str,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    note: Text = "",
    seen: Text = "",
    back: Text = "",
) -> Response:
    """Another note, unless it was changed by somebody else meanwhile."""
    with store.session() as session:
        list_items.set_note(session, slug, NeuronRef(model, layer, index), note, seen)
    return back_to(back, f"/lists/{slug}")


@router.post("/lists/{slug}/items/{model}/{layer}/{index:index}/move")
def move(
    slug: str,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    to: Annotated[Move, Form()],
    back: Text = "",
) -> Response:
    """One place up or down, or to an end."""
    with store.session() as session:
        list_items.move(session, slug, NeuronRef(model, layer, index), to)
    return back_to(back, f"/lists/{slug}")


@router.post("/lists/{slug}/items/{model}/{layer}/{index:index}/remove")
def remove(slug: str, model: str, layer: str, index: int, store: StoreDep, back: Text = "") -> Response:
    """Out of the list."""
    with store.session() as session:
        list_items.remove(session, slug, NeuronRef(model, layer, index))
    return back_to(back, f"/lists/{slug}")


def private(response: Response) -> Response:
    """Kept by no cache and found by no search engine: the address alone is the key."""
    response.headers["cache-control"] = "no-store"
    response.headers["x-robots-tag"] = "noindex"
    return response


@router.get("/shared/{token}")
def show_shared(request: Request, token: str, store: StoreDep, cursor: Cursor = None) -> Response:
    """A list by its secret word, read-only, without a login."""
    with store.session() as session:
        row = lists.shared(session, token)
    context = list_page(request, store, row, cursor, here=f"/shared/{token}", editable=False)
    return private(page("list.html", context))


@router.get("/shared/{token}/export")
def export_shared(token: str, store: StoreDep, format: Format = Format.CSV) -> Response:
    """The same list as a file."""
    with store.session() as session:
        row = lists.shared(session, token)
    return private(file(store, row, format))


@router.get("/bookmarks")
def show_bookmarks(request: Request, store: StoreDep, who: WhoDep, cursor: Cursor = None) -> HTMLResponse:
    """The neurons that somebody bookmarked, the newest first."""
    with store.session() as session:
        found = bookmarks.page(session, who.owner, cursor, PAGE_SIZE)
        lines = list_lines.lines(session, found.items)
    context = BookmarksPage(
        chrome(request, "Bookmarks", "lists"),
        item_lines(store, lines, ""),
        found.total,
        address("/bookmarks", cursor=found.next) if found.next else "",
        address("/bookmarks", cursor=found.previous) if found.previous else "",
        address("/api/v1/bookmarks", cursor=cursor),
    )
    return page("bookmarks.html", context)
