"""Named lists of neurons: the lists themselves. What is in them: `list_items`; as the sample of a study: `list_samples`."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from app.domain import written
from app.domain.neurons import NeuronRef
from app.errors import Conflict, NotFound
from app.store import kept_names, names, sql
from app.store import tables as t
from app.store.list_rows import Containing, Key, ListRow
from app.store.session import Session, writing

_TRIES = 1000  # lists whose names make the same word of an address


def create(s: Session, name: str, description: str, author: str) -> ListRow:
    """A new, empty list. BadInput for a name or a description that will not do, Conflict for a name that is taken."""
    name = written.one_line(name, "a list's name", written.NAME)
    description = written.prose(description, "a description", written.DESCRIPTION)
    author = written.one_line(author, "an author's name", written.AUTHOR)
    writing(s)
    _free(s, name)
    now = datetime.now(UTC)
    values = {
        "name": name,
        "same": written.same(name),
        "description": description,
        "author": author,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }
    word = written.slug(name)
    for n in range(1, _TRIES):
        try:
            made = sql.insert_new(
                s, t.lists, {**values, "slug": word if n == 1 else f"{word}-{n}"}, ("slug",)
            )
        except IntegrityError:  # PostgreSQL: another transaction was quicker, and its row could not be seen
            raise _taken(name) from None
        if made is not None:
            return _one(s, t.lists.c.id == made)
    raise Conflict(f"there are {_TRIES:,} lists called much like “{name}”: choose another name")


def edit(s: Session, slug: str, name: str, description: str) -> ListRow:
    """Another name and description; the address stays. Raises as `create` does, NotFound."""
    name = written.one_line(name, "a list's name", written.NAME)
    description = written.prose(description, "a description", written.DESCRIPTION)
    list_id = change(s, slug)
    _free(s, name, list_id)
    query = update(t.lists).where(t.lists.c.id == list_id)
    try:
        s.execute(query.values(name=name, same=written.same(name), description=description))
    except IntegrityError:  # PostgreSQL: another transaction was quicker, and its row could not be seen
        raise _taken(name) from None
    return _one(s, t.lists.c.id == list_id)


def remove(s: Session, slug: str) -> ListRow:
    """Delete a list; what it was. Its neurons, and samples drawn from it, stay. NotFound."""
    list_id = change(s, slug)
    row = _one(s, t.lists.c.id == list_id)
    s.execute(delete(t.list_items).where(t.list_items.c.list_id == list_id))
    s.execute(delete(t.lists).where(t.lists.c.id == list_id))
    return row


def share(s: Session, slug: str) -> str:
    """The secret word whose address shows this list to anybody; made where there is none yet. NotFound."""
    list_id = change(s, slug)
    token: str | None = s.execute(select(t.lists.c.share_token).where(t.lists.c.id == list_id)).scalar()
    if token is None:
        token = secrets.token_urlsafe(32)
        s.execute(update(t.lists).where(t.lists.c.id == list_id).values(share_token=token))
    return token


def unshare(s: Session, slug: str) -> None:
    """From now on the word shows nothing, for good: sharing again makes another. NotFound."""
    list_id = change(s, slug)
    s.execute(update(t.lists).where(t.lists.c.id == list_id).values(share_token=None))


def change(s: Session, slug: str) -> int:
    """Begin to change a list: its id, held against others that would change it until the session ends. NotFound."""
    writing(s)
    query = (
        update(t.lists)
        .where(t.lists.c.slug == slug)
        .values(revision=t.lists.c.revision + 1, updated_at=datetime.now(UTC))
        .returning(t.lists.c.id)
    )
    found: int | None = s.execute(query).scalar()
    if found is None:
        raise _missing(s, slug)
    return found


def held(s: Session, slug: str) -> ListRow:
    """One list as it is now, which nobody else changes until the session ends. NotFound."""
    writing(s)
    found = s.execute(select(t.lists.c.id).where(t.lists.c.slug == slug).with_for_update()).scalar()
    if found is None:
        raise _missing(s, slug)
    return get(s, slug)


def every(s: Session) -> list[ListRow]:
    """All lists, the one changed last first."""
    return [_row(row) for row in s.execute(_select().order_by(t.lists.c.updated_at.desc(), t.lists.c.id))]


def get(s: Session, slug: str) -> ListRow:
    """One list. NotFound says which there are."""
    row = s.execute(_select().where(t.lists.c.slug == slug)).first()
    if row is None:
        raise _missing(s, slug)
    return _row(row)


def named(s: Session, word: str) -> ListRow:
    """One list by its word in addresses, else by its id. NotFound says which there are."""
    row = s.execute(_select().where(t.lists.c.slug == word)).first()
    if row is None and word.isascii() and word.isdecimal() and len(word) <= 15:
        row = s.execute(_select().where(t.lists.c.id == int(word))).first()
    if row is None:
        raise _missing(s, word)
    return _row(row)


def models_in(s: Session, list_id: int) -> list[str]:
    """The models whose neurons a list has, by name."""
    i = t.list_items.c
    layers = select(i.layer_id).where(i.list_id == list_id).distinct()
    query = select(t.models.c.slug).join(t.layers, t.layers.c.model_id == t.models.c.id)
    return list(
        s.execute(query.where(t.layers.c.id.in_(layers)).distinct().order_by(t.models.c.slug)).scalars()
    )


def outside(s: Session, list_id: int, model: str) -> int:
    """How many of a list's neurons are not among those that pages show of a model. NotFound for the model."""
    names.model_id(s, model)
    keys = neuron_keys(s, list_id)
    refs = kept_names.refs_of(s, keys)
    by_layer: dict[int, set[int]] = {}
    for key, ref in refs.items():
        if ref.model == model:
            by_layer.setdefault(key.layer_id, set()).add(key.neuron)
    parts = kept_names.visible_parts(s, by_layer)
    there = (kept_names.present(s, part, by_layer[layer]) for layer, part in parts.items())
    return len(keys) - sum(len(each) for each in there)


def shared(s: Session, token: str) -> ListRow:
    """The list that a secret word shows. NotFound tells nothing of any list."""
    row = s.execute(_select().where(t.lists.c.share_token == token)).first() if token else None
    if row is None:
        raise NotFound("this link shows no list: it was mistyped, or the list is no longer shared")
    return _row(row)


def neuron_keys(s: Session, list_id: int) -> list[Key]:
    """A list's neurons in its order, as (layer_id, neuron). None for a list that is not there."""
    i = t.list_items.c
    query = select(i.layer_id, i.neuron).where(i.list_id == list_id).order_by(i.position, i.id)
    return [Key(*row) for row in s.execute(query)]


def containing(s: Session, ref: NeuronRef) -> list[Containing]:
    """The lists that a neuron is in, by name. NotFound where there is no such layer."""
    layer, i = kept_names.layer_id(s, ref), t.list_items.c
    query = (
        select(t.lists.c.id, t.lists.c.slug, t.lists.c.name, i.note)
        .join(t.list_items, i.list_id == t.lists.c.id)
        .where(i.layer_id == layer, i.neuron == ref.index)
        .order_by(t.lists.c.name, t.lists.c.id)
    )
    return [Containing(*row) for row in s.execute(query)]


def _free(s: Session, name: str, besides: int | None = None) -> None:
    found = s.execute(select(t.lists.c.id).where(t.lists.c.same == written.same(name))).scalar()
    if found is not None and found != besides:
        raise _taken(name)


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a list called “{name}” already: choose another name")


def _missing(s: Session, slug: str) -> NotFound:
    slugs = s.execute(select(t.lists.c.slug).order_by(t.lists.c.updated_at.desc()).limit(4)).scalars().all()
    there = f"there is {', '.join(slugs[:3])}{' and others' if len(slugs) > 3 else ''}"
    return NotFound(
        f"there is no list “{slug[:80]}”, or it was deleted meanwhile; {there if slugs else 'no list is here yet'}"
    )


def _select() -> Select[Any]:
    i = t.list_items.c
    held = select(func.count()).select_from(t.list_items).where(i.list_id == t.lists.c.id).scalar_subquery()
    return select(t.lists, held.label("neurons"))


def _one(s: Session, where: ColumnElement[bool]) -> ListRow:
    return _row(s.execute(_select().where(where)).one())


def _row(row: Any) -> ListRow:
    return ListRow(
        row.id,
        row.slug,
        row.name,
        row.description,
        row.author,
        row.revision,
        row.share_token,
        row.neurons,
        row.created_at,
        row.updated_at,
    )
