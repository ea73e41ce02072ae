"""Signatures; bodies follow."""

from collections.abc import Sequence

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue
from app.store.rows import *
from app.store.session import Session


def add(
    s: Session,
    explanation_id: int,
    simulation_id: int | None,
    values: Sequence[ScoreValue],
    job_id: str | None,
    key: str,
) -> None:
    raise NotImplementedError


def by_layer(
    s: Session,
    slug: str,
    protocol: Protocol,
    sample: Sample,
    metric: Metric = Metric.CORRELATION,
    method: str | None = None,
) -> list[LayerScores]:
    raise NotImplementedError


def measures(s: Session, slug: str) -> list[tuple[Protocol, Sample, Metric]]:
    raise NotImplementedError


def of_explanation(s: Session, explanation_id: int) -> list[ScoreRow]:
    raise NotImplementedError


def seen_documents(s: Session, explanation_id: int) -> SeenProof:
    raise NotImplementedError
