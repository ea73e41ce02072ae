"""The search page: by words, by a token, by filters that combine. Its whole state is in the address."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain import text_query
from app.errors import BadInput
from app.store import Session, lists, search, token_index
from app.store import models as stored_models
from app.store.search import SearchSort
from app.store.search_lines import Found
from app.web import charts, measures, search_asked, search_form, search_run, search_seams
from app.web.dependencies import StoreDep
from app.web.formats import percent, short, statement
from app.web.pages.layer import STATE_WORDS, TOKENS_SHOWN, token_text
from app.web.rendering import page
from app.web.search_asked import Asked
from app.web.search_contexts import FoundLine, Results, SortLink, TokenLink
from app.web.search_kept import MOST as MOST_KEPT
from app.web.search_run import Outcome, Scene

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 25
FORMATS = ("csv", "jsonl", "parquet")
LABELS = {
    SearchSort.INDEX: "neuron",
    SearchSort.SCORE: "score",
    SearchSort.GAIN: "score − token lookup",
    SearchSort.RELEVANCE: "relevance",
    SearchSort.TOKEN: "share of maximum",
    SearchSort.TOKEN_MEAN: "mean on token",
    SearchSort.MAXIMUM: "strongest",
    SearchSort.MINIMUM: "most negative",
    SearchSort.DENSITY: "fires strongly",
    SearchSort.MEAN: "mean",
    SearchSort.VARIANCE: "variance",
    SearchSort.SKEWNESS: "skewness",
    SearchSort.KURTOSIS: "kurtosis",
}
# What is shown of a neuron only where the list is sorted by it.
EXTRA: dict[SearchSort, Callable[[Found], float | None]] = {
    SearchSort.GAIN: lambda row: row.gain,
    SearchSort.TOKEN_MEAN: lambda row: row.on_token.mean if row.on_token else None,
    SearchSort.MEAN: lambda row: row.mean,
    SearchSort.VARIANCE: lambda row: row.variance,
    SearchSort.SKEWNESS: lambda row: row.skewness,
    SearchSort.KURTOSIS: lambda row: row.kurtosis,
}


@router.get("/search")
def show(request: Request, store: StoreDep, asked: Annotated[Asked, Query()]) -> Response:
    """The form, and a page of what is found. A form that was sent with empty fields leads to the address without them."""
    with store.reading() as session:
        models = [model for model in stored_models.models(session) if model.neurons]
        if not models and not asked.model:
            return page("search.html", search_form.nothing(request, asked))
        here = search_run.scene(store, session, asked)
        sent = any(value == "" for value in request.query_params.values())
        if sent and asked.measure == measures.parse("", here.stored).key:
            asked = asked.model_copy(update={"measure": ""})  # a form always names one
        plain = asked.address()
        if sent and "hx-request" not in request.headers:
            return RedirectResponse(plain, 303)
        outcome: Outcome | None = None
        problem = ""
        instead: tuple[TokenLink, ...] = ()
        kept = lists.every(session)
        try:
            outcome = search_run.run(request.app.state.settings, store, session, here, asked, PAGE_SIZE)
            if not outcome.page.total:
                instead = _instead(session, here, asked)
        except BadInput as error:
            problem = error.sentence
    results = None if outcome is None else found(here, asked, outcome)
    context = search_form.form(request, models, kept, here, asked, results, problem, instead)
    return _answer(plain, page("search.html", context, 422 if problem else 200))


def _answer(plain: str, answer: HTMLResponse) -> HTMLResponse:
    """With the address that htmx puts into the browser's bar: that of the form has every empty field."""
    answer.headers["hx-push-url"] = plain
    return answer


def found(here: Scene, asked: Asked, outcome: Outcome) -> Results:
    """A page of what was found as the list shows it."""
    wanted, listed = outcome.wanted, outcome.page
    by = wanted.sort
    sorts = [each for each in LABELS if _possible(each, wanted.ranked is not None, outcome.token is not None)]
    shown = here.vocabulary.shown
    return Results(
        lines=tuple(_line(row, here, outcome, asked) for row in listed.items),
        total=listed.total,
        sorts=tuple(_sort_link(each, by, wanted.descending, asked) for each in sorts),
        sort_label=LABELS[by],
        order_words=_order_words(by, wanted.descending, wanted.text is not None),
        extra=LABELS[by] if by in EXTRA or by is SearchSort.TOKEN else "",
        measure_label=outcome.measure.label,
        measure=outcome.measure.key,
        tokens=tuple(
            TokenLink(
                token_text(here.vocabulary, each.id),
                asked.address(token=f"#{each.id}", cursor=None),
                each.id == outcome.token,
                each.neurons,
            )
            for each in outcome.choices
        ),
        token=shown[outcome.token] if outcome.token is not None and outcome.token >= 0 else "",
        notes=(*outcome.notes, *_valueless(outcome)),
        within=outcome.within,
        meaning=_meaning_words(outcome),
        exports=tuple(
            (
                what,
                tuple(
                    (format, asked.address(f"/search/export/{what}.{format}", model=here.model, cursor=None))
                    for format in FORMATS
                ),
            )
            for what in ("explanations", "neurons")
        ),
        kept=asked.address("", model=here.model, cursor=None).removeprefix("?"),
        most=MOST_KEPT,
        next=asked.address(cursor=listed.next) if listed.next else None,
        previous=asked.address(cursor=listed.previous) if listed.previous else None,
        json=asked.address("/api/v1/search", model=here.model),
    )


def _valueless(outcome: Outcome) -> tuple[str, ...]:
    """Those without a value come last: where the first has none, nobody has."""
    by, listed = outcome.wanted.sort, outcome.page
    if by not in EXTRA or not listed.items or listed.previous or _known(EXTRA[by](listed.items[0])):
        return ()
    why = (
        " by this score: it needs one of token lookup and one of another explanation"
        if by is SearchSort.GAIN
        else ""
    )
    return (f"None of these has a value of “{LABELS[by]}”{why}. They come by layer and index.",)


def _known(value: float | None) -> bool:
    return value is not None and value == value


def marked(text: str, query: text_query.TextQuery | None) -> Markup:
    """An explanation with what was searched for in <mark>; everything of the text is escaped."""
    pieces: list[Markup] = []
    at = 0
    for start, end in text_query.marks(query, text) if query is not None else ():
        pieces += [
            escape(statement(text[at:start])),
            Markup("<mark>{}</mark>").format(statement(text[start:end])),
        ]
        at = end
    return Markup("").join([*pieces, escape(statement(text[at:]))])


def _meaning_words(outcome: Outcome) -> str:
    """What a search by meaning looked through, in words."""
    if outcome.similarities is None:
        return ""
    near = f"the {search_seams.NEAREST} explanations nearest in meaning"
    if outcome.wanted.text is None:
        return f"among {near}, of those that pass the filters"
    return f"among {near} and the {search.FUSED:,} best-scoring ones with these words, of those that pass the filters"


def found_by(row: Found, similarities: dict[int, float] | None) -> tuple[tuple[str, ...], float | None]:
    """In which ways the explanation shown was found, and how near it is in meaning; nothing without search by meaning."""
    if similarities is None or row.said is None:
        return (), None
    near = similarities.get(row.said.explanation_id)
    return (*(("words",) if row.words else ()), *(("meaning",) if near is not None else ())), near


def _line(row: Found, here: Scene, outcome: Outcome, asked: Asked) -> FoundLine:
    said, by, query = row.said, outcome.wanted.sort, outcome.wanted.text
    ways, near = found_by(row, outcome.similarities)
    drawn = None
    state = "no explanation yet" if said is None else "not scored"
    if said is not None and said.value is not None:
        drawn = charts.interval(said.value, said.low, said.high)
    elif said is not None and said.state is not None:
        state = STATE_WORDS.get(said.state, "not scored")
    extra = ""
    if by is SearchSort.TOKEN:
        share = row.on_token.share if row.on_token is not None else None
        extra = percent(share) if share is not None else "–"
    elif by in EXTRA:
        value = EXTRA[by](row)
        extra = "–" if value is None else short(value)
    return FoundLine(
        row=row,
        address=f"/m/{row.ref.model}/{row.ref.layer}/{row.ref.index}",
        said=marked(said.text, query) if said is not None else None,
        interval=drawn,
        state=state,
        tokens=tuple(
            TokenLink(
                token_text(here.vocabulary, token.id), Asked(model=here.model, token=f"#{token.id}").address()
            )
            for token in row.top_tokens[:TOKENS_SHOWN]
        ),
        sorted_by=extra,
        ways=ways if query is not None else (),
        similarity=near,
    )


def _possible(by: SearchSort, ranked: bool, token: bool) -> bool:
    if by is SearchSort.RELEVANCE:
        return ranked
    return token or by not in (SearchSort.TOKEN, SearchSort.TOKEN_MEAN)


def _sort_link(by: SearchSort, now: SearchSort, falling: bool, asked: Asked) -> SortLink:
    down = (not falling) if by is now else by not in search_asked.RISING
    address = asked.address(sort=by.value, order="down" if down else "up", cursor=None)
    return SortLink(LABELS[by], address, by is now, falling)


def _order_words(by: SearchSort, descending: bool, text: bool) -> str:
    """What the order is, said in full: a search by words has no relevance of its own."""
    match by:
        case SearchSort.INDEX:
            return "by layer and index" + (", the last first" if descending else "")
        case SearchSort.SCORE if text:
            return f"the {'best' if descending else 'worst'}-scoring matching explanation first, unscored ones last"
        case SearchSort.GAIN:
            return f"by how much the score is above that of token lookup, the {'largest' if descending else 'smallest'} first"
        case SearchSort.TOKEN:
            return "by mean activation on the token as a share of the neuron's maximum"
        case SearchSort.RELEVANCE:
            return "the most relevant first"
    return f"by {LABELS[by]}, the {'largest' if descending else 'smallest'} first, those without it last"


def _instead(session: Session, here: Scene, asked: Asked) -> tuple[TokenLink, ...]:
    """Nothing was found: the same words without filters, and as tokens."""
    ways = []
    if asked.q and asked.address() != (loose := Asked(model=asked.model, q=asked.q)).address():
        ways.append(TokenLink("the same words without any filter", loose.address()))
    if asked.q and len(asked.q) <= 40:
        index = token_index.index(session, here.columns)
        for each in token_index.choices(index, here.vocabulary, asked.q.strip().strip('"*-')):
            if each.neurons:
                text = f"neurons that fire on the token “{token_text(here.vocabulary, each.id)}”"
                address = Asked(model=here.model, token=f"#{each.id}").address()
                ways.append(TokenLink(text, address, neurons=each.neurons))
    return tuple(ways)
