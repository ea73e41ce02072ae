"""Sentence embeddings of explanations, for search by meaning.

Columns are explained in app/store/embedding_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT = sa.Integer()
TEXT = sa.Text()
BYTES = sa.LargeBinary()
MOMENT = sa.BigInteger()
TABLES = ("embedding_chunks", "embedders")


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "embedders",
        _required("id", ID),
        _required("digest", TEXT),
        _required("name", TEXT),
        _required("revision", TEXT),
        _required("dimension", INT),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_embedders"),
        sa.UniqueConstraint("digest", name="uq_embedders_digest"),
    )
    op.create_table(
        "embedding_chunks",
        _required("id", ID),
        _required("embedder_id", ID),
        _required("model_id", ID),
        _required("chunk", INT),
        _required("first_vector", INT),
        _required("n_vectors", INT),
        _required("n_explanations", INT),
        sa.Column("job_id", TEXT),
        _required("created_at", MOMENT),
        _required("explanations", BYTES),
        _required("vector_numbers", BYTES),
        _required("hashes", BYTES),
        _required("vectors", BYTES),
        sa.ForeignKeyConstraint(
            ["embedder_id"], ["embedders.id"], name="fk_embedding_chunks_embedder_id_embedders"
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_embedding_chunks_model_id_models"),
        sa.PrimaryKeyConstraint("id", name="pk_embedding_chunks"),
        sa.UniqueConstraint(
            "embedder_id", "model_id", "chunk", name="uq_embedding_chunks_embedder_id_model_id_chunk"
        ),
    )
    # One embedding of a model at a time.
    condition = sa.text("kind = 'embed' AND state IN (0, 1)")
    op.create_index(
        "uq_jobs_embedding",
        "jobs",
        ["model"],
        unique=True,
        sqlite_where=condition,
        postgresql_where=condition,
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        # Packed already: trying to compress them would only take time.
        for column in ("explanations", "vector_numbers", "hashes", "vectors"):
            op.execute(f"ALTER TABLE embedding_chunks ALTER COLUMN {column} SET STORAGE EXTERNAL")
    for table in TABLES:
        for event in ("UPDATE", "DELETE"):
            name, words = f"keep_{table}_{event.lower()}", f"{table} is append-only"
            if sqlite:
                op.execute(
                    f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
                    f" BEGIN SELECT RAISE(ABORT, '{words}'); END"
                )
                continue
            body = f"BEGIN RAISE EXCEPTION '{words}'; END"
            op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
            )


def downgrade() -> None:
    op.drop_index("uq_jobs_embedding", "jobs")
    for table in TABLES:
        op.drop_table(table)
        if op.get_bind().dialect.name == "postgresql":
            for event in ("update", "delete"):
                op.execute(f"DROP FUNCTION keep_{table}_{event}()")
