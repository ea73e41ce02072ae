"""Search: the same answers as the search page's."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from app.domain import text_query
from app.exchange import exporting
from app.exchange.exporting import Format
from app.store.search_lines import Found
from app.web import search_asked, search_kept, search_run
from app.web.api import convert
from app.web.api.exports import ExportedExplanation, ExportedNeuron, Lines, stream
from app.web.api.list_convert import list_out
from app.web.api.list_schemas import ListOut
from app.web.api.search_schemas import (
    FoundOut,
    KeepIn,
    OnTokenOut,
    SaidOut,
    SearchOut,
    TokenChoiceOut,
)
from app.web.author import WhoDep
from app.web.dependencies import SettingsDep, StoreDep
from app.web.pages.search import found_by
from app.web.search_asked import Asked
from app.web.search_run import Outcome, Scene

router = APIRouter(tags=["search"])


class AskedOfApi(Asked):
    """The same query string as the page's, and how long a page is."""

    limit: int = Field(default=50, ge=1, le=500, description="Most items of a page.")


class AskedExport(Asked):
    """The same query string, and in what form all results are written."""

    format: Format = Field(default=Format.JSONL, description="Form of the answer; all hold the same rows.")


@router.get("/search")
def search(settings: SettingsDep, store: StoreDep, asked: Annotated[AskedOfApi, Query()]) -> SearchOut:
    """A page of the neurons of one model that have everything asked for.

    `q`, `method`, `explainer`, `polarity`, `min` and `max` are asked of one and the same explanation, which is the one shown;
    everything else of the neuron. Token lookup's explanations are not searched by `q`: `token` does that.
    """
    with store.reading() as session:
        here = search_run.scene(store, session, asked)
        outcome = search_run.run(settings, store, session, here, asked, asked.limit)
    return answer(here, outcome)


@router.get("/search/export/explanations", response_class=Lines, responses=stream(ExportedExplanation))
def export_explanations(
    settings: SettingsDep, store: StoreDep, asked: Annotated[AskedExport, Query()]
) -> StreamingResponse:
    """All explanations of every neuron that a search finds, on all its pages; not those alone by which it found them."""
    return _stream(settings, store, asked, "explanations")


@router.get("/search/export/neurons", response_class=Lines, responses=stream(ExportedNeuron))
def export_neurons(
    settings: SettingsDep, store: StoreDep, asked: Annotated[AskedExport, Query()]
) -> StreamingResponse:
    """Statistics and top tokens of every neuron that a search finds, on all its pages."""
    return _stream(settings, store, asked, "neurons")


@router.post("/search/keep", status_code=201)
def keep(settings: SettingsDep, store: StoreDep, who: WhoDep, request: KeepIn) -> ListOut:
    """Make a list of every neuron that a search finds, in its order: at most 10,000."""
    asked = search_asked.parse(request.search)
    return list_out(search_kept.keep(settings, store, asked, request.name, who.name))


def _stream(
    settings: SettingsDep, store: StoreDep, asked: AskedExport, what: search_kept.What
) -> StreamingResponse:
    _, chunks = search_kept.chunks(settings, store, asked, what, asked.format)
    return StreamingResponse(chunks, media_type=exporting.MEDIA[asked.format])


def answer(here: Scene, outcome: Outcome) -> SearchOut:
    """What was found as the API says it."""
    wanted, page = outcome.wanted, outcome.page
    return SearchOut(
        items=[_found(each, here, outcome) for each in page.items],
        next=page.next,
        previous=page.previous,
        total=page.total,
        model=here.model,
        measure=outcome.measure.key,
        sort=wanted.sort.value,
        order="down" if wanted.descending else "up",
        token=outcome.token if outcome.token is not None and outcome.token >= 0 else None,
        token_choices=[
            TokenChoiceOut(id=choice.id, text=here.vocabulary.shown[choice.id], neurons=choice.neurons)
            for choice in outcome.choices
        ],
        within=outcome.within.slug if outcome.within is not None else None,
        notes=list(outcome.notes),
    )


def _found(row: Found, here: Scene, outcome: Outcome) -> FoundOut:
    said, query = row.said, outcome.wanted.text
    ways, near = found_by(row, outcome.similarities)
    hit = row.on_token
    return FoundOut(
        model=row.ref.model,
        layer=row.ref.layer,
        index=row.ref.index,
        density=convert.finite(row.density),
        maximum=convert.finite(row.maximum),
        minimum=convert.finite(row.minimum),
        mean=convert.finite(row.mean),
        variance=convert.finite(row.variance),
        skewness=convert.finite(row.skewness),
        kurtosis=convert.finite(row.kurtosis),
        top_tokens=[
            convert.top_token(here.vocabulary, token.id, token.mean, token.count) for token in row.top_tokens
        ],
        said=None
        if said is None
        else SaidOut(
            explanation_id=said.explanation_id,
            text=said.text,
            matches=[list(span) for span in text_query.marks(query, said.text)] if query is not None else [],
            method=said.method,
            explainer=said.explainer,
            polarity=said.polarity,
            state=said.state,
            value=said.value,
            low=said.low,
            high=said.high,
        ),
        found_by=list(ways) if outcome.similarities is not None else ["words"] * row.words,
        similarity=near,
        token_lookup=row.lookup,
        gain=row.gain,
        on_token=None
        if hit is None
        else OnTokenOut(mean=hit.mean, share_of_maximum=hit.share, count=hit.count),
    )
