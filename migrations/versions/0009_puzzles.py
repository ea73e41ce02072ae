"""Neuron puzzles: their statements, runs of explainers over them, verdicts and rankings.

Columns are explained in app/store/puzzle_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEPT = ("puzzle_runs", "puzzle_answers", "puzzle_judgements", "puzzle_rankings")  # append-only


def upgrade() -> None:
    op.create_table(
        "puzzles",
        sa.Column("layer_id", ID, nullable=False),
        sa.Column("neuron", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("truth", sa.Text(), nullable=False),
        sa.Column("false_json", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name="fk_puzzles_layer_id_layers"),
        sa.PrimaryKeyConstraint("layer_id", "neuron", name="pk_puzzles"),
        sa.UniqueConstraint("layer_id", "key", name="uq_puzzles_layer_id_key"),
    )
    op.create_table(
        "puzzle_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("layer_id", ID, nullable=False),
        sa.Column("explainer", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("revise", sa.Boolean(), nullable=False),
        sa.Column("neurons_json", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name="fk_puzzle_runs_layer_id_layers"),
        sa.PrimaryKeyConstraint("id", name="pk_puzzle_runs"),
    )
    op.create_index("ix_puzzle_runs_layer_id", "puzzle_runs", ["layer_id"])
    op.create_table(
        "puzzle_answers",
        sa.Column("id", ID, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("neuron", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("explanation_id", ID, nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["puzzle_runs.id"], name="fk_puzzle_answers_run_id_puzzle_runs"),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name="fk_puzzle_answers_explanation_id_explanations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_puzzle_answers"),
        sa.UniqueConstraint("key", name="uq_puzzle_answers_key"),
    )
    op.create_index("ix_puzzle_answers_run_id_neuron", "puzzle_answers", ["run_id", "neuron"])
    op.create_index("ix_puzzle_answers_explanation_id", "puzzle_answers", ["explanation_id"])
    op.create_table(
        "puzzle_judgements",
        sa.Column("id", ID, nullable=False),
        sa.Column("explanation_id", ID, nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("right", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail_json", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name="fk_puzzle_judgements_explanation_id_explanations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_puzzle_judgements"),
        sa.UniqueConstraint("key", name="uq_puzzle_judgements_key"),
    )
    op.create_index("ix_puzzle_judgements_explanation_id", "puzzle_judgements", ["explanation_id"])
    op.create_table(
        "puzzle_rankings",
        sa.Column("id", ID, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("neuron", sa.Integer(), nullable=False),
        sa.Column("simulator", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("simulator_model", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail_json", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["puzzle_runs.id"], name="fk_puzzle_rankings_run_id_puzzle_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_puzzle_rankings"),
        sa.UniqueConstraint("key", name="uq_puzzle_rankings_key"),
    )
    op.create_index("ix_puzzle_rankings_run_id_neuron", "puzzle_rankings", ["run_id", "neuron"])
    for table in KEPT:
        for event in ("UPDATE", "DELETE"):
            name, words = f"keep_{table}_{event.lower()}", f"{table} is append-only"
            if _sqlite():
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
    for table in ("puzzle_rankings", "puzzle_judgements", "puzzle_answers", "puzzle_runs", "puzzles"):
        op.drop_table(table)
    if not _sqlite():
        for table in KEPT:
            for event in ("update", "delete"):
                op.execute(f"DROP FUNCTION keep_{table}_{event}()")


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")
