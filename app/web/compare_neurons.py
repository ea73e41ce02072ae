"""Two to six neurons beside each other: what each is, and the excerpts that several of them have records of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.domain.neurons import NeuronRef
from app.errors import NotFound
from app.store import Session, Store
from app.store.sheets import Sheet, sheet
from app.web.model_cache import ModelCache, ModelFacts


@dataclass(frozen=True, eq=False)
class Side:
    """One neuron of a comparison."""

    ref: NeuronRef
    ordinal: int  # of its layer
    facts: ModelFacts
    sheet: Sheet
    shared_tokens: frozenset[int]  # of its top tokens those that another one has among its own

    @property
    def largest(self) -> np.float32:
        """The largest absolute value among all its records: full colour on its own scale."""
        return np.float32(np.abs(self.sheet.records.activations).max(initial=0))


class Sharing(NamedTuple):
    """One neuron on a shared excerpt."""

    side: int  # which neuron of the comparison
    row: int  # into its records
    peak: int  # the token with the largest absolute value


@dataclass(frozen=True, eq=False)
class SharedExcerpt:
    """An excerpt that is among the records of two neurons or more."""

    facts: ModelFacts
    ordinal: int
    sharing: tuple[Sharing, ...]
    both: float  # how strongly at least two fire on it: the second largest peak as a share of the neuron's largest value


def look(store: Store, facts_of: ModelCache, refs: Sequence[NeuronRef]) -> tuple[Side, ...]:
    """Raises NotFound that says what exists."""
    with store.reading() as session:
        read = [_read(session, facts_of, ref) for ref in refs]
    pieces = [
        {facts.vocabulary.pieces[token] for token in found.top_tokens.ids.tolist()} for facts, found in read
    ]
    times = Counter(piece for mine in pieces for piece in mine)
    return tuple(
        Side(
            ref,
            facts.layer(ref.layer).ordinal,
            facts,
            found,
            frozenset(
                token for token in found.top_tokens.ids.tolist() if times[facts.vocabulary.pieces[token]] > 1
            ),
        )
        for ref, (facts, found) in zip(refs, read, strict=True)
    )


def _read(session: Session, facts_of: ModelCache, ref: NeuronRef) -> tuple[ModelFacts, Sheet]:
    facts = facts_of.get(ref.model)
    try:
        return facts, sheet(session, facts.excerpts, ref)
    except NotFound:
        newer = facts_of.fresh(ref.model)  # a new collection may have been completed since
        if newer is facts:
            raise
        return newer, sheet(session, newer.excerpts, ref)


def shared_excerpts(sides: Sequence[Side]) -> list[SharedExcerpt]:
    """Those that at least two fire on most strongly come first. Neurons of different models share none."""
    found: dict[tuple[str, int], list[Sharing]] = {}
    for i, side in enumerate(sides):
        values = np.abs(side.sheet.records.activations)
        peaks = values.argmax(axis=1).tolist() if len(values) else []
        mine: set[int] = set()
        for row, (excerpt, peak) in enumerate(zip(side.sheet.records.excerpts.tolist(), peaks, strict=True)):
            if excerpt not in mine:
                mine.add(excerpt)
                found.setdefault((side.ref.model, excerpt), []).append(Sharing(i, row, peak))
    shared = []
    for (_, excerpt), sharing in found.items():
        if len(sharing) > 1:
            strengths = sorted(_strength(sides[each.side], each) for each in sharing)
            facts = sides[sharing[0].side].facts
            shared.append(SharedExcerpt(facts, excerpt, tuple(sharing), strengths[-2]))
    return sorted(shared, key=lambda each: (-each.both, each.ordinal))


def _strength(side: Side, each: Sharing) -> float:
    largest = float(side.largest)
    value = abs(float(side.sheet.records.activations[each.row, each.peak]))
    return value / largest if largest else 0.0
