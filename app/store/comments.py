"""Comments on neurons: only ever added. A withdrawn one stays in the store, marked; its text is told to nobody."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from app.domain import written
from app.domain.neurons import NeuronRef
from app.errors import Conflict, NotFound, Refused
from app.store import kept_names
from app.store import tables as t
from app.store.list_rows import Comment
from app.store.session import Session, writing

_ID_LIMIT = 1 << 63  # beyond it a database refuses to compare


def add(s: Session, ref: NeuronRef, text: str, author: str, owner: str) -> Comment:
    """Say something of a neuron. BadInput for no words or too many, NotFound."""
    text = written.prose(text, "a comment", written.COMMENT, needed=True)
    author = written.one_line(author, "an author's name", written.AUTHOR)
    key = kept_names.key_of(s, ref)
    writing(s)
    values = {
        **key._asdict(),
        "owner": owner,
        "author": author,
        "text": text,
        "created_at": datetime.now(UTC),
    }
    row = s.execute(insert(t.comments).values(values).returning(t.comments)).one()
    return _comment(row, ref)


def withdraw(s: Session, ref: NeuronRef, comment_id: int, owner: str) -> Comment:
    """Take one's own comment back. Refused for another's, NotFound, Conflict for one that is withdrawn already."""
    layer, c = kept_names.layer_id(s, ref), t.comments.c
    writing(s)
    query = select(t.comments).where(c.id == comment_id, c.layer_id == layer, c.neuron == ref.index)
    row = s.execute(query.with_for_update()).first() if 0 < comment_id < _ID_LIMIT else None
    if row is None:
        raise NotFound(f"{ref} has no comment {comment_id}")
    if row.owner != owner:
        raise Refused(
            "this comment is another's: only who wrote it can withdraw it, in the browser it was written in"
        )
    if row.withdrawn_at is not None:
        raise Conflict("this comment is withdrawn already")
    done = update(t.comments).where(c.id == comment_id).values(withdrawn_at=datetime.now(UTC))
    return _comment(s.execute(done.returning(t.comments)).one(), ref)


def of_neuron(s: Session, ref: NeuronRef) -> list[Comment]:
    """All comments on a neuron, oldest first; of withdrawn ones that they were there. NotFound for no such layer."""
    layer, c = kept_names.layer_id(s, ref), t.comments.c
    query = select(t.comments).where(c.layer_id == layer, c.neuron == ref.index).order_by(c.id)
    return [_comment(row, ref) for row in s.execute(query)]


def _comment(row: Row[Any], ref: NeuronRef) -> Comment:
    text = row.text if row.withdrawn_at is None else ""
    return Comment(row.id, ref, row.author, row.owner, text, row.created_at, row.withdrawn_at)
