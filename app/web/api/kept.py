"""What people keep of one neuron: bookmarks, comments, explanations of their own, and the lists that it is in."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.domain.neurons import NeuronRef
from app.store import bookmarks, comments, human, list_lines, lists
from app.store import explanations as stored_explanations
from app.web.api import convert
from app.web.api.explanation_schemas import ExplanationOut
from app.web.api.list_convert import comment_out, item_out
from app.web.api.list_schemas import (
    BookmarkOut,
    CommentIn,
    CommentOut,
    HumanIn,
    InListOut,
    ItemOut,
)
from app.web.api.parameters import Cursor, Layer, Limit, Model, NeuronIndex
from app.web.api.schemas import ListOf, PageOf
from app.web.author import WhoDep
from app.web.dependencies import StoreDep

router = APIRouter(tags=["kept"])

NEURON = "/models/{model}/layers/{layer}/neurons/{index}"
CommentId = Annotated[int, Path(description="The comment's id.", examples=[5])]


@router.get("/bookmarks")
def get_bookmarks(store: StoreDep, who: WhoDep, cursor: Cursor = None, limit: Limit = 100) -> PageOf[ItemOut]:
    """A page of the neurons that whoever asks has bookmarked, the newest first."""
    with store.session() as session:
        page = bookmarks.page(session, who.owner, cursor, limit)
        items = [item_out(line) for line in list_lines.lines(session, page.items)]
    return PageOf(items=items, next=page.next, previous=page.previous, total=page.total)


@router.get(f"{NEURON}/bookmark")
def get_bookmark(store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex) -> BookmarkOut:
    """Whether whoever asks has bookmarked the neuron."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        marked = bookmarks.has(session, who.owner, ref)
    return BookmarkOut(model=model, layer=layer, index=index, bookmarked=marked)


@router.post(f"{NEURON}/bookmark")
def set_bookmark(store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex) -> BookmarkOut:
    """Bookmark the neuron; one that is bookmarked already stays so."""
    with store.session() as session:
        bookmarks.add(session, who.owner, NeuronRef(model, layer, index), who.name)
    return BookmarkOut(model=model, layer=layer, index=index, bookmarked=True)


@router.delete(f"{NEURON}/bookmark")
def remove_bookmark(
    store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex
) -> BookmarkOut:
    """Take the bookmark away, if there is one."""
    with store.session() as session:
        bookmarks.remove(session, who.owner, NeuronRef(model, layer, index))
    return BookmarkOut(model=model, layer=layer, index=index, bookmarked=False)


@router.get(f"{NEURON}/lists")
def get_lists_of(store: StoreDep, model: Model, layer: Layer, index: NeuronIndex) -> ListOf[InListOut]:
    """The lists that the neuron is in, by name."""
    with store.session() as session:
        found = lists.containing(session, NeuronRef(model, layer, index))
    return ListOf(items=[InListOut(**each._asdict()) for each in found])


@router.get(f"{NEURON}/comments")
def get_comments(
    store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex
) -> ListOf[CommentOut]:
    """All comments on the neuron, oldest first; of withdrawn ones that they were there."""
    with store.session() as session:
        found = comments.of_neuron(session, NeuronRef(model, layer, index))
    return ListOf(items=[comment_out(row, who.owner) for row in found])


@router.post(f"{NEURON}/comments", status_code=201)
def add_comment(
    store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex, request: CommentIn
) -> CommentOut:
    """Say something of the neuron."""
    with store.session() as session:
        row = comments.add(session, NeuronRef(model, layer, index), request.text, who.name, who.owner)
    return comment_out(row, who.owner)


@router.delete(f"{NEURON}/comments/{{comment}}")
def withdraw_comment(
    store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex, comment: CommentId
) -> CommentOut:
    """Withdraw one's own comment: that it was there stays, what it said is told to nobody."""
    with store.session() as session:
        row = comments.withdraw(session, NeuronRef(model, layer, index), comment, who.owner)
    return comment_out(row, who.owner)


@router.post(f"{NEURON}/explanations/human", status_code=201)
def write_explanation(
    store: StoreDep, who: WhoDep, model: Model, layer: Layer, index: NeuronIndex, request: HumanIn
) -> ExplanationOut:
    """Store an explanation that a person wrote. The same words by the same author are stored once. It can be
    scored on held-out documents only where its author says to have seen none of them: a neuron's page shows them too.
    """
    with store.session() as session:
        ref = NeuronRef(model, layer, index)
        stored = human.explain(session, ref, request.text, request.polarity, who.name, blind=request.blind)
        return convert.explanation(stored_explanations.get(session, stored))
