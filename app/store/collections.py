"""Collections: written layer by layer out of sight, shown all at once when they end."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.collection import Document, ExcerptTable, LayerResult
from app.domain.neurons import Profile, Split
from app.errors import BadInput, Conflict, NotFound
from app.store import bulk, codec, names
from app.store import excerpts as corpus
from app.store import tables as t
from app.store.lookups import write_lookup
from app.store.rows import CollectionRow, CollectionState, JobState
from app.store.session import Session, writing
from app.store.types import nullable

__all__ = [
    "abandon",
    "begin",
    "demand_current",
    "finish",
    "get",
    "of_model",
    "refuse_loss",
    "rows",
    "under_way",
    "write_layer",
    "write_lookup",
    "written",
]

_STATISTICS = ("mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density")


def begin(
    s: Session,
    model_slug: str,
    corpus_name: str,
    documents: Sequence[Document],
    excerpts: ExcerptTable,
    profile: Profile,
    parameters_json: str,
    job_id: str | None,
) -> int:
    """Start a collection; its id. What the same job, or one that has ended, left behind is removed first.

    Conflict while another job collects this model; BadInput for documents that would not be held out.
    """
    writing(s)
    model = names.model_id(s, model_slug)
    left = s.execute(
        select(t.collections.c.id, t.collections.c.job_id).where(
            t.collections.c.model_id == model, t.collections.c.state == CollectionState.RUNNING
        )
    ).first()
    if left is not None:
        if left.job_id is not None and left.job_id != job_id and _active(s, left.job_id):
            raise Conflict(
                f"“{model_slug}” is being collected by job {left.job_id}: wait for it or cancel it"
            )
        abandon(s, left.id)
    per_split = np.bincount([int(d.split) for d in documents], minlength=4)
    query = (
        insert(t.collections)
        .values(
            model_id=model,
            corpus=corpus_name,
            state=CollectionState.RUNNING,
            n_documents=len(documents),
            n_excerpts=len(excerpts.tokens),
            excerpt_tokens=excerpts.tokens.shape[1],
            documents_explain=int(per_split[Split.EXPLAIN]),
            documents_dev=int(per_split[Split.DEV]),
            documents_score=int(per_split[Split.SCORE]),
            documents_unsplit=int(per_split[Split.UNSPLIT]),
            profile_json=json.dumps(asdict(profile)),  # quotas as lists: top, bottom, per band, random
            parameters_json=parameters_json,
            job_id=job_id,
            created_at=datetime.now(UTC),
        )
        .returning(t.collections.c.id)
    )
    try:
        collection: int = s.execute(query).scalar_one()
    except IntegrityError:  # PostgreSQL: another transaction was quicker, and its row could not be seen
        raise Conflict(f"“{model_slug}” is being collected already: wait for it or cancel it") from None
    corpus.write(s, collection, documents, excerpts)
    return collection


def refuse_loss(s: Session, model_slug: str, layers: Collection[int], excerpts: int) -> None:
    """Conflict where the model's complete collection has more than one of these layers (none: all) and excerpts would.

    For only one collection of a model is shown: what a smaller one leaves out would vanish with it.
    """
    try:
        found = of_model(s, model_slug)
    except NotFound:
        return
    row = next((c for c in found if c.state is CollectionState.COMPLETE), None)
    if row is None:
        return
    query = (
        select(t.layers.c.slug, t.layers.c.ordinal)
        .join(t.parts, t.parts.c.layer_id == t.layers.c.id)
        .where(t.parts.c.collection_id == row.id)
        .order_by(t.layers.c.ordinal)
    )
    there = s.execute(query).all()
    lost = [layer.slug for layer in there if layers and layer.ordinal not in layers]
    if not lost and excerpts >= row.excerpts:
        return
    less = [f"only {excerpts:,} excerpts"] if excerpts < row.excerpts else []
    less += [f"no {', '.join(lost[:3])}{' and others' if len(lost) > 3 else ''}"] if lost else []
    raise Conflict(
        f"“{model_slug}” has a collection of {row.excerpts:,} excerpts in {len(there)} layer{'s' * (len(there) != 1)}; this "
        f"one would take its place with {' and '.join(less)}: ask for as much, or run `neuronarium collect` with --replace"
    )


def write_layer(s: Session, collection_id: int, result: LayerResult) -> None:
    """Store one layer of a collection under way. What was written of the layer before is replaced."""
    writing(s)
    row = _running(s, collection_id)
    n = result.neurons
    if n == 0 or n >= 1 << t.INDEX_BITS:
        raise BadInput(f"layer “{result.slug}” has {n} neurons; a layer holds 1 to {(1 << t.INDEX_BITS) - 1}")
    if int(result.excerpts.max(initial=-1)) >= row.excerpts:
        raise BadInput(f"layer “{result.slug}” names excerpt {result.excerpts.max()} of {row.excerpts}")
    layer = _layer_id(s, names.model_id(s, row.model), result)
    old = s.execute(
        select(t.parts.c.id).where(t.parts.c.collection_id == collection_id, t.parts.c.layer_id == layer)
    ).scalar()
    if old is not None:
        _remove_part(s, collection_id, old, layer)
    query = (
        insert(t.parts)
        .values(
            collection_id=collection_id,
            layer_id=layer,
            neurons=n,
            present=n,
            gated=result.gates is not None,
            kinds=result.kinds.astype(np.uint8).tobytes(),
            splits=result.splits.astype(np.uint8).tobytes(),
            position0_share=float(result.position0.mean()),
            n_tokens=result.n_tokens,
            n_sampled=result.n_sampled,
            mean_density=_finite(float(np.mean(result.density))),
            max_activation=_finite(float(np.max(result.maximum))),
        )
        .returning(t.parts.c.id)
    )
    first = names.neuron_id(s.execute(query).scalar_one(), 0)
    ids = range(first, first + n)
    columns = [nullable(getattr(result, name)) for name in _STATISTICS]
    bulk.insert(s, t.neurons, ("id", *_STATISTICS), zip(ids, *columns, strict=True))
    bulk.insert(s, t.exemplars, ("id", "data"), zip(ids, codec.encode_layer(result), strict=True))


def written(s: Session, collection_id: int) -> list[str]:
    """The slugs of the layers written so far, in the model's order."""
    query = (
        select(t.layers.c.slug)
        .join(t.parts, t.parts.c.layer_id == t.layers.c.id)
        .where(t.parts.c.collection_id == collection_id)
        .order_by(t.layers.c.ordinal)
    )
    return list(s.execute(query).scalars())


def finish(s: Session, collection_id: int) -> None:
    """Show the collection, all layers at once; the model's earlier one is superseded. Finishing twice changes nothing."""
    writing(s)
    row = get(s, collection_id)
    if row.state is CollectionState.COMPLETE:
        return
    _running(s, collection_id)
    if not written(s, collection_id):
        raise BadInput("a collection without a single layer cannot be finished")
    model = names.model_id(s, row.model)
    c = t.collections.c
    older = update(t.collections).where(c.model_id == model, c.state == CollectionState.COMPLETE)
    s.execute(older.values(state=CollectionState.SUPERSEDED))
    done = update(t.collections).where(c.id == collection_id)
    s.execute(done.values(state=CollectionState.COMPLETE, finished_at=datetime.now(UTC)))


def demand_current(read: int | None, current: int) -> None:
    """Conflict where the collection that something was read from is no longer the one that pages show; None: not told."""
    if read is not None and read != current:
        raise Conflict(
            "the model was collected anew meanwhile, and what was made of the older collection is not kept: retry"
        )


def abandon(s: Session, collection_id: int) -> None:
    """Remove a collection that has not ended and everything written of it. BadInput for one that has."""
    writing(s)
    _running(s, collection_id)
    query = select(t.parts.c.id, t.parts.c.layer_id).where(t.parts.c.collection_id == collection_id)
    for part in s.execute(query).all():
        _remove_part(s, collection_id, part.id, part.layer_id)
    for table in (t.excerpt_chunks, t.documents):
        s.execute(delete(table).where(table.c.collection_id == collection_id))
    s.execute(delete(t.collections).where(t.collections.c.id == collection_id))


def get(s: Session, collection_id: int) -> CollectionRow:
    """One collection, under way or not."""
    found = _select(s, t.collections.c.id == collection_id)
    if not found:
        raise NotFound(f"there is no collection {collection_id}")
    return found[0]


def of_model(s: Session, slug: str) -> list[CollectionRow]:
    """All collections of a model, newest first, the one under way included."""
    return rows(s, slug, names.model_id(s, slug), superseded=True)


def under_way(s: Session) -> list[CollectionRow]:
    """The collections, of whatever model, that have not ended."""
    return _select(s, t.collections.c.state == CollectionState.RUNNING)


def rows(s: Session, slug: str, model: int, *, superseded: bool) -> list[CollectionRow]:
    """The collections of a model by its id, newest first."""
    where = t.collections.c.model_id == model
    if not superseded:
        where &= t.collections.c.state != CollectionState.SUPERSEDED
    return _select(s, where)


def _select(s: Session, where: ColumnElement[bool]) -> list[CollectionRow]:
    query = (
        select(t.collections, t.models.c.slug.label("model"))
        .join(t.models, t.models.c.id == t.collections.c.model_id)
        .where(where)
        .order_by(t.collections.c.id.desc())
    )
    return [
        CollectionRow(
            id=row.id,
            model=row.model,
            corpus=row.corpus,
            state=row.state,
            documents=row.n_documents,
            excerpts=row.n_excerpts,
            excerpt_tokens=row.excerpt_tokens,
            documents_per_split=(
                row.documents_explain,
                row.documents_dev,
                row.documents_score,
                row.documents_unsplit,
            ),
            parameters_json=row.parameters_json,
            job_id=row.job_id,
            created_at=row.created_at,
            finished_at=row.finished_at,
            imported=row.imported,
        )
        for row in s.execute(query)
    ]


def _running(s: Session, collection_id: int) -> CollectionRow:
    row = get(s, collection_id)
    if row.state is not CollectionState.RUNNING:
        raise BadInput(f"collection {collection_id} has ended: nothing more can be written to it")
    return row


def _active(s: Session, job_id: str) -> bool:
    state = s.execute(select(t.jobs.c.state).where(t.jobs.c.id == job_id)).scalar()
    return state in (JobState.QUEUED, JobState.RUNNING)


def _layer_id(s: Session, model: int, result: LayerResult) -> int:
    query = select(t.layers.c.id).where(t.layers.c.model_id == model, t.layers.c.slug == result.slug)
    found: int | None = s.execute(query).scalar()
    if found is None:
        made = insert(t.layers).values(model_id=model, ordinal=result.layer, slug=result.slug)
        found = s.execute(made.returning(t.layers.c.id)).scalar_one()
    return found


def _remove_part(s: Session, collection_id: int, part: int, layer: int) -> None:
    first, last = names.neuron_id(part, 0), names.neuron_id(part + 1, 0) - 1
    mine = select(t.explanations.c.id).where(
        t.explanations.c.collection_id == collection_id, t.explanations.c.layer_id == layer
    )
    s.execute(delete(t.scores).where(t.scores.c.explanation_id.in_(mine)))
    s.execute(delete(t.explanations).where(t.explanations.c.id.in_(mine)))
    s.execute(delete(t.best_scores).where(t.best_scores.c.part_id == part))
    for table in (t.neuron_tokens, t.exemplars, t.neurons):
        s.execute(delete(table).where(table.c.id.between(first, last)))
    s.execute(delete(t.parts).where(t.parts.c.id == part))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
