"""The form of the search page: its menus, and what is set, in short."""

from collections.abc import Callable, Iterable, Sequence

from fastapi import Request

from app.errors import BadInput
from app.store.list_rows import ListRow
from app.store.rows import ModelSummary
from app.store.search import EXPLANATION, RATING
from app.web import measures, search_seams, wording
from app.web.contexts import Chrome
from app.web.formats import words
from app.web.rendering import chrome
from app.web.search_asked import Asked
from app.web.search_contexts import Choice, Results, SearchPage, TokenLink
from app.web.search_run import Scene

MOST_LISTS = 100  # in the menu; any list can be named by the address


def _menu(
    values: Iterable[str], chosen: str, any_: str, label: Callable[[str], str] = words
) -> tuple[Choice, ...]:
    """A menu that begins with nothing chosen, and has what the address says even if the store has it not."""
    there = dict.fromkeys([*values, *([chosen] if chosen else [])])
    return (
        Choice("", any_, not chosen),
        *(Choice(each, label(each)[:80], each == chosen) for each in there),
    )


def form(
    request: Request,
    models: list[ModelSummary],
    lists: Sequence[ListRow],
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
    kinds = [EXPLANATION, RATING, *sorted(explained.method_names)]

    def kind(word: str) -> str:
        named = {EXPLANATION: "any but token lookup", RATING: "people's ratings"}
        return named.get(word) or wording.name(word)

    return SearchPage(
        chrome=_head(request, asked),
        asked=asked,
        model_name=named.get(here.model, here.model),
        models=tuple(Choice(slug, name, slug == here.model) for slug, name in named.items()),
        measures=measures.choices(here.stored, measure),
        methods=_menu(sorted(explained.method_names), asked.method, "any method"),
        explainers=_menu(sorted(explained.explainer_names), asked.explainer, "any explainer"),
        polarities=_menu(("positive", "negative"), asked.polarity, "either side"),
        has=_menu(kinds, asked.has, "anything", kind),
        lacks=_menu(kinds, asked.lacks, "nothing", kind),
        modes=tuple(
            Choice(each, label, each == (asked.mode or "text"))
            for each, label in (("text", "words"), ("meaning", "meaning"), ("both", "both"))
        )
        if asked.mode or search_seams.set_up(request.app.state.settings)
        else (),
        lists=_lists(lists, asked.list),
        layers_hint=f"{layers[0].ordinal}-{layers[-1].ordinal}" if layers else "",
        filters=_filters(asked, lists),
        results=results,
        problem=problem,
        instead=instead,
        clear=Asked(model=asked.model, q=asked.q, mode=asked.mode).address(),
    )


def _lists(rows: Sequence[ListRow], word: str) -> tuple[Choice, ...]:
    """Lists to search within: none to choose where there is none."""
    if not rows and not word:
        return ()
    found = _named(rows, word)
    shown = [*rows[:MOST_LISTS], *(row for row in rows[MOST_LISTS:] if row is found)]
    return (
        Choice("", "all neurons", not word),
        *(Choice(row.slug, row.name[:80], row is found) for row in shown),
        *([Choice(word, word[:80], True)] if word and found is None else []),
    )


def _named(rows: Sequence[ListRow], word: str) -> ListRow | None:
    by_slug = [row for row in rows if row.slug == word]
    return next(iter(by_slug or [row for row in rows if str(row.id) == word]), None)


def _filters(asked: Asked, lists: Sequence[ListRow]) -> tuple[str, ...]:
    """The filters that are set, in short: they are folded away."""
    said = []
    for what, low, high in (
        ("score", asked.min, asked.max),
        ("fires strongly on", asked.density_min, asked.density_max),
        ("kurtosis", asked.kurtosis_min, asked.kurtosis_max),
    ):
        if low or high:
            said.append(f"{what} {low or '…'} to {high or '…'}")
    named = _named(lists, asked.list)
    for what, value in (
        ("layers", asked.layers), ("method", asked.method), ("explainer", asked.explainer), ("side", asked.polarity),
        ("explained by", asked.has), ("not explained by", asked.lacks),     ):  # fmt: skip
        if value:
            said.append(f"{what} {words(value)}")
    if asked.list:
        said.append(f"in the list “{named.name if named else asked.list}”")
    if asked.best == "1":
        said.append("of the best explanation")
    if asked.measure:
        said.append(asked.measure.replace(" ", "+"))
    return tuple(each[:80] for each in said)


def nothing(request: Request, asked: Asked) -> SearchPage:
    """The page of a store without neurons."""
    return SearchPage(
        _head(request, asked), asked, "", (), (), (), (), (), (), (), (), (), "", (), None,
        "There are no neurons to search yet: a collection has to end first.", (), "/search",
    )  # fmt: skip


def _head(request: Request, asked: Asked) -> Chrome:
    title = asked.q.strip() or asked.token.strip() or "Search"
    return chrome(request, f"{title[:60]} · Search" if title != "Search" else title, "search", asked.model)
