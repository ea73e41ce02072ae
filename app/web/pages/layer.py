"""A layer: its neurons in a sortable, pageable list, each with its tokens and its best explanation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse

from app.domain.explanations import State
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput, NotFound
from app.store import models as stored_models
from app.store import neurons as stored_neurons
from app.store import scores as stored_scores
from app.store.rows import LayerSummary, ModelSummary, NeuronRow, NeuronSort
from app.web import charts, measures
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.formats import short
from app.web.measures import DEFAULT, Measure, MeasureChoice
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
TOKENS_SHOWN = 6
# Sorts of the list's head: name, label, and whether the first click sorts downwards.
SORTS = (
    (NeuronSort.INDEX, "neuron", False),
    (NeuronSort.SCORE, "score", True),
    (NeuronSort.MAXIMUM, "strongest", True),
    (NeuronSort.MINIMUM, "most negative", False),
    (NeuronSort.DENSITY, "fires strongly", True),
    (NeuronSort.MEAN, "mean", True),
    (NeuronSort.VARIANCE, "variance", True),
    (NeuronSort.SKEWNESS, "skewness", True),
    (NeuronSort.KURTOSIS, "kurtosis", True),
)
# What is shown of a neuron only where the list is sorted by it.
STATISTICS: dict[NeuronSort, Callable[[NeuronRow], float]] = {
    NeuronSort.MEAN: lambda row: row.mean,
    NeuronSort.VARIANCE: lambda row: row.variance,
    NeuronSort.SKEWNESS: lambda row: row.skewness,
    NeuronSort.KURTOSIS: lambda row: row.kurtosis,
}
STATE_WORDS = {
    State.FAILED: "failed",
    State.CONSTANT_PREDICTION: "constant prediction",
    State.CONSTANT_ACTUAL: "constant activations",
    State.TOO_FEW_ACTIVE: "too few active tokens",
    State.TOO_FEW_RECORDS: "too few records",
    State.NO_CALIBRATION: "no calibration",
}


@dataclass(frozen=True)
class SortLink:
    """One way to sort the list."""

    label: str
    address: str
    chosen: bool
    descending: bool


@dataclass(frozen=True)
class NeuronLine:
    """One neuron of the list."""

    row: NeuronRow
    address: str
    tokens: tuple[str, ...]
    interval: Markup | None
    state: str  # why there is no score, in words
    statistic: str  # that the list is sorted by and has no column of its own for; empty where it has


@dataclass(frozen=True)
class LayerPage:
    """`layer.html`."""

    chrome: Chrome
    model: ModelSummary
    layer: LayerSummary
    before: LayerSummary | None
    after: LayerSummary | None
    lines: tuple[NeuronLine, ...]
    sorts: tuple[SortLink, ...]
    sort: str
    statistic: str  # the extra column's head, empty where there is none
    descending: bool
    measure: str
    measure_label: str
    measures: tuple[MeasureChoice, ...]
    total: int
    next: str | None  # addresses
    previous: str | None
    here: str
    json: str


def token_text(vocabulary: Vocabulary, id: int) -> str:
    """A token for a chip: line breaks and tabs as signs."""
    return vocabulary.shown[id].replace("\n", "↵").replace("\t", "⇥")[:40]


def line(row: NeuronRow, vocabulary: Vocabulary, by: NeuronSort) -> NeuronLine:
    """A row of the store as the list shows it, sorted as it is."""
    best = row.best
    drawn = None
    if best is not None and best.value is not None:
        drawn = charts.interval(best.value, best.low, best.high)
    return NeuronLine(
        row=row,
        address=f"/m/{row.ref.model}/{row.ref.layer}/{row.ref.index}",
        tokens=tuple(token_text(vocabulary, token.id) for token in row.top_tokens[:TOKENS_SHOWN]),
        interval=drawn,
        state=STATE_WORDS.get(best.state, "") if best is not None else "no explanation yet",
        statistic=short(STATISTICS[by](row)) if by in STATISTICS else "",
    )


def parse_sort(sort: str) -> NeuronSort:
    """Raises BadInput that says what can be sorted by."""
    try:
        return NeuronSort(sort)
    except ValueError as error:
        raise BadInput(
            f"Neurons cannot be sorted by {sort!r}. They can by: {', '.join(NeuronSort)}."
        ) from error


def parse_order(order: str) -> bool:
    """Whether the list falls. Raises BadInput that says what may stand there."""
    if order not in ("", "up", "down"):
        raise BadInput(f"A list is sorted up or down, not “{order[:40]}”.")
    return order == "down"


def json_address(this: LayerSummary, by: NeuronSort, descending: bool, measure: Measure, cursor: str) -> str:
    """The same page of the list by the API."""
    names = measure._asdict() if measure != DEFAULT else {}
    return measures.address(
        f"/api/v1/models/{this.model}/layers/{this.slug}/neurons",
        sort=by.value if by is not NeuronSort.INDEX else None,
        order="down" if descending else None,
        **names,
        cursor=cursor,
    )


@router.get("/m/{model}/{layer}")
def show(
    request: Request,
    store: StoreDep,
    model: str,
    layer: str,
    sort: str = "index",
    order: str = "",
    measure: str = "",
    cursor: str = "",
) -> HTMLResponse:
    """The list, one page of it; its whole state is in the address."""
    by = parse_sort(sort)
    descending = parse_order(order)
    path = f"/m/{model}/{layer}"
    with store.reading() as session:
        summary = stored_models.model(session, model)
        this = stored_models.layer(session, model, layer)
        layers = stored_models.layers(session, model)
        stored = stored_scores.measures(session, model)
        chosen = measures.parse(measure, stored)
        found = stored_neurons.page(
            session, model, layer, by, descending, cursor or None, PAGE_SIZE,
            chosen.protocol, chosen.metric, chosen.sample,
        )  # fmt: skip
    vocabulary = stored_models.cached_vocabulary(store, model)
    place = [each.slug for each in layers].index(this.slug)
    asked = chosen.key if measure else None

    def at(cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return measures.address(
            path, sort=by.value, order="down" if descending else None, measure=asked, cursor=cursor
        )

    links = []
    for name, label, down_first in SORTS:
        down = (not descending) if name is by else down_first
        links.append(
            SortLink(
                label,
                measures.address(path, sort=name.value, order="down" if down else None, measure=asked),
                name is by,
                descending,
            )
        )
    context = LayerPage(
        chrome=chrome(request, f"{summary.card.name}, layer {layer}", "browse", model),
        model=summary,
        layer=this,
        before=layers[place - 1] if place > 0 else None,
        after=layers[place + 1] if place + 1 < len(layers) else None,
        lines=tuple(line(row, vocabulary, by) for row in found.items),
        sorts=tuple(links),
        sort=by.value,
        statistic=by.value if by in STATISTICS else "",
        descending=descending,
        measure=chosen.key,
        measure_label=chosen.label,
        measures=measures.choices(stored, chosen),
        total=found.total,
        next=at(found.next),
        previous=at(found.previous),
        here=path,
        json=json_address(this, by, descending, chosen, cursor),
    )
    return page("layer.html", context)


@router.get("/m/{model}/{layer}/{neuron}", response_model=None)
def no_such_neuron(store: StoreDep, model: str, layer: str, neuron: str) -> NoReturn:
    """What stands in a neuron's place and is no index. Raises NotFound that says which neurons there are."""
    with store.session() as session:
        last = stored_models.layer(session, model, layer).width - 1
    raise NotFound(f"layer “{layer}” of “{model}” has no neuron “{neuron[:40]}”; it has 0 to {last}")
