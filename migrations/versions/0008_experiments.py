"""Experiments: definitions, their jobs, frozen samples, and units of work.

Columns are explained in app/store/experiment_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", ID, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("name", "definition", "definition_hash", "titles", "sample_digest", "notes")
        ),
        sa.Column("neurons", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("budget_usd", sa.Float(53), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pausing", sa.SmallInteger(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
    )
    op.create_table(
        "experiment_jobs",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("experiment_id", ID, nullable=False),
        _belongs("experiment_jobs"),
        sa.PrimaryKeyConstraint("job_id", name="pk_experiment_jobs"),
    )
    op.create_index("ix_experiment_jobs_experiment_id", "experiment_jobs", ["experiment_id"])
    op.create_table(
        "experiment_neurons",
        sa.Column("experiment_id", ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("layer_id", ID, nullable=False),
        sa.Column("neuron", sa.Integer(), nullable=False),
        sa.Column("groups", sa.BigInteger(), nullable=False),
        _belongs("experiment_neurons"),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name="fk_experiment_neurons_layer_id_layers"),
        sa.PrimaryKeyConstraint("experiment_id", "ordinal", name="pk_experiment_neurons"),
    )
    op.create_table(
        "experiment_units",
        sa.Column("id", ID, nullable=False),
        sa.Column("experiment_id", ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("arm", sa.SmallInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("scorer", sa.SmallInteger(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("ready", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("tries_left", sa.SmallInteger(), nullable=False),
        sa.Column("salt", sa.SmallInteger(), nullable=False),
        sa.Column("kept_as", sa.SmallInteger(), nullable=False),
        sa.Column("explanation_id", ID, nullable=True),
        sa.Column("simulation_id", ID, nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(53), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        _belongs("experiment_units"),
        *(
            sa.ForeignKeyConstraint(
                [f"{one}_id"], [f"{one}s.id"], name=f"fk_experiment_units_{one}_id_{one}s"
            )
            for one in ("explanation", "simulation")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_experiment_units"),
    )
    cell = ["experiment_id", "ordinal", "arm", "seed", "scorer"]
    op.create_index("uq_experiment_units_cell", "experiment_units", cell, unique=True)
    counts = ["experiment_id", "arm", "scorer", "state"]
    op.create_index("ix_experiment_units_counts", "experiment_units", counts)
    next_ = sa.text("state = 0 AND ready = 1")
    op.create_index(
        "ix_experiment_units_next",
        "experiment_units",
        ["experiment_id", "lane", "attempts", "id"],
        sqlite_where=next_,
        postgresql_where=next_,
    )


def downgrade() -> None:
    for table in ("experiment_units", "experiment_neurons", "experiment_jobs", "experiments"):
        op.drop_table(table)


def _belongs(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["experiment_id"], ["experiments.id"], name=f"fk_{table}_experiment_id_experiments"
    )
