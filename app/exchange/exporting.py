"""A model's explanations and neurons as files, streamed: JSONL, CSV and Parquet hold the same columns."""

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.imported import claims, is_imported
from app.errors import BadInput, NotFound
from app.exchange.files import LACKS_PYARROW
from app.store import Store, exported, models
from app.store.explanation_rows import ScoreRow
from app.store.exported import Exported, ExportedNeuron


class Format(StrEnum):
    """What is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA = {
    Format.JSONL: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8",
    Format.PARQUET: "application/vnd.apache.parquet",
}
# Columns of tables for those who do not want to take `scores` apart: never two protocols in one.
HEADLINES = {
    **{f"correlation@{protocol}": (protocol, Metric.CORRELATION) for protocol in Protocol},
    "detection": (Protocol.AS_IMPORTED, Metric.DETECTION),
    "fuzzing": (Protocol.AS_IMPORTED, Metric.FUZZING),
    "embedding": (Protocol.AS_IMPORTED, Metric.EMBEDDING),
}
WORDS = (
    "model", "layer", "neuron", "polarity", "explanation", "method", "explainer", "author", "prompt_version",
    "code_version", "created", "scores",
)  # fmt: skip
STATISTICS = ("mean", "variance", "skewness", "kurtosis", "maximum", "minimum", "density")
NEURON = ("model", "layer", "neuron", *STATISTICS, "top_tokens")
NUMBERS = {*HEADLINES, *STATISTICS}

Record = dict[str, Any]


class Chosen(NamedTuple):
    """What of a model is exported; nothing named is everything."""

    layers: Collection[str] = ()  # slugs
    methods: Collection[str] = ()
    neurons: exported.Neurons | None = None


EVERYTHING = Chosen()


def explanations(
    store: Store,
    slug: str,
    format: Format,
    chosen: Chosen = EVERYTHING,
    progress: Callable[[int], None] | None = None,
) -> Iterator[bytes]:
    """The file's bytes. NotFound for an unknown model or layer, BadInput where Parquet cannot be written: at once."""
    _demand_layers(store, slug, chosen.layers)
    batches = exported.explanations(store, slug, chosen.layers, chosen.methods, chosen.neurons)
    table = format is not Format.JSONL
    rows = ([_explanation(slug, row, table) for row in batch] for batch in batches)
    return _written(_counted(rows, progress), format, (*WORDS, *(HEADLINES if table else ())))


def neurons(
    store: Store,
    slug: str,
    format: Format,
    chosen: Chosen = EVERYTHING,
    progress: Callable[[int], None] | None = None,
) -> Iterator[bytes]:
    """Statistics and top tokens of every neuron, as `explanations` does it; `chosen.methods` is let be."""
    _demand_layers(store, slug, chosen.layers)
    shown = models.cached_vocabulary(store, slug).shown
    table = format is not Format.JSONL
    batches = exported.neurons(store, slug, chosen.layers, chosen.neurons)
    rows = ([_neuron(slug, row, shown, table) for row in batch] for batch in batches)
    return _written(_counted(rows, progress), format, NEURON)


def file_name(slug: str, what: str, format: Format) -> str:
    """What a download is called."""
    return f"{slug}-{what}.{format}"


def _demand_layers(store: Store, slug: str, wanted: Iterable[str]) -> None:
    """NotFound for an unknown model, and for a layer that it does not have."""
    with store.session() as s:
        models.model(s, slug)  # NotFound says which models there are
        known = [layer.slug for layer in models.layers(s, slug)]
    for layer in wanted:
        if layer not in known:
            raise NotFound(
                f"“{slug}” has no layer “{layer}”; it has {', '.join(known[:12])}{' …' * (len(known) > 12)}"
            )


def _explanation(slug: str, row: Exported, table: bool) -> Record:
    given = sorted((_score(each) for each in row.scores), key=lambda each: orjson.dumps(each))
    record: Record = {
        "model": slug,
        "layer": row.layer,
        "neuron": row.neuron,
        "polarity": row.polarity.value,
        "explanation": row.text,
        "method": row.method,
        "explainer": row.explainer,
        "author": row.author,
        "prompt_version": row.prompt_version,
        "code_version": row.code_version,
        "created": row.created_at,
        "scores": given,
    }
    if table:
        record["scores"] = orjson.dumps(given).decode()
        record |= {name: None for name in HEADLINES}
        for name, value in _headlines(given):
            record[name] = value
    return record


def _score(row: ScoreRow) -> Record:
    """A score as its maker has it: what an imported one claims stands in its place."""
    value = row.value
    said = claims(value.parameters_json) if row.simulation_id is None else {}
    own = row.simulation_id is not None or not is_imported(value.parameters_json)
    record: Record = {
        "protocol": said.get("protocol", value.protocol.value),
        "sample": said.get("sample", value.sample.value),
        "metric": value.metric.value,
        "state": value.state.value,
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "records": value.n_records,
        "documents": value.n_documents,
        "tokens": value.n_tokens,
        "indicative": value.indicative,
        "reason": value.reason,
        "simulator": row.simulator if own else said.get("simulator", ""),
        "simulator_model": row.simulator_model,
    }
    return record


def _headlines(given: Sequence[Record]) -> Iterator[tuple[str, float]]:
    """The best defined value by each headline, on the protocol's main sample."""
    for name, (protocol, metric) in HEADLINES.items():
        samples = (
            (Sample.POPULATION,)
            if protocol is Protocol.POPULATION
            else (Sample.TOP_AND_RANDOM, Sample.AS_IMPORTED)
        )
        found = [
            each["value"]
            for each in given
            if each["state"] == State.OK
            and each["protocol"] == protocol
            and each["metric"] == metric
            and each["sample"] in samples
        ]
        if found:
            yield name, max(found)


def _neuron(slug: str, row: ExportedNeuron, shown: Sequence[str], table: bool) -> Record:
    top: list[Record] = []
    if row.tokens is not None:
        columns = zip(
            row.tokens.ids.tolist(), row.tokens.means.tolist(), row.tokens.counts.tolist(), strict=True
        )
        top = [
            {"id": id_, "token": shown[id_] if id_ < len(shown) else "", "mean": mean, "count": count}
            for id_, mean, count in columns
        ]
    record: Record = {"model": slug, "layer": row.layer, "neuron": row.neuron}
    record |= {name: getattr(row, name) for name in STATISTICS}
    record["top_tokens"] = orjson.dumps(top).decode() if table else top
    return record


def _counted(
    batches: Iterator[list[Record]], progress: Callable[[int], None] | None
) -> Iterator[list[Record]]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        if progress is not None:
            progress(done)


def _written(batches: Iterator[list[Record]], format: Format, columns: Sequence[str]) -> Iterator[bytes]:
    if format is Format.JSONL:
        return _jsonl(batches)
    return _csv(batches, columns) if format is Format.CSV else _parquet(batches, columns)


def _jsonl(batches: Iterator[list[Record]]) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(orjson.dumps(record) + b"\n" for record in batch)


def _csv(batches: Iterator[list[Record]], columns: Sequence[str]) -> Iterator[bytes]:
    """RFC 4180, UTF-8 without a mark, text exactly as it is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for batch in batches:
        for record in batch:
            writer.writerow([_cell(record[column]) for column in columns])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _parquet(batches: Iterator[list[Record]], columns: Sequence[str]) -> Iterator[bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(LACKS_PYARROW) from None
    kinds = {"neuron": pa.int32(), "created": pa.timestamp("us", tz="UTC")}
    kinds |= {name: pa.float64() for name in NUMBERS}
    schema = pa.schema([(column, kinds.get(column, pa.string())) for column in columns])

    def stream() -> Iterator[bytes]:
        sink = _Sink()
        with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
            for group in _groups(batches):
                writer.write_table(
                    pa.table([[record[c] for record in group] for c in columns], schema=schema)
                )
                yield sink.take()
        yield sink.take()

    return stream()


GROUP = 8192  # rows of a row group


def _groups(batches: Iterator[list[Record]]) -> Iterator[list[Record]]:
    group: list[Record] = []
    for batch in batches:
        group += batch
        if len(group) >= GROUP:
            yield group
            group = []
    if group:
        yield group


class _Sink(io.RawIOBase):
    """A file whose bytes are handed on as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._at

    def writable(self) -> bool:
        return True

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
