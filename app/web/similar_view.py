"""Neurons that resemble one, for its page and the API alike."""

from typing import NamedTuple

from app.domain.neurons import NeuronRef
from app.jobs import embedders
from app.settings import Settings
from app.store import Store, neuron_columns, similar
from app.store.similar import Alike, Resembling
from app.web import measures
from app.web.measures import Measure

MOST = 10
PATIENCE_SECONDS = 1.5  # for what is being prepared; after that the page says so and asks again


class Way(NamedTuple):
    """One way in which neurons resemble each other."""

    key: str
    title: str
    measure: str  # what the number is
    how: str  # how it came about
    found: Resembling


class Similar(NamedTuple):
    """One neuron's, in all ways."""

    ref: NeuronRef
    ordinal: int  # of its layer
    measure: Measure  # of the best explanations that are shown
    ways: tuple[Way, ...]

    @property
    def preparing(self) -> bool:
        return any(way.found.preparing for way in self.ways)


def look(
    store: Store, settings: Settings, ref: NeuronRef, k: int = MOST, patience: float = PATIENCE_SECONDS
) -> Similar:
    """Raises NotFound that says what exists. Takes a moment when the model is first looked at."""
    with store.reading() as s:
        here = similar.place(store, s, ref)
        measure = measures.parse(None, neuron_columns.stored_measures(s, here.columns))
        said = similar.by_explanation(store, s, here, measure, k, lambda: embedders.embedder(settings))
        tokens = similar.by_tokens(s, here, measure, k)
        excerpts = similar.by_excerpts(store, s, here, measure, k, patience)
        ordinal = next(layer.ordinal for layer in here.columns.layers if layer.slug == ref.layer)
    by = "" if said.why_none else embedders.embedder(settings).name
    return Similar(
        ref,
        ordinal,
        measure,
        (
            Way(
                "explanation",
                "Said to do the same",
                "cosine of the explanations",
                f"Cosine between the embeddings of explanations by {by}, from −1 to 1; this neuron’s is its best-scored one, or the newest."
                if by
                else "Cosine between the embeddings of explanations, from −1 to 1.",
                said,
            ),
            Way(
                "excerpts",
                "Strongest on the same excerpts",
                "shared excerpts",
                f"Of the excerpts that either neuron has among its kept strongest records, the share that both have; this neuron has {excerpts.own}."
                if excerpts.own
                else "Of the excerpts that either neuron has among its kept strongest records, the share that both have.",
                excerpts,
            ),
            Way(
                "tokens",
                "Firing on the same tokens",
                "cosine over top tokens",
                "Cosine between the mean activations on each neuron’s top tokens (at most 8, those with a mean above 0), from 0 to 1.",
                tokens,
            ),
        ),
    )


def shared_words(way: Way, each: Alike) -> str:
    """What both have, in words; empty where that is no number of things."""
    if way.key == "excerpts":
        return f"{each.shared} shared"
    return f"{each.shared} of {way.found.own} tokens" if way.key == "tokens" else ""
