"""Importing published activations from a local disk, beside merely parsing the same files with orjson.

The files are made of real neurons (see scale_source) in the published form: 20 strongest and 20 random records of 64 tokens,
float16 values with four decimals. Parsing and importing take turns, with as many processes each.
"""

import multiprocessing
import statistics
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import orjson
import psutil

from app.domain.neurons import Kind
from app.jobs.import_published import ImportRequest
from app.jobs.import_published import run as import_files
from app.published import writing
from app.published.layout import ACTIVATIONS, What
from app.settings import Settings
from app.store import Store
from app.store.imported_neurons import Shape
from bench.report import Figure, figure
from bench.scale_source import Source, source

FILES, QUICK_FILES = 6400, 1280
RATE, SHARE, MEMORY_MB = 1500.0, 0.60, 1000.0
SAMPLE_S = 0.05


def run(quick: bool) -> list[Figure]:
    """Rates in files a second, medians over rounds, and the most memory that all processes of an import took."""
    files, rounds = (QUICK_FILES, 3) if quick else (FILES, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = _write(source(Settings()), folder, files)
        parsed: list[float] = []
        alone: list[float] = []
        imported: list[float] = []
        memory = 0.0
        for i in range(rounds):
            parsed.append(_parse(folder, files, psutil.cpu_count() or 1))
            rate, most = _import(folder, files, folder / f"store-{i}.sqlite")
            imported.append(rate)
            memory = max(memory, most)
            alone.append(_parse(folder, files, 1))
    rate, parse, one = (statistics.median(rates) for rates in (imported, parsed, alone))
    target = min(RATE, SHARE * parse)
    detail = (
        f"{files:,} files of {size / files / 1e3:.0f} kB; {rate:,.0f} files/s imported, {parse:,.0f} parsed by as many processes, "
        f"{one:,.0f} by one; the lesser of {RATE:,.0f} and {SHARE:.0%} of parsing is {target:,.0f}"
    )
    return [
        figure("imports", "of_target", rate / target, ">=", 1.0, detail),
        figure(
            "imports",
            "memory_mb",
            memory,
            "<=",
            MEMORY_MB,
            "all processes of an import, without shared pages",
        ),
    ]


def _write(of: Source, folder: Path, files: int) -> int:
    """Published files of the first neurons; their bytes."""
    words = [piece.decode("utf-8", "replace") for piece in of.vocabulary.pieces]
    kinds = np.array([Kind.TOP] * 20 + [Kind.RANDOM] * 20, np.uint8)
    size = 0
    for i in range(files):
        row = i % of.result.neurons
        ordinals = of.result.excerpts[row]
        values = np.round(of.result.activations[row].astype(np.float16).astype(np.float64), 4)
        tokens = [[words[t] for t in of.tokens[e]] for e in ordinals.tolist()]
        given = (0.01, 0.2, 3.1, 40.0), (0.1, 0.5, 1.0, 2.0)
        data = orjson.dumps(writing.neuron_record(0, i, *given, kinds, tokens, values))
        file = folder / ACTIVATIONS.path("data/", 0, i)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        size += len(data)
    return size


def _parse(folder: Path, files: int, processes: int) -> float:
    """Files a second, from the moment that all processes are there."""
    paths = [str(folder / ACTIVATIONS.path("data/", 0, i)) for i in range(files)]
    parts = [paths[i : i + 128] for i in range(0, files, 128)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_load, [[path] for path in paths[: 4 * processes]]))
        began = time.perf_counter()
        list(pool.map(_load, parts))
        return files / (time.perf_counter() - began)


def _load(paths: list[str]) -> int:
    return sum(len(orjson.loads(Path(path).read_bytes())) for path in paths)


def _import(folder: Path, files: int, file: Path) -> tuple[float, float]:
    """(files a second, start of the processes included; most memory of all of them in MB)."""
    store = Store.open(f"sqlite:///{file}")
    request = ImportRequest(str(folder), "bench-files", (What.ACTIVATIONS,), shape=Shape(1, files))
    watch = _Memory()
    began = time.perf_counter()
    with watch:
        report = import_files(store, request, lambda at: None)
    seconds = time.perf_counter() - began
    store.close()
    if report.new["activations"] != files or report.skipped:
        raise SystemExit(
            f"the import read {report.new['activations']} of {files} files: {report.skipped[:3]}"
        )
    return files / seconds, watch.most / 1e6


class _Memory:
    """The most memory that this process and its children had for themselves, looked at 20 times a second."""

    def __init__(self) -> None:
        self.most = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._end.wait(SAMPLE_S):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue  # it has just ended
            self.most = max(self.most, total)
