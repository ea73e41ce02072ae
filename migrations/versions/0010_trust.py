"""Nothing: the trust checks of metrics are the same everywhere, and computed in tens of milliseconds where they are asked for."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
