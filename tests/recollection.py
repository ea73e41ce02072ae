"""The small store's model collected anew, with documents that have other copies beside them than before."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.domain.collection import Document, ExcerptTable
from app.domain.neurons import Profile
from app.store import Session, collections
from tests import factories

Changes = Mapping[int, Mapping[str, object]]


def changed(changes: Changes) -> tuple[list[Document], ExcerptTable]:
    """The small corpus with other values in these documents, by ordinal; their excerpts follow them into their split."""
    documents, table = factories.corpus()
    mine = [replace(d, **changes.get(d.ordinal, {})) for d in documents]  # type: ignore[arg-type]
    splits = np.array([d.split for d in mine], np.uint8)[table.documents]
    return mine, replace(table, splits=splits)


def collect_again(s: Session, changes: Changes | None = None, seed: int = 1) -> int:
    """A newer collection of the small model, complete and visible, the order of its documents as it was; its id."""
    documents, table = changed(changes or {})
    id_ = collections.begin(s, factories.SLUG, "Chapters", documents, table, Profile(), "{}", None)
    for layer in range(len(factories.LAYERS)):
        collections.write_layer(s, id_, factories.layer_result(layer, table, seed=seed))
    collections.finish(s, id_)
    return id_
