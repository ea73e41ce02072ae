"""Signatures; bodies follow."""

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import Histogram, NeuronRef, Records, Statistics
from app.store.rows import *
from app.store.session import Session


def records(s: Session, excerpts: StoredExcerpts, ref: NeuronRef) -> Records:
    raise NotImplementedError


def statistics(s: Session, ref: NeuronRef) -> Statistics:
    raise NotImplementedError


def histogram(s: Session, ref: NeuronRef) -> Histogram:
    raise NotImplementedError


def top_tokens(s: Session, ref: NeuronRef) -> StoredTokens:
    raise NotImplementedError


def position0(s: Session, ref: NeuronRef) -> bool:
    raise NotImplementedError


def page(
    s: Session,
    slug: str,
    layer: str,
    sort: NeuronSort = NeuronSort.INDEX,
    descending: bool = False,
    cursor: str | None = None,
    limit: int = 50,
    protocol: Protocol = Protocol.HELDOUT_FULL,
    metric: Metric = Metric.CORRELATION,
    sample: Sample = Sample.TOP_AND_RANDOM,
) -> Page[NeuronRow]:
    raise NotImplementedError


def random_ref(s: Session, slug: str, layer: str | None = None) -> NeuronRef:
    raise NotImplementedError


def distribution(s: Session, slug: str, statistic: NeuronSort) -> list[LayerDistribution]:
    raise NotImplementedError
