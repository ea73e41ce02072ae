"""PostgreSQL no longer keeps words: they are searched for beside it, by the same library as on SQLite (app/store/word_memory.py).

What migration 0003 once made there goes.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for event in ("insert", "delete"):
            op.execute(f"DROP TRIGGER IF EXISTS words_of_explanations_{event} ON explanations")
            op.execute(f"DROP FUNCTION IF EXISTS words_of_explanations_{event}()")
        op.execute("DROP FUNCTION IF EXISTS explanations_with(tsquery)")
        op.execute("DROP TABLE IF EXISTS explanation_words")
        op.execute("DROP FUNCTION IF EXISTS words_of(text)")


def downgrade() -> None:
    """Nothing: no version before needs it that this one leaves a way back to."""
