"""What an experiment came to: one row for every value that was asked for, with or without one."""

from typing import NamedTuple

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef, Polarity


class Result(NamedTuple):
    """One metric of one explanation, or the state that says why there is none.

    The experiment's units are crossed, so that (neuron, arm, seed, scorer, sample, metric) is unique within it.
    """

    ref: NeuronRef
    layer: int  # ordinal
    polarity: Polarity
    method: str  # as explanations name it
    explainer: str  # "endpoint / model", "none" without a language model
    evidence: str  # label of what the explainer was shown, such as "top 5 x 64"
    arm: str  # method, explainer and evidence together, as the definition names the arm
    seed: int
    simulator: str  # who predicted or judged, with its model; empty where nobody did
    protocol: Protocol
    sample: Sample
    metric: Metric
    state: State
    value: float | None
    reason: str  # why there is no value
    explanation_id: int | None  # None: it failed before anything was stored
    text: str  # the statement; empty where there is none
    prompt_tokens: int  # of the call whose answer is the statement
    tokens_in: int  # of all calls behind statement and score
    tokens_out: int
    cost_usd: float
    explain_seconds: float
    score_seconds: float
    floor: float | None = None  # what chance gives: base rate of AUPRC, similarity to others' explanations
    explain_cost_usd: float | None = None  # what of `cost_usd` is the statement's; None: not told
