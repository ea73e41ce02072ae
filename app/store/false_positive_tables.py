"""Searches for false positives. Part of `tables`, through which it is reached."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table

from app.store import types as t
from app.store.columns import id_, metadata, required

false_positives = Table(  # append-only: one row a search, with the worst excerpts that it found
    "false_positives",
    metadata,
    id_(),
    required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    required("collection_id", t.Id, ForeignKey("collections.id"), index=True),
    required("simulator", t.Words),
    required("simulator_model", t.Words),
    required("parameters_id", t.Id, ForeignKey("parameters.id")),
    required("seed", BigInteger),
    required("predicted", t.Bytes),  # packed as a simulation, worst excerpt first
    required("actual", t.Bytes),  # packed likewise, the neuron's own values, of the same excerpts
    Column("job_id", t.Words),
    required("key", t.Words, unique=True),
    required("created_at", t.Moment),
)
