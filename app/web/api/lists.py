"""Named lists of neurons, what is in them, and samples taken from them."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.domain.list_files import Entry
from app.domain.neurons import NeuronRef
from app.store import Session, kept_names, list_items, list_lines, list_samples
from app.store import lists as stored_lists
from app.store.list_rows import Sample
from app.web.api.list_convert import item_out, list_out, sample_out
from app.web.api.list_schemas import (
    Deleted,
    ItemChange,
    ItemOut,
    ItemsIn,
    ListIn,
    ListOut,
    SampleOut,
)
from app.web.api.parameters import Cursor, Layer, Limit, Model, NeuronIndex
from app.web.api.schemas import ListOf, PageOf
from app.web.author import WhoDep
from app.web.dependencies import StoreDep

router = APIRouter(tags=["lists"])

Slug = Annotated[str, Path(description="The list's slug.", examples=["fires-on-store"])]
Digest = Annotated[str, Path(description="The sample's digest.", examples=["9f86d081884c7d65…"])]
ITEM = "/lists/{slug}/items/{model}/{layer}/{index}"


@router.get("/lists")
def get_lists(store: StoreDep) -> ListOf[ListOut]:
    """All lists, the one changed last first."""
    with store.session() as session:
        return ListOf(items=[list_out(row) for row in stored_lists.every(session)])


@router.post("/lists", status_code=201)
def create_list(store: StoreDep, who: WhoDep, request: ListIn) -> ListOut:
    """Make an empty list. A name that is taken is refused."""
    with store.session() as session:
        return list_out(stored_lists.create(session, request.name, request.description, who.name))


@router.get("/lists/{slug}")
def get_list(store: StoreDep, slug: Slug) -> ListOut:
    """One list, without its neurons."""
    with store.session() as session:
        return list_out(stored_lists.get(session, slug))


@router.post("/lists/{slug}")
def edit_list(store: StoreDep, slug: Slug, request: ListIn) -> ListOut:
    """Give a list another name and description; its address stays."""
    with store.session() as session:
        return list_out(stored_lists.edit(session, slug, request.name, request.description))


@router.delete("/lists/{slug}")
def delete_list(store: StoreDep, slug: Slug) -> Deleted:
    """Delete a list with its notes. Its neurons stay, and so do samples taken from it."""
    with store.session() as session:
        return Deleted(deleted=stored_lists.remove(session, slug).slug)


@router.get("/lists/{slug}/items")
def get_items(store: StoreDep, slug: Slug, cursor: Cursor = None, limit: Limit = 100) -> PageOf[ItemOut]:
    """A page of a list's neurons in its order, each with its best explanation."""
    with store.session() as session:
        page = list_items.page(session, stored_lists.get(session, slug).id, cursor, limit)
        items = [item_out(line) for line in list_lines.lines(session, page.items)]
    return PageOf(items=items, next=page.next, previous=page.previous, total=page.total)


@router.post("/lists/{slug}/items")
def add_items(store: StoreDep, who: WhoDep, slug: Slug, request: ItemsIn) -> ListOut:
    """Put neurons at a list's end, all of them or none: an unknown one and one that is in it already are refused."""
    entries = [
        Entry(n, item.model, item.layer, item.index, item.note) for n, item in enumerate(request.items, 1)
    ]
    with store.session() as session:
        return list_out(list_items.fill(session, slug, entries, who.name, strict=True).row)


@router.post(ITEM)
def change_item(
    store: StoreDep, slug: Slug, model: Model, layer: Layer, index: NeuronIndex, request: ItemChange
) -> ListOut:
    """Change a neuron's note or its place in a list."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        if request.note is not None:
            list_items.set_note(session, slug, ref, request.note, request.seen)
        if request.move is not None:
            list_items.move(session, slug, ref, request.move)
        return list_out(stored_lists.get(session, slug))


@router.delete(ITEM)
def remove_item(store: StoreDep, slug: Slug, model: Model, layer: Layer, index: NeuronIndex) -> Deleted:
    """Take a neuron out of a list."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        list_items.remove(session, slug, ref)
    return Deleted(deleted=str(ref))


@router.post("/lists/{slug}/share")
def share_list(store: StoreDep, slug: Slug) -> ListOut:
    """Show a list, read-only, at /shared/{share_token} to whoever has that address, without a login."""
    with store.session() as session:
        stored_lists.share(session, slug)
        return list_out(stored_lists.get(session, slug))


@router.delete("/lists/{slug}/share")
def unshare_list(store: StoreDep, slug: Slug) -> ListOut:
    """Withdraw that address for good: sharing again makes another."""
    with store.session() as session:
        stored_lists.unshare(session, slug)
        return list_out(stored_lists.get(session, slug))


@router.post("/lists/{slug}/samples")
def take_sample(store: StoreDep, slug: Slug) -> SampleOut:
    """Keep a list's neurons as they are now. The same neurons in the same order are one sample, whenever it is taken."""
    with store.session() as session:
        return _sample(session, list_samples.freeze(session, slug))


@router.get("/samples/{digest}")
def get_sample(store: StoreDep, digest: Digest) -> SampleOut:
    """A sample, whatever became of its list since."""
    with store.session() as session:
        return _sample(session, list_samples.get(session, digest))


def _sample(session: Session, row: Sample) -> SampleOut:
    refs = kept_names.refs_of(session, row.keys)
    return sample_out(row, [refs[key] for key in row.keys])
