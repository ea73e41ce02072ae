"""The excerpts and tokens of an imported model, as an import adds to them: each once, recognised by content."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import select, update

from app.domain.neurons import Int32
from app.domain.published import digest_of
from app.errors import BadInput
from app.store import excerpts, models, packing
from app.store import tables as t
from app.store.imported_neurons import Collection
from app.store.session import Session, writing


class Library:
    """What the store holds of one collection, and what came since. One process writes; others may, between its sessions.

    Call `begin` in every session before anything else, `save` before its end, `forget` when it failed.
    """

    def __init__(self, into: Collection) -> None:
        self._into = into
        self._revision = -1
        self._texts: dict[bytes, Sequence[str]] = {}  # told of, and not yet needed
        self._clear()

    def _clear(self) -> None:
        self._ordinals: dict[bytes, int] = {}
        self._ids: dict[str, int] = {}
        self._tokens: Int32 = np.zeros((0, 0), np.int32)  # [capacity, T]
        self._count = self._saved = self._saved_ids = 0

    @property
    def tokens(self) -> Int32:
        """All excerpts, [E, T] token ids."""
        return self._tokens[: self._count]

    @property
    def vocabulary(self) -> int:
        return len(self._ids)

    @property
    def width(self) -> int | None:
        """Tokens of an excerpt; None until there is one."""
        return self._tokens.shape[1] if self._count else None

    def tell(self, texts: Mapping[bytes, Sequence[str]]) -> None:
        """Make excerpts' tokens known by digest. They are stored when a record needs them."""
        self._texts.update(texts)

    def begin(self, s: Session) -> None:
        """Take the collection for this session's writing, and read again what others have added."""
        writing(s)
        c = t.collections.c
        query = select(c.revision).where(c.id == self._into.id).with_for_update()
        revision: int = s.execute(query).scalar_one()
        if revision != self._revision:
            self._read(s)
            self._revision = revision

    def ordinals(self, digests: Iterable[bytes]) -> Int32:
        """The excerpts of these digests, those that are new added. BadInput for tokens of another number than the others'."""
        found = []
        for digest in digests:
            ordinal = self._ordinals.get(digest)
            found.append(self._add(digest) if ordinal is None else ordinal)
        return np.array(found, np.int32)

    def known(self, digest: bytes) -> int | None:
        """The ordinal of an excerpt that is there."""
        return self._ordinals.get(digest)

    def save(self, s: Session) -> None:
        """Write what was added, and let every process know that the collection has changed."""
        c, new = t.collections.c, self._count - self._saved
        if new:
            excerpts.append(s, self._into.id, self._saved, self._tokens[self._saved : self._count])
        if len(self._ids) > self._saved_ids:
            data = packing.pack_vocabulary(
                tuple(token.encode("utf-8", "surrogatepass") for token in self._ids), frozenset()
            )
            of = t.vocabularies.c.model_id == self._into.model_id
            s.execute(update(t.vocabularies).where(of).values(data=data))
        self._revision += 1
        values = {"revision": self._revision, "n_excerpts": self._count}
        if self._count:
            values["excerpt_tokens"] = self._tokens.shape[1]
        s.execute(update(t.collections).where(c.id == self._into.id).values(**values))
        self._saved, self._saved_ids = self._count, len(self._ids)

    def forget(self) -> None:
        """After a session that failed: read the store again in the next."""
        self._revision = -1

    def _add(self, digest: bytes) -> int:
        tokens = self._texts.pop(digest)
        if self.width not in (None, len(tokens)):
            raise BadInput(f"an excerpt of {len(tokens)} tokens among excerpts of {self.width}")
        if self._count == len(self._tokens):
            grown = np.zeros((max(4096, 2 * self._count), len(tokens)), np.int32)
            if self._count:
                grown[: self._count] = self._tokens
            self._tokens = grown
        ids = self._ids
        self._tokens[self._count] = [ids.setdefault(token, len(ids)) for token in tokens]
        self._ordinals[digest] = ordinal = self._count
        self._count += 1
        return ordinal

    def _read(self, s: Session) -> None:
        words = list(self._ids)
        for digest, ordinal in self._ordinals.items():  # those of a session that failed are told of only once
            if ordinal >= self._saved or self._revision < 0:
                self._texts[digest] = [words[i] for i in self._tokens[ordinal].tolist()]
        self._clear()
        vocabulary = models.vocabulary(s, self._into.slug)
        words = [piece.decode("utf-8", "surrogatepass") for piece in vocabulary.pieces]
        self._ids = {word: i for i, word in enumerate(words)}
        stored = excerpts.read(s, self._into.slug, self._into.id).tokens
        self._tokens, self._count = stored.copy(), len(stored)
        for ordinal, row in enumerate(stored.tolist()):
            self._ordinals[digest_of([words[i] for i in row])] = ordinal
        self._saved, self._saved_ids = self._count, len(self._ids)
