"""Signatures; bodies follow."""

from app.domain.explanations import Simulated, State
from app.store.rows import *
from app.store.session import Session


def add(
    s: Session,
    explanation_id: int,
    simulator: str,
    endpoint: str,
    parameters_json: str,
    seed: int,
    simulated: Simulated | None,
    state: State,
    reason: str,
    job_id: str | None,
    key: str,
) -> int:
    raise NotImplementedError


def of_explanation(s: Session, explanation_id: int) -> list[SimulationRow]:
    raise NotImplementedError


def get(s: Session, simulation_id: int) -> SimulationRow:
    raise NotImplementedError
