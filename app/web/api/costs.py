"""What calls to language models cost, added up."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from app.domain.costs import CostsBy
from app.store import costs
from app.web.api.schemas import ListOf, Schema
from app.web.dependencies import StoreDep

router = APIRouter(tags=["jobs"])
MOST = 10_000


class CostOut(Schema):
    """Calls that belong together. Tries that failed are calls too, and may have cost something."""

    key: str = Field(
        description="The day (UTC), the id of the job or experiment, `endpoint / model`, or the purpose; empty: no job asked.",
        examples=["2026-11-30"],
    )
    title: str = Field(description="What people call it.", examples=["2026-11-30"])
    calls: int = Field(examples=[120])
    failed: int = Field(description="Of them, tries without an answer that was used.", examples=[3])
    tokens_in: int = Field(examples=[115080])
    tokens_cached: int = Field(
        description="Of `tokens_in`, those that the provider had in its cache.", examples=[64000]
    )
    tokens_out: int = Field(examples=[1440])
    seconds: float = Field(description="Of all calls, which may have run side by side.", examples=[210.5])
    cost_usd: float = Field(examples=[0.25])
    served: int = Field(
        description="Answers taken from other jobs' calls instead of asking again.", examples=[40]
    )
    saved_usd: float = Field(description="What those had cost when they were made.", examples=[0.08])


@router.get("/costs")
def list_costs(
    store: StoreDep,
    by: Annotated[CostsBy, Query(description="What calls are added up by.")] = CostsBy.DAY,
) -> ListOf[CostOut]:
    """The ledger of calls added up by day, job, experiment (newest first), endpoint or purpose (dearest first); 10,000 lines at most."""
    with store.session() as session:
        found = costs.lines(session, by, MOST)
    names = tuple(CostOut.model_fields)
    return ListOf(items=[CostOut(**{name: getattr(line, name) for name in names}) for line in found])
