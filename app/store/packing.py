"""Excerpts, top tokens, simulations and vocabularies as bytes, and back. A neuron's records are in codec.py. All little-endian."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float32, Int32, UInt8

_COUNT_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


def byte_width(largest: int) -> int:
    """Bytes that an unsigned integer takes: 1, 2 or 4."""
    return 1 if largest <= 0xFF else 2 if largest <= 0xFFFF else 4


def pack_excerpts(tokens: Int32, documents: Int32, splits: UInt8, starts: Int32) -> bytes:
    """A run of E excerpts: E u32, T u16, bytes a token id u8, then the four arrays. Ids take two bytes where all fit."""
    wide = bool(tokens.max(initial=0) > 0xFFFF)
    head = struct.pack("<IHB", tokens.shape[0], tokens.shape[1], 4 if wide else 2)
    ids = tokens.astype("<u4" if wide else "<u2")
    return head + b"".join(
        (ids.tobytes(), documents.astype("<i4").tobytes(), splits.tobytes(), starts.astype("<i4").tobytes())
    )


def unpack_excerpts(data: bytes) -> tuple[Int32, Int32, UInt8, Int32]:
    """(tokens [E, T], documents [E], splits [E], starts [E]) of a packed run."""
    e, t, width = struct.unpack_from("<IHB", data)
    at = 7
    ids = np.frombuffer(data, "<u4" if width == 4 else "<u2", e * t, at).astype(np.int32).reshape(e, t)
    at += e * t * width
    documents = np.frombuffer(data, "<i4", e, at).astype(np.int32)
    splits = np.frombuffer(data, np.uint8, e, at + 4 * e).copy()
    starts = np.frombuffer(data, "<i4", e, at + 5 * e).astype(np.int32)
    return ids, documents, splits, starts


_OLD_TOKEN = np.dtype([("id", "<i4"), ("mean", "<f4"), ("count", "<i4")])  # until 2026, and still read


def pack_tokens(ids: Int32, means: Float32, counts: NDArray[np.integer]) -> bytes:
    """Top tokens: bytes an id u8, bytes a count u8, ids, means f4, counts; those with id -1 are left out.

    58 bytes for 8 tokens of a vocabulary below 65,536, where a table of three four-byte columns took 96.
    """
    keep = ids >= 0
    ids, counts = ids[keep], counts[keep]
    id_bytes, count_bytes = (
        max(2, byte_width(int(ids.max(initial=0)))),
        byte_width(int(counts.max(initial=0))),
    )
    data = bytes((id_bytes, count_bytes)) + ids.astype(_COUNT_TYPES[id_bytes]).tobytes()
    data += means[keep].astype("<f4").tobytes() + counts.astype(_COUNT_TYPES[count_bytes]).tobytes()
    # A length that 12 divides is that of the older form.
    return data if len(data) % _OLD_TOKEN.itemsize else data + b"\0"


def unpack_tokens(data: bytes) -> tuple[Int32, Float32, NDArray[np.int32]]:
    """(ids, means, counts), each [K]."""
    if len(data) % _OLD_TOKEN.itemsize == 0:
        packed = np.frombuffer(data, _OLD_TOKEN)
        return packed["id"].copy(), packed["mean"].copy(), packed["count"].copy()
    id_bytes, count_bytes = data[0], data[1]
    k = (len(data) - 2) // (id_bytes + 4 + count_bytes)
    at = 2 + k * id_bytes
    return (
        np.frombuffer(data, _COUNT_TYPES[id_bytes], k, 2).astype(np.int32),
        np.frombuffer(data, "<f4", k, at).astype(np.float32),
        np.frombuffer(data, _COUNT_TYPES[count_bytes], k, at + 4 * k).astype(np.int32),
    )


class TokenRows(NamedTuple):
    """The top tokens of many neurons. P pairs of a neuron and a token."""

    owners: NDArray[np.int64]  # [P] place of the row
    ids: Int32  # [P]
    means: Float32  # [P]
    counts: NDArray[np.int32]  # [P]


def unpack_token_rows(rows: Sequence[bytes]) -> TokenRows:
    """As `unpack_tokens` for many rows at once, in any order: rows of one form are one block."""
    forms: dict[tuple[int, bytes], list[int]] = {}
    for i, row in enumerate(rows):
        old = len(row) % _OLD_TOKEN.itemsize == 0
        forms.setdefault((len(row), b"" if old else row[:2]), []).append(i)
    found = [TokenRows(np.zeros(0, np.int64), *unpack_tokens(b""))]
    for (size, widths), places in forms.items():
        if not size:
            continue
        block = np.frombuffer(b"".join([rows[i] for i in places]), np.uint8).reshape(len(places), size)
        if widths:
            id_bytes, count_bytes = widths
            k = (size - 2) // (id_bytes + 4 + count_bytes)
            at = 2 + k * id_bytes
            ids = _column(block[:, 2:at], _COUNT_TYPES[id_bytes])
            means = _column(block[:, at : at + 4 * k], np.dtype("<f4"))
            counts = _column(block[:, at + 4 * k : at + (4 + count_bytes) * k], _COUNT_TYPES[count_bytes])
        else:
            k, whole = size // _OLD_TOKEN.itemsize, _column(block, _OLD_TOKEN)
            ids, means, counts = whole["id"], whole["mean"], whole["count"]
        owners = np.repeat(np.array(places, np.int64), k)
        found.append(
            TokenRows(owners, ids.astype(np.int32), means.astype(np.float32), counts.astype(np.int32))
        )
    return TokenRows(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _column(block: UInt8, kind: np.dtype[Any]) -> NDArray[Any]:
    """Some columns of a table of bytes, [N, width], as values of one kind, [N * k]."""
    return np.ascontiguousarray(block).reshape(-1).view(kind)


def pack_simulation(excerpts: Int32, expected: Float32) -> bytes:
    """R u32, T u32, excerpt ordinals i4, expected activations f4: exact, so that scores can be computed again."""
    r, t = expected.shape
    return struct.pack("<II", r, t) + excerpts.astype("<i4").tobytes() + expected.astype("<f4").tobytes()


def unpack_simulation(data: bytes) -> tuple[Int32, Float32]:
    """(excerpts [R], expected [R, T])."""
    r, t = struct.unpack_from("<II", data)
    excerpts = np.frombuffer(data, "<i4", r, 8).astype(np.int32)
    return excerpts, np.frombuffer(data, "<f4", r * t, 8 + 4 * r).astype(np.float32).reshape(r, t)


def pack_vocabulary(pieces: tuple[bytes, ...], special: frozenset[int]) -> bytes:
    """Tokens u32, specials u32, the special ids u4, the length of every token u4, all bytes in a row."""
    lengths = np.fromiter((len(piece) for piece in pieces), "<u4", len(pieces))
    ids = np.array(sorted(special), "<u4")
    return struct.pack("<II", len(pieces), len(ids)) + ids.tobytes() + lengths.tobytes() + b"".join(pieces)


def unpack_vocabulary(data: bytes) -> tuple[tuple[bytes, ...], frozenset[int]]:
    """(pieces, special ids)."""
    n, n_special = struct.unpack_from("<II", data)
    special = frozenset(np.frombuffer(data, "<u4", n_special, 8).tolist())
    lengths = np.frombuffer(data, "<u4", n, 8 + 4 * n_special)
    ends = (np.cumsum(lengths, dtype=np.int64) + 8 + 4 * n_special + 4 * n).tolist()
    pieces, at = [], 8 + 4 * n_special + 4 * n
    for end in ends:
        pieces.append(data[at:end])
        at = end
    return tuple(pieces), special
