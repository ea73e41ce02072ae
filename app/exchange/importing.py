"""A file of other people's explanations into the store: all of it or, where anything is wrong with the file, nothing."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from app.domain.imported import place_json
from app.errors import BadInput
from app.exchange import columns, files, forms
from app.exchange.columns import Given, Skipped, Wishes
from app.exchange.files import Container, Row
from app.exchange.forms import Form
from app.exchange.report import Report, Tell
from app.exchange.writing import Target, Writer
from app.store import Session, Store, imported_neurons, names

BATCH = 10_000
MOST = 1_000_000  # explanations of one file: it is one transaction
_NAME = re.compile(r"(?:[A-Za-z0-9._-]+/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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


Progress = Callable[[int], None]


def run(
    store: Store, asked: Asked, tell: Tell = lambda _: None, progress: Progress = lambda _: None
) -> Report:
    """Import a file. `tell` hears of every row that is skipped, `progress` how many explanations were read.

    One transaction: on any AppError the store is as it was. BadInput for a file that cannot be read, holds no row that can be
    used, or more than `MOST`.
    """
    opening = _open(asked)
    report = Report(form=opening.form, tell=tell)
    with store.session() as s:
        _write(s, asked, opening, report, progress)
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
    if form is Form.LEE:
        return _Opening(forms.lee(found, wishes), form, place)
    if form is Form.NEURONPEDIA:
        return _Opening(forms.neuronpedia(found, wishes), form, place)
    return _Opening(columns.read(found, wishes, fixed=form in (Form.CSV, Form.PARQUET)), form, place)


def _recognise(opened: files.Opened) -> tuple[Form, Iterator[Row]]:
    if opened.container is Container.JSON:
        if forms.is_puzzle(opened.value):
            name = opened.path.name
            raise BadInput(
                f"{name} holds neuron puzzles, which explain no neuron of a model: `neuronarium import puzzles {name}` brings"
                " them in as a set of their own"
            )
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


def _given(rows: Iterator[Given | Skipped], report: Report) -> Iterator[Given]:
    """The rows that can be used so far; the others are told of."""
    for row in rows:
        if isinstance(row, Skipped):
            report.skip(row)
            continue
        for note in row.notes:
            report.note(Skipped(row.line, note))
        yield row


def _write(s: Session, asked: Asked, opening: _Opening, report: Report, progress: Progress) -> None:
    writer: Writer | None = None
    for row in _given(opening.rows, report):
        if writer is None:
            writer = Writer(s, _target(s, asked, opening, row), opening.place, report)
            report.model = writer.target.into.slug
        wrong = writer.target.misplaced(row)
        if wrong:
            report.skip(Skipped(row.line, wrong))
            continue
        writer.add(row)
        if report.read > MOST:
            raise BadInput(f"{asked.path.name} holds more than {MOST:,} explanations: split it")
        if writer.waiting == BATCH:
            writer.flush()
            progress(report.read)
    if writer is not None:
        writer.finish()
        progress(report.read)


def _target(s: Session, asked: Asked, opening: _Opening, row: Given) -> Target:
    name = asked.model or row.model or opening.model
    if not name:
        raise BadInput(f"{asked.path.name} does not say of which model it is: say it with --model")
    if not _NAME.fullmatch(name):  # it becomes part of addresses
        raise BadInput(
            f"“{files.shown(name)}” cannot be a model's name: letters, digits, dots and dashes can"
        )
    into = imported_neurons.ensure_model(s, name, asked.shape)
    layers = None
    if not into.imported:
        there = names.parts_of(s, into.slug)
        layers = frozenset(part.ordinal for part in there if part.slug == f"{part.ordinal}-mlp")
    return Target(into, row.model, layers)
