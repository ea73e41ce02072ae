"""Downloads of a model's explanations and neurons, streamed."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from app.exchange import exporting
from app.exchange.exporting import Chosen, Format
from app.web.dependencies import StoreDep

router = APIRouter(include_in_schema=False)


@router.get("/m/{model}/export/{what}.{format}")
def export(
    store: StoreDep,
    model: str,
    what: Literal["explanations", "neurons"],
    format: Format,
    layer: Annotated[list[str] | None, Query()] = None,
    method: Annotated[list[str] | None, Query()] = None,
) -> StreamingResponse:
    """Everything of the model, or of some layers and methods."""
    if what == "explanations":
        chunks = exporting.explanations(store, model, format, Chosen(layer or (), method or ()))
    else:
        chunks = exporting.neurons(store, model, format, Chosen(layer or ()))
    name = exporting.file_name(model, what, format)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks, media_type=exporting.MEDIA[format], headers=headers)
