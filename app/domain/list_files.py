"""Lists of neurons as files: CSV, JSON lines, JSON. Read leniently, line by line; written so that they read back the same."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from app.errors import BadInput

_INDEX_DIGITS = 8  # a layer has 16.7 million neurons at most


class Format(StrEnum):
    """How a list is written down."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"


class Entry(NamedTuple):
    """A neuron as a file names it."""

    line: int  # where the line begins in a text, from 1; in JSON the number of the entry
    model: str  # empty: not said
    layer: str  # slug or ordinal
    neuron: int
    note: str


class Skipped(NamedTuple):
    """What could not be used, and why."""

    line: int
    reason: str


class Line(NamedTuple):
    """One neuron of a list as it is written down."""

    model: str
    layer: str
    neuron: int
    note: str
    author: str
    added_at: str  # ISO 8601
    explanation: str  # the best by `measure`, else the newest; empty without any
    method: str
    score: float | None
    measure: str  # protocol.sample.metric; empty without a score


class Read(NamedTuple):
    """What a file holds."""

    entries: list[Entry]
    skipped: list[Skipped]


def read(text: str, format: Format) -> Read:
    """A file's neurons, in its order. Columns or keys: `layer`, `neuron` (or `index`), and if it likes `model` and `note`.

    BadInput where the file as a whole is of another kind; single lines that cannot be used are skipped with a reason.
    """
    rows = _ROWS[format](text.removeprefix("\ufeff"))
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for line, row in rows:
        try:
            entries.append(_entry(line, row))
        except ValueError as error:
            skipped.append(Skipped(line, str(error)))
    return Read(entries, skipped)


def write(lines: Iterable[Line], format: Format, about: Mapping[str, object]) -> str:
    """The lines as a file; `about` is what JSON says of the list as a whole."""
    if format is Format.JSON:
        items = [line._asdict() for line in lines]
        return json.dumps({**about, "items": items}, ensure_ascii=False, indent=1) + "\n"
    if format is Format.JSONL:
        return "".join(json.dumps(line._asdict(), ensure_ascii=False) + "\n" for line in lines)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Line._fields)
    writer.writerows(lines)
    return out.getvalue()


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    head = text.split("\n", 1)[0]
    delimiter = "\t" if "\t" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if "layer" not in names or not {"neuron", "index"} & set(names):
            raise BadInput(
                "the first line must name the columns: layer and neuron, and if you like model and note"
            )
        line = reader.line_num + 1
        for values in reader:
            if values:
                yield line, dict(zip(names, values, strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"line {line} is no CSV ({error}): nothing was read") from None


def _jsonl_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput("this is no JSON: nothing was read") from None
    items = found.get("items") if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise BadInput("a list in JSON is an array of neurons, or an object with one under “items”")
    yield from enumerate(items, 1)


_ROWS = {Format.CSV: _csv_rows, Format.JSONL: _jsonl_rows, Format.JSON: _json_rows}


def _entry(line: int, row: object) -> Entry:
    """Raises ValueError with the reason."""
    if not isinstance(row, dict):
        raise ValueError("this is no object with layer and neuron")
    neuron = _word(row, "neuron") or _word(row, "index")
    layer = _word(row, "layer")
    if not layer or not neuron:
        raise ValueError("layer or neuron is missing")
    if not (neuron.isascii() and neuron.isdigit() and len(neuron) <= _INDEX_DIGITS):
        raise ValueError(f"“{neuron[:40]}” is no neuron's index")
    note = row.get("note")
    return Entry(line, _word(row, "model"), layer, int(neuron), note if isinstance(note, str) else "")


def _word(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    try:
        return str(value).strip()
    except ValueError:  # a number of thousands of digits
        return ""
