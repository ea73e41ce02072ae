"""A neuron's card: one page to print, to keep and to cite, as HTML, PDF and JSON."""

from dataclasses import asdict, dataclass
from typing import Annotated, NamedTuple

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, Response

from app.domain.explanations import Protocol
from app.domain.neuron_card import Card, CardExcerpt
from app.domain.neurons import NeuronRef
from app.web import card_svg, heat_lines
from app.web.compare_contexts import HeatLine
from app.web.contexts import Chrome
from app.web.dependencies import FactsDep, StoreDep
from app.web.drawing import DRAUGHTSMAN
from app.web.measures import address
from app.web.model_cache import ModelFacts
from app.web.neuron_card import card_of
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False, prefix="/m/{model}/{layer}/{index:index}")
Explanation = Annotated[int | None, Query(ge=1, lt=2**31)]


class Evidence(NamedTuple):
    """One record with its painted line."""

    record: CardExcerpt
    line: HeatLine


@dataclass(frozen=True)
class CardPage:
    """`card.html`."""

    chrome: Chrome
    card: Card
    here: str
    evidence: tuple[Evidence, ...]
    citation: str
    hash: str
    pdf: str
    json: str


def asked_card(
    model: str,
    layer: str,
    index: int,
    store: StoreDep,
    facts_of: FactsDep,
    explanation: Explanation = None,
    protocol: Protocol | None = None,
) -> Card:
    """The card that an address names."""
    return card_of(store, facts_of.get(model), NeuronRef(model, layer, index), explanation, protocol)


CardDep = Annotated[Card, Depends(asked_card)]


@router.get("/card")
def show_card(
    request: Request,
    card: CardDep,
    facts_of: FactsDep,
    explanation: Explanation = None,
    protocol: Protocol | None = None,
) -> HTMLResponse:
    """The card as a page that prints on one sheet."""
    asked = {"explanation": str(explanation) if explanation else None, "protocol": protocol}
    here = card.path
    context = CardPage(
        chrome(request, f"Card of {card.name}", "browse", card.slug),
        card,
        here,
        _painted(facts_of.get(card.slug), card),
        card.citation(),
        card.hash(),
        address(f"{here}/card.pdf", **asked),
        address(f"{here}/card.json", **asked),
    )
    return page("card.html", context)


@router.get("/card.json")
def card_json(card: CardDep) -> Response:
    """Everything on the card, with its hash and citation."""
    body = {"card": asdict(card), "sha256": card.hash(), "citation": card.citation()}
    return Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), media_type="application/json")


@router.get("/card.pdf")
def card_pdf(card: CardDep) -> Response:
    """The card as a PDF of one page."""
    name = f"{card.slug}-{card.layer}-{card.index}.pdf"
    return Response(
        DRAUGHTSMAN.draw(card_svg.drawn(card), "pdf of svg"),
        media_type="application/pdf",
        headers={"content-disposition": f'inline; filename="{name}"'},
    )


def _painted(facts: ModelFacts, card: Card) -> tuple[Evidence, ...]:
    found = []
    for record in card.records:
        values = np.array(record.activations, np.float32)
        tokens = np.array(record.token_ids, np.int32)
        full, peak = np.float32(card.largest), record.peak(card.sign)
        line = heat_lines.line(facts, record.use, "", tokens, values, full, peak)
        found.append(Evidence(record, line))
    return tuple(found)
