"""Corpora as streams of documents: text, JSON, JSON Lines and Parquet files, folders of them, Hugging Face data sets."""

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from app.domain.neurons import EXCERPT_TOKENS
from app.errors import CorpusError
from app.subject.twins import repeated

log = logging.getLogger(__name__)

TEXT_COLUMNS = ("text", "content", "document", "body")
SUFFIXES = (".txt", ".md", ".json", ".jsonl", ".jsonl.gz", ".parquet")
ENCODING = "utf-8-sig"  # some editors put a byte order mark first
# A data set can be larger than any disk: of it is read what holds so many times the excerpts wanted, at least so many rows.
STREAM_FACTOR = 32
STREAM_ROWS = 1000
TOKEN_CHARACTERS = 5  # of English, rounded up
REPORT_DOCUMENTS = 1000
IGNORED = ("package.json", "package-lock.json", "datapackage.json", "readme.md", "security.md")


class RawDocument(NamedTuple):
    """One document as read, before it is cut into excerpts."""

    name: str  # shown to people
    source: str  # file or data set it came from
    text: str


def read_corpus(
    source: str | Iterable[str],
    *,
    column: str | None = None,
    wanted: int | None = None,
    on_read: Callable[[int], None] = lambda documents: None,
) -> Iterator[RawDocument]:
    """Documents of one source or several, in a fixed order, read as they are asked for.

    A source is a file (.txt, .md, .json, .jsonl, .jsonl.gz, .parquet), a folder of such files, or
    `hf:NAME[:config][:split][:column]` (a data set by name or local folder; split defaults to `train`).
    `column` names the field with the text; otherwise the first of `TEXT_COLUMNS` that is there.
    With `wanted`, a number of excerpts, a data set is read only so far as `STREAM_FACTOR` and `STREAM_ROWS` say.
    `on_read` hears the number of documents now and then.
    Raises CorpusError in one line when a source cannot be read or, at the end, held no text at all.
    """
    sources = [source] if isinstance(source, str) else list(source)
    count = 0
    for one in sources:
        documents = (
            _data_set(one, column, wanted) if one.startswith("hf:") else _path(Path(one).expanduser(), column)
        )
        for document in documents:
            if document.text.strip():
                count += 1
                if count % REPORT_DOCUMENTS == 0:
                    on_read(count)
                yield document
    if not count:
        raise CorpusError(
            f"The corpus {', '.join(sources) or '(none named)'} holds no text; give "
            f"{', '.join(SUFFIXES)} files, a folder of them, or hf:NAME of a Hugging Face data set."
        )


def _path(path: Path, column: str | None) -> Iterator[RawDocument]:
    if path.is_dir():
        for file in corpus_files(path, column):
            yield from _file(
                file, str(file.relative_to(path)), f"{path.name}/{file.relative_to(path)}", column
            )
    elif path.is_file():
        if not path.name.lower().endswith(SUFFIXES):
            raise CorpusError(f"{path} is no corpus file; use {', '.join(SUFFIXES)}.")
        yield from _file(path, path.name, path.name, column)
    else:
        raise CorpusError(f"There is no corpus at {path}.")


def corpus_files(folder: Path, column: str | None = None) -> list[Path]:
    """The corpus files of a folder and those below it, sorted by path.

    Hidden folders, node_modules and package files are passed over, and so are text files that only say again what JSON
    files beside them say: see `app.subject.twins`. Raises CorpusError for a JSON file with a twin that cannot be read.
    """
    files: set[Path] = set()
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "node_modules" for part in inner)
        if (
            hidden
            or path.name.lower() in IGNORED
            or not path.name.lower().endswith(SUFFIXES)
            or not path.is_file()
        ):
            continue
        files.add(path)
    left_out = repeated(files, lambda path: next((d.text for d in _file(path, "", "", column)), None))
    if left_out:
        log.info(
            "%s: left out %d text files, such as %s, which say again what JSON files there say",
            folder,
            len(left_out),
            min(left_out).name,
        )
    return sorted(files - left_out)


def _file(path: Path, name: str, source: str, column: str | None) -> Iterator[RawDocument]:
    lower = path.name.lower()
    try:
        if lower.endswith((".txt", ".md")):
            yield RawDocument(name.rsplit(".", 1)[0], source, path.read_text(ENCODING, errors="replace"))
        elif lower.endswith(".json"):
            yield from _json(json.loads(path.read_text(ENCODING)), name, source, column)
        elif lower.endswith((".jsonl", ".jsonl.gz")):
            yield from _json_lines(path, name, source, column)
        else:
            yield from _parquet(path, name, source, column)
    except RecursionError as error:
        raise CorpusError(f"Cannot read the corpus file {path}: its JSON is nested too deeply.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, EOFError, zlib.error) as error:
        raise CorpusError(f"Cannot read the corpus file {path}: {str(error).rstrip('.')}.") from error


def _json(value: Any, name: str, source: str, column: str | None) -> Iterator[RawDocument]:
    """A JSON file that is one document or a list of them; anything without text (metadata) is passed over."""
    if isinstance(value, list):
        for i, row in enumerate(value):
            if (text := _text_of(row, column)) is not None:
                yield RawDocument(_row_name(row, f"{name} {i + 1}"), source, text)
    elif (text := _text_of(value, column)) is not None:
        yield RawDocument(_row_name(value, name.rsplit(".", 1)[0]), source, text)


def _json_lines(path: Path, name: str, source: str, column: str | None) -> Iterator[RawDocument]:
    packed = path.name.lower().endswith(".gz")
    with gzip.open(path, "rt", encoding=ENCODING) if packed else path.open(encoding=ENCODING) as lines:
        for i, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise CorpusError(f"Line {i} of {path} is not JSON: {error.msg}.") from error
            text = _text_of(row, column)
            if text is None and _null_text(row, column):
                continue
            if text is None:
                raise CorpusError(f"Line {i} of {path} has no text field {_columns(column)}.")
            yield RawDocument(_row_name(row, f"{name} {i}"), source, text)


def _parquet(path: Path, name: str, source: str, column: str | None) -> Iterator[RawDocument]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            chosen = _choose(file.schema_arrow.names, column, str(path))
            i = 0
            for batch in file.iter_batches(batch_size=256, columns=[chosen]):
                for text in batch.column(0).to_pylist():
                    i += 1
                    if isinstance(text, str):
                        yield RawDocument(f"{name} {i}", source, text)
    except pyarrow.ArrowException as error:
        raise CorpusError(f"Cannot read the corpus file {path}: {str(error).splitlines()[0]}.") from error


def _data_set(source: str, column: str | None, wanted: int | None) -> Iterator[RawDocument]:
    """`hf:NAME[:config][:split][:column]`; empty parts take their defaults. Streams, from the first row on."""
    import datasets

    name, config, split, own_column = [*source.removeprefix("hf:").split(":"), "", "", ""][:4]
    split = split or "train"
    if not name:
        raise CorpusError("Name the data set: hf:NAME[:config][:split][:column].")
    try:
        rows = datasets.load_dataset(name, config or None, split=split, streaming=True)
        chosen: str | None = None
        enough = None if wanted is None else wanted * EXCERPT_TOKENS * TOKEN_CHARACTERS * STREAM_FACTOR
        characters = 0
        for i, row in enumerate(rows, 1):
            chosen = chosen or _choose(list(row), own_column or column, source)
            if enough is not None and i > STREAM_ROWS and characters >= enough:
                log.info("%s: read its first %d rows, %d characters, and no more", source, i - 1, characters)
                return
            if isinstance(row[chosen], str):
                characters += len(row[chosen])
                yield RawDocument(f"{Path(name).name} {split} {i}", source, row[chosen])
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise CorpusError(f"Cannot read the data set {name}: {first[:300]}") from error


def _choose(columns: list[str], column: str | None, where: str) -> str:
    for name in [column] if column else TEXT_COLUMNS:
        if name in columns:
            return name
    raise CorpusError(f"{where} has no text column {_columns(column)}; it has {', '.join(columns)}.")


def _columns(column: str | None) -> str:
    return f"“{column}”" if column else " or ".join(f"“{name}”" for name in TEXT_COLUMNS)


def _text_of(row: Any, column: str | None) -> str | None:
    if not isinstance(row, dict):
        return None
    for name in [column] if column else TEXT_COLUMNS:
        if isinstance(row.get(name), str):
            return str(row[name])
    return None


def _null_text(row: Any, column: str | None) -> bool:
    """Whether a row has a field for its text and nothing in it."""
    return isinstance(row, dict) and any(
        name in row and row[name] is None for name in ([column] if column else TEXT_COLUMNS)
    )


def _row_name(row: dict[str, Any], otherwise: str) -> str:
    """A name for people from what a row says of itself: `name` or `title`, with a year or chapter, or the fallback."""
    title = next((str(row[k]).strip() for k in ("title", "name") if isinstance(row.get(k), str | int)), "")
    if not title:
        return otherwise
    if isinstance(row.get("year"), str | int):
        return f"{row['year']}, {title}"
    if isinstance(row.get("chapter"), str | int):
        return f"Chapter {row['chapter']}: {title.rstrip('.')}"
    return title
