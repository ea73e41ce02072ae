"""What all answers of `/api/v1` have in common: lists, pages, errors, jobs."""

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

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
    next: str | None = Field(
        description="Cursor of the next page, to be passed as `cursor`; null on the last one.",
        examples=["WyJpbmRleC8rIixudWxsLDQ5LGZhbHNlXQ"],
    )
    previous: str | None = Field(
        description="Cursor of the page before; null on the first one.", examples=[None]
    )
    total: int = Field(description="Length of the whole list.", examples=[1536])


class Problem(Schema):
    """What went wrong."""

    status: int = Field(examples=[404])
    message: str = Field(examples=["No layer 99-mlp in smollm2-135m-instruct. There are: 0-mlp … 29-mlp."])


class ErrorBody(Schema):
    """Every error has this form."""

    error: Problem


class JobOut(Schema):
    """A job and how far it is."""

    id: str = Field(examples=["explain-3f2a9c41d7e0"])
    kind: str = Field(examples=["explain"])
    title: str = Field(examples=["Explain smollm2-135m-instruct/8-mlp/101 by summary"])
    state: str = Field(examples=["running"])
    done: int = Field(examples=[3])
    total: int = Field(description="0 while unknown.", examples=[20])
    unit: str = Field(description="What `done` and `total` count.", examples=["excerpts"])
    note: str = Field(description="What it does now.", examples=["simulating with local"])
    reason: str = Field(description="Why it failed, in plain words.", examples=[""])
    cost_usd: float = Field(description="Of its calls to language models so far.", examples=[0.0021])
    worker: str = Field(description="Empty until one has taken it.", examples=["worker-1"])
    attempts: int = Field(description="How often a worker has begun with it.", examples=[1])
    resumptions: int = Field(
        description="How often it was taken up again after its worker died.", examples=[0]
    )
    model: str | None = Field(description="Null where it is about none.", examples=["smollm2-135m-instruct"])
    parameters_json: str = Field(
        description="What was asked.",
        examples=['{"ref": {"model": "smollm2-135m-instruct", "layer": "8-mlp", "index": 101}}'],
    )
    result_json: str = Field(
        description="What came out; empty until it is done.", examples=['{"explanation": 46081}']
    )
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobStarted(Schema):
    """The job that was started; follow it at `/api/v1/jobs/{id}`."""

    job_id: str = Field(examples=["explain-3f2a9c41d7e0"])
