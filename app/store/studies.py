"""Rating studies: their definitions, material and places, how each stands, and who did what to it."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from app.domain import study_files
from app.domain.definition_files import FileKind
from app.domain.neurons import NeuronRef
from app.domain.studies import StudyDefinition, definition_hash
from app.domain.study_items import ItemKind, StudyItem, item_values, read_item
from app.domain.study_places import Sitting
from app.errors import Conflict, NotFound
from app.store import bulk, cursors
from app.store import tables as t
from app.store.rows import Page
from app.store.session import Session, writing
from app.store.study_rows import ItemHead, LogRow, StudyRow, StudyState

# Raters ask for it with every answer: made once, and read once for each definition.
_BY_CODE = select(t.studies).where(t.studies.c.code == bindparam("code"))
_kept = lru_cache(maxsize=64)(study_files.read_kept)
_ID_LIMIT = 1 << 62
CODE_BYTES = 9
HEAD = 2_000  # characters of an item in which its kind and neuron are; a slug is far shorter
_RECORDS = ',"records":'


def create(
    s: Session,
    definition: StudyDefinition,
    *,
    author: str,
    owner: str,
    previous_id: int | None = None,
) -> int:
    """Keep a draft; its id. `previous_id` is the study that it is a new version of. NotFound where that is not there."""
    writing(s)
    version = 1 if previous_id is None else get(s, previous_id).version + 1
    made: int = s.execute(
        insert(t.studies)
        .values(
            **_defined(definition),
            state=StudyState.DRAFT,
            version=version,
            previous_id=previous_id,
            code=secrets.token_urlsafe(CODE_BYTES),
            registered_hash="",
            notes="[]",
            author=author,
            owner=owner,
            created_at=datetime.now(UTC),
            unblinded_by="",
        )
        .returning(t.studies.c.id)
    ).scalar_one()
    log(s, made, author, "made", f"version {version}")
    return made


def get(s: Session, study_id: int) -> StudyRow:
    """One study. NotFound says what there is."""
    found = None
    if 0 < study_id < _ID_LIMIT:
        found = s.execute(select(t.studies).where(t.studies.c.id == study_id)).first()
    if found is None:
        newest = s.execute(select(func.max(t.studies.c.id))).scalar()
        there = f"the newest is {newest}" if newest is not None else "none has been made yet"
        raise NotFound(f"there is no study {study_id}; {there}")
    return _row(found)


def by_code(s: Session, code: str) -> StudyRow:
    """The study that a rater's address names. NotFound tells a rater what to do, and nothing else."""
    found = s.execute(_BY_CODE, {"code": code}).first()
    if found is None:
        raise NotFound("There is no study at this address. Check the link, or ask whoever sent it to you.")
    return _row(found)


def page(s: Session, cursor: str | None = None, limit: int = 50) -> Page[StudyRow]:
    """Studies, newest first. A cursor is the id that the page comes after, or with `-` before. BadInput for no id."""
    backward = bool(cursor and cursor.startswith("-"))
    query, id_ = select(t.studies), t.studies.c.id
    if cursor is not None:
        number = cursor.removeprefix("-")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise cursors.out_of_date()
        query = query.where(id_ > int(number) if backward else id_ < int(number))
    ordered = query.order_by(id_ if backward else id_.desc()).limit(limit + 1)
    rows, has_next, has_previous = cursors.window(
        [_row(row) for row in s.execute(ordered)], limit, backward=backward, first=cursor is None
    )
    return Page(
        tuple(rows),
        next=str(rows[-1].id) if has_next else None,
        previous=f"-{rows[0].id}" if has_previous else None,
        total=s.execute(select(func.count()).select_from(t.studies)).scalar_one(),
    )


def change(s: Session, study_id: int, definition: StudyDefinition, who: str) -> None:
    """Put another definition into a draft. Conflict where it is frozen."""
    writing(s)
    _demand(s, study_id, StudyState.DRAFT, "is frozen since its start: make a new version of it")
    _update(s, study_id, **_defined(definition))
    log(s, study_id, who, "changed", f"definition {definition_hash(definition)[:12]}")


def start(
    s: Session,
    study_id: int,
    items: Sequence[StudyItem],
    places: Sequence[Sequence[Sitting]],
    notes: Sequence[str],
    who: str,
) -> StudyRow:
    """Freeze a draft with what raters will be shown. Conflict where it has started before."""
    writing(s)
    row = _demand(s, study_id, StudyState.DRAFT, "has started already")
    digests = [item.digest for item in items]
    plans = [json.dumps(list(plan), separators=(",", ":")) for plan in places]
    registered = hashlib.sha256("\n".join([row.definition_hash, *digests, *plans]).encode()).hexdigest()
    bulk.insert(
        s,
        t.study_items,
        ("study_id", "ordinal", "data", "digest"),
        [
            (
                study_id,
                i,
                json.dumps(item_values(item), separators=(",", ":")),
                digests[i],
            )
            for i, item in enumerate(items)
        ],
    )
    bulk.insert(
        s,
        t.study_sources,
        ("study_id", "item", "text", "explanation_id"),
        [
            (study_id, i, n, source.explanation_id)
            for i, item in enumerate(items)
            if item.kind is ItemKind.MAIN
            for n, text in enumerate(item.texts)
            for source in text.sources
            if source.explanation_id is not None
        ],
    )
    bulk.insert(
        s,
        t.study_slots,
        ("study_id", "slot", "sittings"),
        [(study_id, i, plan) for i, plan in enumerate(plans)],
    )
    _update(
        s,
        study_id,
        state=StudyState.OPEN,
        registered_hash=registered,
        notes=json.dumps(list(notes), ensure_ascii=False),
        started_at=datetime.now(UTC),
    )
    log(s, study_id, who, "started", f"registered as {registered}")
    return get(s, study_id)


def close(s: Session, study_id: int, who: str, unfinished: int) -> StudyRow:
    """End a study for good; `unfinished` items are said in the log. Conflict where it is not open."""
    writing(s)
    _demand(s, study_id, StudyState.OPEN, "is not open")
    _update(s, study_id, state=StudyState.CLOSED, closed_at=datetime.now(UTC))
    log(s, study_id, who, "closed", f"{unfinished} items unfinished" if unfinished else "every item finished")
    return get(s, study_id)


def unblind(s: Session, study_id: int, who: str, why: str) -> StudyRow:
    """Open the results before the close; kept for good, and said in every export. Conflict where there is nothing to open."""
    writing(s)
    row = _demand(s, study_id, StudyState.OPEN, "is not open")
    if row.unblinded_at is None:
        _update(s, study_id, unblinded_at=datetime.now(UTC), unblinded_by=who)
    log(s, study_id, who, "unblinded", why)
    return get(s, study_id)


def items(s: Session, study_id: int) -> list[StudyItem]:
    """What raters are shown, in the order in which places and results number it."""
    c = t.study_items.c
    query = select(c.data).where(c.study_id == study_id).order_by(c.ordinal)
    return [read_item(json.loads(data)) for data in s.execute(query).scalars()]


def heads(s: Session, study_id: int) -> list[ItemHead]:
    """What each item is, in order, without its records and texts."""
    c = t.study_items.c
    query = select(func.substr(c.data, 1, HEAD)).where(c.study_id == study_id).order_by(c.ordinal)
    return [_head(data) for data in s.execute(query).scalars()]


def _head(data: str) -> ItemHead:
    """Kind and neuron are the first two keys of `item_values`, a list of records the third."""
    values = json.loads(f"{data.partition(_RECORDS)[0]}}}")
    neuron = values["neuron"]
    return ItemHead(ItemKind(values["kind"]), None if neuron is None else NeuronRef(*neuron))


def item(s: Session, study_id: int, ordinal: int) -> StudyItem:
    """One of them. NotFound."""
    c = t.study_items.c
    query = select(c.data).where(c.study_id == study_id, c.ordinal == ordinal)
    data = s.execute(query).scalar()
    if data is None:
        raise NotFound(f"study {study_id} has no item {ordinal}")
    return read_item(json.loads(data))


def slots(s: Session, study_id: int) -> list[tuple[Sitting, ...]]:
    """The places for raters as they were drawn."""
    c = t.study_slots.c
    query = select(c.sittings).where(c.study_id == study_id).order_by(c.slot)
    return [read_sittings(json_) for json_ in s.execute(query).scalars()]


def read_sittings(json_: str) -> tuple[Sitting, ...]:
    """A place as it is stored."""
    return tuple(
        Sitting(item_, tuple(texts), tuple((a, b) for a, b in pairs), repeat)
        for item_, texts, pairs, repeat in json.loads(json_)
    )


def log(s: Session, study_id: int, who: str, what: str, detail: str = "") -> None:
    """Add to the audit log."""
    writing(s)
    s.execute(
        insert(t.study_log).values(study_id=study_id, at=datetime.now(UTC), who=who, what=what, detail=detail)
    )


def logged(s: Session, study_id: int) -> list[LogRow]:
    """The audit log, oldest first."""
    c = t.study_log.c
    query = select(c.at, c.who, c.what, c.detail).where(c.study_id == study_id).order_by(c.id)
    return [LogRow(*row) for row in s.execute(query)]


def _demand(s: Session, study_id: int, state: StudyState, otherwise: str) -> StudyRow:
    row = get(s, study_id)
    if row.state is not state:
        raise Conflict(f"Study {study_id} “{row.name}” {otherwise}.")
    return row


def _defined(definition: StudyDefinition) -> dict[str, str]:
    return {
        "name": definition.name,
        "definition": study_files.write(definition, FileKind.JSON),
        "definition_hash": definition_hash(definition),
    }


def _update(s: Session, study_id: int, **values: Any) -> None:
    s.execute(update(t.studies).where(t.studies.c.id == study_id).values(**values))


def _row(row: Row[Any]) -> StudyRow:
    return StudyRow(
        id=row.id,
        name=row.name,
        definition=_kept(row.definition),
        definition_hash=row.definition_hash,
        state=row.state,
        version=row.version,
        previous_id=row.previous_id,
        code=row.code,
        registered_hash=row.registered_hash,
        notes=tuple(json.loads(row.notes)),
        author=row.author,
        owner=row.owner,
        created_at=row.created_at,
        started_at=row.started_at,
        closed_at=row.closed_at,
        unblinded_at=row.unblinded_at,
        unblinded_by=row.unblinded_by,
    )
