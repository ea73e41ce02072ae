"""Comparisons and similar neurons as `/api/v1` answers with them."""

from pydantic import Field

from app.domain.explanations import Metric, Protocol, Sample, State
from app.web.api.explanation_schemas import ExplanationOut, ScoreOut
from app.web.api.neuron_schemas import StatisticsOut, TopTokenOut
from app.web.api.schemas import Schema
from app.web.api.search_schemas import SaidOut


class ComparedTokenOut(TopTokenOut):
    """One of the neuron's top tokens."""

    shared: bool = Field(description="Whether another neuron of the comparison has it among its own.")


class ComparedNeuronOut(Schema):
    """One neuron of a comparison."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    explanation: ExplanationOut | None = Field(
        description="The one that its page leads with; null where nobody said anything."
    )
    statistics: StatisticsOut
    top_tokens: list[ComparedTokenOut]
    strongest: list[int] = Field(
        description="Ordinals of its strongest excerpts, strongest first, near-duplicates once.",
        examples=[[480, 12, 77]],
    )


class OnSharedOut(Schema):
    """One neuron on a shared excerpt."""

    neuron: int = Field(description="Its place in `neurons`, from 0.", examples=[0])
    peak: float = Field(description="Its largest value there by size, with its sign.", examples=[6.31])
    largest: float = Field(
        description="The largest absolute value among all its records: its own scale.", examples=[6.31]
    )
    activations: list[float] = Field(description="A value for every token.", examples=[[0.02, 6.31, 0.4]])


class SharedExcerptOut(Schema):
    """An excerpt that is among the records of two neurons or more."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    excerpt: int = Field(description="Its ordinal in the corpus.", examples=[480])
    source: str = Field(examples=["SOTU 1862, Abraham Lincoln"])
    start: int | None = Field(
        description="Index of its first token within its document; null without one.", examples=[5120]
    )
    token_ids: list[int] = Field(examples=[[288, 8614, 582]])
    tokens: list[str] = Field(
        description="Made visible: nothing hidden in them.", examples=[[" to", " substitute", " one"]]
    )
    both: float = Field(
        description="How strongly at least two fire on it: the second largest peak as a share of its neuron's largest value.",
        examples=[0.83],
    )
    neurons: list[OnSharedOut]


class NeuronsComparedOut(Schema):
    """Two to six neurons beside each other."""

    neurons: list[ComparedNeuronOut]
    excerpts: list[SharedExcerptOut] = Field(
        description="All that two or more have records of; those first on which at least two fire strongly."
    )


class MeasureComparedOut(Schema):
    """One measure's scores of all explanations of the comparison."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    scores: list[list[ScoreOut]] = Field(
        description="For each explanation the newest by each simulator, defined ones before states; empty: not scored."
    )


class PairOut(Schema):
    """How far two explanations' correlations are apart on the very same records."""

    protocol: Protocol
    first: int = Field(description="Id of the first explanation.", examples=[46081])
    second: int = Field(description="Id of the second.", examples=[46082])
    simulated_by: list[str] = Field(
        description="Who simulated each, in words.", examples=[["local", "local"]]
    )
    state: State
    values: list[float] | None = Field(
        description="Correlation of each; null unless state is ok.", examples=[[0.41, 0.3]]
    )
    difference: float | None = Field(description="First minus second.", examples=[0.11])
    low: float | None = Field(
        description="95 % bootstrap interval of the difference, each draw with the same documents for both.",
        examples=[0.02],
    )
    high: float | None = Field(examples=[0.2])
    n_records: int = Field(examples=[20])
    indicative: bool = Field(description="Fewer than 10 documents in a stratum.")


class PredictedOut(Schema):
    """What one explanation predicts of an excerpt."""

    explanation_id: int = Field(examples=[46081])
    simulation_id: int | None = Field(
        description="Null for token lookup, which predicts from token means.", examples=[3]
    )
    own_scale: bool = Field(
        description="True: in the units of the activations; false: on the 0-10 scale of the explained side."
    )
    expected: list[float] = Field(
        description="A value for every token, of the explained side.", examples=[[0.1, 7.4, 0.2]]
    )


class ExcerptComparedOut(Schema):
    """One excerpt: what the neuron does and what each explanation predicts."""

    excerpt: int = Field(examples=[480])
    token_ids: list[int] = Field(examples=[[288, 8614, 582]])
    tokens: list[str] = Field(
        description="Made visible: nothing hidden in them.", examples=[[" to", " substitute", " one"]]
    )
    actual: list[float] | None = Field(
        description="Null where no record of it is kept and none was published.", examples=[[0.02, 6.31, 0.4]]
    )
    predicted: list[PredictedOut] = Field(description="Of those that were simulated on it.")


class ExplanationsComparedOut(Schema):
    """Two to six explanations of one neuron."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    explanations: list[ExplanationOut]
    measures: list[MeasureComparedOut]
    pairs: list[PairOut]
    excerpts: list[ExcerptComparedOut]


class CompareOut(Schema):
    """A comparison of neurons or of explanations; the other one is null."""

    neurons: NeuronsComparedOut | None
    explanations: ExplanationsComparedOut | None


class AlikeOut(Schema):
    """A neuron that resembles the one asked for."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["9-mlp"])
    index: int = Field(examples=[17])
    value: float = Field(
        description="As the way says: a cosine, or the share of shared excerpts.", examples=[0.42]
    )
    shared: int = Field(
        description="Excerpts or tokens that both have; 0 by explanation, where nothing is counted.",
        examples=[6],
    )
    said: SaidOut | None = Field(
        description="Its best explanation; by explanation the one that is near. Null where nothing was said of it."
    )


class WayOut(Schema):
    """One way in which neurons resemble each other."""

    way: str = Field(description="explanation, excerpts or tokens.", examples=["excerpts"])
    measure: str = Field(description="What `value` is.", examples=["shared excerpts"])
    how: str = Field(
        description="How the numbers came about, in a sentence.",
        examples=["Of the excerpts that either has …"],
    )
    own: int = Field(
        description="The neuron's own top excerpts or top tokens; by explanation the id of the one that was compared.",
        examples=[23],
    )
    why_none: str = Field(
        description="Why nothing could be compared, in a sentence; empty otherwise.", examples=[""]
    )
    preparing: bool = Field(description="It is being prepared: ask again in some seconds.")
    items: list[AlikeOut]


class SimilarOut(Schema):
    """Neurons that resemble one, most alike first, in each way."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    score_measure: str = Field(
        description="That the scores of explanations are by: protocol.sample.metric.",
        examples=["heldout-full.top-and-random.correlation"],
    )
    ways: list[WayOut]
