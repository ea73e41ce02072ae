"""Searches for false positives: where an explanation predicts a neuron that is silent.

Columns are explained in app/store/false_positive_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLE = "false_positives"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", ID, nullable=False),
        sa.Column("explanation_id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("simulator", sa.Text(), nullable=False),
        sa.Column("simulator_model", sa.Text(), nullable=False),
        sa.Column("parameters_id", ID, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("predicted", sa.LargeBinary(), nullable=False),
        sa.Column("actual", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name=f"fk_{TABLE}_explanation_id_explanations"
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=f"fk_{TABLE}_collection_id_collections"
        ),
        sa.ForeignKeyConstraint(
            ["parameters_id"], ["parameters.id"], name=f"fk_{TABLE}_parameters_id_parameters"
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{TABLE}"),
        sa.UniqueConstraint("key", name=f"uq_{TABLE}_key"),
    )
    for column in ("explanation_id", "collection_id"):
        op.create_index(f"ix_{TABLE}_{column}", TABLE, [column])
    for event in ("UPDATE", "DELETE"):
        name, words = f"keep_{TABLE}_{event.lower()}", f"{TABLE} is append-only"
        if _sqlite():
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {TABLE} FOR EACH ROW"
                f" BEGIN SELECT RAISE(ABORT, '{words}'); END"
            )
            continue
        body = f"BEGIN RAISE EXCEPTION '{words}'; END"
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    op.drop_table(TABLE)
    if not _sqlite():
        for event in ("update", "delete"):
            op.execute(f"DROP FUNCTION keep_{TABLE}_{event}()")


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")
