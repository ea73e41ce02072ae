"""What addresses and query strings of `/api/v1` hold, with a description and an example of each."""

from typing import Annotated

from fastapi import Path, Query

from app.domain import explanations as values

Model = Annotated[str, Path(description="The model's slug.", examples=["smollm2-135m-instruct"])]
Layer = Annotated[str, Path(description="The layer's slug.", examples=["8-mlp"])]
NeuronIndex = Annotated[int, Path(description="The neuron's index within its layer, from 0.", examples=[101])]
ExplanationId = Annotated[int, Path(description="The explanation's id.", examples=[46081])]
JobId = Annotated[str, Path(description="The job's id.", examples=["explain-3f2a9c41d7e0"])]

Cursor = Annotated[
    str | None, Query(description="`next` or `previous` of another page; the first page without it.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="Most items of a page.")]

Protocol = Annotated[values.Protocol, Query(description="Which records the score is of.")]
Metric = Annotated[values.Metric, Query(description="How predicted and real activations are compared.")]
Sample = Annotated[values.Sample, Query(description="Which of the protocol's records the score covers.")]
