"""What pages need of a model and what changes only with a new collection, held in memory between requests."""

from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from app.domain.collection import Document, ModelCard
from app.domain.neurons import Split
from app.domain.vocabulary import Vocabulary
from app.errors import NotFound
from app.store import Store, excerpts, models
from app.store.excerpts import ExcerptCache
from app.store.rows import LayerSummary, StoredExcerpts


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """A model with a complete collection."""

    card: ModelCard
    layers: tuple[LayerSummary, ...]
    documents: tuple[Document, ...]
    excerpts: StoredExcerpts
    vocabulary: Vocabulary

    @cached_property
    def imported(self) -> bool:
        """Whether its records were imported: they have no documents to hold out."""
        return bool((self.excerpts.splits == Split.UNSPLIT).any())

    def layer(self, slug: str) -> LayerSummary:
        """Raises NotFound that says what exists."""
        for layer in self.layers:
            if layer.slug == slug:
                return layer
        there = f"{self.layers[0].slug} to {self.layers[-1].slug}" if self.layers else "none yet"
        raise NotFound(f"{self.card.name} has no layer “{slug}”. There is: {there}.")


class ModelCache:
    """One entry a model, read again when a new collection of it is complete."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._held: dict[str, ModelFacts] = {}
        self._lock = Lock()

    def get(self, slug: str) -> ModelFacts:
        """Raises NotFound for an unknown model, and for one without a complete collection."""
        current = ExcerptCache.get(self.store, slug)
        held = self._held.get(slug)
        if held is not None and held.excerpts is current:
            return held
        with self._lock:
            with self.store.session() as session:
                fresh = ModelFacts(
                    models.model(session, slug).card,
                    tuple(models.layers(session, slug)),
                    tuple(excerpts.documents(session, slug)),
                    current,
                    models.cached_vocabulary(self.store, slug),
                )
            self._held[slug] = fresh
            return fresh
