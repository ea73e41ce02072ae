"""Search: the same answers as the search page's."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from app.domain import text_query
from app.store.search_lines import Found
from app.web import search_run
from app.web.api import convert
from app.web.api.search_schemas import (
    FoundOut,
    OnTokenOut,
    SaidOut,
    SearchOut,
    TokenChoiceOut,
)
from app.web.dependencies import StoreDep
from app.web.search_asked import Asked
from app.web.search_run import Outcome, Scene

router = APIRouter(tags=["search"])


class AskedOfApi(Asked):
    """The same query string as the page's, and how long a page is."""

    limit: int = Field(default=50, ge=1, le=500, description="Most items of a page.")


@router.get("/search")
def search(request: Request, store: StoreDep, asked: Annotated[AskedOfApi, Query()]) -> SearchOut:
    """A page of the neurons of one model that have everything asked for.

    `q`, `method`, `explainer`, `polarity`, `min` and `max` are asked of one and the same explanation, which is the one shown;
    everything else of the neuron. Token lookup's explanations are not searched by `q`: `token` does that.
    """
    with store.session() as session:
        here = search_run.scene(store, session, asked)
        outcome = search_run.run(request, store, session, here, asked, asked.limit)
    return answer(here, outcome)


def answer(here: Scene, outcome: Outcome) -> SearchOut:
    """What was found as the API says it."""
    wanted, page = outcome.wanted, outcome.page
    return SearchOut(
        items=[_found(each, here, wanted.text) for each in page.items],
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
        notes=list(outcome.notes),
    )


def _found(row: Found, here: Scene, query: text_query.TextQuery | None) -> FoundOut:
    said = row.said
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
        token_lookup=row.lookup,
        gain=row.gain,
        on_token=None
        if hit is None
        else OnTokenOut(mean=hit.mean, share_of_maximum=hit.share, count=hit.count),
    )
