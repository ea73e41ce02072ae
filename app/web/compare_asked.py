"""What a comparison is asked for: from the query string to neurons or explanations."""

from collections.abc import Sequence
from dataclasses import replace

from app.domain.neurons import NeuronRef
from app.errors import BadInput, NotFound
from app.store import Session
from app.web.compare_address import FEWEST, MOST
from app.web.model_cache import ModelCache
from app.web.pages import go

LONGEST = 300  # characters that name a neuron, a copied address among them
_DIGITS = 15


def refs(session: Session, facts_of: ModelCache, texts: Sequence[str], model: str) -> list[NeuronRef]:
    """The neurons that are named; what is empty is let be. `model` is whose neurons `8:101` means; without it the first one named.

    BadInput for more than six, one that cannot be read and one named twice; NotFound that says what exists.
    """
    asked = [text.strip() for text in texts if text.strip()]
    if len(asked) > MOST:
        raise BadInput(f"a comparison is of {FEWEST} to {MOST} neurons, not {len(asked)}: leave some out")
    places = [_place(text) for text in asked]
    usual = model or next((place.model for place in places if place.model), "")
    found: list[NeuronRef] = []
    for place in places:
        ref = _known(session, facts_of, replace(place, model=place.model or usual, query=""))
        if ref in found:
            raise BadInput(f"neuron {ref} is named twice: compare it with another one")
        found.append(ref)
    return found


def _place(text: str) -> go.Place:
    if len(text) > LONGEST or not text.isprintable():
        raise BadInput(f"“{text[:80]}” names no neuron. {go.FORMS}")
    return go.parse(text)


def _known(session: Session, facts_of: ModelCache, place: go.Place) -> NeuronRef:
    """The neuron by its model's own name without asking the store, else as the search box finds it."""
    try:
        facts = facts_of.get(place.model)
    except NotFound:
        return go.resolve(session, place)
    for layer in facts.layers:
        if place.layer in (layer.slug, str(layer.ordinal)):
            return NeuronRef(facts.card.slug, layer.slug, place.index)
    return NeuronRef(facts.card.slug, facts.layer(place.layer).slug, place.index)  # raises NotFound


def ids(texts: Sequence[str]) -> list[int]:
    """The explanations that are named. BadInput for fewer than two, more than six, one that is no number and one twice."""
    asked = [text.strip() for text in texts if text.strip()]
    if not FEWEST <= len(asked) <= MOST:
        raise BadInput(
            f"a comparison is of {FEWEST} to {MOST} explanations of one neuron, not {len(asked)}: "
            + ("name another one" if len(asked) < FEWEST else "leave some out")
        )
    found: list[int] = []
    for text in asked:
        if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
            raise BadInput(f"“{text[:40]}” is no explanation: give the number that its address has")
        if int(text) in found:
            raise BadInput(f"explanation {int(text)} is named twice: compare it with another one")
        found.append(int(text))
    return found


def demand_enough(found: Sequence[NeuronRef]) -> None:
    """Raises BadInput for fewer than two neurons."""
    if len(found) < FEWEST:
        raise BadInput(
            f"a comparison is of {FEWEST} to {MOST} neurons, not {len(found)}: name another one, as n=MODEL/LAYER/INDEX"
        )


def not_both(neurons: Sequence[str], explanations: Sequence[str]) -> None:
    """Raises BadInput where both are asked for."""
    if any(text.strip() for text in neurons) and any(text.strip() for text in explanations):
        raise BadInput("compare either neurons (n=) or explanations (explanations=), not both at once")
