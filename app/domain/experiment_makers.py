"""What an experiment's units can be made by in this version."""

from app.domain.explain_options import ASKING_METHODS
from app.domain.explanations import Method, Metric

MAKERS: tuple[Method, ...] = (*ASKING_METHODS, Method.TOKEN_LOOKUP)
SCORERS: tuple[Metric, ...] = ()  # that no simulation stands behind
