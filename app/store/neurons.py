"""One neuron's evidence: records, statistics, top tokens. Lists of neurons are in `listing`, and reached from here too."""

import random
from math import nan

import numpy as np
from sqlalchemy import func, select

from app.domain.neurons import Histogram, NeuronRef, Records, Statistics
from app.errors import BadInput, NotFound
from app.store import codec, names, packing, sql
from app.store import tables as t
from app.store.listing import page
from app.store.rows import QUANTILES, LayerDistribution, NeuronSort, StoredExcerpts, StoredTokens
from app.store.session import Session

__all__ = [
    "beside",
    "distribution",
    "exists",
    "histogram",
    "no_records",
    "page",
    "particulars",
    "position0",
    "random_ref",
    "records",
    "statistics",
    "top_tokens",
    "unpacked",
]

# The hot path of every neuron page: one statement, past SQLAlchemy's own compilation.
_RECORDS = (
    "SELECT e.data, p.kinds, p.splits FROM layers l JOIN parts p ON p.layer_id = l.id "  # noqa: S608
    "JOIN collections c ON c.id = p.collection_id AND c.model_id = l.model_id "
    f"JOIN exemplars e ON e.id = p.id * {1 << t.INDEX_BITS} + ? WHERE c.id = ? AND l.slug = ? AND p.neurons > ?"
)
_RECORDS_POSTGRES = _RECORDS.replace("?", "%s")


def records(s: Session, excerpts: StoredExcerpts, ref: NeuronRef) -> Records:
    """All records kept of a neuron, in the order of their slots; empty slots left out.

    They are those of the collection that `excerpts` belong to, even if a newer one has ended since: the two always fit.
    """
    query = _RECORDS if s.dialect.name == "sqlite" else _RECORDS_POSTGRES
    row = None
    if ref.model == excerpts.model and 0 <= ref.index < 1 << t.INDEX_BITS:
        row = s.exec_driver_sql(query, (ref.index, excerpts.collection_id, ref.layer, ref.index)).first()
    if row is None:
        part = names.part_of(s, ref)  # raises the NotFound that fits
        mine = ref.model == excerpts.model and part.collection_id == excerpts.collection_id
        if mine and exists(s, part, ref.index):
            return no_records(excerpts)
        if mine:
            raise names.absent(ref)
        raise NotFound(f"{ref} has no records in collection {excerpts.collection_id} of “{excerpts.model}”")
    return unpacked(excerpts, ref, *row)


def unpacked(excerpts: StoredExcerpts, ref: NeuronRef, data: bytes, kinds: bytes, splits: bytes) -> Records:
    """The records of a packed row. NotFound where an import has brought excerpts since these were read."""
    found = codec.decode_records(data)
    if int(found.excerpts.max(initial=-1)) >= len(excerpts.tokens):
        raise NotFound(f"the records of {ref} are being imported: ask again")
    return Records(
        excerpts=found.excerpts,
        documents=excerpts.documents[found.excerpts],
        kinds=np.frombuffer(kinds, np.uint8)[found.slots],
        splits=np.frombuffer(splits, np.uint8)[found.slots],
        tokens=excerpts.tokens[found.excerpts],
        activations=found.activations,
        gates=found.gates,
    )


def no_records(excerpts: StoredExcerpts) -> Records:
    """What is kept of a neuron of which only explanations were imported."""
    none, width = np.zeros(0, np.int32), excerpts.tokens.shape[1]
    few = np.zeros(0, np.uint8)
    return Records(
        none, none, few, few, np.zeros((0, width), np.int32), np.zeros((0, width), np.float32), None
    )


def exists(s: Session, part: names.Part, index: int) -> bool:
    """Whether the store has this neuron of a layer."""
    query = select(t.neurons.c.id).where(t.neurons.c.id == names.neuron_id(part.id, index))
    return s.execute(query).first() is not None


def beside(s: Session, part_id: int, index: int) -> tuple[int | None, int | None]:
    """The indices of the neurons before and after one in its layer, of those that the store has."""
    id_, at = t.neurons.c.id, names.neuron_id(part_id, index)
    first = names.neuron_id(part_id, 0)
    before = select(func.max(id_)).where(id_.between(first, at - 1))
    after = select(func.min(id_)).where(id_.between(at + 1, names.neuron_id(part_id + 1, 0) - 1))
    found = [s.execute(query).scalar() for query in (before, after)]
    return (
        None if found[0] is None else found[0] - first,
        None if found[1] is None else found[1] - first,
    )


def statistics(s: Session, ref: NeuronRef) -> Statistics:
    """What is known of a neuron over its corpus."""
    part = names.part_of(s, ref)
    id_ = names.neuron_id(part.id, ref.index)
    query = (
        select(t.neurons, t.exemplars.c.data)
        .outerjoin(t.exemplars, t.exemplars.c.id == t.neurons.c.id)
        .where(t.neurons.c.id == id_)
    )
    row = s.execute(query).first()
    if row is None:
        raise names.absent(ref)
    packed = particulars(row.data)
    return Statistics(
        mean=number(row.mean),
        variance=number(row.variance),
        skewness=number(row.skewness),
        kurtosis=number(row.kurtosis),
        maximum=number(row.maximum),
        minimum=number(row.minimum),
        density=number(row.density),
        explain_maximum=packed.explain_maximum,
        explain_minimum=packed.explain_minimum,
        token_q99=packed.token_q99,
        token_q01=packed.token_q01,
        excerpt_max_q99=packed.excerpt_max_q99,
        n_tokens=part.row["n_tokens"],
        n_sampled=part.row["n_sampled"],
        sign_shares=packed.sign_shares,
        position0=packed.position0,
        band_excerpts=packed.band_excerpts,
    )


def histogram(s: Session, ref: NeuronRef) -> Histogram:
    """Counts of a neuron's activations over the sampled tokens."""
    return _particulars(s, ref).histogram


def position0(s: Session, ref: NeuronRef) -> bool:
    """Whether the first token of an excerpt was found an outlier and left out."""
    return _particulars(s, ref).position0


def top_tokens(s: Session, ref: NeuronRef) -> StoredTokens:
    """The tokens with the highest mean activation; none where the collection brought no token lookup."""
    id_ = names.neuron_id(names.part_of(s, ref).id, ref.index)
    data = s.execute(select(t.neuron_tokens.c.data).where(t.neuron_tokens.c.id == id_)).scalar()
    return StoredTokens(*packing.unpack_tokens(data or b""))


def random_ref(s: Session, slug: str, layer: str | None = None) -> NeuronRef:
    """Any neuron of a model, or of one of its layers, each as likely."""
    if layer is not None:
        names.part(s, slug, layer)  # raises the NotFound that fits
    rows = [part for part in names.parts_of(s, slug) if layer in (None, part.slug)]
    at = random.randrange(sum(part.present for part in rows))
    for part in rows:
        if at < part.present:
            return NeuronRef(slug, part.slug, at if part.present == part.neurons else _nth(s, part.id, at))
        at -= part.present
    raise AssertionError("a number below the sum lies in one of its parts")


def _nth(s: Session, part_id: int, n: int) -> int:
    """The index of the n-th neuron of a layer that has not all of them."""
    first, last = names.neuron_id(part_id, 0), names.neuron_id(part_id + 1, 0) - 1
    query = select(t.neurons.c.id).where(t.neurons.c.id.between(first, last)).order_by(t.neurons.c.id)
    return int(s.execute(query.offset(n).limit(1)).scalar_one()) - first


def distribution(s: Session, slug: str, statistic: NeuronSort) -> list[LayerDistribution]:
    """How one statistic is spread over the neurons of every layer; for scores see `scores.by_layer`."""
    if statistic in (NeuronSort.INDEX, NeuronSort.SCORE):
        raise BadInput(f"“{statistic}” is no statistic of activations")
    column = t.neurons.c[statistic.value].name
    of_layer = f"SELECT {column} FROM neurons WHERE id BETWEEN ? AND ? AND {column} IS NOT NULL"  # noqa: S608
    found = []
    for part, layer_slug, ordinal, n, present in names.parts_of(s, slug):
        first = names.neuron_id(part, 0)
        values = np.array(sql.rows(s, of_layer, (first, first + n - 1)), np.float64).ravel()
        quantiles = tuple(np.quantile(values, QUANTILES).tolist()) if len(values) else ()
        mean = float(values.mean()) if len(values) else None
        found.append(LayerDistribution(layer_slug, ordinal, present, mean, quantiles))
    return found


def number(value: float | None) -> float:
    """NaN for what is not defined, as numpy has it."""
    return nan if value is None else value


def _particulars(s: Session, ref: NeuronRef) -> codec.Particulars:
    id_ = names.neuron_id(names.part_of(s, ref).id, ref.index)
    return particulars(s.execute(select(t.exemplars.c.data).where(t.exemplars.c.id == id_)).scalar())


def particulars(data: bytes | None) -> codec.Particulars:
    """What a packed row holds besides records; of a neuron without one, nothing is known."""
    if data is not None:
        return codec.decode_particulars(data)
    nothing = Histogram(0.0, 0.0, np.zeros(0, np.uint32))
    return codec.Particulars(nan, nan, nan, nan, nan, nothing, None, False, (0, 0, 0, 0))
