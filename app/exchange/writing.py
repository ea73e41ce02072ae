"""Rows of a file into one model of the store, a batch at a time, within one transaction."""

from dataclasses import dataclass, field
from typing import NamedTuple

from app.domain.imported import ImportSource
from app.errors import AppError
from app.exchange import files
from app.exchange.columns import Given, Skipped, Source
from app.exchange.report import Report
from app.store import Session, examples, imported_neurons, imported_simulations
from app.store.imported import add_explanations
from app.store.library import Library


class Target(NamedTuple):
    """The model that a file goes into."""

    into: imported_neurons.Collection
    named: str  # what the file's rows call it
    layers: frozenset[int] | None  # of a collection of our own; None: all of the shape

    def misplaced(self, row: Given) -> str:
        """Why a row's neuron is none of the model's, or ""."""
        if row.model != self.named:
            return f"of another model: “{files.shown(row.model)}”, not “{files.shown(self.named)}”"
        layer, neuron, shape = row.explanation.layer, row.explanation.neuron, self.into.shape
        try:
            imported_neurons.demand_inside(shape, layer, (neuron,))
        except AppError as error:
            return str(error)
        if self.layers is not None and layer not in self.layers:
            return f"layer {layer} was not collected"
        return ""


@dataclass
class Writer:
    """Call `add` for every row, `flush` now and then, `finish` at the end."""

    s: Session
    target: Target
    place: str  # where the rows come from, as provenance
    report: Report
    waiting: int = 0
    _batch: dict[Source, list[Given]] = field(default_factory=dict)
    _library: Library | None = None  # read when a row first needs it: it holds every excerpt of the model

    def add(self, row: Given) -> None:
        """A row whose neuron the model has."""
        self.report.read += 1
        self.report.scores += len(row.explanation.scores)
        self._batch.setdefault(row.source, []).append(row)
        self.waiting += 1

    def flush(self) -> None:
        """Write what waits."""
        for source, rows in self._batch.items():
            made = ImportSource(
                source.method,
                source.explainer,
                source.author,
                source.prompt_version,
                self.place,
                source.code_version,
            )
            added = add_explanations(self.s, self.target.into.slug, made, [row.explanation for row in rows])
            self.report.added += added.new
            self.report.same += added.same
            for row, id_ in zip(rows, added.ids, strict=True):
                self._beside(row, id_)
        self._batch.clear()
        self.waiting = 0

    def finish(self) -> None:
        """Write what waits, and let every process know that the model has changed."""
        self.flush()
        if self._library is not None:
            self._library.save(self.s)
        elif self.target.into.imported and self.report.added:
            imported_neurons.changed(self.s, self.target.into)

    def _beside(self, row: Given, explanation_id: int) -> None:
        """What came with a statement."""
        if row.examples is None:
            return
        into, place = self.target.into, row.explanation
        if not into.imported:
            why = f"“{into.slug}” was collected here, and has activations of its own"
            self._leave_out(row, f"its texts with activations were left out: {why}")
            return
        library = self._begun()
        outcome = examples.add(self.s, into, library, place.layer, place.neuron, row.examples)
        self.report.records += outcome.new
        if outcome.refused:
            self._leave_out(row, f"its sequences were left out: they {outcome.refused}")
        elif row.examples.simulation is not None:
            simulation = row.examples.simulation
            kept = imported_simulations.add(self.s, into, library, {explanation_id: simulation}, "")
            self.report.simulations += kept.new
            if not imported_simulations.says(self.s, kept.ids[explanation_id], library, simulation):
                why = "others are stored of this statement, and are kept"
                self._leave_out(row, f"its simulated values were left out: {why}")

    def _begun(self) -> Library:
        if self._library is None:
            self._library = Library(self.target.into)
            self._library.begin(self.s)
        return self._library

    def _leave_out(self, row: Given, reason: str) -> None:
        self.report.note(Skipped(row.line, reason))
