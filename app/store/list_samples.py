"""A list as the sample of an experiment or a study: its neurons as they were at one time, by a digest of their names."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, select

from app.errors import BadInput, NotFound
from app.store import kept_names, lists, sql
from app.store import tables as t
from app.store.list_rows import Key, Sample
from app.store.session import Session


def freeze(s: Session, slug: str) -> Sample:
    """Keep a list's neurons, in order, as they are now. The same neurons in the same order are one sample, whenever taken.

    NotFound for an unknown list, BadInput for an empty one.
    """
    row = lists.held(s, slug)
    keys = lists.neuron_keys(s, row.id)
    if not keys:
        raise BadInput(f"the list “{row.name}” is empty: put neurons into it first")
    digest = digest_of(s, keys)
    values = {
        "digest": digest,
        "list_id": row.id,
        "name": row.name,
        "revision": row.revision,
        "neurons": len(keys),
        "data": np.array(keys, "<i8").tobytes(),
        "created_at": datetime.now(UTC),
    }
    sql.insert_new(s, t.list_samples, values, ("digest",))
    return get(s, digest)


def get(s: Session, digest: str) -> Sample:
    """A sample, whatever became of its list since. NotFound."""
    row = s.execute(select(t.list_samples).where(t.list_samples.c.digest == digest)).first()
    if row is None:
        raise NotFound(f"there is no sample “{digest[:80]}”: take one from a list first")
    return _sample(row)


def digest_of(s: Session, keys: list[Key]) -> str:
    """sha256 of `model/layer/index` lines in order: the same in every store. NotFound for a layer that is not there."""
    refs = kept_names.refs_of(s, set(keys))
    missing = next((key for key in keys if key not in refs), None)
    if missing is not None:
        raise NotFound(f"there is no layer {missing.layer_id}")
    return hashlib.sha256("".join(f"{refs[key]}\n" for key in keys).encode()).hexdigest()


def _sample(row: Row[Any]) -> Sample:
    pairs = np.frombuffer(row.data, "<i8").reshape(-1, 2).tolist()
    keys = tuple(Key(layer, neuron) for layer, neuron in pairs)
    return Sample(row.digest, row.list_id, row.name, row.revision, keys, row.created_at)
