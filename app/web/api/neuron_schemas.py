"""Neurons, their statistics and activation records as `/api/v1` answers with them."""

from typing import Any

from pydantic import Field

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Polarity
from app.web.api.explanation_schemas import ExplanationOut
from app.web.api.schemas import Schema


class TopTokenOut(Schema):
    """A token and the neuron's mean activation on it, over the explain-split records."""

    id: int = Field(examples=[8614])
    text: str = Field(description="Made visible: nothing hidden in it.", examples=[" substitute"])
    mean: float = Field(examples=[4.76])
    count: int = Field(examples=[3])


class BestScoreOut(Schema):
    """The neuron's best explanation by the measure asked for, or why none is defined."""

    explanation_id: int = Field(examples=[46081])
    text: str = Field(examples=["verbs about putting one thing in the place of another"])
    method: str = Field(examples=["summary"])
    polarity: Polarity
    protocol: Protocol
    sample: Sample
    metric: Metric
    state: State
    value: float | None = Field(description="Null unless state is ok.", examples=[0.41])
    low: float | None = Field(description="95 % bootstrap interval.", examples=[0.3])
    high: float | None = Field(examples=[0.5])
    trust: str = Field(
        description="What this metric under this sampling would not notice: `passes`, `not checked`, or in words; see /api/v1/trust.",
        examples=["misses too broad below 1 in 100"],
    )


class NeuronLine(Schema):
    """A neuron in its layer's list."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    density: float | None = Field(examples=[0.012])
    maximum: float | None = Field(examples=[6.31])
    minimum: float | None = Field(examples=[-0.87])
    mean: float | None = Field(examples=[0.004])
    variance: float | None = Field(examples=[0.021])
    skewness: float | None = Field(description="Null where undefined.", examples=[9.6])
    kurtosis: float | None = Field(description="Null where undefined.", examples=[160.2])
    top_tokens: list[TopTokenOut]
    best: BestScoreOut | None


class HistogramOut(Schema):
    """Counts in equal bins from `low` to `high`."""

    low: float = Field(examples=[-0.87])
    high: float = Field(examples=[6.31])
    counts: list[int] = Field(examples=[[3900, 150, 30, 10, 6]])


class StatisticsOut(Schema):
    """What is known of a neuron over its corpus. Null is what is not: undefined, or not published."""

    mean: float | None = Field(examples=[0.004])
    variance: float | None = Field(examples=[0.021])
    skewness: float | None = Field(description="Null where undefined.", examples=[9.6])
    kurtosis: float | None = Field(description="A normal distribution has 3.", examples=[160.2])
    maximum: float | None = Field(examples=[6.31])
    minimum: float | None = Field(examples=[-0.87])
    density: float | None = Field(
        description="Share of sampled tokens at a tenth of the explain split's maximum or more.",
        examples=[0.012],
    )
    explain_maximum: float | None = Field(description="Over the explain split alone.", examples=[6.31])
    explain_minimum: float | None = Field(examples=[-0.87])
    token_q99: float | None = Field(
        description="99 % of the explain split's tokens lie at or below it.", examples=[0.55]
    )
    token_q01: float | None = Field(description="1 % of them do.", examples=[-0.2])
    excerpt_max_q99: float | None = Field(
        description="99 % of the explain split's excerpts have their maximum at or below it.", examples=[3.9]
    )
    n_tokens: int = Field(description="Tokens behind mean and variance.", examples=[65536])
    n_sampled: int = Field(
        description="Tokens behind density, quantiles, histogram, higher moments.", examples=[4096]
    )
    sign_shares: list[float] | None = Field(
        description="Gated: shares of (gate, input) ++, +-, -+, --.", examples=[[0.31, 0.2, 0.22, 0.27]]
    )
    position0_outlier: bool = Field(description="The first token was an outlier and left out.")


class RecordOut(Schema):
    """One excerpt with one activation per token."""

    kind: str = Field(
        description="Why it was kept: top, bottom, random, q1 to q5 (a band of the excerpt's maximum), or given (as an example "
        "beside an imported explanation).",
        examples=["top"],
    )
    split: str = Field(
        description="What its document is used for: explain, dev (calibration), score (held out), "
        "unsplit (imported data, which has no documents).",
        examples=["explain"],
    )
    rank: int = Field(description="Place among the records of its kind and split, from 0.", examples=[0])
    excerpt: int = Field(description="Its ordinal in the corpus.", examples=[480])
    document: int | None = Field(description="Null in imported data.", examples=[12])
    start: int | None = Field(
        description="Index of the excerpt's first token within its document; null where there is no document.",
        examples=[5120],
    )
    source: str = Field(examples=["SOTU 1862, Abraham Lincoln"])
    tokens: list[str] = Field(
        description="Made visible: nothing hidden in them.", examples=[[" to", " substitute", " one"]]
    )
    token_ids: list[int] = Field(examples=[[288, 8614, 582]])
    activations: list[float] = Field(
        description="float16 of what the model gave, as float.", examples=[[0.02, 6.31, 0.4]]
    )
    gate_positive: list[bool] | None = Field(
        description="Gated models: sign of the gate per token.", examples=[[True, True, False]]
    )


class CardOut(Schema):
    """A neuron's card."""

    card: dict[str, Any] = Field(
        description="Evidence, explanation, scores and where they are from, as `/m/MODEL/LAYER/INDEX/card.json` has them.",
        examples=[
            {"neuron": "smollm2-135m-instruct/8-mlp/101", "explanation": {"text": "words about the sea"}}
        ],
    )
    sha256: str = Field(
        description="Of `card` as JSON with sorted keys, without blanks and with letters as they are, in UTF-8.",
        examples=["9e0b1fd18752545884a04fa68a8d4a7ca07be5c4f8a2ed0b2b3f7a0a3f1c2d4e"],
    )
    citation: str = Field(
        description="How to refer to the card in a text.",
        examples=["Neuronarium neuron card, smollm2-135m-instruct/8-mlp/101, sha256 9e0b1fd1"],
    )


class RelatedOut(Schema):
    """A published table of tokens or neurons that belong to a neuron, or a sentence that was made up for it."""

    kind: str = Field(
        description="activation_tokens, weight_tokens, weight_neurons, or sentences: of a puzzle, one each, with the "
        "activations that its author gave the tokens.",
        examples=["weight_tokens"],
    )
    side: str = Field(
        description="Which of the tables of that kind, of sentences their number from 1; empty where there is one.",
        examples=["input_positive"],
    )
    names: list[str] = Field(
        description="Tokens made visible, or neurons as LAYER:INDEX.", examples=[[" store", " shop"]]
    )
    values: list[float] = Field(
        description="Mean activations, weights, or activations of a sentence, in the order of names.",
        examples=[[1.5, 1.25]],
    )


class NeuronOut(Schema):
    """A neuron: statistics, histogram, tokens, explanations. Its records have an address of their own."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    statistics: StatisticsOut
    histogram: HistogramOut
    top_tokens: list[TopTokenOut]
    related: list[RelatedOut] = Field(
        description="Published tables of related tokens and neurons, and a puzzle's sentences; none of a model collected here."
    )
    explanations: list[ExplanationOut]
