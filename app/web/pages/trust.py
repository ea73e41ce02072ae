"""The trust checks: which metrics would notice an explanation that is too narrow or too broad, under which sampling."""

import csv
import io
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from app.domain import trust
from app.domain.explanations import COMPUTED_METRICS, Metric
from app.domain.ideal import Scheme
from app.domain.trust import FREQUENCIES, Check, Test
from app.web import trust_marks, wording
from app.web.contexts import Chrome
from app.web.formats import percent
from app.web.rendering import chrome, page
from app.web.trust_marks import anchor, rate
from app.web.trust_rows import COLUMNS, rows

router = APIRouter(include_in_schema=False)

PROTOCOLS = {
    Scheme.TOP_5_RANDOM_5: "heldout-5+5 and bills-5+5, top and random",
    Scheme.TOP_8_RANDOM_12: "heldout-full, top and random",
    Scheme.RANDOM_5: "heldout-5+5 and bills-5+5, random only",
    Scheme.RANDOM_12: "heldout-full, random only",
    Scheme.POPULATION: "population",
    Scheme.WINDOWS: "windows-50+50",
    Scheme.ALL_TEXT: "no protocol: the setting of the paper, for comparison",
}


class Cell(NamedTuple):
    """One check, short."""

    verdict: str  # passes, fails, no score
    fall: str
    noticed: str


class Line(NamedTuple):
    """One metric under one scheme."""

    metric: str
    id: str
    overall: str
    passes: bool
    cells: tuple[tuple[Cell, ...], ...]  # for each test, by frequency


class Part(NamedTuple):
    """One scheme."""

    title: str
    id: str
    protocols: str
    draws: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class TrustPage:
    """`trust.html`."""

    chrome: Chrome
    summary: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # metric, (overall, address) by scheme
    parts: tuple[Part, ...]
    rates: tuple[str, ...]
    version: str
    seed: int
    epsilon: float
    share: float
    api: str


@router.get("/trust")
def show(request: Request) -> HTMLResponse:
    """All checks, by sampling."""
    context = TrustPage(
        chrome(request, "Trust checks"),
        tuple(
            (wording.METRICS[metric], tuple(_summed(metric, each) for each in Scheme)) for metric in METRICS
        ),
        tuple(_part(scheme) for scheme in Scheme),
        tuple(rate(frequency) for frequency in FREQUENCIES),
        trust.VERSION,
        trust.SEED,
        trust.EPSILON,
        trust.PASS,
        "/api/v1/trust",
    )
    return page("trust.html", context)


@router.get("/trust.json")
def as_json() -> Response:
    """The table as JSON."""
    return _file(orjson.dumps(rows()), "json", "application/json")


@router.get("/trust.csv")
def as_csv() -> Response:
    """The table as CSV; empty where nothing is defined."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return _file(text.getvalue().encode(), "csv", "text/csv")


def _file(body: bytes, format: str, kind: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="trust-{trust.VERSION}.{format}"'}
    return Response(body, media_type=kind, headers=headers)


METRICS = (*COMPUTED_METRICS, *trust.JUDGED)


def _summed(metric: Metric, scheme: Scheme) -> tuple[str, str]:
    """The verdict in words, and where it comes from; both empty where it is not checked."""
    if metric not in trust.metrics_of(scheme):
        return "", ""
    misses = trust_marks.misses(metric, scheme)
    return f"misses {misses}" if misses else "passes", f"#{anchor(metric, scheme)}"


def _part(scheme: Scheme) -> Part:
    checks = trust.of_scheme(scheme)
    title = wording.SCHEMES[scheme]
    return Part(
        title[0].upper() + title[1:],
        scheme.value.replace("+", "-"),
        PROTOCOLS[scheme],
        checks[0].draws,
        tuple(_line(scheme, metric, checks) for metric in trust.metrics_of(scheme)),
    )


def _line(scheme: Scheme, metric: Metric, checks: tuple[Check, ...]) -> Line:
    mine = {(each.test, each.frequency): each for each in checks if each.metric is metric}
    overall, _ = _summed(metric, scheme)
    return Line(
        wording.METRICS[metric],
        anchor(metric, scheme),
        overall,
        overall == "passes",
        tuple(tuple(_cell(mine[test, frequency]) for frequency in FREQUENCIES) for test in Test),
    )


def _cell(check: Check) -> Cell:
    if check.passes is None:
        return Cell("no score", f"in {percent(1 - check.defined)} of draws", "")
    return Cell(
        "passes" if check.passes else "fails",
        f"{check.fall:.3f} ± {check.spread:.3f}",
        percent(check.noticed),
    )
