"""Addresses of the compare page: which neurons or explanations, and how they are looked at."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from app.domain.neurons import NeuronRef

FEWEST, MOST = 2, 6
PATH = "/compare"


def of_neurons(refs: Iterable[NeuronRef], **look: str | None) -> str:
    """`/compare?n=MODEL/LAYER/INDEX&n=…`; of how to look only what is set."""
    return _address([("n", str(ref)) for ref in refs], look)


def of_explanations(ids: Sequence[int], **look: str | None) -> str:
    """`/compare?explanations=ID&explanations=…`."""
    return _address([("explanations", str(each)) for each in ids], look)


def _address(pairs: list[tuple[str, str]], look: dict[str, str | None]) -> str:
    pairs += [(name, value) for name, value in look.items() if value]
    return f"{PATH}?{urlencode(pairs, safe='/')}" if pairs else PATH
