"""What `/api/v1` can be asked to do, and the same as the jobs take it."""

from pydantic import Field

from app.domain.candidates import MOST_CANDIDATES
from app.domain.explanations import (
    AskedMethod,
    Band,
    CutOff,
    ExplainOptions,
    Method,
    Protocol,
    ScaleMaximum,
    ScoreOptions,
    ShownOptions,
    SimulatorName,
    TokenSource,
    usual_protocol,
)
from app.domain.neurons import EXCERPT_TOKENS, Polarity
from app.domain.shown import MOST_EXCERPTS
from app.web.api.schemas import Schema

FRESH = (
    "Ask anew what was asked before; else an identical call is answered from the ledger and costs nothing."
)


class ScoreIn(Schema):
    """How to score an explanation."""

    simulator: SimulatorName = Field(
        default=SimulatorName.LOCAL, description="How activations are predicted from the explanation."
    )
    endpoint: str = Field(
        default="", description="Endpoint for chat_json, logprobs, one_at_a_time; empty otherwise."
    )
    protocol: Protocol | None = Field(
        default=None,
        description="Which records are scored on. With null the simulator's usual ones: heldout-5+5 where a language "
        "model is asked, else heldout-full.",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="The same seed asks the same question.")


class ScoreAgainIn(ScoreIn):
    """How to score a stored explanation."""

    revision: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        description="The revision whose kept sentences are scored on. Without a protocol on those alone, beside the records of "
        "heldout-5+5; with another protocol on its records as well. 0: none.",
    )
    fresh: bool = Field(default=False, description=FRESH)


class ExplainQuery(Schema):
    """How to explain a neuron."""

    method: AskedMethod = Field(
        default=AskedMethod.SUMMARY, description="How the records are shown to the explainer."
    )
    polarity: Polarity = Field(
        default=Polarity.POSITIVE, description="Which sign of the activation is explained."
    )
    explainer: str = Field(
        default="", description="Endpoint name; empty for token_lookup and token_linear.", examples=["demo"]
    )
    cut_off: CutOff = Field(
        default=CutOff.TOKEN_Q99,
        description="From where on a token counts as firing, in summary and highlight.",
    )
    scale_maximum: ScaleMaximum = Field(
        default=ScaleMaximum.SHOWN, description="Whose maximum is 10 on the 0-10 scale."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="The same seed asks the same question.")
    candidates: int = Field(
        default=1,
        ge=1,
        le=MOST_CANDIDATES,
        description="Statements made, of which the one with the best correlation on the dev records is kept; simulated by "
        "what scores, else by the local simulator.",
    )
    shown_band: Band = Field(default=Band.TOP, description="Which records methods that show excerpts show.")
    shown_excerpts: int = Field(
        default=5, ge=1, le=MOST_EXCERPTS, description="How many; fewer where fewer are there."
    )
    shown_tokens: int = Field(
        default=EXCERPT_TOKENS,
        ge=1,
        le=EXCERPT_TOKENS,
        description="Tokens of each, around its strongest one.",
    )
    token_source: TokenSource = Field(
        default=TokenSource.ACTIVATION,
        description="By what token_space finds the neuron's strongest tokens; weight needs the live model.",
    )


class ExplainIn(ExplainQuery):
    """How to explain a neuron, and how to score what comes out."""

    score: ScoreIn | None = Field(default=None, description="Also simulate and score what comes out.")
    fresh: bool = Field(default=False, description=FRESH)


def score_options(request: ScoreIn) -> ScoreOptions:
    """The request as the jobs take it."""
    revision = request.revision if isinstance(request, ScoreAgainIn) else 0
    protocol = request.protocol or usual_protocol(request.simulator, revision)
    return ScoreOptions(request.simulator, request.endpoint, protocol, request.seed, revision)


def explain_options(request: ExplainQuery) -> ExplainOptions:
    """The request as the jobs take it."""
    return ExplainOptions(
        Method(request.method),
        request.polarity,
        request.explainer,
        request.cut_off,
        request.scale_maximum,
        request.seed,
        ShownOptions(request.shown_band, request.shown_excerpts, request.shown_tokens),
        request.candidates,
        request.token_source,
    )
