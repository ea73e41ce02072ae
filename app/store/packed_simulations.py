"""A published simulation as bytes: predictions beside what the neuron did there, with the very numbers that were published.

R u32 with its highest bit set, T u32, which arrays there are u8, then excerpt ordinals i4 [R] and for each array the
`ValueForm` u8 and the values [R, T]. Without that bit it is one of our own, see packing.pack_simulation.
"""

import struct
from typing import NamedTuple

import numpy as np

from app.domain.exact_values import TYPES, ValueForm, exact, narrowest
from app.domain.neurons import Float64, Int32

_MARK = 1 << 31
_HEADER = struct.Struct("<IIB")


class Unpacked(NamedTuple):
    """R excerpts of T tokens."""

    excerpts: Int32  # [R]
    expected: Float64  # [R, T]
    actual: Float64  # [R, T]
    uncalibrated: Float64 | None  # [R, T]


def is_published(data: bytes) -> bool:
    """Whether these bytes are of a published simulation."""
    return bool(data[3] & 0x80)


def pack(excerpts: Int32, expected: Float64, actual: Float64, uncalibrated: Float64 | None) -> bytes:
    """All arrays but `excerpts` [R] are [R, T]."""
    arrays = [expected, actual, *([] if uncalibrated is None else [uncalibrated])]
    r, tokens = expected.shape
    pieces = [_HEADER.pack(r | _MARK, tokens, len(arrays)), excerpts.astype("<i4").tobytes()]
    for array in arrays:
        form, block = narrowest(array)
        pieces += [bytes([form]), block.tobytes()]
    return b"".join(pieces)


def unpack(data: bytes) -> Unpacked:
    """The arrays with the decimals that were published."""
    marked, tokens, n = _HEADER.unpack_from(data)
    r = marked & (_MARK - 1)
    excerpts = np.frombuffer(data, "<i4", r, _HEADER.size).astype(np.int32)
    at = _HEADER.size + 4 * r
    arrays: list[Float64] = []
    for _ in range(n):
        form = ValueForm(data[at])
        block = np.frombuffer(data, TYPES[form], r * tokens, at + 1).reshape(r, tokens)
        arrays.append(exact(form, block))
        at += 1 + block.nbytes
    return Unpacked(excerpts, arrays[0], arrays[1], arrays[2] if n > 2 else None)
