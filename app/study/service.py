"""What researchers do with a study: make it, look at what it comes to, start it, invite, close, unblind, erase."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.domain.studies import StudyDefinition
from app.domain.study_checks import demand_sound
from app.domain.study_items import ItemKind
from app.domain.study_places import places
from app.errors import BadInput, Conflict, Refused
from app.store import Session, Store, studies, study_answers, study_raters
from app.store.study_rows import (
    Identity,
    LogRow,
    Place,
    RaterRow,
    RaterSource,
    RaterState,
    StudyRow,
    StudyState,
)
from app.study.material import Material, prepare

LABEL = 200  # characters
LOCAL = "local"  # owner of what is made at the command line: the one person of a server that listens on loopback alone
MOST_INVITED = 500  # at once


class Actor(NamedTuple):
    """Who does something to a study. `owner` tells browsers apart; empty: the command line of this machine, which may do all.

    What the command line makes is its own: no browser of a team behind a login may act on it.
    """

    name: str
    owner: str = ""


def may_act(row: StudyRow, by: Actor) -> bool:
    """Whether somebody may change, start, close or unblind a study, and see who its raters are."""
    return not by.owner or by.owner == row.owner


class Progress(NamedTuple):
    """How far a study is, without a word of what was answered."""

    places: int  # for raters
    raters: dict[RaterState, int]
    items: int  # main items times the raters that each gets
    done: int  # of those
    answers: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def unfinished(self) -> int:
        return max(0, self.items - self.done)


class Studies:
    """The studies of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def make(self, definition: StudyDefinition, by: Actor, previous_id: int | None = None) -> StudyRow:
        """Keep a draft, or a draft of a new version. BadInput for an unsound definition.

        A new version is of a study that has started, and only its owner's: Conflict, Refused.
        """
        demand_sound(definition)
        with self.store.session() as session:
            if previous_id is not None:
                before = studies.get(session, previous_id)
                self._demand_owner(before, by)
                if before.state is StudyState.DRAFT:
                    raise Conflict(f"Study {before.id} “{before.name}” has not started: change it as it is.")
            id_ = studies.create(
                session, definition, author=by.name, owner=by.owner or LOCAL, previous_id=previous_id
            )
            return studies.get(session, id_)

    def get(self, study_id: int) -> StudyRow:
        """One study. NotFound."""
        with self.store.session() as session:
            return studies.get(session, study_id)

    def change(self, study_id: int, definition: StudyDefinition, by: Actor) -> StudyRow:
        """Another definition for a draft. Conflict once it has started; Refused for anybody but its owner."""
        demand_sound(definition)
        with self.store.session() as session:
            self._demand_owner(studies.get(session, study_id), by)
            studies.change(session, study_id, definition, by.name)
            return studies.get(session, study_id)

    def material(self, definition: StudyDefinition) -> Material:
        """What raters would be shown, and what stands in the way."""
        demand_sound(definition)
        return prepare(self.store, definition)

    def start(self, study_id: int, by: Actor) -> StudyRow:
        """Freeze it and let raters in. BadInput with everything that stands in the way; Conflict, Refused."""
        row = self.get(study_id)
        self._demand_owner(row, by)
        if row.state is not StudyState.DRAFT:
            raise Conflict(f"Study {row.id} “{row.name}” has started already.")
        found = self.material(row.definition)
        if found.problems:
            raise BadInput(" ".join(found.problems))
        plans = places(row.definition, found.items)
        with self.store.session() as session:
            if studies.get(session, study_id).definition_hash != row.definition_hash:
                raise Conflict("The study was changed meanwhile: look at it again before you start it.")
            return studies.start(session, study_id, found.items, plans, found.notes, by.name)

    def close(self, study_id: int, by: Actor, *, anyway: bool = False) -> StudyRow:
        """End it for good. With items unfinished only `anyway`: they stay so, and the log says how many. Conflict, Refused."""
        with self.store.session() as session:
            row = studies.get(session, study_id)
            self._demand_owner(row, by)
            unfinished = 0
            if row.state is StudyState.OPEN:
                study_raters.hold_all(session, study_id)
                progress = self._progress(session, row)
                unfinished = progress.unfinished
                if unfinished and not anyway:
                    raise Conflict(
                        f"{unfinished:,} of {progress.items:,} items are unfinished, and stay so for good once the study is closed: close it"
                        " all the same, or wait."
                    )
            return studies.close(session, study_id, by.name, unfinished)

    def unblind(self, study_id: int, by: Actor, why: str) -> StudyRow:
        """Look at results before the close. It is logged, and every export says so. BadInput without a reason."""
        if not why.strip():
            raise BadInput(
                "Say why the results are opened before the close: it is kept, and printed with them."
            )
        with self.store.session() as session:
            self._demand_owner(studies.get(session, study_id), by)
            return studies.unblind(session, study_id, by.name, why.strip()[:LABEL])

    def invite(
        self, study_id: int, by: Actor, labels: list[str], days: float | None = None
    ) -> list[RaterRow]:
        """One invitation for each label (a name or anything that tells the owner whom it is for). Conflict where it is closed."""
        if not 1 <= len(labels) <= MOST_INVITED or any(len(label) > LABEL for label in labels):
            raise BadInput(
                f"Invite 1 to {MOST_INVITED} people at once, each named in at most {LABEL} characters."
            )
        if days is not None and not 0 < days <= 366:
            raise BadInput("An invitation is good for more than 0 and at most 366 days.")
        until = None if days is None else datetime.now(UTC) + timedelta(days=days)
        with self.store.session() as session:
            row = studies.get(session, study_id)
            self._demand_owner(row, by)
            if row.state is not StudyState.OPEN:
                raise Conflict(
                    "Raters can be invited to a study that is open: start it first."
                    if row.state is StudyState.DRAFT
                    else "The study is closed."
                )
            made = [
                study_raters.add(
                    session, study_id, RaterSource.INVITATION, Identity(label=label), expires_at=until
                )
                for label in labels
            ]
            studies.log(
                session, study_id, by.name, "invited", ", ".join(rater.pseudonym for rater in made)[:LABEL]
            )
            return made

    def renew(self, study_id: int, number: int, by: Actor) -> RaterRow:
        """Let an invitation be opened once more, on another device. Conflict where the rater has ended."""
        with self.store.session() as session:
            self._demand_owner(studies.get(session, study_id), by)
            rater = study_raters.by_number(session, study_id, number)
            if rater.source is not RaterSource.INVITATION or rater.state.ended:
                raise Conflict(f"{rater.pseudonym} has no invitation that could be opened again.")
            study_raters.change(session, rater.id, claimed=False)
            studies.log(session, study_id, by.name, "renewed the link of", rater.pseudonym)
            return study_raters.get(session, rater.id)

    def erase(self, study_id: int, number: int, by: Actor) -> int:
        """Delete a rater's answers for good and keep a tombstone; how many answers. The places are given again while it is open."""
        with self.store.session() as session:
            self._demand_owner(studies.get(session, study_id), by)
            rater = study_raters.by_number(session, study_id, number)
            if rater.state is RaterState.ERASED:
                raise Conflict(f"{rater.pseudonym} is erased already.")
            deleted = study_raters.erase(session, rater.id)
            studies.log(session, study_id, by.name, "erased", rater.pseudonym)
            return deleted

    def progress(self, study_id: int) -> Progress:
        """How far it is; tells nothing of what was answered."""
        with self.store.session() as session:
            return self._progress(session, studies.get(session, study_id))

    def log(self, study_id: int) -> list[LogRow]:
        """Who did what to it, oldest first. NotFound."""
        with self.store.session() as session:
            return studies.logged(session, studies.get(session, study_id).id)

    def _progress(self, session: Session, row: StudyRow) -> Progress:
        kinds = {i: head.kind for i, head in enumerate(studies.heads(session, row.id))}
        main = [i for i, kind in kinds.items() if kind is ItemKind.MAIN]
        raters = study_raters.of_study(session, row.id)
        places_ = study_raters.places_of_study(session, row.id)
        counts: dict[RaterState, int] = {}
        for rater in raters:
            counts[rater.state] = counts.get(rater.state, 0) + 1
        done = sum(_counts(place, kinds) for place in places_)
        moments = [place.done_at for place in places_ if place.done_at is not None]
        return Progress(
            row.definition.raters,
            counts,
            len(main) * row.definition.per_item,
            done,
            study_answers.count(session, row.id),
            min(moments, default=None),
            max(moments, default=None),
        )

    @staticmethod
    def _demand_owner(row: StudyRow, by: Actor) -> None:
        if not may_act(row, by):
            raise Refused(
                f"Only who made the study “{row.name}” ({row.author}) may do that, or the command line on the server's machine."
            )


def _counts(place: Place, kinds: dict[int, ItemKind]) -> bool:
    """Whether a place is a main item that was answered for the first time."""
    main = kinds[place.sitting.item] is ItemKind.MAIN
    return main and place.done_at is not None and not place.sitting.repeat
