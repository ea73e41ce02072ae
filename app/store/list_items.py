"""What is in a list: neurons in an order of the list's own, each once, each with a note."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, insert, select, update

from app.domain import written
from app.domain.list_files import Entry, Skipped
from app.domain.neurons import NeuronRef
from app.errors import BadInput, Conflict, NotFound
from app.store import cursors, kept_names, lists
from app.store import tables as t
from app.store.list_rows import Key, ListItem, ListRow
from app.store.rows import Page
from app.store.session import Session

MOST = 100_000  # neurons of one list
PAGE_MOST = 500
_CHUNK = 1000
_ID_LIMIT = 1 << 62


class Move(StrEnum):
    """Where to."""

    UP = "up"
    DOWN = "down"
    TOP = "top"
    BOTTOM = "bottom"


class Filled(NamedTuple):
    """What became of the lines of a file."""

    row: ListRow
    added: int
    skipped: list[Skipped]


def add(s: Session, slug: str, ref: NeuronRef, note: str, author: str) -> bool:
    """Put a neuron at a list's end; False, and nothing changed, where it is in it already. NotFound, BadInput."""
    note = written.prose(note, "a note", written.NOTE)
    author = written.one_line(author, "an author's name", written.AUTHOR)
    key = kept_names.key_of(s, ref)
    if _find(s, lists.held(s, slug).id, key) is not None:
        return False
    list_id = lists.change(s, slug)
    _append(s, list_id, [(key, note)], author)
    return True


def fill(
    s: Session, slug: str, entries: Sequence[Entry], author: str, model: str = "", *, strict: bool = False
) -> Filled:
    """Put the neurons of a file at a list's end. What cannot be used, or is in the list already, is skipped and said.

    BadInput, and nothing written, where nothing can be used, or (`strict`) not everything.
    """
    author = written.one_line(author, "an author's name", written.AUTHOR)
    list_id = lists.change(s, slug)
    found, skipped = kept_names.resolve(s, entries, model)
    seen = set(lists.neuron_keys(s, list_id))
    new: list[tuple[Key, str]] = []
    for key, entry in found:
        if key in seen:
            skipped.append(Skipped(entry.line, "the list has this neuron already"))
            continue
        try:
            new.append((key, written.prose(entry.note, "a note", written.NOTE)))
        except BadInput as error:
            skipped.append(Skipped(entry.line, str(error)))
            continue
        seen.add(key)
    skipped.sort()
    if skipped and (strict or not found):
        first = "; ".join(f"{each.line}: {each.reason}" for each in skipped[:3])
        more = f" and {len(skipped) - 3:,} more" if len(skipped) > 3 else ""
        raise BadInput(f"nothing was added: {first}{more}")
    _append(s, list_id, new, author)
    return Filled(lists.get(s, slug), len(new), skipped)


def remove(s: Session, slug: str, ref: NeuronRef) -> None:
    """Take a neuron out of a list. NotFound where it is not, or no longer, in it."""
    list_id = lists.change(s, slug)
    item = _item(s, list_id, ref)
    s.execute(delete(t.list_items).where(t.list_items.c.id == item.id))


def set_note(s: Session, slug: str, ref: NeuronRef, note: str, seen: str | None = None) -> None:
    """Another note. `seen` is the note that its writer had before them: Conflict where it has changed since."""
    note = written.prose(note, "a note", written.NOTE)
    list_id = lists.change(s, slug)
    item = _item(s, list_id, ref)
    if seen is not None and item.note not in (written.prose(seen, "a note", written.NOTE), note):
        raise Conflict(
            f"this note was changed meanwhile; it says “{' '.join(item.note.split())[:200]}” now: look at it and try again"
        )
    s.execute(update(t.list_items).where(t.list_items.c.id == item.id).values(note=note))


def move(s: Session, slug: str, ref: NeuronRef, to: Move) -> None:
    """One place up or down, or to an end; where it stands there already, nothing happens. NotFound."""
    list_id = lists.change(s, slug)
    item = _item(s, list_id, ref)
    i = t.list_items.c
    up = to in (Move.UP, Move.TOP)
    beyond = i.position < item.position if up else i.position > item.position
    order = i.position.desc() if to in (Move.UP, Move.BOTTOM) else i.position.asc()
    query = select(i.id, i.position).where(i.list_id == list_id, beyond)
    other = s.execute(query.order_by(order).limit(1)).first()
    if other is None:
        return
    if to in (Move.UP, Move.DOWN):
        s.execute(update(t.list_items).where(i.id == item.id).values(position=other.position))
        s.execute(update(t.list_items).where(i.id == other.id).values(position=item.position))
    else:
        place = other.position + (-1 if up else 1)
        s.execute(update(t.list_items).where(i.id == item.id).values(position=place))


def page(s: Session, list_id: int, cursor: str | None = None, limit: int = 100) -> Page[ListItem]:
    """One page of a list in its order. A cursor is the place that the page comes after, or with `-` before. BadInput."""
    if not 1 <= limit <= PAGE_MOST:
        raise BadInput(f"a page holds 1 to {PAGE_MOST} neurons, not {limit}")
    i = t.list_items.c
    query, backward = (
        select(t.list_items).where(i.list_id == list_id),
        bool(cursor and cursor.startswith("b")),
    )
    if cursor is not None:
        at = _place(cursor)
        query = query.where(i.position < at if backward else i.position > at)
    order = i.position.desc() if backward else i.position.asc()
    read = s.execute(query.order_by(order).limit(limit + 1)).all()
    rows, has_next, has_previous = cursors.window(read, limit, backward=backward, first=cursor is None)
    count = select(func.count()).select_from(t.list_items).where(i.list_id == list_id)
    return Page(
        tuple(_items(s, rows)),
        next=f"a{rows[-1].position}" if has_next else None,
        previous=f"b{rows[0].position}" if has_previous else None,
        total=s.execute(count).scalar_one(),
    )


def _place(cursor: str) -> int:
    digits = cursor[1:].removeprefix("-")
    if cursor[0:1] not in ("a", "b") or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise cursors.out_of_date()
    return int(cursor[1:])


def _items(s: Session, rows: Sequence[Row[Any]]) -> list[ListItem]:
    keys = [Key(row.layer_id, row.neuron) for row in rows]
    refs = kept_names.refs_of(s, keys)
    return [
        ListItem(row.id, refs[key], key, row.position, row.note, row.author, row.added_at)
        for row, key in zip(rows, keys, strict=True)
    ]


def _find(s: Session, list_id: int, key: Key) -> Row[Any] | None:
    i = t.list_items.c
    where = (i.list_id == list_id) & (i.layer_id == key.layer_id) & (i.neuron == key.neuron)
    return s.execute(select(t.list_items).where(where)).first()


def _item(s: Session, list_id: int, ref: NeuronRef) -> Row[Any]:
    found = _find(s, list_id, Key(kept_names.layer_id(s, ref), ref.index))
    if found is None:
        raise NotFound(f"{ref} is not in this list, or was taken out of it meanwhile")
    return found


def _append(s: Session, list_id: int, new: Sequence[tuple[Key, str]], author: str) -> None:
    i = t.list_items.c
    query = select(func.count(), func.coalesce(func.max(i.position), 0)).where(i.list_id == list_id)
    held, last = s.execute(query).one()
    if held + len(new) > MOST:
        raise BadInput(f"a list holds at most {MOST:,} neurons: this one would have {held + len(new):,}")
    now = datetime.now(UTC)
    values = [
        {
            "list_id": list_id,
            "layer_id": key.layer_id,
            "neuron": key.neuron,
            "position": last + n,
            "note": note,
            "author": author,
            "added_at": now,
        }
        for n, (key, note) in enumerate(new, 1)
    ]
    for at in range(0, len(values), _CHUNK):
        s.execute(insert(t.list_items), values[at : at + _CHUNK])
