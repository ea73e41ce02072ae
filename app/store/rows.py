"""The values that come out of the store: frozen, plain, never objects of a database library."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.collection import ExcerptTable, ModelCard
from app.domain.explanations import (
    Metric,
    Protocol,
    Sample,
    State,
)
from app.domain.neurons import Float32, Int32, NeuronRef, Polarity
from app.domain.splits import MIN_DOCUMENTS, enough_documents

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a long list. Cursors are opaque, URL-safe and exact; None where there is nothing that way."""

    items: tuple[T, ...]
    next: str | None
    previous: str | None
    total: int


class CollectionState(StrEnum):
    """`RUNNING` is invisible to pages; exactly one `COMPLETE` is shown per model; older ones are `SUPERSEDED`."""

    RUNNING = "running"
    COMPLETE = "complete"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class CollectionRow:
    """One pass of a model over a corpus."""

    id: int
    model: str  # slug
    corpus: str
    state: CollectionState
    documents: int
    excerpts: int
    excerpt_tokens: int
    documents_per_split: tuple[int, int, int, int]  # explain, dev, score, unsplit
    parameters_json: str
    job_id: str | None
    created_at: datetime
    finished_at: datetime | None
    imported: bool = False  # it has no documents, and grows

    @property
    def too_few_documents(self) -> str:
        """Why nothing can be scored on it, or "": own documents, too few of them in a split."""
        *own, unsplit = self.documents_per_split
        if self.imported:
            return ""
        if enough_documents(own) or (unsplit and not sum(own)):
            return ""
        explain, dev, score = own
        return (
            f"The corpus has too few documents to score on ({explain} to explain, {dev} to calibrate, {score} to "
            f"score; {MIN_DOCUMENTS} of each are needed): collect more excerpts, or over more documents."
        )


@dataclass(frozen=True)
class ModelRow:
    """A subject model as stored."""

    id: int
    card: ModelCard
    created_at: datetime

    @property
    def slug(self) -> str:
        return self.card.slug


@dataclass(frozen=True)
class ModelSummary:
    """A model as the home page shows it. Without a complete collection it has no neurons to look at yet."""

    id: int
    card: ModelCard
    collection: CollectionRow | None  # the complete one that pages show
    collecting: CollectionRow | None  # one under way, its layers still invisible
    layers: int  # collected and visible
    neurons: int  # collected and visible
    explanations: int  # asked for and made, without those of every neuron that a collection brings; of imported data all

    @property
    def slug(self) -> str:
        return self.card.slug


@dataclass(frozen=True)
class LayerSummary:
    """One collected layer."""

    model: str  # slug
    ordinal: int
    slug: str
    neurons: int  # that are there: of imported data perhaps not all of the layer's
    width: int  # neurons of the model's layer: indices are below it
    gated: bool
    position0_share: float  # share of neurons whose first token was an outlier and left out
    n_tokens: int  # tokens behind mean and variance
    n_sampled: int  # tokens behind density, histogram, quantiles, higher moments
    records: int  # slots kept per neuron
    mean_density: float | None
    max_activation: float | None


@dataclass(frozen=True, eq=False)
class StoredExcerpts(ExcerptTable):
    """A model's excerpts in memory, tied to the collection whose records point into them."""

    collection_id: int
    model: str  # slug
    revision: int = 0  # of the collection, when they were read


class NeuronSort(StrEnum):
    """What a layer's neurons can be sorted by. Neurons without the value come last either way."""

    INDEX = "index"
    SCORE = "score"
    DENSITY = "density"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    MEAN = "mean"
    VARIANCE = "variance"
    SKEWNESS = "skewness"
    KURTOSIS = "kurtosis"


@dataclass(frozen=True)
class BestScore:
    """The best-scoring explanation of a neuron by one measure (protocol, sample, metric), or why none is defined."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    state: State
    value: float | None
    low: float | None
    high: float | None
    explanation_id: int
    text: str
    method: str
    polarity: Polarity


@dataclass(frozen=True, slots=True)
class TopToken:
    """A token with the neuron's mean activation on it over its explain-split records."""

    id: int
    mean: float
    count: int


@dataclass(frozen=True)
class NeuronRow:
    """One line of a layer's list."""

    ref: NeuronRef
    density: float
    maximum: float
    minimum: float
    mean: float
    variance: float
    skewness: float  # NaN where undefined
    kurtosis: float  # NaN where undefined
    top_tokens: tuple[TopToken, ...]
    best: BestScore | None  # by the measure asked for

    @property
    def index(self) -> int:
        return self.ref.index


@dataclass(frozen=True, eq=False)
class LayerScores:
    """The best scores of one layer's neurons by one measure, for charts."""

    layer: str
    ordinal: int
    neurons: int
    defined: int  # neurons with a value
    constant: int  # neurons whose prediction is constant: counted as 0 in `mean_constant_0`
    mean: float | None  # over defined
    mean_constant_0: float | None  # over defined and constant
    quantiles: tuple[float, ...]  # at QUANTILES; empty when none is defined
    counts: tuple[int, ...]  # histogram over SCORE_EDGES


@dataclass(frozen=True, eq=False)
class LayerDistribution:
    """How one statistic is spread over a layer's neurons, for charts."""

    layer: str
    ordinal: int
    neurons: int
    mean: float | None
    quantiles: tuple[float, ...]  # at QUANTILES


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SCORE_EDGES = tuple(
    round(-1 + 0.1 * i, 1) for i in range(21)
)  # of r-squared, below -1 counts in the first bin


@dataclass(frozen=True, eq=False)
class StoredTokens:
    """The tokens on which a neuron's mean activation is highest, strongest first. K tokens."""

    ids: Int32  # [K]
    means: Float32  # [K]
    counts: NDArray[np.int32]  # [K] occurrences in the explain-split records


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class JobRow:
    """One job as pages and the command line show it."""

    id: str
    kind: str  # collect, explain, score, prepare_demo…
    title: str
    parameters_json: str
    state: JobState
    done: int
    total: int  # 0: unknown
    unit: str  # "excerpts", "calls"…
    note: str
    reason: str  # why it failed, in plain words
    cost_usd: float
    worker: str
    attempts: int
    resumptions: int  # workers that died with it since it last got further
    model: str | None  # slug, where the job is about one
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    result_json: str

    @property
    def share(self) -> float | None:
        """Progress from 0 to 1, None where the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else None


@dataclass(frozen=True)
class WorkerRow:
    """A worker process and its last heartbeat."""

    name: str
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
