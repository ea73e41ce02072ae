"""What people keep of one neuron: bookmark, lists, comments, explanations of their own. Fetched by the neuron's page
once it is shown, so that the page itself costs no more; without scripts, a page of its own.
"""

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.domain.neurons import NeuronRef, Polarity
from app.errors import NotFound
from app.store import Store, bookmarks, comments, human, kept_names, list_items, lists
from app.web.author import Names, NamesDep, Who, WhoDep
from app.web.dependencies import StoreDep
from app.web.explanation_items import path_of
from app.web.list_contexts import Kept, KeptFragment, KeptPage, comment_lines
from app.web.model_cache import ModelCache
from app.web.neuron_contexts import Choice
from app.web.neuron_view import parse
from app.web.pages.neuron_actions import is_htmx
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False, prefix="/m/{model}/{layer}/{index:index}")

Text = Annotated[str, Form()]


def kept(
    store: Store, facts: ModelCache, ref: NeuronRef, who: Who, stored: int = 0, refresh: str = ""
) -> Kept:
    """Raises NotFound for a neuron of which nothing is there."""
    with store.session() as session:
        inside = lists.containing(session, ref)
        held = {each.id for each in inside}
        others = [row for row in lists.every(session) if row.id not in held]
        said = comments.of_neuron(session, ref)
        marked = bookmarks.has(session, who.owner, ref)
        if not (inside or said or marked):
            kept_names.key_of(session, ref)
    return Kept(
        path_of(ref),
        who.name,
        marked,
        tuple(inside),
        tuple(others),
        comment_lines(said, who.owner),
        tuple(Choice(p.value, p.value, p is Polarity.POSITIVE) for p in Polarity),
        not _imported(facts, ref.model),
        stored,
        refresh,
    )


def _imported(facts: ModelCache, model: str) -> bool:
    try:
        return facts.get(model).imported
    except NotFound:  # what people keep outlives collections
        return False


def answer(
    request: Request, store: Store, ref: NeuronRef, names: Names, who: Who, stored: int = 0
) -> Response:
    """The fragment as it is after a change for htmx; for everyone else the page that shows it."""
    if is_htmx(request):
        now = urlsplit(request.headers.get("hx-current-url", "")).query
        refresh = path_of(ref) + parse(dict(parse_qsl(now))).query(job="") if stored else ""
        response: Response = page(
            "_kept.html", KeptFragment(kept(store, request.app.state.facts, ref, who, stored, refresh))
        )
    elif stored:
        response = RedirectResponse(f"{path_of(ref)}#explanation-{stored}", 303)
    else:
        response = RedirectResponse(f"{path_of(ref)}/kept", 303)
    return names.keep(request, response, who)


@router.get("/kept")
def show(request: Request, model: str, layer: str, index: int, store: StoreDep, who: WhoDep) -> Response:
    """All that people keep of this neuron."""
    ref = NeuronRef(model, layer, index)
    found = kept(store, request.app.state.facts, ref, who)
    if is_htmx(request):
        return page("_kept.html", KeptFragment(found))
    name = f"{layer.removesuffix('-mlp')}:{index}"
    return page("kept.html", KeptPage(chrome(request, f"Kept of {name}", "browse", model), name, found))


@router.post("/bookmark")
def bookmark(
    request: Request,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    names: NamesDep,
    who: WhoDep,
    on: Annotated[bool, Form()] = True,
) -> Response:
    """Sets a bookmark, or takes it away."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        if on:
            bookmarks.add(session, who.owner, ref, who.name)
        else:
            bookmarks.remove(session, who.owner, ref)
    return answer(request, store, ref, names, who)


@router.post("/lists")
def add_to_list(
    request: Request,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    names: NamesDep,
    who: WhoDep,
    to: Text = "",
    name: Text = "",
    note: Text = "",
) -> Response:
    """Into a list (`to`), or into a new one by that name."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        slug = to or lists.create(session, name, "", who.name).slug
        list_items.add(session, slug, ref, note, who.name)
    return answer(request, store, ref, names, who)


@router.post("/lists/{slug}/remove")
def remove_from_list(
    request: Request,
    model: str,
    layer: str,
    index: int,
    slug: str,
    store: StoreDep,
    names: NamesDep,
    who: WhoDep,
) -> Response:
    """Out of a list."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        list_items.remove(session, slug, ref)
    return answer(request, store, ref, names, who)


@router.post("/comments")
def comment(
    request: Request,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    names: NamesDep,
    who: WhoDep,
    text: Text = "",
) -> Response:
    """Says something of the neuron."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        comments.add(session, ref, text, who.name, who.owner)
    return answer(request, store, ref, names, who)


@router.post("/comments/{comment_id}/withdraw")
def withdraw(
    request: Request,
    model: str,
    layer: str,
    index: int,
    comment_id: int,
    store: StoreDep,
    names: NamesDep,
    who: WhoDep,
) -> Response:
    """Takes one's own comment back."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        comments.withdraw(session, ref, comment_id, who.owner)
    return answer(request, store, ref, names, who)


@router.post("/say")
def say(
    request: Request,
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    names: NamesDep,
    who: WhoDep,
    text: Text = "",
    polarity: Annotated[Polarity, Form()] = Polarity.POSITIVE,
    blind: Annotated[bool, Form()] = False,
) -> Response:
    """Stores an explanation that a person wrote."""
    ref = NeuronRef(model, layer, index)
    with store.session() as session:
        stored = human.explain(session, ref, text, polarity, who.name, blind=blind)
    return answer(request, store, ref, names, who, stored)
