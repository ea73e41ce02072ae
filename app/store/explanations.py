"""Signatures; bodies follow."""

from app.domain.explanations import Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.store.rows import *
from app.store.session import Session


def add(
    s: Session,
    ref: NeuronRef,
    text: str | None,
    polarity: Polarity,
    provenance: Provenance,
    state: State,
    reason: str,
    job_id: str | None,
    key: str,
) -> int:
    raise NotImplementedError


def of_neuron(s: Session, ref: NeuronRef) -> list[ExplanationRow]:
    raise NotImplementedError


def get(s: Session, explanation_id: int) -> ExplanationRow:
    raise NotImplementedError


def recent(s: Session, n: int) -> list[ExplanationRow]:
    raise NotImplementedError
