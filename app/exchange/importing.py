"""A file of other people's explanations into the store: all of it or, where anything is wrong with the file, nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from app.domain.imported import ImportedExplanation, ImportSource, place_json
from app.errors import AppError, BadInput
from app.exchange import columns, files, forms
from app.exchange.columns import Given, Skipped, Source, Wishes
from app.exchange.files import Container, Row
from app.exchange.forms import Form
from app.store import Session, Store, imported_neurons, names
from app.store.imported import add_explanations

BATCH = 10_000
MOST = 1_000_000  # explanations of one file: it is one transaction
SHOWN = 20
_NAME = re.compile(r"(?:[A-Za-z0-9._-]+/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass
class Report:
    """What became of a file."""

    model: str = ""
    form: str = ""
    read: int = 0  # explanations
    added: int = 0
    same: int = 0  # there already
    scores: int = 0
    skipped: int = 0
    noted: int = 0  # parts of rows that were left out
    first: list[Skipped] = field(default_factory=list)  # SHOWN of them


class Asked(NamedTuple):
    """A file and what is said of it."""

    path: Path
    model: str = ""
    form: Form = Form.AUTO
    shape: imported_neurons.Shape | None = None
    wishes: Wishes = Wishes()


class _Opening(NamedTuple):
    """A file that was looked into, before its rows are read."""

    rows: Iterator[Given | Skipped]
    form: Form
    place: str  # where they come from, as provenance
    model: str = ""  # that such a file is of where nobody says otherwise
    shape: imported_neurons.Shape | None = None


Tell = Callable[[Skipped], None]
Progress = Callable[[int], None]


def run(
    store: Store, asked: Asked, tell: Tell = lambda _: None, progress: Progress = lambda _: None
) -> Report:
    """Import a file. `tell` hears of every row that is skipped, `progress` how many explanations were read.

    One transaction: on any AppError the store is as it was. BadInput for a file that cannot be read, holds no row that can be
    used, or more than `MOST`.
    """
    report = Report()
    opening = _open(asked)
    report.form = opening.form
    with store.session() as s:
        _write(s, asked, opening, report, tell, progress)
        if not report.added and not report.same:
            why = f": {report.first[0].reason} (row {report.first[0].line})" if report.first else ""
            raise BadInput(f"{asked.path.name} holds no explanation that can be used{why}")
    return report


def _open(asked: Asked) -> _Opening:
    path, wishes = asked.path, asked.wishes
    if asked.form is Form.OPENAI:
        raise BadInput("the published data set is read by `neuronarium import openai`")
    if path.is_dir():
        _demand(asked, Form.DELPHI)
        place = place_json(path.resolve().name, "", Form.DELPHI)
        return _Opening(forms.delphi(path, wishes), Form.DELPHI, place)
    opened = files.look(path)
    form, found = _recognise(opened)
    _demand(asked, form)
    place = place_json(path.name, opened.sha256, form, wishes.columns)
    if form is Form.PUZZLE:
        shape = imported_neurons.Shape(1, len(opened.value))
        return _Opening(forms.puzzles(opened.value, wishes), form, place, path.name.partition(".")[0], shape)
    if form is Form.LEE:
        return _Opening(forms.lee(found, wishes), form, place)
    if form is Form.NEURONPEDIA:
        return _Opening(forms.neuronpedia(found, wishes), form, place)
    return _Opening(columns.read(found, wishes, fixed=form in (Form.CSV, Form.PARQUET)), form, place)


def _recognise(opened: files.Opened) -> tuple[Form, Iterator[Row]]:
    if opened.container is Container.JSON:
        if forms.is_puzzle(opened.value):
            return Form.PUZZLE, iter([])
        many = opened.value if isinstance(opened.value, list) else [opened.value]
        if not many or not all(isinstance(each, dict) for each in many):
            raise BadInput(f"{opened.path.name} is JSON, but no list of objects with named values")
        rows = iter([Row(number, each) for number, each in enumerate(many, 1)])
    else:
        rows = files.rows(opened)
    first = next(rows, None)
    if first is None:
        raise BadInput(f"{opened.path.name} holds no rows")
    form = Form.JSONL if opened.container is Container.JSON else Form(opened.container)
    if forms.is_lee(list(first.values)):
        form = Form.LEE
    elif forms.is_neuronpedia(first.values):
        form = Form.NEURONPEDIA
    return form, _again(first, rows)


def _again(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _demand(asked: Asked, found: Form) -> None:
    """BadInput where another form was asked for than the file has."""
    if asked.form not in (Form.AUTO, found):
        raise BadInput(f"{asked.path.name} is not of the form {asked.form}: it looks like {found}")


def _given(rows: Iterator[Given | Skipped], report: Report, tell: Tell) -> Iterator[Given]:
    """The rows that can be used so far; the others are told of."""
    for row in rows:
        if isinstance(row, Skipped):
            _skip(row, report, tell)
            continue
        for note in row.notes:
            report.noted += 1
            tell(Skipped(row.line, note))
        yield row


def _skip(row: Skipped, report: Report, tell: Tell) -> None:
    report.skipped += 1
    if len(report.first) < SHOWN:
        report.first.append(row)
    tell(row)


class _Target(NamedTuple):
    """The model that a file goes into."""

    into: imported_neurons.Collection
    named: str  # what the file's rows call it
    layers: frozenset[int] | None  # of a collection of our own; None: all of the shape


def _write(
    s: Session,
    asked: Asked,
    opening: _Opening,
    report: Report,
    tell: Tell,
    progress: Progress,
) -> None:
    target: _Target | None = None
    batch: dict[Source, list[ImportedExplanation]] = {}
    waiting = 0
    for row in _given(opening.rows, report, tell):
        if target is None:
            target = _target(s, asked, opening, row)
            report.model = target.into.slug
        wrong = _misplaced(target, row)
        if wrong:
            _skip(Skipped(row.line, wrong), report, tell)
            continue
        report.read += 1
        report.scores += len(row.explanation.scores)
        if report.read > MOST:
            raise BadInput(f"{asked.path.name} holds more than {MOST:,} explanations: split it")
        batch.setdefault(row.source, []).append(row.explanation)
        waiting += 1
        if waiting == BATCH:
            _flush(s, target, batch, opening.place, report)
            waiting = 0
            progress(report.read)
    if target is not None:
        _flush(s, target, batch, opening.place, report)
        progress(report.read)
        if report.added and target.into.imported:
            imported_neurons.changed(s, target.into)


def _target(s: Session, asked: Asked, opening: _Opening, row: Given) -> _Target:
    name = asked.model or row.model or opening.model
    if not name:
        raise BadInput(f"{asked.path.name} does not say of which model it is: say it with --model")
    if not _NAME.fullmatch(name):  # it becomes part of addresses
        raise BadInput(
            f"“{files.shown(name)}” cannot be a model's name: letters, digits, dots and dashes can"
        )
    into = imported_neurons.ensure_model(s, name, asked.shape or opening.shape)
    layers = None
    if not into.imported:
        there = names.parts_of(s, into.slug)
        layers = frozenset(part.ordinal for part in there if part.slug == f"{part.ordinal}-mlp")
    return _Target(into, row.model, layers)


def _misplaced(target: _Target, row: Given) -> str:
    """Why a row's neuron is none of the model's, or ""."""
    if row.model != target.named:
        return f"of another model: “{files.shown(row.model)}”, not “{files.shown(target.named)}”"
    layer, neuron, shape = row.explanation.layer, row.explanation.neuron, target.into.shape
    try:
        imported_neurons.demand_inside(shape, layer, (neuron,))
    except AppError as error:
        return str(error)
    if target.layers is not None and layer not in target.layers:
        return f"layer {layer} was not collected"
    return ""


def _flush(
    s: Session, target: _Target, batch: dict[Source, list[ImportedExplanation]], place: str, report: Report
) -> None:
    for source, rows in batch.items():
        made = ImportSource(
            source.method, source.explainer, source.author, source.prompt_version, place, source.code_version
        )
        added = add_explanations(s, target.into.slug, made, rows)
        report.added += added.new
        report.same += added.same
    batch.clear()
