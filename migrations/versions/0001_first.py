"""The first form of the store.

Columns are explained in app/store/tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BIG = sa.BigInteger()
INT = sa.Integer()
SMALL = sa.SmallInteger()
CODE = sa.SmallInteger()
MOMENT = sa.BigInteger()
NUMBER = sa.Float(53)
TEXT = sa.Text()
BYTES = sa.LargeBinary()


def _required(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


# What is evidence is only ever added. Rows of a collection that never ended may go again: nobody saw them.
NEVER_CHANGED = ("explanations", "simulations", "scores", "llm_calls")
NEVER_REMOVED = ("simulations", "llm_calls")
COMPLETE = {
    table: "EXISTS (SELECT 1 FROM collections c WHERE c.id = OLD.collection_id AND c.state <> 0)"
    for table in ("explanations", "scores")
}


def _guards() -> list[tuple[str, str, str]]:
    """(table, event, condition) of every guard."""
    found = [(table, "UPDATE", "") for table in NEVER_CHANGED]
    found += [(table, "DELETE", "") for table in NEVER_REMOVED]
    return found + [(table, "DELETE", condition) for table, condition in COMPLETE.items()]


def _guard(table: str, event: str, condition: str) -> None:
    name = f"keep_{table}_{event.lower()}"
    words = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        when = f"WHEN {condition} " if condition else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {when}"
            f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )
        return
    refuse = f"RAISE EXCEPTION '{words}';"
    body = f"IF {condition} THEN {refuse} END IF; RETURN OLD;" if condition else refuse
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def upgrade() -> None:
    op.create_table(
        "best_scores",
        _required("part_id", ID),
        _required("protocol", CODE),
        _required("sample", CODE),
        _required("metric", CODE),
        _required("neuron", INT),
        _required("method_id", ID),
        _required("state", CODE),
        sa.Column("value", NUMBER),
        _required("explanation_id", ID),
        _required("score_id", ID),
        sa.PrimaryKeyConstraint(
            "part_id", "protocol", "sample", "metric", "neuron", "method_id", name="pk_best_scores"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "exemplars",
        _required("id", ID, autoincrement=False),
        _required("data", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_exemplars"),
    )
    op.create_table(
        "jobs",
        _required("id", TEXT),
        _required("kind", TEXT),
        _required("title", TEXT),
        _required("parameters_json", TEXT),
        _required("state", CODE),
        _required("done", BIG),
        _required("total", BIG),
        _required("unit", TEXT),
        _required("note", TEXT),
        _required("reason", TEXT),
        _required("worker", TEXT),
        _required("attempts", INT),
        _required("resumptions", INT),
        sa.Column("model", TEXT),
        _required("created_at", MOMENT),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        _required("result_json", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"], unique=False)
    op.create_index("ix_jobs_state", "jobs", ["state"], unique=False)
    op.create_index(
        "uq_jobs_collecting", "jobs", ["model"], unique=True, **_where("kind = 'collect' AND state IN (0, 1)")
    )
    op.create_table(
        "llm_calls",
        _required("id", ID),
        _required("request_key", TEXT),
        _required("job_id", TEXT),
        _required("purpose", TEXT),
        _required("endpoint", TEXT),
        _required("model", TEXT),
        _required("attempt", INT),
        _required("outcome", CODE),
        sa.Column("status", INT),
        _required("reason", TEXT),
        _required("answer_json", TEXT),
        _required("tokens_in", INT),
        _required("tokens_out", INT),
        _required("cost_usd", NUMBER),
        _required("seconds", NUMBER),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_llm_calls"),
    )
    op.create_index(
        "ix_llm_calls_cost_usd", "llm_calls", ["cost_usd"], unique=False, **_where("cost_usd > 0")
    )
    op.create_index("ix_llm_calls_job_id", "llm_calls", ["job_id"], unique=False)
    op.create_index("ix_llm_calls_request_key", "llm_calls", ["request_key"], unique=False)
    op.create_index("uq_llm_calls_answer", "llm_calls", ["request_key"], unique=True, **_where("outcome = 0"))
    op.create_table(
        "messages",
        _required("id", ID),
        _required("hash", TEXT),
        _required("json", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("hash", name="uq_messages_hash"),
    )
    op.create_table(
        "methods",
        _required("id", ID),
        _required("name", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_methods"),
        sa.UniqueConstraint("name", name="uq_methods_name"),
    )
    op.create_table(
        "models",
        _required("id", ID),
        _required("name", TEXT),
        _required("slug", TEXT),
        _required("source", TEXT),
        _required("revision", TEXT),
        _required("family", TEXT),
        _required("layers", INT),
        _required("neurons_per_layer", INT),
        _required("gated", sa.Boolean()),
        _required("activation", TEXT),
        sa.Column("bos", INT),
        _required("parameters", BIG),
        _required("dtype", TEXT),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("slug", name="uq_models_slug"),
    )
    op.create_table(
        "neuron_tokens",
        _required("id", ID, autoincrement=False),
        _required("data", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_neuron_tokens"),
    )
    op.create_table(
        "neurons",
        _required("id", ID, autoincrement=False),
        sa.Column("mean", NUMBER),
        sa.Column("variance", NUMBER),
        sa.Column("skewness", NUMBER),
        sa.Column("kurtosis", NUMBER),
        sa.Column("maximum", NUMBER),
        sa.Column("minimum", NUMBER),
        sa.Column("density", NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_neurons"),
    )
    op.create_table(
        "origins",
        _required("id", ID),
        _required("digest", TEXT),
        _required("method", TEXT),
        _required("explainer", TEXT),
        _required("prompt_version", TEXT),
        _required("parameters_json", TEXT),
        _required("code_version", TEXT),
        _required("author", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_origins"),
        sa.UniqueConstraint("digest", name="uq_origins_digest"),
    )
    op.create_table(
        "parameters",
        _required("id", ID),
        _required("digest", TEXT),
        _required("json", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_parameters"),
        sa.UniqueConstraint("digest", name="uq_parameters_digest"),
    )
    op.create_table(
        "workers",
        _required("name", TEXT),
        _required("host", TEXT),
        _required("pid", INT),
        _required("started_at", MOMENT),
        _required("beat_at", MOMENT),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.create_table(
        "collections",
        _required("id", ID),
        _required("model_id", ID),
        _required("corpus", TEXT),
        _required("state", CODE),
        _required("n_documents", INT),
        _required("n_excerpts", INT),
        _required("excerpt_tokens", INT),
        _required("documents_explain", INT),
        _required("documents_dev", INT),
        _required("documents_score", INT),
        _required("documents_unsplit", INT),
        _required("profile_json", TEXT),
        _required("parameters_json", TEXT),
        sa.Column("job_id", TEXT),
        _required("created_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_collections_model_id_models"),
        sa.PrimaryKeyConstraint("id", name="pk_collections"),
    )
    op.create_index("ix_collections_model_id", "collections", ["model_id"], unique=False)
    op.create_index(
        "uq_collections_complete", "collections", ["model_id"], unique=True, **_where("state = 1")
    )
    op.create_index("uq_collections_running", "collections", ["model_id"], unique=True, **_where("state = 0"))
    op.create_table(
        "layers",
        _required("id", ID),
        _required("model_id", ID),
        _required("ordinal", INT),
        _required("slug", TEXT),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_layers_model_id_models"),
        sa.PrimaryKeyConstraint("id", name="pk_layers"),
        sa.UniqueConstraint("model_id", "slug", name="uq_layers_model_id_slug"),
    )
    op.create_table(
        "vocabularies",
        _required("model_id", ID, autoincrement=False),
        _required("data", BYTES),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_vocabularies_model_id_models"),
        sa.PrimaryKeyConstraint("model_id", name="pk_vocabularies"),
    )
    op.create_table(
        "documents",
        _required("collection_id", ID),
        _required("ordinal", INT),
        _required("name", TEXT),
        _required("source", TEXT),
        _required("text_hash", TEXT),
        _required("cluster", TEXT),
        _required("split", SMALL),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_documents_collection_id_collections"
        ),
        sa.PrimaryKeyConstraint("collection_id", "ordinal", name="pk_documents"),
    )
    op.create_table(
        "excerpt_chunks",
        _required("collection_id", ID),
        _required("chunk", INT),
        _required("data", BYTES),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_excerpt_chunks_collection_id_collections"
        ),
        sa.PrimaryKeyConstraint("collection_id", "chunk", name="pk_excerpt_chunks"),
    )
    op.create_table(
        "explanations",
        _required("id", ID),
        _required("layer_id", ID),
        _required("neuron", INT),
        _required("collection_id", ID),
        _required("origin_id", ID),
        _required("polarity", CODE),
        _required("state", CODE),
        _required("reason", TEXT),
        _required("text", TEXT),
        _required("seed", BIG),
        sa.Column("messages_id", ID),
        sa.Column("excerpts", BYTES),
        _required("tokens_in", INT),
        _required("tokens_out", INT),
        _required("cost_usd", NUMBER),
        _required("seconds", NUMBER),
        _required("calls", INT),
        sa.Column("job_id", TEXT),
        sa.Column("key", TEXT),
        _required("created_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_explanations_collection_id_collections"
        ),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name="fk_explanations_layer_id_layers"),
        sa.ForeignKeyConstraint(
            ["messages_id"], ["messages.id"], name="fk_explanations_messages_id_messages"
        ),
        sa.ForeignKeyConstraint(["origin_id"], ["origins.id"], name="fk_explanations_origin_id_origins"),
        sa.PrimaryKeyConstraint("id", name="pk_explanations"),
    )
    op.create_index("ix_explanations_collection_id", "explanations", ["collection_id"], unique=False)
    op.create_index("ix_explanations_layer_id_neuron", "explanations", ["layer_id", "neuron"], unique=False)
    op.create_index(
        "ix_explanations_recent",
        "explanations",
        ["id"],
        unique=False,
        **_where("key IS NOT NULL AND state = 0"),
    )
    op.create_index("uq_explanations_key", "explanations", ["key"], unique=True, **_where("key IS NOT NULL"))
    op.create_table(
        "parts",
        _required("id", ID),
        _required("collection_id", ID),
        _required("layer_id", ID),
        _required("neurons", INT),
        _required("gated", sa.Boolean()),
        _required("kinds", BYTES),
        _required("splits", BYTES),
        _required("position0_share", NUMBER),
        _required("n_tokens", BIG),
        _required("n_sampled", BIG),
        sa.Column("mean_density", NUMBER),
        sa.Column("max_activation", NUMBER),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_parts_collection_id_collections"
        ),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name="fk_parts_layer_id_layers"),
        sa.PrimaryKeyConstraint("id", name="pk_parts"),
        sa.UniqueConstraint("collection_id", "layer_id", name="uq_parts_collection_id_layer_id"),
    )
    op.create_index("ix_parts_layer_id", "parts", ["layer_id"], unique=False)
    op.create_table(
        "simulations",
        _required("id", ID),
        _required("explanation_id", ID),
        _required("collection_id", ID),
        _required("simulator", TEXT),
        _required("simulator_model", TEXT),
        _required("parameters_id", ID),
        _required("seed", BIG),
        _required("state", CODE),
        _required("reason", TEXT),
        sa.Column("data", BYTES),
        _required("tokens_in", INT),
        _required("tokens_out", INT),
        _required("cost_usd", NUMBER),
        _required("seconds", NUMBER),
        _required("calls", INT),
        sa.Column("job_id", TEXT),
        _required("key", TEXT),
        _required("created_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_simulations_collection_id_collections"
        ),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name="fk_simulations_explanation_id_explanations"
        ),
        sa.ForeignKeyConstraint(
            ["parameters_id"], ["parameters.id"], name="fk_simulations_parameters_id_parameters"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_simulations"),
        sa.UniqueConstraint("key", name="uq_simulations_key"),
    )
    op.create_index("ix_simulations_collection_id", "simulations", ["collection_id"], unique=False)
    op.create_index("ix_simulations_explanation_id", "simulations", ["explanation_id"], unique=False)
    op.create_table(
        "scores",
        _required("id", ID),
        _required("explanation_id", ID),
        sa.Column("simulation_id", ID),
        _required("collection_id", ID),
        _required("protocol", CODE),
        _required("sample", CODE),
        _required("metric", CODE),
        _required("state", CODE),
        sa.Column("value", NUMBER),
        sa.Column("low", NUMBER),
        sa.Column("high", NUMBER),
        _required("n_records", INT),
        _required("n_documents", INT),
        _required("n_tokens", INT),
        _required("indicative", SMALL),
        _required("reason", TEXT),
        _required("parameters_id", ID),
        sa.Column("job_id", TEXT),
        sa.Column("key", TEXT),
        _required("created_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_scores_collection_id_collections"
        ),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name="fk_scores_explanation_id_explanations"
        ),
        sa.ForeignKeyConstraint(
            ["parameters_id"], ["parameters.id"], name="fk_scores_parameters_id_parameters"
        ),
        sa.ForeignKeyConstraint(
            ["simulation_id"], ["simulations.id"], name="fk_scores_simulation_id_simulations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_scores"),
    )
    op.create_index("ix_scores_explanation_id", "scores", ["explanation_id"], unique=False)
    op.create_index(
        "uq_scores_key",
        "scores",
        ["key", "protocol", "sample", "metric"],
        unique=True,
        **_where("key IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Packed already: trying to compress them would only take time.
        for table in ("exemplars", "excerpt_chunks", "neuron_tokens", "simulations"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE EXTERNAL")
    for guard in _guards():
        _guard(*guard)


def downgrade() -> None:
    for table in (
        "scores",
        "simulations",
        "parts",
        "explanations",
        "excerpt_chunks",
        "documents",
        "vocabularies",
        "layers",
        "collections",
        "workers",
        "parameters",
        "origins",
        "neurons",
        "neuron_tokens",
        "models",
        "methods",
        "messages",
        "llm_calls",
        "jobs",
        "exemplars",
        "best_scores",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table, event, _ in _guards():
            op.execute(f"DROP FUNCTION keep_{table}_{event.lower()}()")
