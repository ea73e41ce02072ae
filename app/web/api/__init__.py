"""The JSON API under /api/v1: the same data as the pages."""

from typing import Any

from fastapi import APIRouter

from app.web.api import (
    choices,
    compare,
    costs,
    experiments,
    explanations,
    exports,
    jobs,
    judging,
    kept,
    lists,
    live_tests,
    models,
    neurons,
    previews,
    puzzles,
    report,
    revising,
    search,
    studies,
    study_results,
    trust,
    work,
)
from app.web.api.schemas import ErrorBody

_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorBody, "description": "There is no such thing; the message says what there is."},
    422: {"model": ErrorBody, "description": "The request cannot be used; the message says why."},
}

router = APIRouter(prefix="/api/v1", responses=_ERRORS)
for part in (
    models,
    exports,
    neurons,
    explanations,
    live_tests,
    judging,
    previews,
    revising,
    choices,
    lists,
    kept,
    puzzles,
    search,
    compare,
    jobs,
    costs,
    experiments,
    trust,
    report,
    studies,
    study_results,
    work,
):
    router.include_router(part.router)
