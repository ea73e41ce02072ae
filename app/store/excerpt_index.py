"""Which neurons have an excerpt among their strongest: every neuron's top records the other way round.

Made in a thread when first asked for, from the heads of the packed rows, and kept in memory until the collection changes:
four bytes for each pair of a neuron and an excerpt (28 MB for 307,200 neurons with 23 top records).
"""

from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from threading import Lock, Thread
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from app.domain import similarity
from app.domain.neurons import Int32, Kind
from app.errors import AppError, NotFound, StoreError
from app.store import codec, memory, names, sql
from app.store import tables as t
from app.store.session import Session, Store

AT_ONCE = 8192  # rows in memory while it is made


@dataclass(frozen=True, eq=False)
class ExcerptIndex:
    """N neurons with top records, P pairs, E excerpts."""

    ids: NDArray[np.int64]  # [N] neuron ids in the store, ascending
    sizes: Int32  # [N] different excerpts among each one's top records
    offsets: NDArray[np.int64]  # [E + 1] where each excerpt's neurons begin
    neurons: Int32  # [P] places in `ids`, by excerpt, ascending within each

    def of(self, excerpt: int) -> Int32:
        """The neurons that have this excerpt among their top records."""
        if not 0 <= excerpt < len(self.offsets) - 1:
            return np.zeros(0, np.int32)
        return self.neurons[self.offsets[excerpt] : self.offsets[excerpt + 1]]

    def place(self, neuron_id: int) -> int:
        """Where a neuron stands in `ids`; -1 where it has no top record."""
        at = int(np.searchsorted(self.ids, neuron_id))
        return at if at < len(self.ids) and int(self.ids[at]) == neuron_id else -1

    def sharing(self, place: int) -> NDArray[np.int64]:
        """How many of one neuron's top excerpts each neuron has, [N]."""
        return similarity.shared_counts(
            [self.of(excerpt) for excerpt in self._excerpts(place)], len(self.ids)
        )

    def _excerpts(self, place: int) -> list[int]:
        """Of one neuron, ascending."""
        (at,) = np.nonzero(self.neurons == place)
        found: list[int] = (np.searchsorted(self.offsets, at, "right") - 1).tolist()
        return found

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.ids, self.sizes, self.offsets, self.neurons))


class _Version(NamedTuple):
    """What it was made from: an import lets a collection grow, and its revision with it."""

    collection: int
    revision: int


class _Making(NamedTuple):
    version: _Version
    future: "Future[ExcerptIndex]"


_HELD: "WeakKeyDictionary[Store, dict[str, _Making]]" = WeakKeyDictionary()
_LOCK = Lock()


def index(store: Store, slug: str, patience: float) -> ExcerptIndex | None:
    """The model's; None where it is not ready after so many seconds: ask again. NotFound for an unknown model.

    A making that failed raises its error once, and is begun anew by whoever asks next.
    """
    with store.session() as s:
        version = _version(s, slug)
    with _LOCK:
        making = _HELD.setdefault(store, {}).get(slug)
        # One at a time: while an import goes on, what is being made is nearly as good as what could be begun.
        if making is None or (making.version != version and making.future.done()):
            making = _Making(version, Future())
            _HELD[store][slug] = making
            Thread(target=_make, args=(store, slug, making), name="excerpt-index", daemon=True).start()
    try:
        return making.future.result(patience)
    except Late:
        return None
    except AppError:
        with _LOCK:
            if _HELD[store].get(slug) is making:
                del _HELD[store][slug]
        raise


def _version(s: Session, slug: str) -> _Version:
    collection = names.current_collection(s, names.model_id(s, slug))
    if collection is None:
        raise NotFound(f"model “{slug}” has no neurons yet: its collection has not ended")
    c = t.collections.c
    return _Version(collection, int(s.execute(select(c.revision).where(c.id == collection)).scalar_one()))


def _make(store: Store, slug: str, making: _Making) -> None:
    try:
        with store.session() as s:
            found = build(s, slug)
        memory.give_back()
    except AppError as error:
        making.future.set_exception(error)
    except Exception as error:  # noqa: BLE001 - a thread's errors reach nobody but whoever asks
        making.future.set_exception(
            StoreError(f"which neurons share excerpts could not be read ({type(error).__name__}): try again")
        )
    else:
        making.future.set_result(found)


def build(s: Session, slug: str) -> ExcerptIndex:
    """Reads the model's packed rows once. Holds no more than twice what comes out."""
    ids: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    sizes: list[Int32] = [np.zeros(0, np.int32)]
    forward: list[Int32] = []  # excerpts of each block, by neuron
    counts = np.zeros(1, np.int64)
    for block_ids, owners, excerpts in _blocks(s, slug):
        own = np.bincount(owners, minlength=len(block_ids)).astype(np.int32)
        ids.append(block_ids[own > 0])
        sizes.append(own[own > 0])
        forward.append(excerpts)
        here = np.bincount(excerpts)
        if len(here) > len(counts):
            counts = np.pad(counts, (0, len(here) - len(counts)))
        counts[: len(here)] += here
    offsets = np.concatenate([np.zeros(1, np.int64), counts.cumsum()])
    neurons = np.empty(int(offsets[-1]), np.int32)
    free, first = offsets[:-1].copy(), 0
    for own, excerpts in zip(sizes[1:], forward, strict=True):
        owner = np.repeat(np.arange(first, first + len(own), dtype=np.int32), own)
        order = np.argsort(excerpts, kind="stable")
        of, here = excerpts[order], np.bincount(excerpts, minlength=len(free))
        begins = np.concatenate([np.zeros(1, np.int64), here.cumsum()])[:-1]
        neurons[free[of] + np.arange(len(of)) - begins[of]] = owner[order]
        free += here
        first += len(own)
    return ExcerptIndex(np.concatenate(ids), np.concatenate(sizes), offsets, neurons)


def _blocks(s: Session, slug: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.intp], Int32]]:
    """(neuron ids [n], place among them [p], excerpt [p]) of top records, each pair once, by neuron; ids ascend throughout."""
    for part in sorted(names.parts_of(s, slug)):
        wanted = names.part(s, slug, part.slug).kinds == int(Kind.TOP)
        head = codec.head_bytes(len(wanted))
        first, last = names.neuron_id(part.id, 0), names.neuron_id(part.id + 1, 0) - 1
        query = f"SELECT id, substr(data, 1, {head}) FROM exemplars WHERE id BETWEEN ? AND ? ORDER BY id LIMIT {AT_ONCE}"  # noqa: S608
        while rows := sql.rows(s, query, (first, last)):
            owners, excerpts = codec.kept_excerpts([row[1] for row in rows], wanted)
            pairs = np.unique((owners.astype(np.int64) << 32) | excerpts)
            yield (
                np.array([row[0] for row in rows], np.int64),
                pairs >> 32,
                (pairs & 0xFFFFFFFF).astype(np.int32),
            )
            first = rows[-1][0] + 1
