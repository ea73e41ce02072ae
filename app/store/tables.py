"""All tables. Which id means what: see `part` below; why rows look as they do: docs/store.md.

A neuron of a collection has the id `part << 24 | index`, where `part` is one layer in one collection. So a neuron is found
by its primary key alone, and a layer's neurons lie together. An explanation belongs to (layer, index) and outlives collections.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.ledger import Outcome
from app.domain.neurons import Polarity
from app.store import types as t
from app.store.rows import CollectionState, JobState

INDEX_BITS = 24  # up to 16.7 million neurons a layer

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _required(name: str, kind: Any, *args: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *args, nullable=False, **options)


def _id() -> Column[Any]:
    return Column("id", t.Id, primary_key=True)


def _usage() -> list[Column[Any]]:
    return [
        _required("tokens_in", Integer),
        _required("tokens_out", Integer),
        _required("cost_usd", t.Number),
        _required("seconds", t.Number),
        _required("calls", Integer),
    ]


models = Table(
    "models",
    metadata,
    _id(),
    _required("name", t.Words),
    _required("slug", t.Words, unique=True),
    _required("source", t.Words),
    _required("revision", t.Words),
    _required("family", t.Words),
    _required("layers", Integer),
    _required("neurons_per_layer", Integer),
    _required("gated", Boolean),
    _required("activation", t.Words),
    Column("bos", Integer),
    _required("parameters", BigInteger),
    _required("dtype", t.Words),
    _required("created_at", t.Moment),
)

vocabularies = Table(
    "vocabularies",
    metadata,
    Column("model_id", t.Id, ForeignKey("models.id"), primary_key=True, autoincrement=False),
    _required("data", t.Bytes),
)

layers = Table(
    "layers",
    metadata,
    _id(),
    _required("model_id", t.Id, ForeignKey("models.id")),
    _required("ordinal", Integer),
    _required("slug", t.Words),
    UniqueConstraint("model_id", "slug"),
)

collections = Table(
    "collections",
    metadata,
    _id(),
    _required("model_id", t.Id, ForeignKey("models.id"), index=True),
    _required("corpus", t.Words),
    _required("state", t.Code(CollectionState, t.COLLECTION_STATES)),
    _required("n_documents", Integer),
    _required("n_excerpts", Integer),
    _required("excerpt_tokens", Integer),
    _required("documents_explain", Integer),
    _required("documents_dev", Integer),
    _required("documents_score", Integer),
    _required("documents_unsplit", Integer),
    _required("profile_json", t.Words),
    _required("parameters_json", t.Words),
    Column("job_id", t.Words),
    _required("created_at", t.Moment),
    Column("finished_at", t.Moment),
    # One collection of a model under way, and one that pages show.
    Index(
        "uq_collections_running",
        "model_id",
        unique=True,
        sqlite_where=text("state = 0"),
        postgresql_where=text("state = 0"),
    ),
    Index(
        "uq_collections_complete",
        "model_id",
        unique=True,
        sqlite_where=text("state = 1"),
        postgresql_where=text("state = 1"),
    ),
)

documents = Table(
    "documents",
    metadata,
    _required("collection_id", t.Id, ForeignKey("collections.id")),
    _required("ordinal", Integer),
    _required("name", t.Words),
    _required("source", t.Words),
    _required("text_hash", t.Words),
    _required("cluster", t.Words),
    _required("split", SmallInteger),
    PrimaryKeyConstraint("collection_id", "ordinal"),
)

excerpt_chunks = Table(  # packed runs of excerpts, see codec.py
    "excerpt_chunks",
    metadata,
    _required("collection_id", t.Id, ForeignKey("collections.id")),
    _required("chunk", Integer),
    _required("data", t.Bytes),
    PrimaryKeyConstraint("collection_id", "chunk"),
)

parts = Table(  # one layer in one collection
    "parts",
    metadata,
    _id(),
    _required("collection_id", t.Id, ForeignKey("collections.id")),
    _required("layer_id", t.Id, ForeignKey("layers.id"), index=True),
    _required("neurons", Integer),
    _required("gated", Boolean),
    _required("kinds", t.Bytes),  # uint8 a slot: Kind
    _required("splits", t.Bytes),  # uint8 a slot: Split
    _required("position0_share", t.Number),
    _required("n_tokens", BigInteger),
    _required("n_sampled", BigInteger),
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
    _required("data", t.Bytes),
)

neuron_tokens = Table(  # top tokens by mean activation, see codec.py
    "neuron_tokens",
    metadata,
    Column("id", t.Id, primary_key=True, autoincrement=False),
    _required("data", t.Bytes),
)

origins = Table(  # the part of a provenance that thousands of explanations share
    "origins",
    metadata,
    _id(),
    _required("digest", t.Words, unique=True),
    _required("method", t.Words),
    _required("explainer", t.Words),
    _required("prompt_version", t.Words),
    _required("parameters_json", t.Words),
    _required("code_version", t.Words),
    _required("author", t.Words),
)

messages = Table(
    "messages", metadata, _id(), _required("hash", t.Words, unique=True), _required("json", t.Words)
)

parameters = Table(
    "parameters", metadata, _id(), _required("digest", t.Words, unique=True), _required("json", t.Words)
)

methods = Table("methods", metadata, _id(), _required("name", t.Words, unique=True))

explanations = Table(
    "explanations",
    metadata,
    _id(),
    _required("layer_id", t.Id, ForeignKey("layers.id")),
    _required("neuron", Integer),
    _required("collection_id", t.Id, ForeignKey("collections.id"), index=True),
    _required("origin_id", t.Id, ForeignKey("origins.id")),
    _required("polarity", t.Code(Polarity, t.POLARITIES)),
    _required("state", t.Code(State, t.STATES)),
    _required("reason", t.Words),
    _required("text", t.Words),
    _required("seed", BigInteger),
    Column("messages_id", t.Id, ForeignKey("messages.id")),
    Column(
        "excerpts", t.Bytes
    ),  # int32 ordinals that the maker saw; NULL: all the neuron's explain-split records
    *_usage(),
    Column("job_id", t.Words),
    Column("key", t.Words),  # NULL: loaded in bulk when a collection ended
    _required("created_at", t.Moment),
    Index("ix_explanations_layer_id_neuron", "layer_id", "neuron"),
    Index(
        "uq_explanations_key",
        "key",
        unique=True,
        sqlite_where=text("key IS NOT NULL"),
        postgresql_where=text("key IS NOT NULL"),
    ),
    Index(
        "ix_explanations_recent",
        "id",
        sqlite_where=text("key IS NOT NULL AND state = 0"),
        postgresql_where=text("key IS NOT NULL AND state = 0"),
    ),
)

simulations = Table(
    "simulations",
    metadata,
    _id(),
    _required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    _required("collection_id", t.Id, ForeignKey("collections.id"), index=True),
    _required("simulator", t.Words),
    _required("endpoint", t.Words),
    _required("parameters_id", t.Id, ForeignKey("parameters.id")),
    _required("seed", BigInteger),
    _required("state", t.Code(State, t.STATES)),
    _required("reason", t.Words),
    Column("data", t.Bytes),
    *_usage(),
    Column("job_id", t.Words),
    _required("key", t.Words, unique=True),
    _required("created_at", t.Moment),
)

scores = Table(
    "scores",
    metadata,
    _id(),
    _required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    Column("simulation_id", t.Id, ForeignKey("simulations.id")),
    _required("collection_id", t.Id, ForeignKey("collections.id")),
    _required("protocol", t.Code(Protocol, t.PROTOCOLS)),
    _required("sample", t.Code(Sample, t.SAMPLES)),
    _required("metric", t.Code(Metric, t.METRICS)),
    _required("state", t.Code(State, t.STATES)),
    Column("value", t.Number),
    Column("low", t.Number),
    Column("high", t.Number),
    _required("n_records", Integer),
    _required("n_documents", Integer),
    _required("n_tokens", Integer),
    _required("indicative", SmallInteger),
    _required("reason", t.Words),
    _required("parameters_id", t.Id, ForeignKey("parameters.id")),
    Column("job_id", t.Words),
    Column("key", t.Words),
    _required("created_at", t.Moment),
    Index(
        "uq_scores_key",
        "key",
        "protocol",
        "sample",
        "metric",
        unique=True,
        sqlite_where=text("key IS NOT NULL"),
        postgresql_where=text("key IS NOT NULL"),
    ),
)

# Derived from scores (and rebuilt from them by `scores.rebuild_best`): per neuron, measure and method the best defined
# value, or the latest state where none is defined. What lists sort by and charts sum up.
best_scores = Table(
    "best_scores",
    metadata,
    _required("part_id", t.Id),
    _required("protocol", t.Code(Protocol, t.PROTOCOLS)),
    _required("sample", t.Code(Sample, t.SAMPLES)),
    _required("metric", t.Code(Metric, t.METRICS)),
    _required("neuron", Integer),
    _required("method_id", t.Id),
    _required("state", t.Code(State, t.STATES)),
    Column("value", t.Number),
    _required("explanation_id", t.Id),
    _required("score_id", t.Id),
    PrimaryKeyConstraint("part_id", "protocol", "sample", "metric", "neuron", "method_id"),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", t.Words, primary_key=True),
    _required("kind", t.Words),
    _required("title", t.Words),
    _required("parameters_json", t.Words),
    _required("state", t.Code(JobState, t.JOB_STATES)),
    _required("done", BigInteger),
    _required("total", BigInteger),
    _required("unit", t.Words),
    _required("note", t.Words),
    _required("reason", t.Words),
    _required("worker", t.Words),
    _required("attempts", Integer),
    _required("resumptions", Integer),
    Column("model", t.Words),
    _required("created_at", t.Moment),
    Column("started_at", t.Moment),
    Column("ended_at", t.Moment),
    _required("result_json", t.Words),
    Index("ix_jobs_created_at", "created_at"),
    Index("ix_jobs_state", "state"),
    Index(
        "uq_jobs_collecting",
        "model",
        unique=True,
        sqlite_where=text("kind = 'collect' AND state IN (0, 1)"),
        postgresql_where=text("kind = 'collect' AND state IN (0, 1)"),
    ),
)

workers = Table(
    "workers",
    metadata,
    Column("name", t.Words, primary_key=True),
    _required("host", t.Words),
    _required("pid", Integer),
    _required("started_at", t.Moment),
    _required("beat_at", t.Moment),
)

llm_calls = Table(
    "llm_calls",
    metadata,
    _id(),
    _required("request_key", t.Words, index=True),
    _required("job_id", t.Words, index=True),
    _required("purpose", t.Words),
    _required("endpoint", t.Words),
    _required("model", t.Words),
    _required("attempt", Integer),
    _required("outcome", t.Code(Outcome, t.OUTCOMES)),
    Column("status", Integer),
    _required("reason", t.Words),
    _required("answer_json", t.Words),
    _required("tokens_in", Integer),
    _required("tokens_out", Integer),
    _required("cost_usd", t.Number),
    _required("seconds", t.Number),
    _required("created_at", t.Moment),
    Index(
        "uq_llm_calls_answer",
        "request_key",
        unique=True,
        sqlite_where=text("outcome = 0"),
        postgresql_where=text("outcome = 0"),
    ),
    # What was spent is summed before every call: only paid ones are looked at, and from the index alone.
    Index(
        "ix_llm_calls_cost_usd",
        "cost_usd",
        sqlite_where=text("cost_usd > 0"),
        postgresql_where=text("cost_usd > 0"),
    ),
)
