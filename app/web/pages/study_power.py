"""How large a difference a planned study would find, by simulation."""

from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from app.domain.study_power import Components
from app.errors import AppError
from app.study.planning import Found, plan
from app.web.contexts import Chrome
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

Whole = Annotated[int, Query(ge=0, le=10**9)]
COMPONENTS = {
    "rater": "how kind a rater is",
    "neuron": "how easy a neuron is",
    "method_rater": "a rater's taste for a method",
    "method_neuron": "how good a method's text happens to be for a neuron",
    "residual": "all else",
}
_USUAL = Components()


@dataclass(frozen=True)
class PowerPage:
    """`study_power.html`."""

    chrome: Chrome
    neurons: int
    raters: int
    per_neuron: int
    contrasts: int
    alpha: float
    other_raters: bool
    components: tuple[tuple[str, str, float], ...]  # name, what it is, SD
    found: Found | None
    problem: str


@router.get("/studies/power")
def show(
    request: Request,
    neurons: Whole = 48,
    raters: Whole = 5,
    per_neuron: Whole = 0,
    contrasts: Whole = 4,
    alpha: float = 0.05,
    other_raters: bool = False,
    rater: float = _USUAL.rater,
    neuron: float = _USUAL.neuron,
    method_rater: float = _USUAL.method_rater,
    method_neuron: float = _USUAL.method_neuron,
    residual: float = _USUAL.residual,
) -> HTMLResponse:
    """The form with what it says; the address holds all of it."""
    components = Components(rater, neuron, method_rater, method_neuron, residual)
    found, problem = None, ""
    try:
        found = plan(
            neurons, raters, per_neuron, contrasts, components, alpha=alpha, other_raters=other_raters
        )
    except AppError as error:
        problem = error.sentence
    context = PowerPage(
        chrome(request, "Power of a study", "lab"),
        neurons,
        raters,
        per_neuron,
        contrasts,
        alpha,
        other_raters,
        tuple((f.name, COMPONENTS[f.name], getattr(components, f.name)) for f in fields(Components)),
        found,
        problem,
    )
    return page("study_power.html", context, 422 if problem else 200)
