"""Published activations: chunks of neurons, each written whole or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from sqlalchemy import delete, insert, select, update

from app.domain.exact_values import TYPES
from app.domain.layer_lookup import top_tokens
from app.domain.neurons import Float64, Int32, Kind
from app.domain.protocols import BILLS_EXPLAIN_TOP
from app.domain.published import DIGEST_BYTES, NeuronRecord, Relation, RelationKind
from app.store import bulk, codec, examples, imported_neurons, names, packing, sql
from app.store import tables as t
from app.store.examples import DISAGREES, NO_FILE, Held
from app.store.imported_neurons import Collection
from app.store.library import Library
from app.store.published_rows import encode
from app.store.session import Session, writing
from app.store.types import nullable


class Refusal(NamedTuple):
    """A neuron whose file was not stored."""

    neuron: int
    reason: str


class Written(NamedTuple):
    """What became of a chunk."""

    new: int
    same: int  # there already, and the file says the same
    refused: tuple[Refusal, ...]


def source_id(s: Session, into: Collection, address: str) -> int:
    """The id of a place that imports come from."""
    c = t.import_sources.c
    query = select(c.id).where(c.collection_id == into.id, c.address == address)
    found: int | None = s.execute(query).scalar()
    if found is None:
        writing(s)
        made = {"collection_id": into.id, "address": address, "created_at": datetime.now(UTC)}
        found = sql.insert_new(s, t.import_sources, made, ("collection_id", "address"))
        if found is None:  # another transaction was quicker
            found = s.execute(query).scalar_one()
    return found


def done(s: Session, source: int, what: int, layer: int) -> set[int]:
    """The first neurons of the chunks of a layer that were read whole from this source."""
    c = t.import_chunks.c
    query = select(c.first).where(c.source_id == source, c.what == what, c.layer == layer)
    return set(s.execute(query).scalars())


def mark_done(s: Session, source: int, what: int, layer: int, first: int) -> None:
    """That of a chunk everything there is was read."""
    writing(s)
    there = first in done(s, source, what, layer)
    if not there:
        s.execute(insert(t.import_chunks).values(source_id=source, what=what, layer=layer, first=first))


def write_records(
    s: Session, into: Collection, library: Library, layer: int, records: Sequence[NeuronRecord]
) -> Written:
    """Store neurons of one layer with their records; `library.begin` comes before, `library.save` after.

    A neuron that is there stays as it is: one whose file says something else is refused with that reason. Of one that has
    nothing but examples that came with statements, they stay behind what the file says.
    """
    part = imported_neurons.part_of(s, into, layer)
    width = library.width or (records[0].width if records else 0)
    there = _rows(s, part, [record.neuron for record in records])
    slots = examples.open_slots(s, part).kinds
    fresh: dict[int, NeuronRecord] = {}
    given: dict[int, Held] = {}
    refused: list[Refusal] = []
    same = 0
    for record in records:
        if record.width != width:
            refused.append(
                Refusal(
                    record.neuron, f"has excerpts of {record.width} tokens, unlike those there, of {width}"
                )
            )
        elif record.neuron not in there:
            fresh[record.neuron] = record
        elif (mark := _mark(there[record.neuron])) == record.mark:
            same += 1
        else:
            held = examples.of_row(there[record.neuron], slots) if mark == NO_FILE else None
            if held is None or _contradicts(library, record, held):
                refused.append(Refusal(record.neuron, DISAGREES))
            else:
                fresh[record.neuron], given[record.neuron] = record, held
    _insert(s, library, part, [fresh[neuron] for neuron in sorted(fresh)], given)
    return Written(len(fresh), same, tuple(refused))


def _rows(s: Session, part: int, neurons: Sequence[int]) -> dict[int, bytes]:
    """The packed rows of those that have records."""
    if not neurons:
        return {}
    zero, e = names.neuron_id(part, 0), t.exemplars.c
    query = select(e.id, e.data).where(e.id.between(zero + min(neurons), zero + max(neurons)))
    return {row.id - zero: row.data for row in s.execute(query)}


def _mark(data: bytes) -> bytes | None:
    """The mark of what a row was read from."""
    source = codec.decode_source(data)
    return None if source is None else source[1]


def _contradicts(library: Library, record: NeuronRecord, held: Held) -> bool:
    """Whether a file has one of a neuron's excerpts with other values."""
    cuts = range(0, len(record.digests), DIGEST_BYTES)
    values = examples.of_file(record, np.zeros(0, np.int32)).values
    known = (library.known(record.digests[at : at + DIGEST_BYTES]) for at in cuts)
    return any(held.disagrees(ordinal, row) for ordinal, row in zip(known, values, strict=True))


def _insert(
    s: Session, library: Library, part: int, records: Sequence[NeuronRecord], given: Mapping[int, Held]
) -> None:
    if not records:
        return
    slots = examples.open_slots(s, part, (record.kinds for record in records))
    zero = names.neuron_id(part, 0)
    digests = b"".join(record.digests for record in records)
    ordinals = library.ordinals(
        digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)
    )
    ends = np.cumsum([len(record.kinds) for record in records])
    per_record = np.split(ordinals, ends[:-1])
    known = imported_neurons.existing(s, part, records[0].neuron, records[-1].neuron)
    statistics = np.array([(*r.statistics, r.maximum, r.minimum, np.nan) for r in records])  # [N, 7]
    columns = [nullable(column) for column in statistics.T]
    rows = list(zip([record.neuron for record in records], *columns, strict=True))
    imported_neurons.add(s, part, (row for row in rows if row[0] not in known))
    for row in rows:
        if row[0] in known:
            values = dict(zip(imported_neurons.STATISTICS, row[1:], strict=True))
            s.execute(update(t.neurons).where(t.neurons.c.id == zero + row[0]).values(**values))
    if given:
        s.execute(delete(t.exemplars).where(t.exemplars.c.id.in_([zero + neuron for neuron in given])))
    packed = []
    for record, of in zip(records, per_record, strict=True):
        held = given.get(record.neuron)
        data = encode(record, slots, of) if held is None else _before(record, of, held).pack(slots)
        packed.append((zero + record.neuron, data))
    bulk.insert(s, t.exemplars, ("id", "data"), packed)
    bulk.insert(s, t.neuron_tokens, ("id", "data"), _tokens(library, zero, records, per_record))
    p, strongest = t.parts.c, max(record.maximum for record in records)
    held = s.execute(select(p.max_activation).where(p.id == part)).scalar()
    if held is None or strongest > held:
        s.execute(update(t.parts).where(p.id == part).values(max_activation=strongest))


def _before(record: NeuronRecord, ordinals: Int32, held: Held) -> Held:
    """A file's records with the examples behind them that were there first."""
    return examples.of_file(record, ordinals).given(held.ordinals, held.values)


def _tokens(
    library: Library, zero: int, records: Sequence[NeuronRecord], ordinals: Sequence[Int32]
) -> Iterable[tuple[int, bytes]]:
    """The top tokens of each neuron, from the records that an explainer is shown: neurons without five have none."""
    shown = list(BILLS_EXPLAIN_TOP)
    whole = [i for i, record in enumerate(records) if record.kinds.count(Kind.TOP) > shown[-1]]
    if not whole:
        return []
    values = np.stack([_block(records[i])[shown] for i in whole])  # [C, X, T]; top records come first
    of = np.stack([ordinals[i][shown] for i in whole])  # [C, X]
    ids, means, counts = top_tokens(values, of, library.tokens, library.vocabulary)
    return [
        (zero + records[i].neuron, packing.pack_tokens(ids[row], means[row], counts[row]))
        for row, i in enumerate(whole)
    ]


def _block(record: NeuronRecord) -> Float64:
    kind = TYPES[record.form]
    return np.frombuffer(record.block, kind).reshape(-1, record.width).astype(np.float64)


def write_relations(
    s: Session, into: Collection, layer: int, kind: RelationKind, relations: Sequence[Relation]
) -> Written:
    """Store tables of tokens or neurons that belong to neurons of one layer. What is there stays as it is."""
    writing(s)
    if not relations:
        return Written(0, 0, ())
    indices = sorted({relation.neuron for relation in relations})
    imported_neurons.ensure(s, into, {layer: indices})
    part = imported_neurons.part_of(s, into, layer)
    zero, c = names.neuron_id(part, 0), t.neuron_relations.c
    query = select(c.id, c.data).where(
        c.id.between(zero + indices[0], zero + indices[-1]), c.kind == int(kind)
    )
    there = {row.id - zero: row.data for row in s.execute(query)}
    fresh = {r.neuron: r.data for r in relations if r.neuron not in there}
    refused = tuple(
        Refusal(r.neuron, DISAGREES) for r in relations if r.neuron in there and there[r.neuron] != r.data
    )
    rows = [(zero + neuron, int(kind), data) for neuron, data in sorted(fresh.items())]
    bulk.insert(s, t.neuron_relations, ("id", "kind", "data"), rows)
    return Written(len(fresh), len(relations) - len(fresh) - len(refused), refused)
