"""Tables of what people keep: lists of neurons, bookmarks, comments. Part of `tables`, through which they are reached.

Neurons are named by (layer, index), as explanations name them, so that what is kept outlives collections.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, UniqueConstraint

from app.store import types as t
from app.store.columns import id_, metadata, partial, required

lists = Table(
    "lists",
    metadata,
    id_(),
    required("slug", t.Words, unique=True),
    required("name", t.Words),
    required("same", t.Words, unique=True),  # equal for names that people would take for each other
    required("description", t.Words),
    required("author", t.Words),
    required("revision", BigInteger),  # raised with every change
    Column("share_token", t.Words),
    required("created_at", t.Moment),
    required("updated_at", t.Moment),
    partial("uq_lists_share_token", "share_token IS NOT NULL", "share_token", unique=True),
)

list_items = Table(
    "list_items",
    metadata,
    id_(),
    required("list_id", t.Id, ForeignKey("lists.id")),
    required("layer_id", t.Id, ForeignKey("layers.id")),
    required("neuron", Integer),
    required("position", BigInteger),  # any numbers that rise in the list's order
    required("note", t.Words),
    required("author", t.Words),
    required("added_at", t.Moment),
    UniqueConstraint("list_id", "layer_id", "neuron"),
    Index("ix_list_items_list_id_position", "list_id", "position"),
    Index("ix_list_items_layer_id_neuron", "layer_id", "neuron"),
)

list_samples = Table(  # a list's neurons as they were: only ever added
    "list_samples",
    metadata,
    id_(),
    required("digest", t.Words, unique=True),  # of the neurons by name, in order
    required("list_id", t.Id),  # which may have been deleted since
    required("name", t.Words),
    required("revision", BigInteger),
    required("neurons", Integer),
    required("data", t.Bytes),  # int64 pairs of layer and index
    required("created_at", t.Moment),
)

bookmarks = Table(
    "bookmarks",
    metadata,
    id_(),
    required("owner", t.Words),
    required("layer_id", t.Id, ForeignKey("layers.id")),
    required("neuron", Integer),
    required("author", t.Words),
    required("created_at", t.Moment),
    UniqueConstraint("owner", "layer_id", "neuron"),
)

comments = Table(  # never changed but for being withdrawn, never removed
    "comments",
    metadata,
    id_(),
    required("layer_id", t.Id, ForeignKey("layers.id")),
    required("neuron", Integer),
    required("owner", t.Words),
    required("author", t.Words),
    required("text", t.Words),
    required("created_at", t.Moment),
    Column("withdrawn_at", t.Moment),
    Index("ix_comments_layer_id_neuron", "layer_id", "neuron"),
)
