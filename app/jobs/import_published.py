"""Importing the published data: processes read and parse, this one writes, chunk by chunk.

A chunk is one transaction together with the mark that it is done: an import that was killed goes on behind the last one,
and one that is repeated finds everything there.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from app.domain.imported import ImportSource, place_json
from app.domain.published import NeuronRecord, Relation, RelationKind, Results
from app.errors import BadInput
from app.published import layout, records, relations, simulations
from app.published.chunks import Chunk, Order, Parser, Skipped, chunked
from app.published.layout import Files, What
from app.published.pool import read_all
from app.published.source import STALL_S, open_source
from app.store import Session, Store, imported_neurons, published, published_explanations
from app.store.imported_neurons import Collection, Shape
from app.store.library import Library

CHUNK = 128  # neurons
BATCH_S = 1.0  # a transaction holds the chunks of about so long: one each would wait for the disk more often
# As the paper says of GPT-2 XL and GPT-2 small.
# The address is the collection's: the same statement from a copy of the data is the same.
DATA_SET = "neuron-explainer"
EXPLAINER, SIMULATOR, AUTHOR = "gpt-4", "text-davinci-003", "Bills et al. 2023"


@dataclass(frozen=True)
class ImportRequest:
    """What to import, and from where."""

    source: str
    model: str = "gpt2-xl"
    what: tuple[What, ...] = tuple(What)
    layers: tuple[int, ...] = ()  # empty: all
    neurons: tuple[int, ...] = ()  # empty: all
    shape: Shape | None = None
    explainer: str = EXPLAINER
    simulator: str = SIMULATOR
    author: str = AUTHOR
    stall_s: float = STALL_S


class Stage(NamedTuple):
    """One kind of file."""

    mark: int  # what `import_chunks` calls it; must never change its meaning
    label: str
    files: Files
    parse: Parser[Any]


@dataclass
class Report:
    """What an import did."""

    read: int = 0
    new: Counter[str] = field(default_factory=Counter)  # by label
    same: int = 0
    missing: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    failed: int = 0  # of the skipped: may come another time
    baselines: int = 0
    passed: int = 0  # neurons of chunks that an earlier import has read whole
    seconds: float = 0.0


class Progress(NamedTuple):
    """How far an import is."""

    label: str
    done: int  # files
    total: int


def stages(what: Sequence[What]) -> list[Stage]:
    """The kinds of file to read for this, activations first: the others are about their excerpts."""
    found: list[Stage] = []
    if What.ACTIVATIONS in what:
        found.append(Stage(0, "activations", layout.ACTIVATIONS, records.parse))
    if What.EXPLANATIONS in what or What.SIMULATIONS in what:
        mark = 2 if What.SIMULATIONS in what else 1
        found.append(Stage(mark, "explanations", layout.EXPLANATIONS, simulations.parse))
    if What.TOKENS in what:
        found.append(
            Stage(3, "tokens by activation", layout.ACTIVATION_TOKENS, relations.parse_activation_tokens)
        )
        found.append(Stage(4, "tokens by weight", layout.WEIGHT_TOKENS, relations.parse_weight_tokens))
    if What.RELATED in what:
        found.append(Stage(5, "related neurons", layout.WEIGHT_NEURONS, relations.parse_weight_neurons))
    return found


def run(
    store: Store,
    request: ImportRequest,
    on_progress: Callable[[Progress], None],
    processes: int | None = None,
) -> Report:
    """Import, to the end or to the error. Raises SourceError, BadInput, NotFound, Conflict; what was written stays."""
    began = time.monotonic()
    source = open_source(request.source, request.stall_s)
    slug = request.model.lower().rpartition("/")[2]
    with store.session() as s:
        shape = request.shape or _known_shape(s, slug)
    if shape is None:
        raise BadInput(
            f"the shape of “{request.model}” is not known: say it with --shape LAYERSxNEURONS, such as 12x3072"
        )
    imported_neurons.demand_sound(shape)
    layers = request.layers or tuple(range(shape.layers))
    neurons = request.neurons or tuple(range(shape.neurons_per_layer))
    for layer in layers:
        imported_neurons.demand_inside(shape, layer, (neurons[0], neurons[-1]))
    prefix = layout.find_prefix(source, slug, layers, neurons)
    with store.session() as s:
        into = imported_neurons.ensure_model(s, request.model, shape)
        if not into.imported and (What.ACTIVATIONS in request.what or What.SIMULATIONS in request.what):
            raise BadInput(
                f"“{slug}” was collected here, and has activations of its own: import explanations alone into it with "
                "--what explanations, or everything into a store of its own"
            )
        source_id = published.source_id(s, into, source.name)
    work = _Import(store, request, into, source_id, source.name, prefix, Report())
    runs = chunked(neurons, CHUNK)
    plan = stages(request.what)
    total = len(plan) * len(layers) * len(neurons)
    finished = 0
    for stage in plan:
        orders: list[tuple[int, Order]] = []
        for layer in layers:
            listed = source.indices(f"{prefix}{stage.files.folder}/{layer}", stage.files.ending)
            with store.session() as s:
                there = published.done(s, source_id, stage.mark, layer)
            for first, run_ in runs:
                if first in there:
                    work.report.passed += len(run_)
                    finished += len(run_)
                    continue
                wanted = run_ if listed is None else _present(run_, set(listed))
                work.report.missing += len(run_) - len(wanted)
                finished += len(run_) - len(wanted)
                if wanted:
                    orders.append((first, Order(prefix, stage.files, layer, wanted)))
        on_progress(Progress(stage.label, finished, total))
        told = partial(_tell, on_progress, stage.label, total)
        finished = work.stage(stage, orders, told, finished, processes)
    work.report.seconds = time.monotonic() - began
    return work.report


def _tell(on_progress: Callable[[Progress], None], label: str, total: int, done: int) -> None:
    on_progress(Progress(label, done, total))


def _known_shape(s: Session, slug: str) -> Shape | None:
    return imported_neurons.shape_of(s, slug) or imported_neurons.SHAPES.get(slug)


def _present(wanted: tuple[int, ...], there: set[int]) -> tuple[int, ...]:
    return tuple(n for n in wanted if n in there)


@dataclass
class _Import:
    """One import under way."""

    store: Store
    request: ImportRequest
    into: Collection
    source_id: int
    address: str
    prefix: str
    report: Report

    def __post_init__(self) -> None:
        self.library = Library(self.into)
        self.explained_by = ImportSource(
            "original",
            self.request.explainer,
            self.request.author,
            "",
            place_json(DATA_SET, "", "openai"),
        )

    def stage(
        self,
        stage: Stage,
        orders: Sequence[tuple[int, Order]],
        on_done: Callable[[int], None],
        finished: int,
        processes: int | None,
    ) -> int:
        """Read and write the orders of one kind of file; how many files are done in all afterwards."""
        if not orders:
            return finished
        chunks = read_all(
            self.request.source, self.request.stall_s, (o for _, o in orders), stage.parse, processes
        )
        firsts = (first for first, _ in orders)
        with closing(chunks):
            for batch in _batches(zip(firsts, chunks, strict=False)):
                self._write(stage, batch)
                finished += sum(len(chunk.order.neurons) for _, chunk in batch)
                on_done(finished)
        return finished

    def _write(self, stage: Stage, batch: Sequence[tuple[int, Chunk[Any]]]) -> None:
        """One transaction. The report counts only what was committed."""
        counted: list[Callable[[], None]] = []
        try:
            with self.store.session() as s:
                self.library.begin(s)
                for first, chunk in batch:
                    self.library.tell(chunk.fresh)
                    counted.append(self._write_chunk(s, stage, first, chunk))
                self.library.save(s)
        except BaseException:
            self.library.forget()
            raise
        for count in counted:
            count()

    def _write_chunk(self, s: Session, stage: Stage, first: int, chunk: Chunk[Any]) -> Callable[[], None]:
        order, skipped = chunk.order, list(chunk.skipped)
        new, same, refused = self._store(s, stage, order.layer, chunk.parsed)
        skipped += [Skipped(order.files.path(order.prefix, order.layer, r.neuron), r.reason) for r in refused]
        whole = set(range(first, min(first + CHUNK, self.into.shape.neurons_per_layer)))
        if not skipped and not chunk.missing and set(order.neurons) >= whole:
            published.mark_done(s, self.source_id, stage.mark, order.layer, first)
        baselines = sum(r.baselines for r in chunk.parsed if isinstance(r, Results))

        def count() -> None:
            report = self.report
            report.read += len(order.neurons) - chunk.missing - chunk.failed
            report.new.update(new)
            report.same += same
            report.missing += chunk.missing
            report.skipped += skipped
            report.failed += chunk.failed
            report.baselines += baselines

        return count

    def _store(
        self, s: Session, stage: Stage, layer: int, parsed: Sequence[Any]
    ) -> tuple[dict[str, int], int, Sequence[published.Refusal]]:
        if stage.files is layout.EXPLANATIONS:
            results: Sequence[Results] = parsed
            simulator = self.request.simulator if What.SIMULATIONS in self.request.what else ""
            tally = published_explanations.write(
                s, self.into, self.library, layer, self.explained_by, results, simulator
            )
            return {"explanations": tally.new, "simulations": tally.simulations}, tally.same, ()
        if stage.files is layout.ACTIVATIONS:
            given: Sequence[NeuronRecord] = parsed
            written = published.write_records(s, self.into, self.library, layer, given)
        else:
            kind = {
                layout.ACTIVATION_TOKENS: RelationKind.ACTIVATION_TOKENS,
                layout.WEIGHT_TOKENS: RelationKind.WEIGHT_TOKENS,
                layout.WEIGHT_NEURONS: RelationKind.WEIGHT_NEURONS,
            }[stage.files]
            tables: Sequence[Relation] = parsed
            written = published.write_relations(s, self.into, layer, kind, tables)
        return {stage.label: written.new}, written.same, written.refused


def _batches(chunks: Iterator[tuple[int, Chunk[Any]]]) -> Iterator[list[tuple[int, Chunk[Any]]]]:
    """Chunks as they come, put together for about `BATCH_S`, and never more than a few."""
    batch: list[tuple[int, Chunk[Any]]] = []
    began = time.monotonic()
    for chunk in chunks:
        batch.append(chunk)
        if time.monotonic() - began >= BATCH_S or len(batch) >= 16:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch
