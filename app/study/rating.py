"""What a rater does: come in by a link, agree, practise, answer one item after another, and leave. Nothing here says who said what.

Every step works twice without harm: a second click, a reload, another tab.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import NamedTuple

from app.domain.studies import PRACTICE_TRIES
from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_places import Sitting
from app.domain.study_replies import Given, Reply, checked, missing, passed
from app.errors import BadInput, Conflict, NotFound, Refused
from app.store import Session, Store, studies, study_answers, study_raters
from app.store.session import writing
from app.store.study_rows import (
    NOBODY,
    Identity,
    Place,
    RaterRow,
    RaterSource,
    RaterState,
    StudyRow,
    StudyState,
)

PARTICIPANT = 200  # characters of a platform's id
KEPT_ITEMS = 128  # in memory, some 100 kB each: they are frozen, and every rater is shown the same


class Full(Refused):
    """There is no place left in a study."""


class Elsewhere(Conflict):
    """The rater is not in the part of the study that an answer is meant for, as after a second click on its last item."""


class Part(NamedTuple):
    """What a rater is doing: a try of the practice, or the study itself."""

    practice: bool
    attempt: int | None = None  # from 0; 0 where it is not practice; None: whichever it is

    def is_in(self, now: "Part") -> bool:
        """Whether this names the part that a rater is in."""
        return self.practice == now.practice and self.attempt in (None, now.attempt)


@dataclass(frozen=True)
class At:
    """Where a rater is."""

    study: StudyRow
    rater: RaterRow
    places: tuple[Place, ...]

    @property
    def practice(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if place.practice)

    @property
    def real(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if not place.practice)

    @property
    def part(self) -> Part:
        """The part that the rater is in."""
        practising = self.rater.state is RaterState.PRACTISING
        return Part(practising, self.rater.practice_failed if practising else 0)

    @property
    def now(self) -> tuple[Place, ...]:
        """The items of the part that the rater is in."""
        return self.practice if self.part.practice else self.real

    @property
    def done(self) -> int:
        """How many of them are done."""
        return sum(place.done_at is not None for place in self.now)

    @property
    def next(self) -> int | None:
        """Number from 1 of the first item that is not done; None where all are."""
        return next((i for i, place in enumerate(self.now, 1) if place.done_at is None), None)


class Shown(NamedTuple):
    """One item as its page needs it."""

    item: StudyItem
    place: Place
    given: Given
    number: int  # from 1, in the part that the rater is in
    of: int


# Answers, or what makes them of a page's fields once it is known what stood on the page.
Reader = Callable[[StudyRow, Sitting, StudyItem], Sequence[Reply]]
Replies = Sequence[Reply] | Reader


class Saved(NamedTuple):
    """What came of replies."""

    fresh: int
    missing: tuple[str, ...]


class Rating:
    """The raters' side of one store. One object serves all threads of a process."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._items: OrderedDict[tuple[int, int], StudyItem] = OrderedDict()
        self._lock = Lock()

    def study(self, code: str) -> StudyRow:
        """The study behind a rater's address. NotFound."""
        with self.store.reading() as session:
            return studies.by_code(session, code)

    def invited(self, code: str, number: int) -> RaterRow:
        """Whom an invitation is for, without opening it. Refused, in the rater's words, where it cannot be opened."""
        with self.store.reading() as session:
            return _invited(session, _open(studies.by_code(session, code)), number)

    def accept(self, code: str, number: int) -> RaterRow:
        """Open the invitation of the rater with this number, which can be done once. Refused, in the rater's words, where it cannot."""
        with self.store.session() as session:
            study = _open(studies.by_code(session, code))
            study_raters.lock(session, study.id)
            rater = _invited(session, study, number)
            if rater.state is RaterState.INVITED:
                study_raters.set_state(session, rater.id, RaterState.ARRIVED, claimed=True)
            else:
                study_raters.change(session, rater.id, claimed=True)
            return study_raters.get(session, rater.id)

    def arrive(self, code: str, identity: Identity = NOBODY) -> RaterRow:
        """Somebody comes by the open link, or from a platform: who has been here under that name goes on."""
        if any(len(part) > PARTICIPANT or not part.isprintable() for part in identity):
            raise BadInput(
                "The link is damaged: one of its ids is too long, or has signs that cannot be seen."
            )
        with self.store.session() as session:
            study = _open(studies.by_code(session, code))
            study_raters.lock(session, study.id)
            if identity.participant:
                known = study_raters.of_participant(session, study.id, identity.participant)
                if known is not None:
                    return known
            source = RaterSource.PROLIFIC if identity.participant else RaterSource.OPEN
            return study_raters.add(session, study.id, source, identity)

    def at(self, code: str, secret: str) -> At | None:
        """Where the rater with this secret is in the study; None for nobody."""
        with self.store.reading() as session:
            return _at(session, code, secret)

    def consent(self, code: str, secret: str) -> At:
        """Agree to the text as it stands, and get a place. Full where none is left."""
        with self.store.session() as session:
            # Held before the rater is read: of two clicks the second finds what the first one did.
            study_raters.lock(session, studies.by_code(session, code).id)
            at = _demand(session, code, secret)
            if at.rater.state is not RaterState.ARRIVED:
                return at
            items = studies.items(session, at.study.id)
            practice = [i for i, item in enumerate(items) if item.kind is ItemKind.PRACTICE]
            timeout = timedelta(hours=at.study.definition.timeout_hours)
            if not study_raters.claim(session, at.rater, practice, timeout):
                raise Full(
                    "All places of this study are taken. Thank you for coming; there is nothing left to do."
                )
            state = RaterState.PRACTISING if practice else RaterState.RATING
            study_raters.set_state(
                session,
                at.rater.id,
                state,
                consented_at=datetime.now(UTC),
                consent_version=at.study.definition.consent.version,
            )
            return _demand(session, code, secret)

    def show(self, code: str, secret: str, number: int, part: Part | None = None) -> tuple[At, Shown]:
        """The n-th item of the part that the rater is in. NotFound beyond it; Conflict where there is nothing to answer now.

        Elsewhere where the rater is not in the part that is given, or not so far.
        """
        with self.store.reading() as session:
            at = _demand(session, code, secret)
            place = _place(at, number, part)
            if at.next is not None and number > at.next:
                raise Elsewhere("Items come one after another: answer the one before first.")
            item = self._item(session, at.study.id, place.sitting.item)
            given = study_answers.given(session, place.id)
        if place.opened_at is None:
            with self.store.session() as session:
                study_raters.open_place(session, place.id)
        return at, Shown(item, place, given, number, len(at.now))

    def save(
        self, code: str, secret: str, number: int, replies: Replies, part: Part | None = None
    ) -> tuple[At, Saved]:
        """Keep answers to the n-th item. BadInput where one is no answer: then none of them is kept. Else as `show`."""
        with self.store.session() as session:
            at = _demand(session, code, secret, hold=True)
            return at, self._save(session, at, _place(at, number, part), replies)

    def finish(
        self, code: str, secret: str, number: int, replies: Replies = (), part: Part | None = None
    ) -> tuple[At, Saved]:
        """Keep answers, and take the item for done where nothing is missing. After the last one the part ends. Else as `save`."""
        with self.store.session() as session:
            at = _demand(session, code, secret, hold=True)
            place = _place(at, number, part)
            saved = self._save(session, at, place, replies)
            if saved.missing or place.done_at is not None:
                return at, saved
            study_raters.finish_place(session, place.id)
            done = place._replace(done_at=datetime.now(UTC))
            at = replace(at, places=tuple(done if each.id == place.id else each for each in at.places))
            if at.next is None:
                self._part_ends(session, at)
                at = _demand(session, code, secret, ended=True)
            return at, saved

    def give_back(self, code: str, secret: str) -> At:
        """Leave for good: what is not answered is given to somebody else."""
        with self.store.session() as session:
            at = _demand(session, code, secret, hold=True)
            study_raters.set_state(session, at.rater.id, RaterState.RETURNED)
            return _demand(session, code, secret, ended=True)

    def reviewed(self, code: str, secret: str) -> tuple[At, tuple[Shown, ...]]:
        """The practice as it was answered, when a try has failed, with what is known to be right. Elsewhere at any other time."""
        with self.store.reading() as session:
            at = _demand(session, code, secret)
            if not (at.part.practice and at.part.attempt):
                raise Elsewhere("There is nothing to look back at now.")
            return at, tuple(
                Shown(
                    self._item(session, at.study.id, place.sitting.item),
                    place,
                    study_answers.given(session, place.id),
                    number,
                    len(at.now),
                )
                for number, place in enumerate(at.now, 1)
            )

    def _item(self, session: Session, study_id: int, ordinal: int) -> StudyItem:
        """An item, from memory where it was read before."""
        key = study_id, ordinal
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
                return found
        read = studies.item(session, study_id, ordinal)
        with self._lock:
            self._items[key] = read
            while len(self._items) > KEPT_ITEMS:
                self._items.popitem(last=False)
        return read

    def _save(self, session: Session, at: At, place: Place, replies: Replies) -> Saved:
        definition = at.study.definition
        item = self._item(session, at.study.id, place.sitting.item)
        said = replies(at.study, place.sitting, item) if callable(replies) else replies
        sound = [checked(definition, item, place.sitting, reply) for reply in said]
        fresh, given = study_answers.save(session, place.id, sound)
        if fresh:
            study_raters.change(session, at.rater.id, last_at=datetime.now(UTC))
        return Saved(fresh, tuple(missing(definition, item, place.sitting, given)))

    def _part_ends(self, session: Session, at: At) -> None:
        if at.rater.state is RaterState.RATING:
            study_raters.set_state(session, at.rater.id, RaterState.DONE)
            return
        right = True
        for place in at.practice:
            item = self._item(session, at.study.id, place.sitting.item)
            right &= passed(item, place.sitting, study_answers.given(session, place.id)) is not False
        if right:
            study_raters.set_state(session, at.rater.id, RaterState.RATING)
        elif at.rater.practice_failed + 1 >= PRACTICE_TRIES:
            study_raters.set_state(
                session, at.rater.id, RaterState.SCREENED_OUT, practice_failed=at.rater.practice_failed + 1
            )
        else:
            study_raters.clear_practice(session, at.rater.id)
            study_raters.change(session, at.rater.id, practice_failed=at.rater.practice_failed + 1)


def _at(session: Session, code: str, secret: str, *, hold: bool = False) -> At | None:
    # The rater first: whoever waited here for a close must see that the study has closed.
    rater = study_raters.by_secret(session, secret, hold=hold) if secret else None
    study = studies.by_code(session, code)
    if rater is None or rater.study_id != study.id:
        return None
    return At(study, rater, tuple(study_raters.places(session, rater.id)))


def _demand(session: Session, code: str, secret: str, *, ended: bool = False, hold: bool = False) -> At:
    """Where the rater is; with `hold` nothing else of this rater's happens until the session ends."""
    if hold:
        writing(session)
    at = _at(session, code, secret, hold=hold)
    if at is None:
        raise NotFound("You are not a rater of this study in this browser. Open the link that you were sent.")
    _open(at.study)
    if at.rater.state.ended and not ended:
        raise Conflict("Your part in this study has ended: there is nothing left to answer.")
    return at


def _invited(session: Session, study: StudyRow, number: int) -> RaterRow:
    """The rater of an invitation that can be opened. Refused."""
    try:
        rater = study_raters.by_number(session, study.id, number)
    except NotFound:
        raise Refused("This link is for another study. Ask whoever sent it to you for a new one.") from None
    if rater.state is RaterState.ERASED:
        raise Refused("This link is no longer good: all that came of it was deleted on request.")
    if rater.expires_at is not None and rater.expires_at < datetime.now(UTC):
        raise Refused("This link has expired. Ask whoever sent it to you for a new one.")
    if rater.claimed:
        raise Refused(
            "This link was opened already, on this or another device. Go on where you opened it, or ask whoever sent it to"
            " you to let it be opened again."
        )
    return rater


def _open(study: StudyRow) -> StudyRow:
    if study.state is StudyState.DRAFT:
        raise NotFound("This study has not begun yet. Come back when you are told that it has.")
    if study.state is StudyState.CLOSED:
        raise Refused("This study has ended. Thank you for your interest.")
    return study


def _place(at: At, number: int, part: Part | None) -> Place:
    if not at.rater.state.at_work:
        raise Conflict("There is nothing to answer yet: read the first page and agree to it.")
    if part is not None and not part.is_in(at.part):
        raise Elsewhere("You are further on than this page: nothing was changed.")
    if not 1 <= number <= len(at.now):
        raise NotFound(f"There is no item {number}: you have {len(at.now)}.")
    return at.now[number - 1]
