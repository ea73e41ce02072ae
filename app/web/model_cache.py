"""What pages need of a model and what changes only with a new collection, held in memory between requests."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from app.domain.collection import Document, ModelCard
from app.domain.neurons import Split
from app.domain.vocabulary import Vocabulary
from app.errors import NotFound
from app.store import Store, excerpts, models
from app.store.excerpts import ExcerptCache
from app.store.rows import LayerSummary, StoredExcerpts

HOLD_S = 1.0


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """A model with a complete collection."""

    card: ModelCard
    layers: tuple[LayerSummary, ...]
    documents: tuple[Document, ...]
    excerpts: StoredExcerpts
    vocabulary: Vocabulary
    imported: bool  # its records have no documents to hold out

    def layer(self, slug: str) -> LayerSummary:
        """Raises NotFound that says what exists."""
        for layer in self.layers:
            if layer.slug == slug:
                return layer
        there = f"{self.layers[0].slug} to {self.layers[-1].slug}" if self.layers else "none yet"
        raise NotFound(f"{self.card.name} has no layer “{slug}”. There is: {there}.")


class ModelCache:
    """One entry a model, read again when a new collection of it is complete; that is looked up once a second."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.clock = clock
        self._held: dict[str, tuple[float, ModelFacts]] = {}
        self._lock = Lock()

    def get(self, slug: str) -> ModelFacts:
        """At most a second old. Raises NotFound for an unknown model, and for one without a complete collection."""
        known = self._held.get(slug)
        if known is not None and self.clock() < known[0]:
            return known[1]
        return self.fresh(slug)

    def fresh(self, slug: str) -> ModelFacts:
        """As the store has it now. Raises as `get` does."""
        until = self.clock() + HOLD_S
        current = ExcerptCache.get(self.store, slug)
        with self._lock:
            known = self._held.get(slug)
            if known is not None and known[1].excerpts is current:
                facts = known[1]
            else:
                with self.store.reading() as session:
                    model = models.model(session, slug)
                    facts = ModelFacts(
                        model.card,
                        tuple(models.layers(session, slug)),
                        tuple(excerpts.documents(session, slug)),
                        current,
                        models.cached_vocabulary(self.store, slug),
                        (model.collection is not None and model.collection.imported)
                        or bool((current.splits == Split.UNSPLIT).any()),
                    )
            self._held[slug] = (until, facts)
        return facts
