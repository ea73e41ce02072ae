"""How many explanations of each method a model has, and of how many neurons: from the columns that searches use."""

from typing import NamedTuple

import numpy as np

from app.store import neuron_columns
from app.store.session import Session, Store

_KEY = "method counts"


class MethodCount(NamedTuple):
    """One method: what a search for it finds."""

    method: str
    explanations: int
    neurons: int


def by_method(store: Store, s: Session, slug: str) -> tuple[MethodCount, ...]:
    """The methods of explanations that came about, most explanations first. NotFound for a model without neurons."""
    c = neuron_columns.columns(store, s, slug)
    found: tuple[MethodCount, ...] | None = c.known.get(_KEY)
    if found is None:
        e = c.explained
        counts = []
        for code, name in enumerate(e.method_names):
            neurons = e.neurons[e.methods == code]  # ascending
            if len(neurons):
                counts.append(MethodCount(name, len(neurons), 1 + int(np.count_nonzero(np.diff(neurons)))))
        found = c.known[_KEY] = tuple(sorted(counts, key=lambda each: (-each.explanations, each.method)))
    return found
