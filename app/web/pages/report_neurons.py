"""The neurons behind a number of a report, each with what was said of it and how it scored."""

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from app.domain.explanations import State
from app.domain.neurons import Polarity
from app.domain.report_selection import Line, Selection, select
from app.domain.results import Result
from app.errors import BadInput
from app.report.values import Kind
from app.report.written import NOTHING, written
from app.web import report_views, wording
from app.web.dependencies import ReportsDep
from app.web.explanation_items import path_of
from app.web.rendering import chrome, page
from app.web.report_contexts import NeuronLine, NeuronResult, ReportNeuronsPage, SortChoice

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
MOST_PAGES = 1_000_000
NAMES = {
    "sample": "records",
    "simulator": "predicted or judged by",
    "arm": "method",
    "group": "sampled as",
    "state": "with a result that is",
    "low": "score at least",
    "high": "score below",
    "density_low": "density at least",
    "density_high": "density below",
    "against_arm": "against the method",
    "against_protocol": "against the protocol",
    "against_sample": "against the records",
    "against_low": "other score at least",
    "against_high": "other score below",
}

Sort = Literal["value", "difference", "neuron"]


@router.get("/experiments/{experiment:index}/neurons")
def show(
    request: Request,
    reports: ReportsDep,
    experiment: int,
    sort: Sort | None = None,
    order: Literal["up", "down"] = "down",
    page_number: Annotated[int, Query(alias="page", ge=1, le=MOST_PAGES)] = 1,
) -> HTMLResponse:
    """A page of them. The address says which: the fields of `Selection`."""
    report = reports.get(experiment).report
    try:
        wanted = Selection.parse(request.query_params)
    except ValueError as error:
        raise BadInput(f"The address is wrong: {error}.") from None
    material = report.material
    found = select(material.columns, material.plan, material.facts, wanted)
    by: Sort = sort or ("difference" if wanted.paired else "value")
    if by == "difference" and not wanted.paired:
        by = "value"
    start = (page_number - 1) * PAGE_SIZE
    lines = found.lines(by, order == "down", start, PAGE_SIZE)
    here = f"/experiments/{experiment}/neurons"

    def address(**changes: str) -> str:
        query = {**wanted.query(), "sort": by, "order": order, **changes}
        return f"{here}?{urlencode(query)}"

    sorts = ["value", *(["difference"] if wanted.paired else []), "neuron"]
    context = ReportNeuronsPage(
        chrome(request, f"Neurons of {report.heading.name}", "experiments", wanted.model or ""),
        report_views.home(str(experiment)),
        report.heading,
        tuple(_words(wanted)),
        wanted.paired,
        _other(wanted),
        tuple(_line(line, material.columns.results) for line in lines),
        len(found),
        found.neurons,
        wanted.metric is None or wanted.sample is None or wanted.protocol is None or wanted.simulator is None,
        tuple(
            SortChoice(
                {"value": "score"}.get(each, each),
                address(sort=each, order="up" if each == by and order == "down" else "down"),
                each == by,
                order == "down",
            )
            for each in sorts
        ),
        address(page=str(page_number - 1)) if page_number > 1 else "",
        address(page=str(page_number + 1)) if start + PAGE_SIZE < len(found) else "",
        start + 1,
    )
    return page("report_neurons.html", context)


def _words(wanted: Selection) -> list[tuple[str, str]]:
    said = []
    for name, value in wanted.query().items():
        shown = value
        if name == "state":
            state = State(value)
            shown = "defined" if state is State.OK else wording.STATES[state]
        elif name == "simulator" and not value:
            shown = "nobody"
        elif name == "metric" and wanted.metric is not None:
            shown = wording.METRICS[wanted.metric]
        said.append((NAMES.get(name, name), shown))
    return said


def _other(wanted: Selection) -> str:
    sides = (wanted.against_arm, wanted.against_protocol, wanted.against_sample)
    return ", ".join(str(each) for each in sides if each is not None)


def _line(line: Line, results: Sequence[Result]) -> NeuronLine:
    ref = line.explained.ref
    own = [results[at] for at in line.results]
    statement = next((each.text for each in own if each.text), "")
    difference = line.value - line.other if line.value is not None and line.other is not None else None
    return NeuronLine(
        f"{line.layer}:{ref.index}",
        path_of(ref),
        line.explained.polarity is Polarity.NEGATIVE,
        line.arm,
        report_views.evaluation_words(line.evaluation, model=True),
        written(line.value, Kind.SCORE),
        written(line.other, Kind.SCORE),
        written(difference, Kind.SIGNED),
        statement,
        tuple(_result(each) for each in own),
    )


def _result(each: Result) -> NeuronResult:
    problem = ". ".join(filter(None, (wording.STATES[each.state], each.reason)))
    return NeuronResult(
        each.seed,
        written(each.value, Kind.SCORE) if each.value is not None else NOTHING,
        problem if each.state is not State.OK else "",
        f"/explanations/{each.explanation_id}" if each.explanation_id is not None else "",
    )
