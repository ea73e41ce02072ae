"""Cut a corpus into excerpts: a seeded sample of 64-token windows over all documents, with their splits.

A window is chosen by the smallest hash(seed, document's text, window), so the sample does not depend on the order
of documents and streams: only the windows that may still be chosen are held, with the texts of their documents.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.collection import Document, ExcerptTable
from app.domain.hashing import priority
from app.domain.near_duplicates import cluster
from app.domain.neurons import EXCERPT_TOKENS, Int32, Split
from app.domain.splits import cluster_hashes, split_of
from app.errors import CorpusError
from app.subject.corpus import RawDocument

CHUNK = 32  # documents tokenised at once
HELD = 4096  # windows held beyond four times those wanted before the sample is cut


class _Found:
    """A document with windows that may be chosen: priorities [W], window numbers [W], tokens [W, T]."""

    def __init__(self, raw: RawDocument, text_hash: str, keys: NDArray[np.uint64], ids: Int32) -> None:
        self.raw, self.text_hash, self.keys = raw, text_hash, keys
        self.windows: NDArray[np.intp] = np.arange(len(keys))
        self.tokens = ids

    def keep_below(self, limit: int) -> bool:
        keep = self.keys <= np.uint64(limit)
        if not keep.all():
            self.keys, self.windows, self.tokens = self.keys[keep], self.windows[keep], self.tokens[keep]
        return bool(keep.any())


def build_excerpts(
    docs: Iterable[RawDocument], tokenizer: Any, n: int, seed: int
) -> tuple[list[Document], ExcerptTable]:
    """`n` excerpts (all there are, when fewer) and the documents that they come from, in the order of `docs`.

    Excerpts are consecutive windows of 64 tokens counted from the document's start; what remains at its end is
    shorter and left out. Documents with identical text count once. Raises CorpusError when none has 64 tokens.
    """
    found: list[_Found] = []
    seen: set[str] = set()
    held = 0
    for chunk in _chunks(docs, CHUNK):
        for raw, ids in zip(chunk, _tokenise(tokenizer, [raw.text for raw in chunk]), strict=True):
            count = len(ids) // EXCERPT_TOKENS
            text_hash = hashlib.sha256(raw.text.encode("utf-8", "surrogatepass")).hexdigest()
            if not count or text_hash in seen:
                continue
            seen.add(text_hash)
            word = np.array([int(text_hash[:16], 16)], np.uint64)
            keys = priority(seed, word, np.arange(count))  # [W]
            tokens = np.array(ids[: count * EXCERPT_TOKENS], np.int32).reshape(
                count, EXCERPT_TOKENS
            )  # [W, T]
            found.append(_Found(raw, text_hash, keys, tokens))
            held += count
        if held > 4 * n + HELD:
            found, held = _keep_smallest(found, n)
    found, held = _keep_smallest(found, n)
    if not held:
        raise CorpusError(
            f"The corpus holds no document of {EXCERPT_TOKENS} tokens or more; give it longer texts."
        )
    return _assemble(found)


def check_explainable(documents: list[Document], excerpts: ExcerptTable) -> None:
    """Raises CorpusError where no excerpt is in the explain split: nothing could be shown or said of any neuron."""
    if not (excerpts.splits == Split.EXPLAIN).any():
        count = "The one document" if len(documents) == 1 else f"All {len(documents)} documents"
        raise CorpusError(
            f"{count} that the excerpts come from went into the splits for calibrating and scoring, each as a whole, so that "
            "none is left to explain from: collect over more documents, such as a file for each chapter."
        )


def _keep_smallest(found: list[_Found], n: int) -> tuple[list[_Found], int]:
    keys = np.concatenate([f.keys for f in found]) if found else np.zeros(0, np.uint64)
    if len(keys) > n:
        limit = int(np.partition(keys, n - 1)[n - 1])
        found = [f for f in found if f.keep_below(limit)]
    return found, sum(len(f.keys) for f in found)


def _assemble(found: list[_Found]) -> tuple[list[Document], ExcerptTable]:
    # Windows of the sample alone: only what is collected can leak from one split into another.
    labels = cluster([f.raw.text for f in found], [f.tokens.reshape(-1) for f in found])
    clusters = cluster_hashes(labels, [f.text_hash for f in found])
    documents = [
        Document(i, f.raw.name, f.raw.source, f.text_hash, c, int(split_of(c)))
        for i, (f, c) in enumerate(zip(found, clusters, strict=True))
    ]
    owner = np.repeat(np.arange(len(found), dtype=np.int32), [len(f.keys) for f in found])  # [E]
    table = ExcerptTable(
        tokens=np.concatenate([f.tokens for f in found]),  # [E, T]
        documents=owner,
        splits=np.array([d.split for d in documents], np.uint8)[owner],
        starts=np.concatenate([f.windows for f in found]).astype(np.int32) * EXCERPT_TOKENS,
    )
    return documents, table


def _tokenise(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    # Texts longer than the context are cut into excerpts afterwards, so the tokenizer's warning would mislead.
    return tokenizer(texts, add_special_tokens=False, verbose=False).input_ids  # type: ignore[no-any-return]


def _chunks(docs: Iterable[RawDocument], size: int) -> Iterator[list[RawDocument]]:
    rest = iter(docs)
    while chunk := list(islice(rest, size)):
        yield chunk
