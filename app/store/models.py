"""Subject models, their vocabularies, and the layers that were collected of them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, func, insert, select, text, update

from app.domain.collection import ModelCard
from app.domain.puzzles import FAMILY
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput, Conflict
from app.store import collections, names, packing
from app.store import tables as t
from app.store.rows import CollectionState, LayerSummary, ModelRow, ModelSummary
from app.store.session import Session, Store, writing

_CARD = (
    "name",
    "slug",
    "source",
    "revision",
    "family",
    "layers",
    "neurons_per_layer",
    "gated",
    "activation",
    "bos",
    "parameters",
    "dtype",
)

# The condition of ix_explanations_recent, with its number written out: a bound value would not find that index.
_ASKED = text("explanations.key IS NOT NULL AND explanations.state = 0")


def add_model(s: Session, card: ModelCard, vocabulary: Vocabulary) -> ModelRow:
    """Add a model and its vocabulary, or give back the one that is there.

    A slug stands for one set of weights: Conflict where it is taken by another revision whose collection is complete;
    one without a complete collection is replaced.
    """
    if not card.slug or "/" in card.slug:
        raise BadInput(f"“{card.slug}” cannot be part of an address: a model's slug has letters and no slash")
    writing(s)
    values: dict[str, Any] = {name: getattr(card, name) for name in _CARD}
    found = s.execute(select(t.models).where(t.models.c.slug == card.slug)).mappings().first()
    if found is None:
        made = datetime.now(UTC)
        query = insert(t.models).values(**values, created_at=made).returning(t.models.c.id)
        model: int = s.execute(query).scalar_one()
        data = packing.pack_vocabulary(vocabulary.pieces, vocabulary.special)
        s.execute(insert(t.vocabularies).values(model_id=model, data=data))
        return ModelRow(model, card, made)
    if found["revision"] != card.revision:
        if names.current_collection(s, found["id"]) is not None:
            raise Conflict(
                f"the store holds another “{card.slug}” (revision {found['revision'][:12]}): collect this one under another, with --name"
            )
        data = packing.pack_vocabulary(vocabulary.pieces, vocabulary.special)
        s.execute(update(t.vocabularies).where(t.vocabularies.c.model_id == found["id"]).values(data=data))
    s.execute(update(t.models).where(t.models.c.id == found["id"]).values(**values))
    return ModelRow(found["id"], card, found["created_at"])


def models(s: Session) -> list[ModelSummary]:
    """All models by name, those without neurons yet included; sets of puzzles last, since what takes the first one wants a real one."""
    c = t.models.c
    rows = s.execute(select(t.models).order_by(c.family == FAMILY, c.name)).mappings()
    return [_summary(s, row) for row in rows.all()]


def model(s: Session, slug: str) -> ModelSummary:
    """One model. NotFound lists those that exist."""
    row = s.execute(select(t.models).where(t.models.c.id == names.model_id(s, slug))).mappings().one()
    return _summary(s, row)


def layers(s: Session, slug: str) -> list[LayerSummary]:
    """The visible layers in the model's order; none until a collection is complete."""
    collection = names.current_collection(s, names.model_id(s, slug))
    query = (
        select(t.parts, t.layers.c.ordinal, t.layers.c.slug)
        .join(t.layers, t.layers.c.id == t.parts.c.layer_id)
        .where(t.parts.c.collection_id == collection)
        .order_by(t.layers.c.ordinal, t.layers.c.slug)
    )
    return [_layer(slug, row) for row in s.execute(query).mappings()]


def layer(s: Session, slug: str, layer_slug: str) -> LayerSummary:
    """One visible layer. NotFound lists those that exist."""
    return _layer(slug, names.part(s, slug, layer_slug).row)


def vocabulary(s: Session, slug: str) -> Vocabulary:
    """A model's tokens, decoded anew (some 10 ms for 50,000): `cached_vocabulary` spares that."""
    return _vocabulary(s, names.model_id(s, slug))


def cached_vocabulary(store: Store, slug: str) -> Vocabulary:
    """A model's tokens, kept in memory by the store. Read again when the model was replaced."""
    with store.session() as s:
        size = func.length(t.vocabularies.c.data)  # an import adds to it
        query = select(t.models.c.id, t.models.c.revision, size.label("size"))
        query = query.join(t.vocabularies, t.vocabularies.c.model_id == t.models.c.id)
        row = s.execute(query.where(t.models.c.slug == slug)).first()
        if row is None:
            names.model_id(s, slug)  # raises NotFound
            raise AssertionError
        key = f"{row.id} {row.revision} {row.size}"
        with store.lock:
            known = store.vocabularies.get(slug)
        if known is not None and known[0] == key:
            return known[1]
        fresh = _vocabulary(s, row.id)
    with store.lock:
        store.vocabularies[slug] = (key, fresh)
    return fresh


def _vocabulary(s: Session, model: int) -> Vocabulary:
    query = select(t.vocabularies.c.data).where(t.vocabularies.c.model_id == model)
    return Vocabulary(*packing.unpack_vocabulary(s.execute(query).scalar_one()))


def _summary(s: Session, row: RowMapping) -> ModelSummary:
    seen = {c.state: c for c in collections.rows(s, row["slug"], row["id"], superseded=False)}
    current = seen.get(CollectionState.COMPLETE)
    n_layers, n_neurons = 0, 0
    if current is not None:
        counts = select(func.count(), func.coalesce(func.sum(t.parts.c.present), 0))
        n_layers, n_neurons = s.execute(counts.where(t.parts.c.collection_id == current.id)).one()
    imported = current is not None and current.imported
    return ModelSummary(
        row["id"],
        ModelCard(**{name: row[name] for name in _CARD}),
        current,
        seen.get(CollectionState.RUNNING),
        n_layers,
        int(n_neurons),
        _all(s, row["id"]) if imported else _asked(s, row["id"]),
    )


def _asked(s: Session, model: int) -> int:
    """Explanations of a model that somebody asked for."""
    # Grouped by a sum and not by the column, or SQLite reads all explanations in the order of an index on it.
    layer = (t.explanations.c.layer_id + 0).label("layer_id")
    query = select(layer, func.count().label("n")).where(_ASKED).group_by(layer).subquery()
    total = select(func.coalesce(func.sum(query.c.n), 0)).join(t.layers, t.layers.c.id == query.c.layer_id)
    return int(s.execute(total.where(t.layers.c.model_id == model)).scalar_one())


def _all(s: Session, model: int) -> int:
    """Explanations of a model that was imported."""
    mine = t.explanations.c.layer_id.in_(select(t.layers.c.id).where(t.layers.c.model_id == model))
    return int(s.execute(select(func.count()).select_from(t.explanations).where(mine)).scalar_one())


def _layer(slug: str, row: RowMapping) -> LayerSummary:
    return LayerSummary(
        model=slug,
        ordinal=row["ordinal"],
        slug=row["slug"],
        neurons=row["present"],
        width=row["neurons"],
        gated=row["gated"],
        position0_share=row["position0_share"],
        n_tokens=row["n_tokens"],
        n_sampled=row["n_sampled"],
        records=len(row["kinds"]),
        mean_density=row["mean_density"],
        max_activation=row["max_activation"],
    )
