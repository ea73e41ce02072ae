"""Rating studies: what is shown to whom, and what they answered.

Columns are explained in app/store/study_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = (
    "studies",
    "study_items",
    "study_slots",
    "study_sources",
    "study_raters",
    "study_identities",
    "study_places",
    "study_answers",
    "study_log",
)


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("definition_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("previous_id", ID, nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("registered_hash", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("unblinded_at", sa.BigInteger(), nullable=True),
        sa.Column("unblinded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["previous_id"], ["studies.id"], name="fk_studies_previous_id_studies"),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("code", name="uq_studies_code"),
    )
    op.create_table(
        "study_items",
        sa.Column("study_id", ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_items_study_id_studies"),
        sa.PrimaryKeyConstraint("study_id", "ordinal", name="pk_study_items"),
    )
    op.create_table(
        "study_slots",
        sa.Column("study_id", ID, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("sittings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_slots_study_id_studies"),
        sa.PrimaryKeyConstraint("study_id", "slot", name="pk_study_slots"),
    )
    op.create_table(
        "study_sources",
        sa.Column("study_id", ID, nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("text", sa.Integer(), nullable=False),
        sa.Column("explanation_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_sources_study_id_studies"),
        sa.ForeignKeyConstraint(
            ["explanation_id"], ["explanations.id"], name="fk_study_sources_explanation_id_explanations"
        ),
        sa.PrimaryKeyConstraint("study_id", "item", "text", "explanation_id", name="pk_study_sources"),
    )
    op.create_index("ix_study_sources_explanation_id", "study_sources", ["explanation_id"])
    op.create_table(
        "study_raters",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("consent_version", sa.Text(), nullable=False),
        sa.Column("practice_failed", sa.SmallInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("consented_at", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_raters_study_id_studies"),
        sa.PrimaryKeyConstraint("id", name="pk_study_raters"),
        sa.UniqueConstraint("study_id", "number", name="uq_study_raters_study_id_number"),
        sa.UniqueConstraint("secret", name="uq_study_raters_secret"),
    )
    op.create_table(
        "study_identities",
        sa.Column("rater_id", ID, nullable=False, autoincrement=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("participant", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rater_id"], ["study_raters.id"], name="fk_study_identities_rater_id_study_raters"
        ),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_identities_study_id_studies"),
        sa.PrimaryKeyConstraint("rater_id", name="pk_study_identities"),
    )
    op.create_index("ix_study_identities_participant", "study_identities", ["study_id", "participant"])
    op.create_table(
        "study_places",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("rater_id", ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False),
        sa.Column("pairs", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Boolean(), nullable=False),
        sa.Column("practice", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_places_study_id_studies"),
        sa.ForeignKeyConstraint(
            ["rater_id"], ["study_raters.id"], name="fk_study_places_rater_id_study_raters"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_study_places"),
        sa.UniqueConstraint("rater_id", "ordinal", name="uq_study_places_rater_id_ordinal"),
    )
    op.create_index("ix_study_places_study_id", "study_places", ["study_id"])
    op.create_table(
        "study_answers",
        sa.Column("id", ID, nullable=False),
        sa.Column("place_id", ID, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["place_id"], ["study_places.id"], name="fk_study_answers_place_id_study_places"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_study_answers"),
    )
    op.create_index("ix_study_answers_place_id", "study_answers", ["place_id"])
    op.create_table(
        "study_log",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_log_study_id_studies"),
        sa.PrimaryKeyConstraint("id", name="pk_study_log"),
    )
    op.create_index("ix_study_log_study_id", "study_log", ["study_id"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
