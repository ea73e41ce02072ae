"""Results of rating studies, once they may be seen."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from app.study.results import results
from app.web import study_results
from app.web.api.report_schemas import ReportFigure, ReportTable, Value
from app.web.api.schemas import Schema
from app.web.dependencies import StoreDep

router = APIRouter(tags=["studies"])

Study = Annotated[int, Path(description="Number of the study.", ge=0)]
Exclude = Annotated[bool, Query(description="Leave out whom the registered rules of exclusion leave out.")]


class LeftOut(Schema):
    """A rater whom the registered rules leave out."""

    rater: int = Field(description="Number of the pseudonym.", examples=[3])
    why: str = Field(examples=["2 of 4 gold items right, at least 75% asked for"])


class StudyResultsOut(Schema):
    """A study's results."""

    results: dict[str, str | int] = Field(
        description="Where they are from, as every row of every file says it.",
        examples=[{"study": 4, "registered_sha256": "9e0b1fd187525458", "unblinded_before_close": "no"}],
    )
    about: list[str] = Field(
        description="The same in words.", examples=[["Neuronarium, study 4, version 1: …"]]
    )
    raters_left_out: list[LeftOut]
    tables: list[ReportTable]
    figures: list[ReportFigure]


class StudyAnswersOut(Schema):
    """Single answers, with what each column is."""

    results: dict[str, str | int] = Field(description="Where they are from.", examples=[{"study": 4}])
    columns: dict[str, str] = Field(
        description="The data dictionary.", examples=[{"value": "rate: 1 to 5; …"}]
    )
    rows: list[dict[str, Value]] = Field(
        examples=[[{"rater": 1, "task": "rate", "arm": "summary", "value": "4"}]]
    )


@router.get("/studies/{study}/results")
def get_results(store: StoreDep, study: Study, exclude: Exclude = True) -> StudyResultsOut:
    """All tables and figures of a study that is closed, or was unblinded early; 403 before."""
    return StudyResultsOut.model_validate(study_results.whole(results(store, study, exclude=exclude)))


@router.get("/studies/{study}/answers")
def get_answers(store: StoreDep, study: Study) -> StudyAnswersOut:
    """Every answer that counts, one row for each arm behind it; raters by pseudonym. 403 before the close."""
    found = results(store, study)
    return StudyAnswersOut.model_validate(study_results.answers(found))
