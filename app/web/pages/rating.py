"""The raters' side of a study: below /rate/, open without a login, and leading nowhere else.

A link is opened by a button and not by its address, so that whoever looks at it beforehand (mail scanners, previews) uses nothing up.
Answers are saved one by one by a script, or all of a page at once without it.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.domain.study_items import StudyItem
from app.domain.study_places import Sitting
from app.domain.study_replies import Reply
from app.errors import BadInput, Conflict, NotFound, Refused
from app.settings import Settings
from app.store.study_rows import NOBODY, Identity, RaterRow, RaterSource, RaterState, StudyRow, StudyState
from app.study.rating import At, Full, Part, Rating, Saved
from app.web import rating_links as links
from app.web import rating_views as views
from app.web.dependencies import SettingsDep
from app.web.errors import wants_json
from app.web.rating_contexts import EndPage, GoOnPage, LeavePage, WelcomePage
from app.web.rating_forms import Form, FormDep, overlaid, replies
from app.web.rating_frame import code_of, frame, landing
from app.web.rating_views import Paintings
from app.web.rendering import page

router = APIRouter(include_in_schema=False)

COMPLETE = "https://app.prolific.com/submissions/complete?cc="
PLATFORM = "prolific"


async def get_rating(request: Request) -> Rating:
    rating: Rating = request.app.state.rating
    return rating


async def get_paintings(request: Request) -> Paintings:
    paintings: Paintings = request.app.state.paintings
    return paintings


async def get_code(request: Request) -> str:
    """The study's code in the address. NotFound for what can be none."""
    code = code_of(request.url.path)
    if not code:
        raise NotFound("There is no study at this address. Check the link, or ask whoever sent it to you.")
    return code


RatingDep = Annotated[Rating, Depends(get_rating)]
PaintingsDep = Annotated[Paintings, Depends(get_paintings)]
CodeDep = Annotated[str, Depends(get_code)]


@router.get("/rate/{code}")
def show_study(request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep) -> Response:
    """The study's first page: what comes next for whoever asks."""
    asked = request.query_params
    at = rating.at(code, _secret(request, settings, code))
    participant = asked.get(links.PROLIFIC[0], "")
    if at is not None and (not participant or at.rater.state.at_work):
        return _landing(request, at)
    study = rating.study(code)
    if study.state is not StudyState.OPEN:
        return _closed(request, study)
    if not links.joins(settings, code, asked.get("join", "")):
        raise NotFound(
            "You are not a rater of this study in this browser. Open the link that you were sent, all of it."
        )
    _identity(asked.get)
    hidden = tuple((name, asked[name]) for name in ("join", *links.PROLIFIC) if name in asked)
    return page("rating_welcome.html", welcome(request, study, f"{landing(code)}/begin", hidden))


@router.post("/rate/{code}/begin")
def begin(
    request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep, form: FormDep
) -> Response:
    """Agree, as somebody who is known already or by the open link, and go to the first item."""
    at = rating.at(code, _secret(request, settings, code))
    identity = _identity(form.one)
    if at is not None and not (identity.participant and at.rater.state.ended):
        return _begun(request, rating, settings, at.rater, code)
    if not links.joins(settings, code, form.one("join")):
        raise Refused("This link is damaged: open the one that you were sent, all of it.")
    return _begun(request, rating, settings, rating.arrive(code, identity), code)


@router.get("/rate/{code}/in/{token}")
def show_invitation(
    request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep, token: str
) -> Response:
    """What an invitation leads to. Looking at it does not open it."""
    number = _invited(settings, code, token)
    at = rating.at(code, _secret(request, settings, code))
    if at is not None and at.rater.number == number:
        return RedirectResponse(landing(code), 303)
    study = rating.study(code)
    if study.state is not StudyState.OPEN:
        return _closed(request, study)
    rating.invited(code, number)
    _demand_free(at)
    return page("rating_welcome.html", welcome(request, study, request.url.path, ()))


@router.post("/rate/{code}/in/{token}")
def accept(request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep, token: str) -> Response:
    """Open the invitation, agree, and go to the first item. A second click finds it opened by the first."""
    number = _invited(settings, code, token)
    at = rating.at(code, _secret(request, settings, code))
    if at is not None and at.rater.number == number:
        return _begun(request, rating, settings, at.rater, code)
    _demand_free(at)
    return _begun(request, rating, settings, rating.accept(code, number), code)


@router.get("/rate/{code}/leave")
def ask_to_leave(request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep) -> Response:
    """Whether a rater really wants to give the place back."""
    at = rating.at(code, _secret(request, settings, code))
    if at is None or at.rater.state.ended:
        return RedirectResponse(landing(code), 303)
    definition = at.study.definition
    around = frame(request, definition.title, landing(code))
    return page("rating_leave.html", LeavePage(around, request.url.path, definition.consent))


@router.post("/rate/{code}/leave")
def leave(
    request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep, form: FormDep
) -> Response:
    """Give the place back."""
    secret = _secret(request, settings, code)
    at = rating.at(code, secret)
    if form.one("sure") == "yes" and at is not None and not at.rater.state.ended:
        rating.give_back(code, secret)
    return RedirectResponse(landing(code), 303)


@router.get("/rate/{code}/practice")
def review(
    request: Request, rating: RatingDep, settings: SettingsDep, paintings: PaintingsDep, code: CodeDep
) -> Response:
    """What was right in a practice that failed."""
    try:
        at, practised = rating.reviewed(code, _secret(request, settings, code))
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


def welcome(
    request: Request,
    study: StudyRow,
    action: str,
    hidden: tuple[tuple[str, str], ...],
    *,
    preview: bool = False,
) -> WelcomePage:
    """What a rater reads first, and agrees to."""
    definition = study.definition
    return WelcomePage(
        frame(request, definition.title),
        definition.instructions,
        definition.consent,
        _how_much(definition.practice),
        action,
        hidden,
        any(name == links.PROLIFIC[0] for name, _ in hidden),
        preview,
    )


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
        at, shown = rating.show(code, _secret(request, settings, code), number, Part(practice))
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
    secret = _secret(request, settings, code)
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


def _landing(request: Request, at: At) -> Response:
    """What the study's first page is for a rater who is known."""
    study, rater, code = at.study, at.rater, at.study.code
    definition = study.definition
    if rater.state is RaterState.DONE:
        return _end(request, at, "Thank you", "All your answers are saved. You have finished this study.")
    if rater.state is RaterState.SCREENED_OUT:
        words = (
            "The practice did not go well twice, so this study ends here for you. Thank you for your time."
        )
        return _end(request, at, "That was the practice", words)
    if rater.state is RaterState.RETURNED:
        return _end(
            request, at, "You have left the study", "Your place is free for somebody else. Thank you."
        )
    if rater.state is RaterState.TIMED_OUT:
        words = "Nothing was heard of you for a long time, so your place was given to somebody else. Thank you for what you did."
        return _end(request, at, "Your time has run out", words)
    if study.state is not StudyState.OPEN:
        return _closed(request, study)
    if not rater.state.at_work:
        context = welcome(request, study, f"{landing(code)}/begin", ())
        return page("rating_welcome.html", context)
    around = frame(request, definition.title)
    context_ = GoOnPage(
        around,
        definition.instructions,
        definition.consent,
        at.part.practice,
        at.done,
        len(at.now),
        views.next_address(at),
        f"{landing(code)}/leave",
    )
    return page("rating_go_on.html", context_)


def _end(request: Request, at: At, headline: str, words: str) -> Response:
    definition, state = at.study.definition, at.rater.state
    code = {
        RaterState.DONE: definition.codes.completed,
        RaterState.SCREENED_OUT: definition.codes.screened_out,
    }.get(state, "")
    back = f"{COMPLETE}{code}" if code and at.rater.source is RaterSource.PROLIFIC else ""
    around = frame(request, definition.title)
    return page("rating_end.html", EndPage(around, headline, words, code, back, definition.consent.contact))


def _closed(request: Request, study: StudyRow) -> Response:
    """A study that takes no answers: not yet, or not any more."""
    definition = study.definition
    draft = study.state is StudyState.DRAFT
    headline = "This study has not begun yet" if draft else "This study has ended"
    words = (
        "Come back when you are told that it has."
        if draft
        else "It takes no more answers. What was saved is kept. Thank you for your interest."
    )
    context = EndPage(frame(request, definition.title), headline, words, "", "", definition.consent.contact)
    return page("rating_end.html", context, 404 if draft else 410)


def _begun(request: Request, rating: Rating, settings: Settings, rater: RaterRow, code: str) -> Response:
    """A rater has agreed: the browser is told who it is, whatever comes of it."""
    try:
        response: Response = RedirectResponse(views.next_address(rating.consent(code, rater.secret)), 303)
    except Full as error:
        study = rating.study(code)
        around = frame(request, study.definition.title)
        contact = study.definition.consent.contact
        context = EndPage(around, "All places are taken", error.sentence, "", "", contact)
        response = page("rating_end.html", context, 409)
    except Conflict:
        response = RedirectResponse(landing(code), 303)
    response.set_cookie(
        links.COOKIE,
        links.cookie(settings, code, rater.secret),
        max_age=links.COOKIE_S,
        path=landing(code),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _demand_free(at: At | None) -> None:
    """Conflict where somebody else's part in the study is still going on in this browser."""
    if at is not None and not at.rater.state.ended:
        raise Conflict(
            "Somebody takes part in this study in this browser already. Go on with that, or open your link in another browser or in a"
            " private window."
        )


def _invited(settings: Settings, code: str, token: str) -> int:
    number = links.invited(settings, code, token)
    if number is None:
        raise Refused(
            "This link is damaged, or it is for another study. Open the one that you were sent, all of it."
        )
    return number


def _identity(get: Callable[[str, str], str]) -> Identity:
    """Who a platform says that a rater is. BadInput where its link was not filled in."""
    participant, study, session = (get(name, "") for name in links.PROLIFIC)
    if not participant:
        return NOBODY
    if any("{{" in part or "}}" in part for part in (participant, study, session)):
        raise BadInput(
            "The link is not complete: its platform puts your own ids into it. Open it from there."
        )
    return Identity("", PLATFORM, participant, study, session)


def _how_much(practice: int) -> str:
    return "There is a short practice first." if practice else ""


def _secret(request: Request, settings: Settings, code: str) -> str:
    """What the browser shows to be a rater of this study; empty where it shows nothing that is ours."""
    return links.read_cookie(settings, code, request.cookies.get(links.COOKIE, ""))
