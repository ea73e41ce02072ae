"""Models and layers of the store as values of the API."""

from app.domain.neurons import Split
from app.domain.seeds import SeedSpread
from app.store.rows import (
    SCORE_EDGES,
    CollectionRow,
    LayerDistribution,
    LayerScores,
    LayerSummary,
    ModelSummary,
)
from app.web import distributions, trust_marks
from app.web.api.model_schemas import (
    BarOut,
    CollectionOut,
    DistributionsOut,
    LayerOut,
    LayerSpreadOut,
    MeansOut,
    MeasureOut,
    MethodOut,
    ModelOut,
    ScoreSpreadOut,
    SeedSpreadOut,
    SpreadOut,
    StatedOut,
)
from app.web.measures import Measure
from app.web.whole import Whole


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


def measure(row: Measure) -> MeasureOut:
    return MeasureOut(
        protocol=row.protocol,
        sample=row.sample,
        metric=row.metric,
        label=row.label,
        trust=trust_marks.said(*row),
    )


def spreads(
    measure: Measure,
    densities: list[LayerDistribution],
    scores: list[LayerScores],
    seeds: SeedSpread | None,
    whole: Whole,
) -> DistributionsOut:
    """Both lists are of the same layers, unless a new collection came between: then those that both have."""
    scored = {row.layer: row for row in scores}
    return DistributionsOut(
        protocol=measure.protocol,
        sample=measure.sample,
        metric=measure.metric,
        trust=trust_marks.said(*measure),
        score_edges=list(SCORE_EDGES),
        overall=MeansOut(**distributions.means(scores)._asdict()),
        seeds=None if seeds is None else SeedSpreadOut(**seeds._asdict()),
        bars=[BarOut(**each._asdict()) for each in whole.bars],
        methods=[MethodOut(**each._asdict()) for each in whole.methods],
        stated=[StatedOut(**each._asdict()) for each in whole.stated],
        layers=[_spread(row, scored[row.layer]) for row in densities if row.layer in scored],
    )


def _spread(density: LayerDistribution, score: LayerScores) -> LayerSpreadOut:
    return LayerSpreadOut(
        layer=density.layer,
        ordinal=density.ordinal,
        neurons=density.neurons,
        density=SpreadOut(mean=density.mean, **distributions.quantiles(density)),
        score=ScoreSpreadOut(
            defined=score.defined,
            constant=score.constant,
            mean=score.mean,
            mean_constant_0=score.mean_constant_0,
            counts=list(score.counts),
            **distributions.quantiles(score),
        ),
    )
