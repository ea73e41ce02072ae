"""All of a model's explanations or neurons as one stream, for programs that want everything."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from app.exchange import exporting
from app.exchange.exporting import Chosen, Format
from app.web.api.parameters import Model
from app.web.api.schemas import Schema
from app.web.dependencies import StoreDep

router = APIRouter(tags=["models"])

FormatIn = Annotated[Format, Query(description="Form of the answer; all hold the same rows.")]
Layers = Annotated[
    list[str] | None, Query(description="Only of these layers, such as 8-mlp; of all without it.")
]
Methods = Annotated[
    list[str] | None, Query(description="Only by these methods, such as summary; by all without it.")
]


class Lines(StreamingResponse):
    """One JSON object a line, unless another format is asked for."""

    media_type = "application/x-ndjson"


class ExportedScore(Schema):
    """One score, as its maker has it: of an imported one, protocol and simulator are what its maker says."""

    protocol: str = Field(examples=["heldout-full"])
    sample: str = Field(examples=["top-and-random"])
    metric: str = Field(examples=["correlation"])
    state: str = Field(description="Only `ok` has a value.", examples=["ok"])
    value: float | None = Field(examples=[0.41])
    low: float | None = Field(description="Lower end of the 95 % interval.", examples=[0.22])
    high: float | None = Field(description="Upper end of the 95 % interval.", examples=[0.57])
    records: int = Field(description="0 where it is not told.", examples=[20])
    documents: int = Field(description="0 where it is not told.", examples=[17])
    tokens: int = Field(description="0 where it is not told.", examples=[1280])
    indicative: bool = Field(description="Fewer than 10 documents in a stratum.")
    reason: str = Field(description="Why there is no value.", examples=[""])
    simulator: str = Field(examples=["local"])
    simulator_model: str = Field(examples=["SmolLM2-135M-Instruct"])


class ExportedExplanation(Schema):
    """One explanation with where it comes from: a line of the stream."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    neuron: int = Field(examples=[101])
    polarity: str = Field(examples=["positive"])
    explanation: str = Field(description="Exactly as it was made.", examples=[" words about colours"])
    method: str = Field(examples=["summary"])
    explainer: str = Field(examples=["demo / SmolLM2-135M-Instruct"])
    author: str = Field(examples=["web"])
    prompt_version: str = Field(examples=["1"])
    code_version: str = Field(examples=["0.1.0"])
    created: datetime
    scores: list[ExportedScore]


class ExportedToken(Schema):
    """A token that a neuron fires on."""

    id: int = Field(examples=[3681])
    token: str = Field(description="Made visible: see the neuron page.", examples=[" store"])
    mean: float = Field(description="Mean activation over its explain-split records.", examples=[3.25])
    count: int = Field(description="Occurrences in those records.", examples=[12])


class ExportedNeuron(Schema):
    """One neuron: a line of the stream. What is not known is null."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    neuron: int = Field(examples=[101])
    mean: float | None = Field(examples=[0.012])
    variance: float | None = Field(examples=[0.31])
    skewness: float | None = Field(examples=[4.2])
    kurtosis: float | None = Field(description="3 for a normal distribution.", examples=[31.0])
    maximum: float | None = Field(examples=[9.5])
    minimum: float | None = Field(examples=[-1.25])
    density: float | None = Field(description="Share of tokens it fires strongly on.", examples=[0.004])
    top_tokens: list[ExportedToken]


def stream(kind: type[Schema]) -> dict[int | str, dict[str, Any]]:
    others: dict[str, Any] = {
        exporting.MEDIA[each].partition(";")[0]: {} for each in (Format.CSV, Format.PARQUET)
    }
    return {
        200: {
            "model": kind,
            "description": "A row a line; docs/exporting.md has the columns.",
            "content": others,
        }
    }


@router.get(
    "/models/{model}/export/explanations", response_class=Lines, responses=stream(ExportedExplanation)
)
def export_explanations(
    store: StoreDep,
    model: Model,
    format: FormatIn = Format.JSONL,
    layer: Layers = None,
    method: Methods = None,
) -> StreamingResponse:
    """Every explanation of the model that came about, with where it comes from and all its scores."""
    chunks = exporting.explanations(store, model, format, Chosen(layer or (), method or ()))
    return StreamingResponse(chunks, media_type=exporting.MEDIA[format])


@router.get("/models/{model}/export/neurons", response_class=Lines, responses=stream(ExportedNeuron))
def export_neurons(
    store: StoreDep, model: Model, format: FormatIn = Format.JSONL, layer: Layers = None
) -> StreamingResponse:
    """Statistics and top tokens of every neuron of the model."""
    chunks = exporting.neurons(store, model, format, Chosen(layer or ()))
    return StreamingResponse(chunks, media_type=exporting.MEDIA[format])
