"""Records that came as examples beside a statement. They stand behind those of a published file, in slots of their own kind."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import nan
from typing import NamedTuple

import numpy as np
from sqlalchemy import insert, select, update

from app.domain.exact_values import TYPES, exact, narrowest
from app.domain.imported import Examples
from app.domain.neurons import Float64, Int32, Kind, UInt8
from app.domain.published import MARK_BYTES, NeuronRecord
from app.store import codec, imported_neurons, names
from app.store import tables as t
from app.store.imported_neurons import Collection
from app.store.library import Library
from app.store.published_rows import Slots, encode
from app.store.session import Session, writing

NO_FILE = bytes(MARK_BYTES)  # the mark of a neuron of which no file of activations was read
DISAGREES = "says something else than what is stored of this neuron, which is kept"


class Outcome(NamedTuple):
    """What became of a statement's examples."""

    new: int
    same: int  # there already, be it as records of another kind
    refused: str  # why none was stored, or ""


@dataclass(frozen=True, eq=False)
class Held:
    """An imported neuron's row, taken apart. R records of T tokens; within a kind their order counts."""

    kinds: UInt8  # [R]
    ordinals: Int32  # [R]
    values: Float64  # [R, T], with the decimals that they came with
    maximum: float  # of all text; NaN without a file of activations
    minimum: float
    boundaries: tuple[float, float, float, float]
    mark: bytes

    def disagrees(self, ordinal: int | None, values: Float64) -> bool:
        """Whether it has this excerpt with other values [T]."""
        return ordinal is not None and bool((self.values[self.ordinals == ordinal] != values).any())

    def given(self, ordinals: Int32, values: Float64) -> "Held":
        """With these records as well, as examples."""
        more = np.full(len(ordinals), int(Kind.GIVEN), np.uint8)
        return replace(
            self,
            kinds=np.concatenate([self.kinds, more]),
            ordinals=np.concatenate([self.ordinals, ordinals]),
            values=np.concatenate([self.values, values]),
        )

    def pack(self, slots: Slots) -> bytes:
        """The row again; `slots` have room for its kinds."""
        form, block = narrowest(self.values)
        record = NeuronRecord(
            0, (nan,) * 4, self.boundaries, self.kinds.tobytes(), b"", form, block.tobytes(),
            self.maximum, self.minimum, self.values.shape[1], self.mark,
        )  # fmt: skip
        return encode(record, slots, self.ordinals)


def of_row(data: bytes, slots: bytes) -> Held:
    """A row of an imported layer with these slots."""
    records, particulars, source = (
        codec.decode_records(data),
        codec.decode_particulars(data),
        codec.decode_source(data),
    )
    boundaries, mark = ((nan,) * 4, NO_FILE) if source is None else source
    return Held(
        np.frombuffer(slots, np.uint8)[records.slots],
        records.excerpts,
        codec.decode_exact(data),
        particulars.explain_maximum,
        particulars.explain_minimum,
        boundaries,
        mark,
    )


def of_file(record: NeuronRecord, ordinals: Int32) -> Held:
    """What a file of activations says, with the excerpts [R] of its records."""
    block = np.frombuffer(record.block, TYPES[record.form]).reshape(-1, record.width)
    return Held(
        np.frombuffer(record.kinds, np.uint8),
        ordinals,
        exact(record.form, block),
        record.maximum,
        record.minimum,
        record.boundaries,
        record.mark,
    )


def open_slots(s: Session, part: int, records: Iterable[bytes] = ()) -> Slots:
    """The slots of a part, with room made for records of these kinds."""
    p = t.parts.c
    slots = Slots(s.execute(select(p.kinds).where(p.id == part)).scalar_one())
    if slots.widen(records):
        s.execute(update(t.parts).where(p.id == part).values(kinds=slots.kinds, splits=slots.splits))
    return slots


def add(
    s: Session, into: Collection, library: Library, layer: int, neuron: int, examples: Examples
) -> Outcome:
    """Store the texts that a neuron of an imported model does not have yet: all of them or, where one contradicts what is
    there, none. The neuron is there; `library.begin` comes before, `library.save` after.
    """
    writing(s)
    width = examples.activations.shape[1]
    if library.width not in (None, width):
        return Outcome(0, 0, f"are of {width} tokens, unlike the excerpts that are there, of {library.width}")
    part = imported_neurons.part_of(s, into, layer)
    id_, e = names.neuron_id(part, neuron), t.exemplars.c
    data = s.execute(select(e.data).where(e.id == id_)).scalar()
    held = _nothing(width) if data is None else of_row(data, open_slots(s, part).kinds)
    known = {digest: library.known(digest) for digest in examples.texts}
    if any(held.disagrees(known[d], row) for d, row in zip(known, examples.activations, strict=True)):
        return Outcome(0, 0, DISAGREES)
    there = set(held.ordinals.tolist())
    fresh = [i for i, ordinal in enumerate(known.values()) if ordinal not in there]
    if fresh:
        digests = [list(known)[i] for i in fresh]
        library.tell({digest: examples.texts[digest] for digest in digests})
        held = held.given(library.ordinals(digests), examples.activations[fresh])
        packed = held.pack(open_slots(s, part, [held.kinds.tobytes()]))
        query = insert(t.exemplars).values(id=id_, data=packed)
        s.execute(query if data is None else update(t.exemplars).where(e.id == id_).values(data=packed))
    return Outcome(len(fresh), len(known) - len(fresh), "")


def _nothing(width: int) -> Held:
    none = np.zeros(0, np.int32)
    return Held(none.astype(np.uint8), none, np.zeros((0, width)), nan, nan, (nan,) * 4, NO_FILE)
