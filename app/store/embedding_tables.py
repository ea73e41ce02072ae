"""Tables of sentence embeddings: who made them, and vectors in packed runs. Part of `tables`, through which they are reached."""

from sqlalchemy import Column, ForeignKey, Integer, Table, UniqueConstraint

from app.store import types as t
from app.store.columns import id_, metadata, required

embedders = Table(
    "embedders",
    metadata,
    id_(),
    required("digest", t.Words, unique=True),  # of name and revision
    required("name", t.Words),
    required("revision", t.Words),
    required("dimension", Integer),
    required("created_at", t.Moment),
)

embedding_chunks = Table(  # see embeddings.py
    "embedding_chunks",
    metadata,
    id_(),
    required("embedder_id", t.Id, ForeignKey("embedders.id")),
    required("model_id", t.Id, ForeignKey("models.id")),
    required("chunk", Integer),  # 0, 1, 2 … within embedder and model
    required("first_vector", Integer),
    required("n_vectors", Integer),
    required("n_explanations", Integer),
    Column("job_id", t.Words),
    required("created_at", t.Moment),
    required("explanations", t.Bytes),  # [N] int64: ids
    required("vector_numbers", t.Bytes),  # [N] int32: which vector of embedder and model is each one's
    required("hashes", t.Bytes),  # [V, 16]: the text of each vector, see domain/embeddings.py
    required("vectors", t.Bytes),  # [V, D] float16
    UniqueConstraint("embedder_id", "model_id", "chunk"),
)
