"""A study as raters will see it, for its researchers: nothing is saved, and a draft can be looked at too."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_places import Sitting, places
from app.errors import NotFound
from app.store import Store, studies
from app.store.study_rows import StudyRow, StudyState
from app.study.rating import Part
from app.study.service import Studies
from app.web import rating_views as views
from app.web.dependencies import StoreDep
from app.web.pages.rating import welcome
from app.web.rating_dependencies import PaintingsDep
from app.web.rating_views import Paintings
from app.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/studies/{study_id}/preview")
def show_preview(
    request: Request,
    store: StoreDep,
    paintings: PaintingsDep,
    study_id: int,
    item: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """The first page that raters come to (item 0), or the n-th item of the first rater's place, practice first.

    Of a draft the place is drawn for this page, as it would be if the study began now.
    """
    study = Studies(store).get(study_id)
    if item == 0:
        return page("rating_welcome.html", welcome(request, study, address(study, 1), (), preview=True))
    items, plan = _first_place(store, study)
    if item > len(plan):
        raise NotFound(f"A rater of study {study.id} has {len(plan)} items; there is no item {item}.")
    return _item(
        request, Paintings() if study.state is StudyState.DRAFT else paintings, study, items, plan, item
    )


def address(study: StudyRow, item: int) -> str:
    """Where the n-th item can be looked at; 0: the page before the first."""
    return f"/studies/{study.id}/preview?item={item}"


def _first_place(store: Store, study: StudyRow) -> tuple[list[StudyItem], tuple[Sitting, ...]]:
    """The items of a study and what its first rater does."""
    if study.state is StudyState.DRAFT:
        items = Studies(store).material(study.definition).items
        return items, places(study.definition, items)[0]
    with store.reading() as session:
        items = studies.items(session, study.id)
        return items, studies.slots(session, study.id)[0]


def _item(
    request: Request,
    paintings: Paintings,
    study: StudyRow,
    items: list[StudyItem],
    plan: tuple[Sitting, ...],
    n: int,
) -> Response:
    practice = [sitting for sitting in plan if items[sitting.item].kind is ItemKind.PRACTICE]
    practising = n <= len(practice)
    number = n if practising else n - len(practice)
    of = len(practice) if practising else len(plan) - len(practice)
    context = views.of_sitting(
        request,
        paintings,
        study,
        items[plan[n - 1].item],
        plan[n - 1],
        {},
        number=number,
        of=of,
        done=number - 1,
        part=Part(practising, 0),
        preview=(address(study, n - 1), address(study, n + 1) if n < len(plan) else ""),
    )
    return page("rating_item.html", context)
