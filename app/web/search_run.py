"""A search from its query string to what was found, for the page and the API alike."""

from dataclasses import dataclass

from starlette.requests import Request

from app.domain.neurons import NeuronRef
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput, NotFound
from app.store import Session, Store, neuron_columns, search, token_index
from app.store import models as stored_models
from app.store.neuron_columns import Columns
from app.store.rows import Page
from app.store.search_lines import Found
from app.store.token_index import TokenChoice
from app.web import measures, search_asked, search_seams
from app.web.measures import Measure
from app.web.search_asked import Asked

NEAREST = 200  # explanations that are taken by meaning


@dataclass(frozen=True, eq=False)
class Scene:
    """The model that is searched, and what can be chosen of it."""

    model: str
    columns: Columns
    stored: list[neuron_columns.Measure]
    vocabulary: Vocabulary


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was found, and what is to be said of it."""

    page: Page[Found]
    wanted: search.Wanted
    measure: Measure
    token: int | None
    choices: tuple[TokenChoice, ...]  # tokens that may be meant by what was typed
    notes: tuple[str, ...]  # what of the question could not be followed


def which_model(session: Session, asked: Asked) -> str:
    """The model that is searched. Raises NotFound where there is none."""
    if asked.model:
        return asked.model
    ready = [model.slug for model in stored_models.models(session) if model.neurons]
    if not ready:
        raise NotFound(
            "There are no neurons to search yet: a collection has to end first. See the jobs page."
        )
    return ready[0]


def scene(store: Store, session: Session, asked: Asked) -> Scene:
    """Raises NotFound that says which models there are."""
    slug = which_model(session, asked)
    columns = neuron_columns.columns(store, session, slug)
    stored = neuron_columns.stored_measures(session, columns)
    return Scene(slug, columns, stored, stored_models.cached_vocabulary(store, slug))


def run(request: Request, store: Store, session: Session, here: Scene, asked: Asked, limit: int) -> Outcome:
    """Raises BadInput for anything in the query string that cannot be read."""
    measure = measures.parse(asked.measure, here.stored)
    notes: list[str] = []
    ranked = _ranked(request, store, here, asked, notes)
    if ranked is None and search_asked.mode(asked) != "text":
        asked = asked.model_copy(update={"mode": "text"})
    choices = _choices(session, here, asked)
    token = None
    if asked.token:
        firing = [choice for choice in choices if choice.neurons]
        token = (firing or choices)[0].id if choices else -1
    wanted = search_asked.wanted(
        asked, here.columns.layers, measure, token, ranked, _members(request, session, asked)
    )
    page = search.find(store, session, here.model, wanted, asked.cursor or None, limit)
    return Outcome(page, wanted, measure, token, choices, tuple(notes))


def _ranked(
    request: Request, store: Store, here: Scene, asked: Asked, notes: list[str]
) -> tuple[int, ...] | None:
    if search_asked.mode(asked) == "text" or not asked.q.strip():
        return None
    by_meaning = search_seams.semantic(request)
    if by_meaning is None:
        notes.append("Search by meaning is not set up here, so this is a search by words.")
        return None
    return tuple(by_meaning(store, here.model, asked.q, NEAREST))


def _choices(session: Session, here: Scene, asked: Asked) -> tuple[TokenChoice, ...]:
    if not asked.token:
        return ()
    if len(asked.token) > 200:
        raise BadInput("a token has at most 200 characters: write one token, not a sentence")
    index = token_index.index(session, here.columns)
    return tuple(token_index.choices(index, here.vocabulary, asked.token))


def _members(request: Request, session: Session, asked: Asked) -> list[NeuronRef] | None:
    which = search_asked.list_id(asked)
    if which is None:
        return None
    members = search_seams.list_members(request)
    if members is None:
        raise NotFound(f"there is no list {which}: there are no lists here yet")
    return list(members(session, which))
