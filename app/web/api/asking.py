"""What `/api/v1` can be asked to do, the same as the jobs take it, and what it would send."""

from pydantic import Field

from app.domain.explanations import (
    CutOff,
    ExplainOptions,
    Method,
    Protocol,
    ScaleMaximum,
    ScoreOptions,
    SimulatorName,
)
from app.domain.neurons import Polarity
from app.jobs.service import usual_protocol
from app.web.api.schemas import Schema


class ScoreIn(Schema):
    """How to score an explanation."""

    simulator: SimulatorName = Field(default=SimulatorName.LOCAL)
    endpoint: str = Field(
        default="", description="Endpoint for chat_json, logprobs, one_at_a_time; empty otherwise."
    )
    protocol: Protocol | None = Field(
        default=None,
        description="Which records are scored on. With null the simulator's usual ones: heldout-5+5 where a language "
        "model is asked, else heldout-full.",
    )
    seed: int = Field(default=0, ge=0, lt=2**31)


class ExplainQuery(Schema):
    """How to explain a neuron: what a dry run is asked for."""

    method: Method = Field(default=Method.SUMMARY, description="How the records are shown to the explainer.")
    polarity: Polarity = Field(
        default=Polarity.POSITIVE, description="Which sign of the activation is explained."
    )
    explainer: str = Field(
        default="", description="Endpoint name; empty for token_lookup.", examples=["demo"]
    )
    cut_off: CutOff = Field(
        default=CutOff.TOKEN_Q99,
        description="From where on a token counts as firing, in summary and highlight.",
    )
    scale_maximum: ScaleMaximum = Field(
        default=ScaleMaximum.SHOWN, description="Whose maximum is 10 on the 0-10 scale."
    )
    seed: int = Field(default=0, ge=0, lt=2**31)


class ExplainIn(ExplainQuery):
    """How to explain a neuron, and how to score what comes out."""

    score: ScoreIn | None = Field(default=None, description="Also simulate and score what comes out.")


class MessageOut(Schema):
    """One message of a chat."""

    role: str = Field(examples=["system"])
    content: str = Field(examples=["We study neurons of a language model. …"])


class PreviewOut(Schema):
    """What an explanation would send, and for how much."""

    endpoint: str | None = Field(description="Null where no language model is asked.", examples=["demo"])
    model: str | None = Field(description="The model's name there.", examples=["SmolLM2-135M-Instruct"])
    messages: list[MessageOut] = Field(description="The exact messages; none where no model is asked.")
    tokens_in: int = Field(description="Tokens of the messages.", examples=[959])
    exact: bool = Field(
        description="Whether `tokens_in` was counted by the model's own tokenizer; else it is an estimate."
    )
    max_tokens_out: int = Field(description="Tokens of the longest answer.", examples=[60])
    price_usd: float = Field(
        description="Of the messages and the longest answer, scoring not included; as exact as `tokens_in`.",
        examples=[0.0021],
    )


def score_options(request: ScoreIn) -> ScoreOptions:
    """The request as the jobs take it."""
    protocol = request.protocol or usual_protocol(request.simulator)
    return ScoreOptions(request.simulator, request.endpoint, protocol, request.seed)


def explain_options(request: ExplainQuery) -> ExplainOptions:
    """The request as the jobs take it."""
    return ExplainOptions(
        request.method,
        request.polarity,
        request.explainer,
        request.cut_off,
        request.scale_maximum,
        request.seed,
    )
