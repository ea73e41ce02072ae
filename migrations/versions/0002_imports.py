"""Imported data: collections that grow, layers of which only some neurons are there, published relations.

Columns are explained in app/store/tables.py.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "collections", sa.Column("imported", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("collections", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("parts", sa.Column("present", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE parts SET present = neurons")
    op.create_table(
        "neuron_relations",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", "kind", name="pk_neuron_relations"),
    )
    op.create_table(
        "import_sources",
        sa.Column("id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_import_sources_collection_id_collections"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_import_sources"),
        sa.UniqueConstraint("collection_id", "address", name="uq_import_sources_collection_id_address"),
    )
    op.create_table(
        "import_chunks",
        sa.Column("source_id", ID, nullable=False),
        sa.Column("what", sa.SmallInteger(), nullable=False),
        sa.Column("layer", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["import_sources.id"], name="fk_import_chunks_source_id_import_sources"
        ),
        sa.PrimaryKeyConstraint("source_id", "what", "layer", "first", name="pk_import_chunks"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE neuron_relations ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    for table in ("import_chunks", "import_sources", "neuron_relations"):
        op.drop_table(table)
    op.drop_column("parts", "present")
    op.drop_column("collections", "revision")
    op.drop_column("collections", "imported")
