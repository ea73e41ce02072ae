"""Explanations, simulations and scores as `/api/v1` answers with them."""

from datetime import datetime
from typing import Any

from pydantic import Field

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Polarity
from app.web.api.schemas import Schema


class UsageOut(Schema):
    """What a call or a chain of calls took."""

    tokens_in: int = Field(examples=[959])
    tokens_out: int = Field(examples=[12])
    cost_usd: float = Field(examples=[0.0021])
    seconds: float = Field(examples=[1.5])
    calls: int = Field(examples=[1])


class ScoreOut(Schema):
    """One metric's value on named records, or the state that says why there is none."""

    id: int = Field(examples=[7])
    explanation_id: int = Field(examples=[46081])
    simulation_id: int | None = Field(
        description="Null where nothing was simulated, as for token lookup.", examples=[3]
    )
    simulator: str = Field(examples=["local"])
    simulator_model: str = Field(
        description="Who simulated: `endpoint / model`, or the local model; empty for token lookup.",
        examples=["SmolLM2-135M-Instruct"],
    )
    metric: Metric
    protocol: Protocol
    sample: Sample
    state: State
    value: float | None = Field(description="Null unless state is ok.", examples=[0.41])
    low: float | None = Field(description="95 % bootstrap interval.", examples=[0.3])
    high: float | None = Field(examples=[0.5])
    n_records: int = Field(examples=[20])
    n_documents: int = Field(examples=[20])
    n_tokens: int = Field(examples=[1280])
    indicative: bool = Field(description="Fewer than 10 documents in a stratum.")
    reason: str = Field(description="Why there is no value; empty where there is one.", examples=[""])
    parameters_json: str = Field(
        description="What decided the value: calibration, bootstrap, weights; above which activation a token is active, how many are, their base rate, and above which prediction one counts as predicted active.",
        examples=['{"dev_records": 10, "draws": 200, "intercept": -0.0057, "seed": 0, "slope": 0.0491}'],
    )
    trust: str = Field(
        description="What this metric under this sampling would not notice: `passes`, `not checked`, or in words; see /api/v1/trust.",
        examples=["misses too broad below 1 in 100"],
    )
    seed: int = Field(examples=[0])
    job_id: str | None = Field(description="Null where no job made it.", examples=["explain-3f2a9c41d7e0"])
    created_at: datetime


class StepOut(Schema):
    """Something that was tried on the way to an explanation: a candidate, a test sentence, a probe."""

    kind: str = Field(examples=["candidate"])
    data: dict[str, Any] = Field(
        description="By kind. Of a candidate: its text, or the reason why there is none; seed and temperature as sent; whether it "
        "was kept; and how well it predicts the dev records.",
        examples=[
            {
                "text": "words about the sea",
                "reason": "",
                "seed": 0,
                "temperature": 1.0,
                "kept": True,
                "dev": None,
            }
        ],
    )


class ExplanationOut(Schema):
    """One statement of what a neuron does, with where it comes from."""

    id: int = Field(examples=[46081])
    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    state: State
    reason: str = Field(description="Why there is no text, where the state is failed.", examples=[""])
    text: str = Field(examples=["verbs about putting one thing in the place of another"])
    polarity: Polarity
    method: str = Field(examples=["summary"])
    explainer: str = Field(examples=["demo / SmolLM2-135M-Instruct"])
    prompt_version: str = Field(examples=["summary-1"])
    messages_hash: str = Field(
        description="sha256 of `messages_json`; empty where no language model was asked.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    messages_json: str = Field(
        description="The exact messages; filled where one explanation is asked for by its id.",
        examples=['[{"role": "system", "content": "We study neurons of a language model. …"}]'],
    )
    parameters_json: str = Field(
        examples=['{"polarity": "positive", "cut_off": "token_q99", "temperature": 1.0, "max_tokens": 60}']
    )
    seed: int = Field(examples=[0])
    excerpts: list[int] = Field(
        description="Ordinals of the excerpts that the explainer saw; empty for the method human, where nobody knows.",
        examples=[[12, 480, 77, 903, 351]],
    )
    code_version: str = Field(description="Of Neuronarium, when it was made.", examples=["0.1.0"])
    usage: UsageOut
    author: str = Field(
        description="What asked: web, api, cli; neuronarium for those of a collection; a person's chosen name for human.",
        examples=["api"],
    )
    collection_id: int = Field(examples=[1])
    job_id: str | None = Field(description="Null where no job made it.", examples=["explain-3f2a9c41d7e0"])
    created_at: datetime
    scores: list[ScoreOut]
    steps: list[StepOut] = Field(
        description="What was tried on the way to it, in order; filled where one explanation is asked for by its id."
    )


class SimulationOut(Schema):
    """Predicted activations on the 0-10 scale, or why there are none."""

    id: int = Field(examples=[3])
    explanation_id: int = Field(examples=[46081])
    simulator: str = Field(examples=["local"])
    simulator_model: str = Field(
        description="Who simulated: `endpoint / model`, or the local model; empty for token lookup.",
        examples=["SmolLM2-135M-Instruct"],
    )
    parameters_json: str = Field(
        examples=['{"scale": "0-9", "shots": 5, "prompt_version": "local-1/examples-1"}']
    )
    seed: int = Field(examples=[0])
    state: State
    reason: str = Field(description="Why there are no values; empty where there are.", examples=[""])
    excerpts: list[int] = Field(
        description="Ordinals of the excerpts that were simulated.", examples=[[5, 88]]
    )
    expected: list[list[float]] = Field(
        description="A value for every token of every excerpt.", examples=[[[0.1, 0.2, 7.4], [0.0, 0.3, 0.1]]]
    )
    job_id: str | None = Field(description="Null where no job made it.", examples=["explain-3f2a9c41d7e0"])
    created_at: datetime
