"""Costs: the ledger of calls added up, what was served from it, and the caps in force."""

import csv
import io
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from app.domain.costs import CostLine, CostsBy
from app.domain.ledger import now
from app.domain.spending import day_begins
from app.store import costs
from app.store import ledger as stored_ledger
from app.web.contexts import Chrome
from app.web.dependencies import SettingsDep, StoreDep
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)
SHOWN = 200
ALL = 1_000_000
KINDS = {
    CostsBy.DAY: "day",
    CostsBy.JOB: "job",
    CostsBy.EXPERIMENT: "experiment",
    CostsBy.ENDPOINT: "endpoint and model",
    CostsBy.PURPOSE: "purpose",
}


class Tab(NamedTuple):
    """One way of adding up."""

    label: str
    href: str
    current: bool


class CapLine(NamedTuple):
    """One cap: what it bounds, what is spent of it, and how much it is."""

    what: str
    spent: float | None  # None: differs by job
    cap: float | None  # None: no bound
    setting: str


@dataclass(frozen=True)
class CostsPage:
    """`costs.html`."""

    chrome: Chrome
    kind: str
    tabs: tuple[Tab, ...]
    lines: tuple[tuple[CostLine, str], ...]  # with the address of what a line is about, empty for none
    largest: float
    caps: tuple[CapLine, ...]
    csv: str
    api: str
    cut: bool  # more lines than are shown


@router.get("/costs")
def show_costs(
    request: Request, store: StoreDep, settings: SettingsDep, by: CostsBy = CostsBy.DAY
) -> HTMLResponse:
    """The sums of one kind, with the caps."""
    with store.session() as session:
        found = costs.lines(session, by, SHOWN + 1)
        total = stored_ledger.spent(session)
        today = stored_ledger.spent(session, since=day_begins(now()))
    context = CostsPage(
        chrome(request, "Costs", "lab"),
        KINDS[by],
        tuple(Tab(f"by {label}", f"/costs?by={kind.value}", kind is by) for kind, label in KINDS.items()),
        tuple((line, _address(by, line)) for line in found[:SHOWN]),
        max((line.cost_usd for line in found), default=0.0),
        (
            CapLine("all calls", total, settings.spending_cap_usd, "spending_cap_usd"),
            CapLine("today, UTC", today, settings.daily_cap_usd, "daily_cap_usd"),
            CapLine("each job", None, settings.job_cap_usd, "job_cap_usd"),
        ),
        f"/costs.csv?by={by.value}",
        f"/api/v1/costs?by={by.value}",
        len(found) > SHOWN,
    )
    return page("costs.html", context)


@router.get("/costs.csv")
def download(store: StoreDep, by: Annotated[CostsBy, Query()] = CostsBy.DAY) -> Response:
    """All sums of one kind as CSV."""
    with store.session() as session:
        found = costs.lines(session, by, ALL)
    return Response(
        as_csv(found),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="costs-by-{by.value}.csv"'},
    )


def as_csv(lines: list[CostLine]) -> str:
    """The lines under the names of their fields."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = tuple(CostLine.__dataclass_fields__)
    writer.writerow(names)
    writer.writerows([getattr(line, name) for name in names] for line in lines)
    return out.getvalue()


def _address(by: CostsBy, line: CostLine) -> str:
    """Where what a line is about is shown."""
    if not line.key or by not in (CostsBy.JOB, CostsBy.EXPERIMENT):
        return ""
    return f"/{'jobs' if by is CostsBy.JOB else 'experiments'}/{line.key}"
