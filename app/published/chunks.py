"""Runs of neurons, read and taken apart in a process of their own: parsing is what an import's time goes into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from app.published.excerpts import Seen
from app.published.layout import Files
from app.published.reading import Unreadable
from app.published.source import Source

T = TypeVar("T")


class Skipped(NamedTuple):
    """A file that was passed over."""

    path: str
    reason: str


class Order(NamedTuple):
    """Which files to read."""

    prefix: str
    files: Files
    layer: int
    neurons: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Chunk(Generic[T]):
    """What came of an order."""

    order: Order
    parsed: tuple[T, ...]
    skipped: tuple[Skipped, ...]
    missing: int  # files that are not there
    failed: int  # of the skipped: files that could not be read now, and may be another time
    fresh: dict[bytes, list[str]] = field(
        default_factory=dict
    )  # excerpts that this process sends for the first time


Parser = Callable[[bytes, int, int, Seen], T]


def read_chunk(source: Source, order: Order, parse: Parser[T], seen: Seen) -> Chunk[T]:
    """Read and parse the files of an order. Raises SourceError where the source is of no use any more."""
    paths = [order.files.path(order.prefix, order.layer, n) for n in order.neurons]
    parsed: list[T] = []
    skipped: list[Skipped] = []
    missing = failed = 0
    for path, neuron, read in zip(paths, order.neurons, source.read(paths), strict=True):
        if read.data is None:
            missing += read.missing
            if read.problem:
                failed += 1
                skipped.append(Skipped(path, read.problem))
            continue
        try:
            parsed.append(parse(read.data, order.layer, neuron, seen))
        except Unreadable as reason:
            skipped.append(Skipped(path, str(reason)))
    return Chunk(order, tuple(parsed), tuple(skipped), missing, failed, seen.fresh())


def chunked(neurons: Sequence[int], size: int) -> list[tuple[int, tuple[int, ...]]]:
    """(first, neurons) of the runs of `size` that hold any of these; `first` is a multiple of `size`."""
    runs: dict[int, list[int]] = {}
    for n in neurons:
        runs.setdefault(n // size * size, []).append(n)
    return [(first, tuple(run)) for first, run in sorted(runs.items())]
