"""All tables. Which id means what: see `part` below; why rows look as they do: docs/store.md.

A neuron of a collection has the id `part << 24 | index`, where `part` is one layer in one collection. So a neuron is found
by its primary key alone, and a layer's neurons lie together. An explanation belongs to (layer, index) and outlives collections.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
    false,
)

from app.store import types as t
from app.store.columns import id_, metadata, partial, required
from app.store.embedding_tables import embedders, embedding_chunks
from app.store.experiment_tables import (
    experiment_jobs,
    experiment_neurons,
    experiment_units,
    experiments,
)
from app.store.explanation_tables import (
    best_scores,
    explanation_steps,
    explanations,
    messages,
    methods,
    origins,
    parameters,
    scores,
    simulations,
)
from app.store.false_positive_tables import false_positives
from app.store.list_tables import bookmarks, comments, list_items, list_samples, lists
from app.store.puzzle_tables import (
    puzzle_answers,
    puzzle_judgements,
    puzzle_rankings,
    puzzle_runs,
    puzzles,
)
from app.store.rows import CollectionState
from app.store.study_tables import (
    studies,
    study_answers,
    study_identities,
    study_items,
    study_log,
    study_places,
    study_raters,
    study_slots,
    study_sources,
)
from app.store.work_tables import jobs, llm_calls, llm_served, workers

__all__ = [
    "INDEX_BITS",
    "best_scores",
    "bookmarks",
    "collections",
    "comments",
    "documents",
    "embedders",
    "embedding_chunks",
    "excerpt_chunks",
    "exemplars",
    "experiment_jobs",
    "experiment_neurons",
    "experiment_units",
    "experiments",
    "explanation_steps",
    "explanations",
    "false_positives",
    "jobs",
    "layers",
    "list_items",
    "list_samples",
    "lists",
    "llm_calls",
    "llm_served",
    "messages",
    "metadata",
    "methods",
    "models",
    "neuron_relations",
    "neuron_tokens",
    "neurons",
    "origins",
    "parameters",
    "parts",
    "puzzle_answers",
    "puzzle_judgements",
    "puzzle_rankings",
    "puzzle_runs",
    "puzzles",
    "scores",
    "simulations",
    "studies",
    "study_answers",
    "study_identities",
    "study_items",
    "study_log",
    "study_places",
    "study_raters",
    "study_slots",
    "study_sources",
    "vocabularies",
    "workers",
]  # fmt: skip

INDEX_BITS = 24  # up to 16.7 million neurons a layer

models = Table(
    "models",
    metadata,
    id_(),
    required("name", t.Words),
    required("slug", t.Words, unique=True),
    required("source", t.Words),
    required("revision", t.Words),
    required("family", t.Words),
    required("layers", Integer),
    required("neurons_per_layer", Integer),
    required("gated", Boolean),
    required("activation", t.Words),
    Column("bos", Integer),
    required("parameters", BigInteger),
    required("dtype", t.Words),
    required("created_at", t.Moment),
)

vocabularies = Table(
    "vocabularies",
    metadata,
    Column("model_id", t.Id, ForeignKey("models.id"), primary_key=True, autoincrement=False),
    required("data", t.Bytes),
)

layers = Table(
    "layers",
    metadata,
    id_(),
    required("model_id", t.Id, ForeignKey("models.id")),
    required("ordinal", Integer),
    required("slug", t.Words),
    UniqueConstraint("model_id", "slug"),
)

collections = Table(
    "collections",
    metadata,
    id_(),
    required("model_id", t.Id, ForeignKey("models.id"), index=True),
    required("corpus", t.Words),
    required("state", t.Code(CollectionState, t.COLLECTION_STATES)),
    required("n_documents", Integer),
    required("n_excerpts", Integer),
    required("excerpt_tokens", Integer),
    required("documents_explain", Integer),
    required("documents_dev", Integer),
    required("documents_score", Integer),
    required("documents_unsplit", Integer),
    required("profile_json", t.Words),
    required("parameters_json", t.Words),
    Column("job_id", t.Words),
    required("created_at", t.Moment),
    Column("finished_at", t.Moment),
    required("imported", Boolean, server_default=false()),  # grows with every import; has no documents
    required("revision", Integer, server_default="0"),  # raised by every import into it
    # One collection of a model under way, and one that pages show.
    partial("uq_collections_running", "state = 0", "model_id", unique=True),
    partial("uq_collections_complete", "state = 1", "model_id", unique=True),
)

documents = Table(
    "documents",
    metadata,
    required("collection_id", t.Id, ForeignKey("collections.id")),
    required("ordinal", Integer),
    required("name", t.Words),
    required("source", t.Words),
    required("text_hash", t.Words),
    required("cluster", t.Words),
    required("split", SmallInteger),
    PrimaryKeyConstraint("collection_id", "ordinal"),
)

excerpt_chunks = Table(  # packed runs of excerpts, see codec.py
    "excerpt_chunks",
    metadata,
    required("collection_id", t.Id, ForeignKey("collections.id")),
    required("chunk", Integer),
    required("data", t.Bytes),
    PrimaryKeyConstraint("collection_id", "chunk"),
)

parts = Table(  # one layer in one collection
    "parts",
    metadata,
    id_(),
    required("collection_id", t.Id, ForeignKey("collections.id")),
    required("layer_id", t.Id, ForeignKey("layers.id"), index=True),
    required("neurons", Integer),  # of the model's layer
    required("present", Integer, server_default="0"),  # of them have a row; all, unless imported
    required("gated", Boolean),
    required("kinds", t.Bytes),  # uint8 a slot: Kind
    required("splits", t.Bytes),  # uint8 a slot: Split
    required("position0_share", t.Number),
    required("n_tokens", BigInteger),
    required("n_sampled", BigInteger),
    Column("mean_density", t.Number),
    Column("max_activation", t.Number),
    UniqueConstraint("collection_id", "layer_id"),
)

neurons = Table(  # narrow, so that a layer is listed and sorted without touching exemplars
    "neurons",
    metadata,
    Column("id", t.Id, primary_key=True, autoincrement=False),
    Column("mean", t.Number),
    Column("variance", t.Number),
    Column("skewness", t.Number),
    Column("kurtosis", t.Number),
    Column("maximum", t.Number),
    Column("minimum", t.Number),
    Column("density", t.Number),
)

exemplars = Table(  # one packed row a neuron, see codec.py
    "exemplars",
    metadata,
    Column("id", t.Id, primary_key=True, autoincrement=False),
    required("data", t.Bytes),
)

neuron_relations = Table(  # related tokens and neurons as published, see app/published/relations.py
    "neuron_relations",
    metadata,
    required("id", t.Id),  # the neuron's
    required("kind", SmallInteger),
    required("data", t.Bytes),
    PrimaryKeyConstraint("id", "kind"),
)

import_sources = Table(  # where imported data came from
    "import_sources",
    metadata,
    id_(),
    required("collection_id", t.Id, ForeignKey("collections.id")),
    required("address", t.Words),
    required("created_at", t.Moment),
    UniqueConstraint("collection_id", "address"),
)

import_chunks = Table(  # runs of neurons of which everything there is was read: an import goes on behind them
    "import_chunks",
    metadata,
    required("source_id", t.Id, ForeignKey("import_sources.id")),
    required("what", SmallInteger),
    required("layer", Integer),
    required("first", Integer),
    PrimaryKeyConstraint("source_id", "what", "layer", "first"),
)

neuron_tokens = Table(  # top tokens by mean activation, see codec.py
    "neuron_tokens",
    metadata,
    Column("id", t.Id, primary_key=True, autoincrement=False),
    required("data", t.Bytes),
)
