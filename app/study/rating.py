"""What a rater does: come in by a link, agree, practise, answer one item after another, and leave. Nothing here says who said what.

Every step works twice without harm: a second click, a reload, another tab.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.domain.studies import PRACTICE_TRIES
from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_replies import Given, Reply, checked, missing, passed
from app.errors import BadInput, Conflict, NotFound, Refused
from app.store import Session, Store, studies, study_answers, study_raters
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
    def now(self) -> tuple[Place, ...]:
        """The items of the part that the rater is in."""
        return self.practice if self.rater.state is RaterState.PRACTISING else self.real

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


class Saved(NamedTuple):
    """What came of replies."""

    fresh: int
    missing: tuple[str, ...]


class Rating:
    """The raters' side of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def study(self, code: str) -> StudyRow:
        """The study behind a rater's address. NotFound."""
        with self.store.session() as session:
            return studies.by_code(session, code)

    def accept(self, rater_id: int, code: str) -> RaterRow:
        """Open an invitation, which can be done once. Refused, in the rater's words, where it cannot."""
        with self.store.session() as session:
            study = _open(studies.by_code(session, code))
            study_raters.lock(session, study.id)
            rater = study_raters.get(session, rater_id)
            if rater.study_id != study.id:
                raise Refused("This link is for another study. Ask whoever sent it to you for a new one.")
            if rater.state is RaterState.ERASED:
                raise Refused("This link is no longer good: all that came of it was deleted on request.")
            if rater.expires_at is not None and rater.expires_at < datetime.now(UTC):
                raise Refused("This link has expired. Ask whoever sent it to you for a new one.")
            if rater.claimed:
                raise Refused(
                    "This link was opened already, on this or another device. Go on where you opened it, or ask whoever sent it to"
                    " you to let it be opened again."
                )
            if rater.state is RaterState.INVITED:
                study_raters.set_state(session, rater.id, RaterState.ARRIVED, claimed=True)
            else:
                study_raters.change(session, rater.id, claimed=True)
            return study_raters.get(session, rater.id)

    def arrive(self, code: str, identity: Identity = NOBODY) -> RaterRow:
        """Somebody comes by the open link, or from a platform: who has been here under that name goes on."""
        if any(len(part) > PARTICIPANT for part in identity):
            raise BadInput("The link is damaged: one of its ids is too long.")
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
        with self.store.session() as session:
            return self._at(session, code, secret)

    def consent(self, code: str, secret: str) -> At:
        """Agree to the text as it stands, and get a place. Refused where none is left."""
        with self.store.session() as session:
            at = self._demand(session, code, secret)
            if at.rater.state is not RaterState.ARRIVED:
                return at
            items = studies.items(session, at.study.id)
            practice = [i for i, item in enumerate(items) if item.kind is ItemKind.PRACTICE]
            timeout = timedelta(hours=at.study.definition.timeout_hours)
            if not study_raters.claim(session, at.rater, practice, timeout):
                raise Refused(
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
            return self._demand(session, code, secret)

    def show(self, code: str, secret: str, number: int) -> tuple[At, Shown]:
        """The n-th item of the part that the rater is in. NotFound beyond it; Conflict where there is nothing to answer now."""
        with self.store.session() as session:
            at = self._demand(session, code, secret)
            place = _place(at, number)
            if place.opened_at is None:
                study_raters.open_place(session, place.id)
            item = studies.item(session, at.study.id, place.sitting.item)
            given = study_answers.given(session, place.id)
            return at, Shown(item, place, given, number, len(at.now))

    def save(self, code: str, secret: str, number: int, replies: Sequence[Reply]) -> Saved:
        """Keep answers to the n-th item. BadInput where one is no answer: then none of them is kept."""
        with self.store.session() as session:
            at = self._demand(session, code, secret)
            place = _place(at, number)
            return self._save(session, at, place, replies)

    def finish(self, code: str, secret: str, number: int, replies: Sequence[Reply] = ()) -> tuple[At, Saved]:
        """Keep answers, and take the item for done where nothing is missing. After the last one the part ends."""
        with self.store.session() as session:
            at = self._demand(session, code, secret)
            place = _place(at, number)
            saved = self._save(session, at, place, replies)
            if not saved.missing:
                study_raters.finish_place(session, place.id)
                at = self._demand(session, code, secret)
                if at.next is None:
                    self._part_ends(session, at)
                    at = self._demand(session, code, secret, ended=True)
            return at, saved

    def give_back(self, code: str, secret: str) -> At:
        """Leave for good: what is not answered is given to somebody else."""
        with self.store.session() as session:
            at = self._demand(session, code, secret)
            study_raters.set_state(session, at.rater.id, RaterState.RETURNED)
            return self._demand(session, code, secret, ended=True)

    def _save(self, session: Session, at: At, place: Place, replies: Sequence[Reply]) -> Saved:
        definition = at.study.definition
        item = studies.item(session, at.study.id, place.sitting.item)
        sound = [checked(definition, item, place.sitting, reply) for reply in replies]
        fresh = study_answers.save(session, place.id, sound) if sound else 0
        given = study_answers.given(session, place.id)
        if fresh:
            study_raters.change(session, at.rater.id, last_at=datetime.now(UTC))
        return Saved(fresh, tuple(missing(definition, item, place.sitting, given)))

    def _part_ends(self, session: Session, at: At) -> None:
        if at.rater.state is RaterState.RATING:
            study_raters.set_state(session, at.rater.id, RaterState.DONE)
            return
        right = True
        for place in at.practice:
            item = studies.item(session, at.study.id, place.sitting.item)
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

    def _at(self, session: Session, code: str, secret: str) -> At | None:
        study = studies.by_code(session, code)
        rater = study_raters.by_secret(session, secret) if secret else None
        if rater is None or rater.study_id != study.id:
            return None
        return At(study, rater, tuple(study_raters.places(session, rater.id)))

    def _demand(self, session: Session, code: str, secret: str, *, ended: bool = False) -> At:
        at = self._at(session, code, secret)
        if at is None:
            raise NotFound(
                "You are not a rater of this study in this browser. Open the link that you were sent."
            )
        _open(at.study)
        if at.rater.state.ended and not ended:
            raise Conflict("Your part in this study has ended: there is nothing left to answer.")
        return at


def _open(study: StudyRow) -> StudyRow:
    if study.state is StudyState.DRAFT:
        raise NotFound("This study has not begun yet. Come back when you are told that it has.")
    if study.state is StudyState.CLOSED:
        raise Refused("This study has ended. Thank you for your interest.")
    return study


def _place(at: At, number: int) -> Place:
    if not at.rater.state.at_work:
        raise Conflict("There is nothing to answer yet: read the first page and agree to it.")
    if not 1 <= number <= len(at.now):
        raise NotFound(f"There is no item {number}: you have {len(at.now)}.")
    return at.now[number - 1]
