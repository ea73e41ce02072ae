"""Bookmarks: the neurons that one person wants to find again."""

from datetime import UTC, datetime

from sqlalchemy import delete, func, select

from app.domain import written
from app.domain.neurons import NeuronRef
from app.errors import BadInput
from app.store import cursors, kept_names, sql
from app.store import tables as t
from app.store.list_rows import Key, ListItem
from app.store.rows import Page
from app.store.session import Session, writing

PAGE_MOST = 500


def add(s: Session, owner: str, ref: NeuronRef, author: str) -> bool:
    """Bookmark a neuron; False where it is already. NotFound."""
    author = written.one_line(author, "an author's name", written.AUTHOR)
    key = kept_names.key_of(s, ref)
    writing(s)
    values = {**key._asdict(), "owner": owner, "author": author, "created_at": datetime.now(UTC)}
    return sql.insert_new(s, t.bookmarks, values, ("owner", "layer_id", "neuron")) is not None


def remove(s: Session, owner: str, ref: NeuronRef) -> None:
    """Take a bookmark away, if there is one. NotFound where there is no such layer."""
    layer, b = kept_names.layer_id(s, ref), t.bookmarks.c
    writing(s)
    where = (b.owner == owner) & (b.layer_id == layer) & (b.neuron == ref.index)
    s.execute(delete(t.bookmarks).where(where))


def has(s: Session, owner: str, ref: NeuronRef) -> bool:
    """Whether this person has bookmarked the neuron. NotFound where there is no such layer."""
    layer, b = kept_names.layer_id(s, ref), t.bookmarks.c
    where = (b.owner == owner) & (b.layer_id == layer) & (b.neuron == ref.index)
    return s.execute(select(b.id).where(where)).first() is not None


def page(s: Session, owner: str, cursor: str | None = None, limit: int = 100) -> Page[ListItem]:
    """One person's bookmarks, the newest first. A cursor is `a` or `b` and the id that the page comes after, or before."""
    if not 1 <= limit <= PAGE_MOST:
        raise BadInput(f"a page holds 1 to {PAGE_MOST} neurons, not {limit}")
    b = t.bookmarks.c
    query, backward = select(t.bookmarks).where(b.owner == owner), bool(cursor and cursor.startswith("b"))
    if cursor is not None:
        at = cursor[1:]
        if cursor[0:1] not in ("a", "b") or not (at.isascii() and at.isdigit() and len(at) < 19):
            raise cursors.out_of_date()
        query = query.where(b.id > int(at) if backward else b.id < int(at))
    read = s.execute(query.order_by(b.id if backward else b.id.desc()).limit(limit + 1)).all()
    rows, has_next, has_previous = cursors.window(read, limit, backward=backward, first=cursor is None)
    keys = [Key(row.layer_id, row.neuron) for row in rows]
    refs = kept_names.refs_of(s, keys)
    items = tuple(
        ListItem(row.id, refs[key], key, row.id, "", row.author, row.created_at)
        for row, key in zip(rows, keys, strict=True)
    )
    return Page(
        items,
        next=f"a{rows[-1].id}" if has_next else None,
        previous=f"b{rows[0].id}" if has_previous else None,
        total=s.execute(select(func.count()).select_from(t.bookmarks).where(b.owner == owner)).scalar_one(),
    )
