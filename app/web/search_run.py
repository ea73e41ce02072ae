"""A search from its query string to what was found, for the page and the API alike."""

from dataclasses import dataclass

from app.domain.vocabulary import Vocabulary
from app.errors import BadInput, NotFound
from app.settings import Settings
from app.store import Session, Store, neuron_columns, search, token_index
from app.store import models as stored_models
from app.store.list_rows import ListRow
from app.store.neuron_columns import Columns
from app.store.rows import Page
from app.store.search_lines import Found
from app.store.token_index import TokenChoice
from app.web import measures, search_asked, search_seams
from app.web.measures import Measure
from app.web.search_asked import Asked


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
    similarities: dict[int, float] | None  # of explanations that were found by meaning; None: not searched so
    within: ListRow | None  # that is searched within


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


@dataclass(frozen=True, eq=False)
class _Question:
    """A query string, understood."""

    wanted: search.Wanted
    measure: Measure
    token: int | None
    choices: tuple[TokenChoice, ...]
    notes: tuple[str, ...]
    similarities: dict[int, float] | None
    within: ListRow | None


def run(settings: Settings, store: Store, session: Session, here: Scene, asked: Asked, limit: int) -> Outcome:
    """One page. Raises BadInput for anything in the query string that cannot be read, NotFound for a list."""
    q = _question(settings, store, session, here, asked)
    page = search.find(store, session, here.model, q.wanted, asked.cursor or None, limit)
    return Outcome(page, q.wanted, q.measure, q.token, q.choices, q.notes, q.similarities, q.within)


def everything(settings: Settings, store: Store, session: Session, asked: Asked) -> search.Everything:
    """All that is found, on all pages. Raises as `run` does; BadInput too where search by meaning was asked for and cannot be."""
    here = scene(store, session, asked)
    q = _question(settings, store, session, here, asked)
    if search_asked.mode(asked) != "text" and asked.q.strip() and q.similarities is None:
        raise BadInput(" ".join(q.notes))  # what is kept must be what was asked for
    return search.every(store, session, here.model, q.wanted)


def _question(settings: Settings, store: Store, session: Session, here: Scene, asked: Asked) -> _Question:
    measure = measures.parse(asked.measure, here.stored)
    mode = search_asked.mode(asked)
    choices = _choices(session, here, asked)
    token = None
    if asked.token:
        firing = [choice for choice in choices if choice.neurons]
        token = (firing or choices)[0].id if choices else -1
    chosen = search_seams.chosen_list(session, asked.list)
    members = search_seams.members(session, chosen)
    notes: tuple[str, ...] = ()
    found: dict[int, float] | None = None

    def wanted(ranked: tuple[int, ...] | None, asked: Asked) -> search.Wanted:
        return search_asked.wanted(asked, here.columns.layers, measure, token, ranked, members)

    if mode != "text" and asked.q.strip():
        filters = wanted((), asked)  # what cannot be read is said before anybody is asked
        try:
            found, notes = search_seams.nearest(
                settings, store, here.columns, asked.q,
                lambda: search.candidates(store, session, here.model, filters),
            )  # fmt: skip
        except search_seams.Unavailable as error:
            notes = (f"{error.sentence} These are the results by words.",)
    if found is None:
        sort = "" if asked.sort == search.SearchSort.RELEVANCE and mode != "text" else asked.sort
        asked = asked.model_copy(update={"mode": "text", "sort": sort})
    ranked = None if found is None else tuple(found)
    return _Question(wanted(ranked, asked), measure, token, choices, notes, found, chosen)


def _choices(session: Session, here: Scene, asked: Asked) -> tuple[TokenChoice, ...]:
    if not asked.token:
        return ()
    if len(asked.token) > 200:
        raise BadInput("a token has at most 200 characters: write one token, not a sentence")
    index = token_index.index(session, here.columns)
    return tuple(token_index.choices(index, here.vocabulary, asked.token))
