"""Models and layers of the store as values of the API."""

from app.domain.neurons import Split
from app.store.rows import CollectionRow, LayerSummary, ModelSummary
from app.web.api.model_schemas import CollectionOut, LayerOut, ModelOut


def collection(row: CollectionRow | None) -> CollectionOut | None:
    if row is None:
        return None
    return CollectionOut(
        id=row.id,
        corpus=row.corpus,
        state=row.state.value,
        documents=row.documents,
        excerpts=row.excerpts,
        excerpt_tokens=row.excerpt_tokens,
        documents_per_split={split.name.lower(): row.documents_per_split[split] for split in Split},
        job_id=row.job_id,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def model(row: ModelSummary) -> ModelOut:
    card = row.card
    return ModelOut(
        slug=card.slug,
        name=card.name,
        source=card.source,
        revision=card.revision,
        family=card.family,
        gated=card.gated,
        activation=card.activation,
        bos=card.bos,
        parameters=card.parameters,
        dtype=card.dtype,
        layers=row.layers,
        neurons=row.neurons,
        explanations=row.explanations,
        collection=collection(row.collection),
        collecting=collection(row.collecting),
    )


def layer(row: LayerSummary) -> LayerOut:
    return LayerOut(
        slug=row.slug,
        ordinal=row.ordinal,
        neurons=row.neurons,
        gated=row.gated,
        position0_share=row.position0_share,
        n_tokens=row.n_tokens,
        n_sampled=row.n_sampled,
        records=row.records,
        mean_density=row.mean_density,
        max_activation=row.max_activation,
    )
