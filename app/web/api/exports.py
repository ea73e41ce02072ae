"""All of a model's explanations or neurons as one stream, for programs that want everything."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from app.exchange import exporting
from app.exchange.exporting import Chosen, Format
from app.web.api.parameters import Model
from app.web.dependencies import StoreDep

router = APIRouter(tags=["models"])

FormatIn = Annotated[Format, Query(description="Form of the answer; all hold the same columns.")]
Layers = Annotated[list[str], Query(description="Only of these layers, such as 8-mlp; of all without it.")]
Methods = Annotated[
    list[str], Query(description="Only by these methods, such as summary; by all without it.")
]

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A row a line as JSON, or CSV, or Parquet: see docs/exporting.md for the columns.",
        "content": {media.partition(";")[0]: {} for media in exporting.MEDIA.values()},
    }
}


@router.get("/models/{model}/export/explanations", response_class=StreamingResponse, responses=_STREAM)
def export_explanations(
    store: StoreDep,
    model: Model,
    format: FormatIn = Format.JSONL,
    layer: Layers = [],
    method: Methods = [],  # noqa: B006
) -> StreamingResponse:
    """Every explanation of the model that came about, with where it comes from and all its scores."""
    chunks = exporting.explanations(store, model, format, Chosen(layer, method))
    return StreamingResponse(chunks, media_type=exporting.MEDIA[format])


@router.get("/models/{model}/export/neurons", response_class=StreamingResponse, responses=_STREAM)
def export_neurons(
    store: StoreDep,
    model: Model,
    format: FormatIn = Format.JSONL,
    layer: Layers = [],  # noqa: B006
) -> StreamingResponse:
    """Statistics and top tokens of every neuron of the model."""
    return StreamingResponse(
        exporting.neurons(store, model, format, layer), media_type=exporting.MEDIA[format]
    )
