"""Files of rows, whatever their form: opened, recognised by what they hold, and read row by row."""

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson

from app.domain.vocabulary import visible
from app.errors import BadInput

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
HEAD = 1 << 16
MOST_JSON = 512 << 20  # bytes of JSON that has to be read whole
MOST_LINE = 64 << 20  # bytes of a line of JSONL
MOST_CELL = 64 << 20  # characters of a CSV cell: beyond it a quote was never closed
PARQUET_ROWS = 4096
LACKS_PYARROW = "Parquet needs pyarrow: pip install -c constraints.txt -e '.[exchange]' in the clone"


class Container(StrEnum):
    """How rows are written down."""

    JSONL = "jsonl"
    JSON = "json"  # one value over the whole file
    CSV = "csv"
    PARQUET = "parquet"


class Row(NamedTuple):
    """A row with the line it ends on, counted from 1; for Parquet and JSON its number."""

    line: int
    values: dict[str, Any]


class Opened(NamedTuple):
    """A file that was looked into."""

    path: Path
    container: Container
    zipped: bool
    sha256: str
    bytes: int
    value: Any = None  # of JSON, which is read whole
    delimiter: str = ","


def look(path: Path) -> Opened:
    """Recognise a file by what it holds, not by its name. BadInput for what cannot hold rows."""
    digest, size = _hashed(path)
    if not size:
        raise BadInput(f"{path.name} is empty")
    with path.open("rb") as raw:
        zipped = raw.read(2) == GZIP
    with _bytes(path, zipped) as file:
        head = file.read(HEAD)
    if head.startswith(PARQUET):
        return Opened(path, Container.PARQUET, zipped, digest, size)
    if head.startswith(UTF_16):
        raise BadInput(f"{path.name} is UTF-16: save it as UTF-8")
    text = head.removeprefix(BOM).lstrip()
    if not text:
        raise BadInput(f"{path.name} holds nothing but blanks")
    if text.startswith(b"<"):
        raise BadInput(f"{path.name} is a web page or XML, no data: download it again")
    if b"\0" in text[:512] and not text.startswith((b"{", b"[")):
        raise BadInput(f"{path.name} is neither JSON, CSV nor Parquet")
    if text.startswith((b"{", b"[")):
        return _json(path, zipped, digest, size)
    first = text.split(b"\n", 1)[0]
    delimiter = max(",", "\t", ";", key=lambda sign: first.count(sign.encode()))
    return Opened(path, Container.CSV, zipped, digest, size, delimiter=delimiter)


def _json(path: Path, zipped: bool, digest: str, size: int) -> Opened:
    with _bytes(path, zipped) as file:
        lines = _lines(path, file)
        line = next(each for each in lines if each.strip())
        try:
            value = parse(line.removeprefix(BOM))
            whole = not any(rest.strip() for rest in lines)  # it is all on one line
        except ValueError:
            value, whole = None, True  # a value over several lines, or none
    if not whole and isinstance(value, dict):
        return Opened(path, Container.JSONL, zipped, digest, size)
    if value is None:
        with _bytes(path, zipped) as file:
            data = file.read(MOST_JSON + 1)
        if len(data) > MOST_JSON:
            raise BadInput(f"{path.name} is more JSON than can be read at once: write a value a line (JSONL)")
        try:
            value = parse(data.removeprefix(BOM))
        except ValueError as error:
            raise BadInput(f"{path.name} is not JSON, or cut off: {_said(error)}") from None
    return Opened(path, Container.JSON, zipped, digest, size, value)


def rows(opened: Opened) -> Iterator[Row]:
    """The rows of JSONL, CSV or Parquet. BadInput, naming the line, where the file itself is broken."""
    if opened.container is Container.PARQUET:
        return _parquet(opened)
    return _csv(opened) if opened.container is Container.CSV else _jsonl(opened)


def parse(data: bytes) -> Any:
    """JSON, with the NaN and Infinity that Python writes. ValueError for anything else."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json.loads(data.decode())
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def _lines(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MOST_LINE):
        if len(line) == MOST_LINE:
            raise BadInput(f"{path.name} has a line of more than {MOST_LINE >> 20} MB: write a value a line")
        yield line


def shown(value: Any, most: int = 40) -> str:
    """Something out of a file as a message can say it: on one line, not long, with no control characters."""
    text = str(value)
    text = " ".join(text[: most + 1].split()) if len(text) <= most else text[: most - 1] + "…"
    return visible(text.encode("utf-8", "replace")).replace("\n", "␊").replace("\t", " ")


def _jsonl(opened: Opened) -> Iterator[Row]:
    with _bytes(opened.path, opened.zipped) as file:
        for number, line in enumerate(_lines(opened.path, file), 1):
            if not line.strip():
                continue
            try:
                value = parse(line.removeprefix(BOM) if number == 1 else line)
            except ValueError as error:
                raise BadInput(
                    f"{opened.path.name}, line {number}, is not JSON, or cut off: {_said(error)}"
                ) from None
            if not isinstance(value, dict):
                raise BadInput(f"{opened.path.name}, line {number}, is no object with named values")
            yield Row(number, value)


def _csv(opened: Opened) -> Iterator[Row]:
    csv.field_size_limit(MOST_CELL)
    with _bytes(opened.path, opened.zipped) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=opened.delimiter, strict=True)
        try:
            header = next(reader)
            check_header(opened.path.name, header)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise BadInput(
                        f"{opened.path.name}, line {reader.line_num}, has {len(cells)} cells, its header {len(header)}"
                    )
                yield Row(reader.line_num, dict(zip(header, cells, strict=True)))
        except UnicodeDecodeError:
            raise BadInput(
                f"{opened.path.name} is not UTF-8 after line {reader.line_num}: save it as UTF-8"
            ) from None
        except csv.Error as error:
            raise BadInput(f"{opened.path.name}, line {reader.line_num}, is no CSV: {error}") from None


def check_header(name: str, header: Iterable[str]) -> None:
    """BadInput for columns that cannot be told apart."""
    seen: set[str] = set()
    for column in header:
        if column.strip().lower() in seen:
            raise BadInput(f"{name} has two columns “{shown(column)}”: rename one")
        seen.add(column.strip().lower())


def _parquet(opened: Opened) -> Iterator[Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(LACKS_PYARROW) from None
    try:
        with _bytes(opened.path, opened.zipped) as file:
            source = pa.BufferReader(file.read()) if opened.zipped else str(opened.path)
            table = pq.ParquetFile(source)
            check_header(opened.path.name, table.schema_arrow.names)
            number = 0
            for batch in table.iter_batches(PARQUET_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, values)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{opened.path.name} is no sound Parquet file: {_said(error)}") from None


@contextmanager
def _bytes(path: Path, zipped: bool) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            yield cast(IO[bytes], file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{path.name} is a damaged or cut-off gzip file: {_said(error)}") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None


def _hashed(path: Path) -> tuple[str, int]:
    """(sha256, bytes) of a file."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder: name a file in it")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None


def _said(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
