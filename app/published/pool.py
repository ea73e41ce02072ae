"""Processes that read and parse, a few orders ahead of whoever writes."""

import gc
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from app.errors import SourceError
from app.published.chunks import Chunk, Order, Parser, read_chunk
from app.published.excerpts import Seen
from app.published.source import Source, open_source

T = TypeVar("T")
AHEAD = 3  # orders a process that wait or are under way: what bounds memory
LEASH_S = 1.0


def read_all(
    address: str, stall_s: float, orders: Iterable[Order], parse: Parser[T], processes: int | None = None
) -> Generator[Chunk[T], None, None]:
    """Every order's chunk, in their order. Raises SourceError as reading does; what is under way is then let go.

    `processes` is how many read, as many as there are cores if not said; with 0 this one does, which is enough for a few files.
    """
    if processes == 0:
        source, seen = open_source(address, stall_s), Seen()
        yield from (read_chunk(source, order, parse, seen) for order in orders)
        return
    count = processes or max(1, len(os.sched_getaffinity(0)))
    # Fresh processes, not forks of one that has threads and open databases.
    pool = ProcessPoolExecutor(
        count,
        multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(address, stall_s, os.getpid()),
    )
    waiting: deque[Future[Chunk[T]]] = deque()
    try:
        for order in orders:
            waiting.append(pool.submit(_read, order, parse))
            if len(waiting) >= count * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise SourceError(
            "a process that reads was killed, perhaps for want of memory: run the same command again"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_source: Source | None = None
_seen = Seen()


def _begin(address: str, stall_s: float, parent: int) -> None:
    global _source
    gc.disable()  # what is parsed has no cycles, and looking for them takes a third of the time
    threading.Thread(target=_leash, args=(parent,), daemon=True).start()
    _source = open_source(address, stall_s)


def _leash(parent: int) -> None:
    """End with the process that this one works for, however that ended."""
    while os.getppid() == parent:
        time.sleep(LEASH_S)
    os._exit(1)


def _read(order: Order, parse: Any) -> Chunk[Any]:
    if _source is None:
        raise SourceError("the reading process was not set up")
    return read_chunk(_source, order, parse, _seen)
