"""What the store says of rating studies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.domain.neurons import NeuronRef
from app.domain.studies import StudyDefinition
from app.domain.study_items import ItemKind
from app.domain.study_places import Sitting


class StudyState(StrEnum):
    """How a study stands."""

    DRAFT = "draft"  # may still be changed; nobody can rate
    OPEN = "open"  # frozen; raters answer, results are hidden
    CLOSED = "closed"  # results are shown; nobody can rate


class RaterState(StrEnum):
    """How far a rater is."""

    INVITED = "invited"  # a link was made, and nobody has opened it
    ARRIVED = "arrived"  # reads the consent text
    PRACTISING = "practising"
    RATING = "rating"
    DONE = "done"
    SCREENED_OUT = "screened_out"  # both tries of the practice failed
    RETURNED = "returned"  # gave the place back
    TIMED_OUT = "timed_out"  # the place was given to another after a long silence
    ERASED = "erased"  # all that the rater said is deleted; this row is what remains

    @property
    def at_work(self) -> bool:
        return self in (RaterState.PRACTISING, RaterState.RATING)

    @property
    def ended(self) -> bool:
        return self in (
            RaterState.DONE,
            RaterState.SCREENED_OUT,
            RaterState.RETURNED,
            RaterState.TIMED_OUT,
            RaterState.ERASED,
        )


class RaterSource(StrEnum):
    """How a rater came."""

    INVITATION = "invitation"
    OPEN = "open"  # by the open link
    PROLIFIC = "prolific"


@dataclass(frozen=True)
class StudyRow:
    """A study."""

    id: int
    name: str
    definition: StudyDefinition
    definition_hash: str
    state: StudyState
    version: int
    previous_id: int | None  # the study that it is a new version of
    code: str  # what stands for it in the addresses of raters
    registered_hash: str  # of definition and material; empty before the start
    notes: tuple[str, ...]  # what researchers are to know of the material, in words
    author: str
    owner: str
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    unblinded_at: datetime | None  # when results were looked at before the close
    unblinded_by: str

    @property
    def results_open(self) -> bool:
        """Whether results may be shown."""
        return self.state is StudyState.CLOSED or self.unblinded_at is not None


@dataclass(frozen=True)
class RaterRow:
    """A rater, under a pseudonym."""

    id: int
    study_id: int
    number: int  # counts up within the study
    secret: str  # what the rater's browser shows to be this rater
    source: RaterSource
    state: RaterState
    claimed: bool  # an invitation that was opened
    slot: int | None
    consent_version: str
    practice_failed: int
    expires_at: datetime | None
    created_at: datetime
    consented_at: datetime | None
    last_at: datetime
    ended_at: datetime | None

    @property
    def pseudonym(self) -> str:
        return f"Rater {self.number}"


class ItemHead(NamedTuple):
    """What an item is, without what raters are shown of it."""

    kind: ItemKind
    neuron: NeuronRef | None  # None: an invented one that is in no store


class Place(NamedTuple):
    """One item that a rater is to answer."""

    id: int
    rater_id: int
    ordinal: int  # in the rater's own order, practice first, from 0
    sitting: Sitting
    practice: bool
    opened_at: datetime | None
    done_at: datetime | None


class AnswerRow(NamedTuple):
    """One reply; of several to the same question by one rater the newest counts."""

    place_id: int
    kind: str
    subject: str
    value: str
    seconds: float  # since the page was opened or the answer before it, whichever is later
    at: datetime


class LogRow(NamedTuple):
    """One entry of the audit log."""

    at: datetime
    who: str
    what: str
    detail: str


class Identity(NamedTuple):
    """Who a rater is to the outside: in a table of its own, and in no export."""

    label: str = ""  # what the owner called an invitation
    platform: str = ""
    participant: str = ""  # PROLIFIC_PID
    study: str = ""  # STUDY_ID
    session: str = ""  # SESSION_ID


NOBODY = Identity()  # nothing is known of who it is
