"""The items of a study, as a rater answers them: one by one by a script, or all of a page at once without it."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.domain.study_items import StudyItem
from app.domain.study_places import Sitting
from app.domain.study_replies import Reply
from app.errors import BadInput, Conflict, Refused
from app.settings import Settings
from app.store.study_rows import StudyRow
from app.study.rating import At, Part, Rating, Saved
from app.web import rating_views as views
from app.web.dependencies import SettingsDep
from app.web.errors import wants_json
from app.web.rating_dependencies import CodeDep, PaintingsDep, RatingDep, secret_of
from app.web.rating_forms import Form, FormDep, overlaid, replies
from app.web.rating_frame import landing
from app.web.rating_views import Paintings
from app.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/rate/{code}/practice")
def review(
    request: Request, rating: RatingDep, settings: SettingsDep, paintings: PaintingsDep, code: CodeDep
) -> Response:
    """What was right in a practice that failed."""
    try:
        at, practised = rating.reviewed(code, secret_of(request, settings, code))
    except Conflict:
        return RedirectResponse(landing(code), 303)
    return page("rating_review.html", views.review_page(request, paintings, at, practised))


@router.get("/rate/{code}/practice/{number:index}")
def show_practice(
    request: Request,
    rating: RatingDep,
    settings: SettingsDep,
    paintings: PaintingsDep,
    code: CodeDep,
    number: int,
) -> Response:
    """An item of the practice."""
    return _show(request, rating, settings, paintings, code, number, practice=True)


@router.post("/rate/{code}/practice/{number:index}")
def answer_practice(
    request: Request,
    rating: RatingDep,
    settings: SettingsDep,
    paintings: PaintingsDep,
    code: CodeDep,
    number: int,
    form: FormDep,
) -> Response:
    """Answers to an item of the practice."""
    return _answer(request, rating, settings, paintings, code, number, form, practice=True)


@router.get("/rate/{code}/{number:index}")
def show_item(
    request: Request,
    rating: RatingDep,
    settings: SettingsDep,
    paintings: PaintingsDep,
    code: CodeDep,
    number: int,
) -> Response:
    """An item of the study."""
    return _show(request, rating, settings, paintings, code, number, practice=False)


@router.post("/rate/{code}/{number:index}")
def answer_item(
    request: Request,
    rating: RatingDep,
    settings: SettingsDep,
    paintings: PaintingsDep,
    code: CodeDep,
    number: int,
    form: FormDep,
) -> Response:
    """Answers to an item of the study."""
    return _answer(request, rating, settings, paintings, code, number, form, practice=False)


def _show(
    request: Request,
    rating: Rating,
    settings: Settings,
    paintings: Paintings,
    code: str,
    number: int,
    *,
    practice: bool,
) -> Response:
    try:
        at, shown = rating.show(code, secret_of(request, settings, code), number, Part(practice))
    except (Conflict, Refused):  # not begun, ended, closed, further on, not so far
        return RedirectResponse(landing(code), 303)
    return page("rating_item.html", views.item_page(request, paintings, at, shown))


def _answer(
    request: Request,
    rating: Rating,
    settings: Settings,
    paintings: Paintings,
    code: str,
    number: int,
    form: Form,
    *,
    practice: bool,
) -> Response:
    secret = secret_of(request, settings, code)
    attempt = form.one("try", "0")
    part = Part(practice, int(attempt) if attempt in ("0", "1") else -1)
    go = form.one("go")

    def said(study: StudyRow, sitting: Sitting, item: StudyItem) -> list[Reply]:
        return replies(form, sitting, views.order_of_texts(study, sitting.item, len(item.records)))

    try:
        keep = rating.finish if go == "next" else rating.save
        at, saved = keep(code, secret, number, said, part)
    except (Conflict, Refused):  # ended, closed, further on: the first page says which
        if wants_json(request):
            raise
        return RedirectResponse(landing(code), 303)
    except BadInput as error:
        if wants_json(request):
            raise
        at, shown = rating.show(code, secret, number, part)
        typed = said(at.study, shown.place.sitting, shown.item)
        given = overlaid(shown.given, typed)
        context = views.item_page(request, paintings, at, shown, given=given, problem=error.sentence)
        return page("rating_item.html", context, error.status)
    where = _next(at, code, number, part, go, saved)
    if wants_json(request):
        return JSONResponse({"missing": saved.missing, "next": where})
    if go == "next" and saved.missing:
        at, shown = rating.show(code, secret, number, part)
        context = views.item_page(request, paintings, at, shown, missing=saved.missing)
        return page("rating_item.html", context, 422)
    return RedirectResponse(where or request.url.path, 303)


def _next(at: At, code: str, number: int, part: Part, go: str, saved: Saved) -> str:
    """Where a rater is led after answering; empty: nowhere."""
    if go == "previous" and number > 1:
        return views.address(code, number - 1, practice=part.practice)
    if go != "next" or saved.missing:
        return ""
    if at.rater.state.at_work and part.is_in(at.part) and number < len(at.now):
        return views.address(code, number + 1, practice=part.practice)
    return views.next_address(at)
