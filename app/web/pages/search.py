"""The search page: by words, by a token, by filters that combine. Its whole state is in the address."""

from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain import text_query
from app.errors import BadInput
from app.store import Session, token_index
from app.store import models as stored_models
from app.store.rows import ModelSummary
from app.store.search import EXPLANATION, SearchSort
from app.store.search_lines import Found
from app.web import charts, measures, search_asked, search_run, search_seams, wording
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.formats import percent, short, statement, words
from app.web.pages.layer import STATE_WORDS, TOKENS_SHOWN, token_text
from app.web.rendering import chrome, page
from app.web.search_asked import Asked
from app.web.search_contexts import Choice, FoundLine, Results, SearchPage, SortLink, TokenLink
from app.web.search_run import Outcome, Scene

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 25
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
    with store.session() as session:
        models = [model for model in stored_models.models(session) if model.neurons]
        if not models and not asked.model:
            return page("search.html", nothing(request, asked))
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
        try:
            outcome = search_run.run(request, store, session, here, asked, PAGE_SIZE)
            if not outcome.page.total:
                instead = _instead(session, here, asked)
        except BadInput as error:
            problem = error.sentence
    results = None if outcome is None else found(here, asked, outcome)
    context = _page(request, models, here, asked, results, problem, instead)
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
        lines=tuple(_line(row, here, by, wanted.text, asked) for row in listed.items),
        total=listed.total,
        sorts=tuple(_sort_link(each, by, wanted.descending, asked) for each in sorts),
        sort_label=LABELS[by],
        order_words=_order_words(by, wanted.descending, wanted.text is not None),
        extra=LABELS[by] if by in EXTRA or by is SearchSort.TOKEN else "",
        measure_label=outcome.measure.label,
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
        notes=outcome.notes,
        next=asked.address(cursor=listed.next) if listed.next else None,
        previous=asked.address(cursor=listed.previous) if listed.previous else None,
        json=asked.address("/api/v1/search", model=here.model),
    )


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


def _line(
    row: Found, here: Scene, by: SearchSort, query: text_query.TextQuery | None, asked: Asked
) -> FoundLine:
    said = row.said
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


def _menu(
    values: Iterable[str], chosen: str, any_: str, label: Callable[[str], str] = words
) -> tuple[Choice, ...]:
    """A menu that begins with nothing chosen, and has what the address says even if the store has it not."""
    there = dict.fromkeys([*values, *([chosen] if chosen else [])])
    return (
        Choice("", any_, not chosen),
        *(Choice(each, label(each)[:80], each == chosen) for each in there),
    )


def _page(
    request: Request,
    models: list[ModelSummary],
    here: Scene,
    asked: Asked,
    results: Results | None,
    problem: str,
    instead: tuple[TokenLink, ...],
) -> SearchPage:
    named = {model.slug: model.card.name for model in models}
    explained = here.columns.explained
    layers = here.columns.layers
    try:
        measure = measures.parse(asked.measure, here.stored)
    except BadInput:  # said in `problem`
        measure = measures.DEFAULT
    kinds = [EXPLANATION, *sorted(explained.method_names)]

    def kind(word: str) -> str:
        return "any but token lookup" if word == EXPLANATION else wording.name(word)

    return SearchPage(
        chrome=_chrome(request, asked),
        asked=asked,
        model_name=named.get(here.model, here.model),
        models=tuple(Choice(slug, name, slug == here.model) for slug, name in named.items()),
        measures=measures.choices(here.stored, measure),
        methods=_menu(sorted(explained.method_names), asked.method, "any method"),
        explainers=_menu(sorted(explained.explainer_names), asked.explainer, "any explainer"),
        polarities=_menu(("positive", "negative"), asked.polarity, "either side"),
        has=_menu(kinds, asked.has, "anything", kind),
        lacks=_menu(kinds, asked.lacks, "nothing", kind),
        modes=()
        if search_seams.semantic(request) is None
        else tuple(
            Choice(each, label, each == (asked.mode or "text"))
            for each, label in (("text", "words"), ("meaning", "meaning"), ("both", "both"))
        ),
        layers_hint=f"{layers[0].ordinal}-{layers[-1].ordinal}" if layers else "",
        filters=_filters(asked),
        results=results,
        problem=problem,
        instead=instead,
        clear=Asked(model=asked.model, q=asked.q, mode=asked.mode).address(),
    )


def _filters(asked: Asked) -> tuple[str, ...]:
    """The filters that are set, in short: they are folded away."""
    said = []
    for what, low, high in (
        ("score", asked.min, asked.max),
        ("fires strongly on", asked.density_min, asked.density_max),
        ("kurtosis", asked.kurtosis_min, asked.kurtosis_max),
    ):
        if low or high:
            said.append(f"{what} {low or '…'} to {high or '…'}")
    for what, value in (
        ("layers", asked.layers), ("method", asked.method), ("explainer", asked.explainer), ("side", asked.polarity),
        ("explained by", asked.has), ("not explained by", asked.lacks), ("list", asked.list),
    ):  # fmt: skip
        if value:
            said.append(f"{what} {words(value)}")
    if asked.measure:
        said.append(asked.measure.replace(" ", "+"))
    return tuple(each[:80] for each in said)


def nothing(request: Request, asked: Asked) -> SearchPage:
    """The page of a store without neurons."""
    return SearchPage(
        _chrome(request, asked), asked, "", (), (), (), (), (), (), (), (), "", (), None,
        "There are no neurons to search yet: a collection has to end first.", (), "/search",
    )  # fmt: skip


def _chrome(request: Request, asked: Asked) -> Chrome:
    title = asked.q.strip() or asked.token.strip() or "Search"
    return chrome(request, f"{title[:60]} · Search" if title != "Search" else title, "search", asked.model)
