"""The trust checks of metrics."""

from fastapi import APIRouter
from pydantic import Field

from app.domain import trust
from app.domain.explanations import Metric
from app.domain.ideal import Scheme
from app.web.api.schemas import ListOf, Schema
from app.web.trust_rows import rows

router = APIRouter(tags=["explanations"])


class TrustOut(Schema):
    """One metric under one sampling on ideal neurons of one frequency, against one test."""

    sampling: Scheme = Field(
        description="How text is chosen; all-text is no protocol's, but the setting of the paper."
    )
    metric: Metric
    frequency: float = Field(description="Share of tokens on which the neuron fires.", examples=[0.001])
    test: trust.Test = Field(
        description="missing-labels: half of the positives are dropped. extra-labels: as many again are added, over all text."
    )
    passes: bool | None = Field(
        description="The score falls by more than 0.001 of its range in at least 97.5 % of draws, less those in which it rises as far; null where most draws have no score."
    )
    fall: float | None = Field(description="Mean fall, as a share of the metric's range.", examples=[0.0187])
    spread: float | None = Field(description="Standard deviation of the fall over draws.", examples=[0.0176])
    noticed: float | None = Field(
        description="Share of draws in which it falls by more than 0.001 of its range, less those in which it rises as far.",
        examples=[0.67],
    )
    defined: float = Field(
        description="Share of draws in which the right explanation has a score.", examples=[1.0]
    )
    score: float | None = Field(description="Mean score of the right explanation.", examples=[1.0])
    draws: int = Field(examples=[200])


@router.get("/trust")
def list_checks() -> ListOf[TrustOut]:
    """Which metrics would notice an explanation that is too narrow or too broad. Computed from a fixed seed: always the same."""
    return ListOf(items=[TrustOut.model_validate(row) for row in rows()])
