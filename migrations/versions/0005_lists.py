"""What people keep: lists of neurons, samples of them, bookmarks, comments.

Columns are explained in app/store/list_tables.py; a test compares the two. Kept free of app.store, which moves on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BIG = sa.BigInteger()
INT = sa.Integer()
MOMENT = sa.BigInteger()
TEXT = sa.Text()
BYTES = sa.LargeBinary()

# (table, event, condition): samples and comments are only ever added; a comment can be withdrawn.
GUARDS = (
    ("list_samples", "UPDATE", ""),
    ("list_samples", "DELETE", ""),
    ("comments", "DELETE", ""),
    (
        "comments",
        "UPDATE",
        "OLD.withdrawn_at IS NOT NULL OR NEW.withdrawn_at IS NULL OR NEW.text <> OLD.text OR NEW.author <> OLD.author "
        "OR NEW.owner <> OLD.owner OR NEW.layer_id <> OLD.layer_id OR NEW.neuron <> OLD.neuron "
        "OR NEW.created_at <> OLD.created_at",
    ),
)


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _id() -> sa.Column[Any]:
    return sa.Column("id", ID, primary_key=True)


def _layer(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name=f"fk_{table}_layer_id_layers")


def _guard(table: str, event: str, condition: str) -> None:
    name = f"keep_{table}_{event.lower()}"
    words = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        when = f"WHEN {condition} " if condition else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {when}"
            f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )
        return
    refuse = f"RAISE EXCEPTION '{words}';"
    body = f"IF {condition} THEN {refuse} END IF; RETURN NEW;" if condition else refuse
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def upgrade() -> None:
    op.create_table(
        "lists",
        _id(),
        _required("slug", TEXT),
        _required("name", TEXT),
        _required("same", TEXT),
        _required("description", TEXT),
        _required("author", TEXT),
        _required("revision", BIG),
        sa.Column("share_token", TEXT),
        _required("created_at", MOMENT),
        _required("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_lists"),
        sa.UniqueConstraint("slug", name="uq_lists_slug"),
        sa.UniqueConstraint("same", name="uq_lists_same"),
    )
    shared = sa.text("share_token IS NOT NULL")
    op.create_index(
        "uq_lists_share_token",
        "lists",
        ["share_token"],
        unique=True,
        sqlite_where=shared,
        postgresql_where=shared,
    )
    op.create_table(
        "list_items",
        _id(),
        _required("list_id", ID),
        _required("layer_id", ID),
        _required("neuron", INT),
        _required("position", BIG),
        _required("note", TEXT),
        _required("author", TEXT),
        _required("added_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_list_items"),
        sa.ForeignKeyConstraint(["list_id"], ["lists.id"], name="fk_list_items_list_id_lists"),
        _layer("list_items"),
        sa.UniqueConstraint("list_id", "layer_id", "neuron", name="uq_list_items_list_id_layer_id_neuron"),
    )
    op.create_index("ix_list_items_list_id_position", "list_items", ["list_id", "position"])
    op.create_index("ix_list_items_layer_id_neuron", "list_items", ["layer_id", "neuron"])
    op.create_table(
        "list_samples",
        _id(),
        _required("digest", TEXT),
        _required("list_id", ID),
        _required("name", TEXT),
        _required("revision", BIG),
        _required("neurons", INT),
        _required("data", BYTES),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_list_samples"),
        sa.UniqueConstraint("digest", name="uq_list_samples_digest"),
    )
    op.create_table(
        "bookmarks",
        _id(),
        _required("owner", TEXT),
        _required("layer_id", ID),
        _required("neuron", INT),
        _required("author", TEXT),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_bookmarks"),
        _layer("bookmarks"),
        sa.UniqueConstraint("owner", "layer_id", "neuron", name="uq_bookmarks_owner_layer_id_neuron"),
    )
    op.create_table(
        "comments",
        _id(),
        _required("layer_id", ID),
        _required("neuron", INT),
        _required("owner", TEXT),
        _required("author", TEXT),
        _required("text", TEXT),
        _required("created_at", MOMENT),
        sa.Column("withdrawn_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_comments"),
        _layer("comments"),
    )
    op.create_index("ix_comments_layer_id_neuron", "comments", ["layer_id", "neuron"])
    for guard in GUARDS:
        _guard(*guard)


def downgrade() -> None:
    for table in ("comments", "bookmarks", "list_samples", "list_items", "lists"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table, event, _ in GUARDS:
            op.execute(f"DROP FUNCTION keep_{table}_{event.lower()}()")
