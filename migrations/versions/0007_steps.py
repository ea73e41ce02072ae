"""Explanations made from other explanations, and the steps on the way to one.

Columns are explained in app/store/explanation_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("explanations", sa.Column("source_id", ID, nullable=True))
    op.create_table(
        "explanation_steps",
        sa.Column("explanation_id", ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name="fk_explanation_steps_explanation_id_explanations"
        ),
        sa.PrimaryKeyConstraint("explanation_id", "ordinal", name="pk_explanation_steps"),
    )
    for event in ("UPDATE", "DELETE"):
        name, words = f"keep_explanation_steps_{event.lower()}", "explanation_steps is append-only"
        if _sqlite():
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON explanation_steps FOR EACH ROW"
                f" BEGIN SELECT RAISE(ABORT, '{words}'); END"
            )
            continue
        body = f"BEGIN RAISE EXCEPTION '{words}'; END"
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON explanation_steps FOR EACH ROW EXECUTE FUNCTION {name}()"
        )


def downgrade() -> None:
    op.drop_table("explanation_steps")
    if not _sqlite():
        for event in ("update", "delete"):
            op.execute(f"DROP FUNCTION keep_explanation_steps_{event}()")
    op.drop_column("explanations", "source_id")


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")
