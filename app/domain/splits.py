"""Which documents may be used for what: held out means held out (DESIGN section 4)."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Split

MIN_DOCUMENTS = 30  # fewer in any split, and scores are refused


def split_of(cluster_text_hash: str) -> Split:
    """The split of a near-duplicate cluster, from its hash alone: explain 1/2, dev 1/4, score 1/4.

    Depends on nothing else (no seed, no order, no size of corpus): a document without near-duplicates keeps its split in
    every collection. One with near-duplicates keeps it while the same member of its cluster has the smallest hash; which
    members there are depends on the documents sampled, so that another collection may put the same text into another
    split. Proofs across collections therefore compare texts (`app.store.heldout`).
    """
    digest = hashlib.sha256(b"neuronarium split\0" + cluster_text_hash.encode()).digest()
    quarter = digest[0] >> 6
    return (Split.EXPLAIN, Split.EXPLAIN, Split.DEV, Split.SCORE)[quarter]


def cluster_hashes(labels: Sequence[int], text_hashes: Sequence[str]) -> list[str]:
    """Per document, the hash that stands for its cluster: the smallest text hash among the cluster's members.

    `labels` are those of `near_duplicates.cluster`, one per document, as are `text_hashes` (sha256 of the text).
    """
    smallest: dict[int, str] = {}
    for label, text_hash in zip(labels, text_hashes, strict=True):
        known = smallest.get(label)
        smallest[label] = text_hash if known is None else min(known, text_hash)
    return [smallest[label] for label in labels]


def document_counts(splits: NDArray[np.uint8], documents: NDArray[np.int32]) -> tuple[int, int, int]:
    """Distinct documents in (explain, dev, score); both arrays are [E], one entry per excerpt."""
    explain, dev, score = (
        len(np.unique(documents[splits == split])) for split in (Split.EXPLAIN, Split.DEV, Split.SCORE)
    )
    return explain, dev, score


def enough_documents(counts: Sequence[int]) -> bool:
    """Whether a corpus with so many documents in (explain, dev, score) may be scored at all."""
    return len(counts) == 3 and min(counts) >= MIN_DOCUMENTS
