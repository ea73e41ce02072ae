"""What an experiment's units can be made by in this version."""

from app.domain.explanations import PROMPTED_METHODS, Method, Metric

MAKERS: tuple[Method, ...] = (*PROMPTED_METHODS, Method.TOKEN_LOOKUP)
SCORERS: tuple[Metric, ...] = ()  # that no simulation stands behind
