"""What an experiment's units can be made by in this version."""

from app.domain.experiments import REVISING_METHODS
from app.domain.explain_options import ASKING_METHODS
from app.domain.explanations import Method, Metric

MAKERS: tuple[Method, ...] = (*ASKING_METHODS, Method.TOKEN_LOOKUP, Method.TOKEN_LINEAR, *REVISING_METHODS)
SCORERS: tuple[Metric, ...] = (Metric.DETECTION, Metric.FUZZING, Metric.ABLATION, Metric.EMBEDDING)
