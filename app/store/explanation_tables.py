"""Tables of explanations, simulations and scores. Part of `tables`, through which they are reached."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Polarity
from app.store import types as t
from app.store.columns import id_, metadata, partial, required, usage

origins = Table(  # the part of a provenance that thousands of explanations share
    "origins",
    metadata,
    id_(),
    required("digest", t.Words, unique=True),
    required("method", t.Words),
    required("explainer", t.Words),
    required("prompt_version", t.Words),
    required("parameters_json", t.Words),
    required("code_version", t.Words),
    required("author", t.Words),
)

messages = Table(
    "messages", metadata, id_(), required("hash", t.Words, unique=True), required("json", t.Words)
)

parameters = Table(
    "parameters", metadata, id_(), required("digest", t.Words, unique=True), required("json", t.Words)
)

methods = Table("methods", metadata, id_(), required("name", t.Words, unique=True))

explanations = Table(
    "explanations",
    metadata,
    id_(),
    required("layer_id", t.Id, ForeignKey("layers.id")),
    required("neuron", Integer),
    required("collection_id", t.Id, ForeignKey("collections.id"), index=True),
    required("origin_id", t.Id, ForeignKey("origins.id")),
    required("polarity", t.Code(Polarity, t.POLARITIES)),
    required("state", t.Code(State, t.STATES)),
    required("reason", t.Words),
    required("text", t.Words),
    required("seed", BigInteger),
    Column("messages_id", t.Id, ForeignKey("messages.id")),
    Column(
        "excerpts", t.Bytes
    ),  # int32 ordinals that the maker saw; NULL: all the neuron's explain-split records
    *usage(),
    Column("job_id", t.Words),
    Column("key", t.Words),  # NULL: loaded in bulk when a collection ended
    # The explanation that it was made from, whose evidence therefore counts as seen; NULL where there is none. No foreign
    # key: SQLite could not drop the column again.
    Column("source_id", t.Id),
    required("created_at", t.Moment),
    Index("ix_explanations_layer_id_neuron", "layer_id", "neuron"),
    partial("uq_explanations_key", "key IS NOT NULL", "key", unique=True),
    partial("ix_explanations_recent", "key IS NOT NULL AND state = 0", "id"),
)

explanation_steps = Table(  # what was tried on the way to it: candidates, test sentences, probes
    "explanation_steps",
    metadata,
    required("explanation_id", t.Id, ForeignKey("explanations.id")),
    required("ordinal", Integer),
    required("kind", t.Words),
    required("data", t.Words),  # JSON, by kind
    PrimaryKeyConstraint("explanation_id", "ordinal"),
)

simulations = Table(
    "simulations",
    metadata,
    id_(),
    required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    required("collection_id", t.Id, ForeignKey("collections.id"), index=True),
    required("simulator", t.Words),
    required("simulator_model", t.Words),
    required("parameters_id", t.Id, ForeignKey("parameters.id")),
    required("seed", BigInteger),
    required("state", t.Code(State, t.STATES)),
    required("reason", t.Words),
    Column("data", t.Bytes),
    *usage(),
    Column("job_id", t.Words),
    required("key", t.Words, unique=True),
    required("created_at", t.Moment),
)

scores = Table(
    "scores",
    metadata,
    id_(),
    required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    Column("simulation_id", t.Id, ForeignKey("simulations.id")),
    required("collection_id", t.Id, ForeignKey("collections.id")),
    required("protocol", t.Code(Protocol, t.PROTOCOLS)),
    required("sample", t.Code(Sample, t.SAMPLES)),
    required("metric", t.Code(Metric, t.METRICS)),
    required("state", t.Code(State, t.STATES)),
    Column("value", t.Number),
    Column("low", t.Number),
    Column("high", t.Number),
    required("n_records", Integer),
    required("n_documents", Integer),
    required("n_tokens", Integer),
    required("indicative", SmallInteger),
    required("reason", t.Words),
    required("parameters_id", t.Id, ForeignKey("parameters.id")),
    Column("job_id", t.Words),
    Column("key", t.Words),
    required("created_at", t.Moment),
    partial("uq_scores_key", "key IS NOT NULL", "key", "protocol", "sample", "metric", unique=True),
)

# Derived from scores (and rebuilt from them by `scores.rebuild_best`): per neuron, measure and method the best defined
# value, or the latest state where none is defined. What lists sort by and charts sum up.
best_scores = Table(
    "best_scores",
    metadata,
    required("part_id", t.Id),
    required("protocol", t.Code(Protocol, t.PROTOCOLS)),
    required("sample", t.Code(Sample, t.SAMPLES)),
    required("metric", t.Code(Metric, t.METRICS)),
    required("neuron", Integer),
    required("method_id", t.Id),
    required("state", t.Code(State, t.STATES)),
    Column("value", t.Number),
    required("explanation_id", t.Id),
    required("score_id", t.Id),
    PrimaryKeyConstraint("part_id", "protocol", "sample", "metric", "neuron", "method_id"),
    sqlite_with_rowid=False,
)
