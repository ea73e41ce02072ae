"""The raters' side of a study: below /rate/, open without a login, and leading nowhere else.

A link is opened by a button and not by its address, so that whoever looks at it beforehand (mail scanners, previews) uses nothing up.
See `rating_items` for what is answered.
"""

from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadInput, Conflict, NotFound, Refused
from app.settings import Settings
from app.store.study_rows import NOBODY, Identity, RaterRow, RaterSource, RaterState, StudyRow, StudyState
from app.study.rating import At, Full, Rating
from app.web import rating_links as links
from app.web import rating_views as views
from app.web.dependencies import SettingsDep
from app.web.rating_contexts import EndPage, GoOnPage, LeavePage, WelcomePage
from app.web.rating_dependencies import CodeDep, RatingDep, secret_of
from app.web.rating_forms import FormDep
from app.web.rating_frame import frame, landing
from app.web.rendering import page

router = APIRouter(include_in_schema=False)

COMPLETE = "https://app.prolific.com/submissions/complete?cc="
PLATFORM = "prolific"


@router.get("/rate/{code}")
def show_study(request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep) -> Response:
    """The study's first page: what comes next for whoever asks."""
    asked = request.query_params
    at = rating.at(code, secret_of(request, settings, code))
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
    at = rating.at(code, secret_of(request, settings, code))
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
    at = rating.at(code, secret_of(request, settings, code))
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
    at = rating.at(code, secret_of(request, settings, code))
    if at is not None and at.rater.number == number:
        return _begun(request, rating, settings, at.rater, code)
    _demand_free(at)
    return _begun(request, rating, settings, rating.accept(code, number), code)


@router.get("/rate/{code}/leave")
def ask_to_leave(request: Request, rating: RatingDep, settings: SettingsDep, code: CodeDep) -> Response:
    """Whether a rater really wants to give the place back."""
    at = rating.at(code, secret_of(request, settings, code))
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
    secret = secret_of(request, settings, code)
    at = rating.at(code, secret)
    if form.one("sure") == "yes" and at is not None and not at.rater.state.ended:
        rating.give_back(code, secret)
    return RedirectResponse(landing(code), 303)


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
        definition.practice > 0,
        action,
        hidden,
        any(name == links.PROLIFIC[0] for name, _ in hidden),
        preview,
    )


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
