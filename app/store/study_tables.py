"""Tables of rating studies. Part of `tables`, through which they are reached.

Answers are only ever added, and of several to one question the newest counts; they are deleted when a rater is erased, and then alone.
Who a rater is to the outside is in `study_identities`, which no export reads. No address of a machine is stored anywhere.
"""

from collections.abc import Mapping

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
)

from app.domain.study_replies import ReplyKind
from app.store import types as t
from app.store.columns import id_, metadata, required
from app.store.study_rows import RaterSource, RaterState, StudyState

STUDY_STATES: Mapping[StudyState, int] = {
    StudyState.DRAFT: 0,
    StudyState.OPEN: 1,
    StudyState.CLOSED: 2,
}
RATER_STATES: Mapping[RaterState, int] = {
    RaterState.INVITED: 0,
    RaterState.ARRIVED: 1,
    RaterState.PRACTISING: 2,
    RaterState.RATING: 3,
    RaterState.DONE: 4,
    RaterState.SCREENED_OUT: 5,
    RaterState.RETURNED: 6,
    RaterState.TIMED_OUT: 7,
    RaterState.ERASED: 8,
}
RATER_SOURCES: Mapping[RaterSource, int] = {
    RaterSource.INVITATION: 0,
    RaterSource.OPEN: 1,
    RaterSource.PROLIFIC: 2,
}
REPLY_KINDS: Mapping[ReplyKind, int] = {
    ReplyKind.RATE: 0,
    ReplyKind.BEST: 1,
    ReplyKind.RANK: 2,
    ReplyKind.PAIR: 3,
    ReplyKind.WRITE: 4,
    ReplyKind.SIMULATE: 5,
    ReplyKind.COMMENT: 6,
}

studies = Table(
    "studies",
    metadata,
    id_(),
    required("name", t.Words),
    required("definition", t.Words),  # as a JSON file; never changed once it is open
    required("definition_hash", t.Words),
    required("state", t.Code(StudyState, STUDY_STATES)),
    required("version", Integer),
    Column("previous_id", t.Id, ForeignKey("studies.id")),
    required("code", t.Words, unique=True),
    required("registered_hash", t.Words),
    required("notes", t.Words),  # JSON list
    required("author", t.Words),
    required("owner", t.Words),
    required("created_at", t.Moment),
    Column("started_at", t.Moment),
    Column("closed_at", t.Moment),
    Column("unblinded_at", t.Moment),
    required("unblinded_by", t.Words),
)

study_items = Table(  # what raters are shown, frozen
    "study_items",
    metadata,
    required("study_id", t.Id, ForeignKey("studies.id")),
    required("ordinal", Integer),
    required("data", t.Words),  # JSON: domain.study_items.item_values
    required("digest", t.Words),
    PrimaryKeyConstraint("study_id", "ordinal"),
)

study_sources = Table(  # which explanations raters are shown: from an explanation to what people said of it
    "study_sources",
    metadata,
    required("study_id", t.Id, ForeignKey("studies.id")),
    required("item", Integer),
    required("text", Integer),
    required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    PrimaryKeyConstraint("study_id", "item", "text", "explanation_id"),
)

study_slots = Table(  # places for raters, as they were drawn at the start
    "study_slots",
    metadata,
    required("study_id", t.Id, ForeignKey("studies.id")),
    required("slot", Integer),
    required("sittings", t.Words),  # JSON
    PrimaryKeyConstraint("study_id", "slot"),
)

study_raters = Table(
    "study_raters",
    metadata,
    id_(),
    required("study_id", t.Id, ForeignKey("studies.id")),
    required("number", Integer),
    required("secret", t.Words, unique=True),
    required("source", t.Code(RaterSource, RATER_SOURCES)),
    required("state", t.Code(RaterState, RATER_STATES)),
    required("claimed", Boolean),
    Column("slot", Integer),
    required("consent_version", t.Words),
    required("practice_failed", SmallInteger),
    Column("expires_at", t.Moment),
    required("created_at", t.Moment),
    Column("consented_at", t.Moment),
    required("last_at", t.Moment),
    Column("ended_at", t.Moment),
    UniqueConstraint("study_id", "number"),
)

study_identities = Table(
    "study_identities",
    metadata,
    Column("rater_id", t.Id, ForeignKey("study_raters.id"), primary_key=True, autoincrement=False),
    required("study_id", t.Id, ForeignKey("studies.id")),
    required("label", t.Words),
    required("platform", t.Words),
    required("participant", t.Words),
    required("study", t.Words),
    required("session", t.Words),
    Index("ix_study_identities_participant", "study_id", "participant"),
)

study_places = Table(  # what a rater was given to do
    "study_places",
    metadata,
    id_(),
    required("study_id", t.Id, ForeignKey("studies.id"), index=True),
    required("rater_id", t.Id, ForeignKey("study_raters.id")),
    required("ordinal", Integer),
    required("item", Integer),
    required("texts", t.Words),  # JSON: the item's texts as they stand on the page
    required("pairs", t.Words),  # JSON
    required("repeat", Boolean),
    required("practice", Boolean),
    Column("opened_at", t.Moment),
    Column("done_at", t.Moment),
    UniqueConstraint("rater_id", "ordinal"),
)

study_answers = Table(
    "study_answers",
    metadata,
    id_(),
    required("place_id", t.Id, ForeignKey("study_places.id"), index=True),
    required("kind", t.Code(ReplyKind, REPLY_KINDS)),
    required("subject", t.Words),
    required("value", t.Words),
    required("seconds", t.Number),
    required("at", t.Moment),
)

study_log = Table(
    "study_log",
    metadata,
    id_(),
    required("study_id", t.Id, ForeignKey("studies.id"), index=True),
    required("at", t.Moment),
    required("who", t.Words),
    required("what", t.Words),
    required("detail", t.Words),
)
