"""Exact nearest neighbours among many float16 vectors, in a third of the memory of float32 and with no index.

In memory is an int8 copy of each row with the row's own scale s: one byte a value. Of row x with copy x' = s * int8,

    | q . x  -  q . x' |  <=  |q| * |x - x'|        (Cauchy and Schwarz)

and |x - x'| is computed when the row is added. So one pass over the copy bounds every similarity from both sides; a row
whose upper bound lies below the k-th largest lower bound is not among the k nearest. What is left, a few hundred of
300,000, is read from a file as the float16 values that were given and computed in float64. Nothing is approximate.
"""

import os
import tempfile
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.embeddings import Float16
from app.domain.neurons import Bool, Float32
from app.errors import StoreError

Float64 = NDArray[np.float64]
Rows = NDArray[np.intp]
Int8 = NDArray[np.int8]

SEGMENT = 65_536  # rows that are allotted at once
# Widened to float32 at once, 1.5 MB: they stay in the processor's cache. With twice as many, OpenBLAS shares a product out
# among threads, and on a busy machine waits for them ten times as long as it computes.
BLOCK_VALUES = 1024 * 384
EXACT = 4096  # rows read and computed exactly at once
LEVELS = 127


class Near(NamedTuple):
    """Rows by falling similarity; equal ones by row."""

    rows: Rows  # [K]
    similarities: Float64  # [K]


class _Segment(NamedTuple):
    """Up to `SEGMENT` rows. What lies beyond the filled ones is written by `append` and read by nobody."""

    copy: Int8  # [S, D]
    scale: Float32  # [S]
    slack: Float32  # [S] how far q . x' may be from q . x for a q of length 1, float32 arithmetic included


class Matrix:
    """Vectors that are only ever added. Safe to search from many threads while one appends."""

    def __init__(self, dimension: int) -> None:
        """Opens a nameless file in the folder for temporary files (TMPDIR), 2 * D bytes a row; gone with the process."""
        self.dimension = dimension
        self._block = max(1, BLOCK_VALUES // dimension)  # rows
        self._segments: list[_Segment] = []
        self._count = 0
        self._lock = Lock()
        try:
            self._file = tempfile.TemporaryFile(prefix="neuronarium-vectors-")  # noqa: SIM115  (kept open)
        except OSError as error:
            raise _no_room(error) from error

    def __len__(self) -> int:
        return self._count

    def append(self, vectors: Float16) -> None:
        """Add rows [N, D]. Raises StoreError where the file cannot take them, with nothing added."""
        if not len(vectors):
            return
        with self._lock:
            at, width = self._count, 2 * self.dimension
            try:
                _write(self._file.fileno(), vectors.astype("<f2", copy=False).tobytes(), at * width)
            except OSError as error:
                raise _no_room(error) from error
            for first in range(0, len(vectors), self._block):
                self._fill(at + first, vectors[first : first + self._block].astype(np.float32))
            self._count = at + len(vectors)  # last: readers look at no row beyond it

    def nearest(self, query: Float32, k: int, n: int, among: Bool | None = None) -> Near:
        """The k rows with the largest q . x, and all that are as similar as the last of them; fewer where there are fewer.

        Of the first n rows; of these only where `among` [n] is set, if it is given.
        """
        n = min(n, self._count)
        if k < 1 or not n:
            return Near(np.zeros(0, np.intp), np.zeros(0))
        about, slack = self._bounds(query, n)
        if among is not None:
            about[~among[:n]] = -np.inf
        low = about - slack
        cut = np.partition(low, n - k)[n - k] if n > k else -np.inf
        rows = np.flatnonzero((about + slack >= cut) & (about > -np.inf))  # [C]
        similarities = self.similarities(query, rows)
        order = np.lexsort((rows, -similarities))
        if len(order) > k:
            order = order[similarities[order] >= similarities[order[k - 1]]]
        return Near(rows[order], similarities[order])

    def similarities(self, query: Float32, rows: Rows) -> Float64:
        """q . x [C] in float64 from the stored float16 values. Ascending rows are read fastest."""
        wide = query.astype(np.float64)
        found = np.empty(len(rows))
        for at in range(0, len(rows), EXACT):
            part = self.read(rows[at : at + EXACT]).astype(np.float64)  # [<= EXACT, D]
            # Not a matrix product: BLAS may round the same row differently in another place, and equal rows must be equal.
            found[at : at + EXACT] = (part * wide).sum(axis=1)
        return found

    def read(self, rows: Rows) -> Float16:
        """The rows [C, D] as they were added."""
        width, out = 2 * self.dimension, np.empty((len(rows), self.dimension), "<f2")
        ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        start = 0
        for end in ends if len(rows) else []:
            data = os.pread(self._file.fileno(), (end - start) * width, int(rows[start]) * width)
            out[start:end] = np.frombuffer(data, "<f2").reshape(-1, self.dimension)
            start = end
        return out

    @property
    def nbytes(self) -> int:
        """Memory held; the file not counted."""
        return sum(array.nbytes for segment in self._segments for array in segment)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _fill(self, at: int, block: Float32) -> None:
        """Write rows [B, D] into the segments from row `at` on."""
        largest = np.abs(block).max(axis=1)  # [B]
        scale = np.where(largest > 0, largest / np.float32(LEVELS), np.float32(1)).astype(np.float32)
        copy = np.rint(block / scale[:, None])  # [B, D] whole numbers within -127 … 127
        shown = copy * scale[:, None]
        error = np.linalg.norm((block - shown).astype(np.float64), axis=1)
        # Every sum of D products in float32 is off by at most (D + 2) * 2**-24 of the product of lengths; twice that,
        # for the rounding of x' itself and of what is done with the bounds.
        rounding = (
            (2 * self.dimension + 32) * 2.0**-24 * (np.linalg.norm(shown.astype(np.float64), axis=1) + 1)
        )
        slack = np.nextafter((error + rounding).astype(np.float32), np.float32(np.inf))
        done = 0
        while done < len(block):
            number, inside = divmod(at + done, SEGMENT)
            if number == len(self._segments):
                self._segments.append(
                    _Segment(
                        np.empty((SEGMENT, self.dimension), np.int8),
                        np.empty(SEGMENT, np.float32),
                        np.empty(SEGMENT, np.float32),
                    )
                )
            segment, size = self._segments[number], min(len(block) - done, SEGMENT - inside)
            segment.copy[inside : inside + size] = copy[done : done + size]
            segment.scale[inside : inside + size] = scale[done : done + size]
            segment.slack[inside : inside + size] = slack[done : done + size]
            done += size

    def _bounds(self, query: Float32, n: int) -> tuple[Float32, Float32]:
        """(q . x' [n], how far each may be from q . x [n])."""
        about, slack = np.empty(n, np.float32), np.empty(n, np.float32)
        wide = np.empty((self._block, self.dimension), np.float32)
        q = np.ascontiguousarray(query, np.float32)
        length = np.float32(np.linalg.norm(q.astype(np.float64)) * (1 + 2.0**-20))
        for number, segment in enumerate(self._segments):
            base = number * SEGMENT
            filled = min(SEGMENT, n - base)
            if filled <= 0:
                break
            for first in range(0, filled, self._block):
                size = min(self._block, filled - first)
                np.copyto(wide[:size], segment.copy[first : first + size])
                np.dot(wide[:size], q, out=about[base + first : base + first + size])
            about[base : base + filled] *= segment.scale[:filled]
            np.multiply(segment.slack[:filled], length, out=slack[base : base + filled])
        return about, slack


def _write(file: int, data: bytes, at: int) -> None:
    """All of it: one call may write less than it was given."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written


def _no_room(error: OSError) -> StoreError:
    return StoreError(
        f"search by meaning needs room for its vectors in {tempfile.gettempdir()} ({error.strerror}):"
        " free some, or name another folder with TMPDIR"
    )
