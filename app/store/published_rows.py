"""A published neuron's records as a packed row (see codec.py), and the slots of a layer that grow with what comes."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.domain.exact_values import TYPES
from app.domain.neurons import Int32, Split
from app.domain.published import NeuronRecord
from app.store import codec


class Slots:
    """The slots of one layer's rows. Later ones are only ever added behind: rows written before stay right."""

    def __init__(self, kinds: bytes) -> None:
        self.kinds = kinds
        self._places: dict[bytes, tuple[bytes, NDArray[np.intp] | None]] = {}

    @property
    def splits(self) -> bytes:
        return bytes([Split.UNSPLIT]) * len(self.kinds)

    def widen(self, records: Iterable[bytes]) -> bool:
        """Make room for records of these kinds; whether that took new slots."""
        have = Counter(self.kinds)
        more = bytearray()
        for kinds in set(records):
            for kind, n in sorted(Counter(kinds).items()):
                missing = n - have[kind]
                if missing > 0:
                    more += bytes([kind]) * missing
                    have[kind] = n
        if more:
            self.kinds += bytes(more)
            self._places.clear()
        return bool(more)

    def place(self, kinds: bytes) -> tuple[bytes, NDArray[np.intp] | None]:
        """(packed bits of the filled slots, order of the records in them; None: as they are) for records [R] of these kinds."""
        found = self._places.get(kinds)
        if found is None:
            found = self._places[kinds] = self._placed(kinds)
        return found

    def _placed(self, kinds: bytes) -> tuple[bytes, NDArray[np.intp] | None]:
        of_kind: dict[int, list[int]] = {}
        for slot, kind in enumerate(self.kinds):
            of_kind.setdefault(kind, []).append(slot)
        taken: Counter[int] = Counter()
        slots = np.zeros(len(kinds), np.intp)
        for i, kind in enumerate(kinds):
            slots[i] = of_kind[kind][taken[kind]]
            taken[kind] += 1
        filled = np.zeros(len(self.kinds), np.bool_)
        filled[slots] = True
        order = np.argsort(slots)
        identity = bool((order == np.arange(len(order))).all())
        return np.packbits(filled).tobytes(), None if identity else order


def encode(record: NeuronRecord, slots: Slots, ordinals: Int32) -> bytes:
    """The packed row of a neuron whose records [R] are of the excerpts `ordinals` [R]."""
    bits, order = slots.place(record.kinds)
    block = np.frombuffer(record.block, TYPES[record.form]).reshape(len(ordinals), record.width)  # [R, T]
    if order is not None:
        ordinals, block = ordinals[order], block[order]
    return codec.published_row(
        record.form,
        (record.maximum, record.minimum, record.boundaries[2]),
        record.boundaries,
        record.mark,
        bits,
        len(slots.kinds),
        ordinals,
        record.width,
        block,
    )
