"""What the model page says of all neurons at once, each number with the search behind it; the API has the same."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.explanations import Metric, Protocol, Sample
from app.store import Session, Store, method_counts, spreads
from app.store.rows import SCORE_EDGES, LayerScores, ModelSummary
from app.web import measures
from app.web.measures import Measure

SEARCH = "/search"
# Of GPT-2 XL's 307,200 neurons, as Bills et al. 2023 state them: on which records, above what, how many.
STATED_OF = "gpt2-xl"
STATED = (
    (Sample.TOP_AND_RANDOM, 0.7, 5_203),
    (Sample.RANDOM_ONLY, 0.7, 732),
    (Sample.TOP_AND_RANDOM, 0.9, 189),
    (Sample.RANDOM_ONLY, 0.9, 86),
)


class MethodLine(NamedTuple):
    """Explanations of one method."""

    method: str
    explanations: int
    neurons: int
    address: str


class Bar(NamedTuple):
    """Neurons whose best score is from `low` (None: whatever is less) to below `high` (None: and `low` or more)."""

    low: float | None
    high: float | None
    neurons: int
    address: str


class Stated(NamedTuple):
    """A count that the paper states, and the same count here."""

    sample: str
    above: float
    stated: int
    here: int | None  # None: no neuron here has such a score
    scored: int  # neurons here that have one
    address: str


class Whole(NamedTuple):
    """All of it."""

    methods: tuple[MethodLine, ...]
    bars: tuple[Bar, ...]  # empty where no neuron has a score
    stated: tuple[Stated, ...]  # empty for any other model


def of_model(
    store: Store, session: Session, model: ModelSummary, measure: Measure, scores: Sequence[LayerScores]
) -> Whole:
    """The numbers of one model, of which `scores` are by the measure."""
    slug = model.slug
    if model.collection is None:
        return Whole((), (), ())
    return Whole(methods(store, session, slug), bars(slug, measure, scores), stated(store, model))


def methods(store: Store, session: Session, slug: str) -> tuple[MethodLine, ...]:
    """Explanations by method. NotFound for a model without neurons."""
    return tuple(
        MethodLine(*each, measures.address(SEARCH, model=slug, method=each.method))
        for each in method_counts.by_method(store, session, slug)
    )


def bars(slug: str, measure: Measure, scores: Sequence[LayerScores]) -> tuple[Bar, ...]:
    """The neurons of all layers by their best score, in steps of a tenth; what is below -0.9 is one bar."""
    counts = [sum(column) for column in zip(*(each.counts for each in scores), strict=True)]
    if not any(counts):
        return ()
    ends = [None, *SCORE_EDGES[1:-1], None]
    return tuple(
        Bar(low, high, n, _search(slug, measure, low, high, best=True))
        for low, high, n in zip(ends[:-1], ends[1:], counts, strict=True)
    )


def stated(store: Store, model: ModelSummary) -> tuple[Stated, ...]:
    """The paper's counts beside those of this store; nothing for any other model than its own, imported."""
    if model.slug != STATED_OF or model.collection is None or not model.collection.imported:
        return ()
    lines = []
    for sample, above, count in STATED:
        measure = Measure(Protocol.BILLS_5_5, sample, Metric.CORRELATION)
        scores = spreads.by_layer(store, model.slug, *measure)
        scored = sum(each.defined for each in scores)
        here = sum(sum(each.counts[SCORE_EDGES.index(above) :]) for each in scores)
        address = _search(model.slug, measure, above, None)
        lines.append(Stated(sample, above, count, here if scored else None, scored, address))
    return tuple(lines)


def _search(slug: str, measure: Measure, low: float | None, high: float | None, *, best: bool = False) -> str:
    return measures.address(
        SEARCH,
        model=slug,
        measure=measure.key,
        min=None if low is None else f"{low:g}",
        max=None if high is None else f"<{high:g}",
        best="1" if best else None,
        sort="score",
    )
