"""A neuron with everything that explaining and scoring it needs."""

from dataclasses import dataclass

from app.domain.neurons import NeuronRef, Records, Statistics
from app.domain.puzzles import LAYER, Puzzle
from app.domain.vocabulary import Vocabulary
from app.store import Store, models, neurons, puzzles
from app.store.excerpts import ExcerptCache


@dataclass(frozen=True, eq=False)
class Neuron:
    """One neuron as values."""

    ref: NeuronRef
    records: Records
    statistics: Statistics
    vocabulary: Vocabulary
    collection_id: int  # that all of this is of
    puzzle: Puzzle | None = None  # where it is an invented one: its evidence then


def load_neuron(store: Store, ref: NeuronRef) -> Neuron:
    """Read a neuron from the store, all of it from one collection. Raises NotFound."""
    excerpts = ExcerptCache.get(store, ref.model)
    while True:
        with store.session() as session:
            records = neurons.records(session, excerpts, ref)
            statistics = neurons.statistics(session, ref)
        now = ExcerptCache.get(store, ref.model)
        if now.collection_id == excerpts.collection_id:
            break
        excerpts = now  # another collection ended meanwhile: the statistics may be of that one
    vocabulary = models.cached_vocabulary(store, ref.model)
    stored = None
    if ref.layer == LAYER:
        with store.session() as session:
            stored = puzzles.of_neuron(session, ref)
    puzzle = None if stored is None else stored.puzzle
    return Neuron(ref, records, statistics, vocabulary, excerpts.collection_id, puzzle)
