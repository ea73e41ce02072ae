"""What calls cost, in more detail: tokens from a provider's cache, and answers that served another job.

Columns are explained in app/store/work_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAID = (("job_id", "cost_usd"), ("created_at", "cost_usd"))


def upgrade() -> None:
    op.add_column("llm_calls", sa.Column("tokens_cached", sa.Integer(), nullable=False, server_default="0"))
    paid = sa.text("cost_usd > 0")
    for columns in PAID:
        name = f"ix_llm_calls_{'_'.join(columns)}"
        op.create_index(name, "llm_calls", list(columns), sqlite_where=paid, postgresql_where=paid)
    op.create_table(
        "llm_served",
        sa.Column("id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["llm_calls.id"], name="fk_llm_served_call_id_llm_calls"),
        sa.PrimaryKeyConstraint("id", name="pk_llm_served"),
    )
    op.create_index("ix_llm_served_call_id", "llm_served", ["call_id"])
    op.create_index("ix_llm_served_job_id", "llm_served", ["job_id"])


def downgrade() -> None:
    op.drop_table("llm_served")
    for columns in PAID:
        op.drop_index(f"ix_llm_calls_{'_'.join(columns)}", "llm_calls")
    op.drop_column("llm_calls", "tokens_cached")
