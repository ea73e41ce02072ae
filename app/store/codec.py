"""A neuron's exemplars as one packed row, and its inverse.

    header  version u8, flags u8, scale exponent i16, histogram width u8, form of values u8, slots u16, tokens u16, bins u16
    floats  7 or (with sign shares) 11 float32: see `_FLOATS`
    bands   4 u32: excerpts of the score split in each band
    source  published data only: 4 float64 quantile boundaries, 8 bytes that tell whether a file says the same
    counts  histogram, as narrow unsigned integers as its largest count allows
    filled  one bit a slot: 1 where the slot holds a record; the rest has R rows, one a record
    ids     [R] excerpt ordinals, u16 or (where one does not fit) u32
    gates   [R, ceil(T / 8)] one bit a token, gated MLPs only
    block   [R, T] float16: activation / 2**exponent; published values as their `ValueForm` says; packed by `planes`

All little-endian. With records of 64 tokens that is some 114 + 2 (+ 8) bytes a record and 200 a neuron.
Rows of version 2, which are still read, have the block before the gates and as it lies in memory.

A float16 holds 11 significant bits between 6e-5 and 65504. The exponent is 0 for a neuron whose largest |activation| lies in
[`SMALLEST`, `LARGEST`]; outside of it, values are divided by the power of two that brings the largest into [16384, 32768).
Division by a power of two is exact, so either way a value comes back as the nearest float16 times that power.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.collection import LayerResult
from app.domain.exact_values import TYPES, ValueForm, exact
from app.domain.neurons import HISTOGRAM_BINS, BandCounts, Bool, Float32, Histogram, Int32
from app.errors import BadInput, StoreError
from app.store import planes
from app.store.packing import byte_width

VERSION, PLAIN = 3, 2
SMALLEST = 2.0**-4  # below, float16's smallest step (6e-8) would no longer be small beside the largest value
LARGEST = 65504.0
_TOP_EXPONENT = 15  # scaled maxima lie in [2**14, 2**15)
_BELOW_TOP = 32752.0  # the largest float16 below 2**15

_GATED, _WIDE_IDS, _POSITION0, _SHARES, _SOURCE = 1, 2, 4, 8, 16
_HEADER = struct.Struct("<BBhBBHHH")
_SOURCE_BYTES = 40
_FORM_AT = 5  # of the header's bytes
_FLOATS = (
    "explain_maximum",
    "explain_minimum",
    "token_q99",
    "token_q01",
    "excerpt_max_q99",
    "histogram_low",
    "histogram_high",
)
_BAND: np.dtype[Any] = np.dtype("<u4")
_COUNT_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


@dataclass(frozen=True, eq=False)
class Exemplars:
    """A neuron's records as they lie in the store. R records of T tokens, S slots."""

    slots: NDArray[np.intp]  # [R] which of the part's slots each record fills
    excerpts: Int32  # [R]
    activations: Float32  # [R, T]
    gates: Bool | None  # [R, T]


@dataclass(frozen=True, eq=False)
class Particulars:
    """What a packed row holds besides records."""

    explain_maximum: float
    explain_minimum: float
    token_q99: float
    token_q01: float
    excerpt_max_q99: float
    histogram: Histogram
    sign_shares: tuple[float, float, float, float] | None
    position0: bool
    band_excerpts: BandCounts


def encode_layer(result: LayerResult) -> Iterator[bytes]:
    """One packed row for each neuron of a layer, in order. Raises BadInput for values that are not finite."""
    n, slots, tokens = result.activations.shape
    filled: Bool = result.excerpts >= 0  # [N, S]
    exponents = _exponents(result.activations, filled)  # [N]
    block = _scaled(result.activations, exponents)  # [N, S, T] float16
    wide = bool((result.excerpts > 0xFFFF).any())
    ids = result.excerpts.astype("<u4" if wide else "<u2")  # [N, S]; unfilled slots are not written
    width = byte_width(int(result.histogram.max(initial=0)))
    counts = result.histogram.astype(_COUNT_TYPES[width])  # [N, B]
    floats = np.stack([getattr(result, name) for name in _FLOATS], axis=1).astype("<f4")  # [N, 7]
    if result.sign_shares is not None:
        floats = np.concatenate([floats, result.sign_shares.astype("<f4")], axis=1)  # [N, 11]
    bands = result.band_excerpts.astype(_BAND)  # [N, 4]
    flags = (_GATED if result.gates is not None else 0) | (_WIDE_IDS if wide else 0)
    flags |= _SHARES if result.sign_shares is not None else 0
    bits = np.packbits(filled, axis=1)  # [N, ceil(S / 8)]
    whole = bool(filled.all())
    for i in range(n):
        keep = slice(None) if whole else filled[i]
        head = _HEADER.pack(
            VERSION,
            flags | (_POSITION0 if result.position0[i] else 0),
            int(exponents[i]),
            width,
            ValueForm.HALF,
            slots,
            tokens,
            counts.shape[1],
        )
        pieces = [head, floats[i].tobytes(), bands[i].tobytes(), counts[i].tobytes(), bits[i].tobytes()]
        pieces.append(ids[i, keep].tobytes())
        if result.gates is not None:
            pieces.append(result.gates[i, keep].tobytes())
        yield b"".join([*pieces, planes.pack(block[i, keep])])


def published_row(
    form: ValueForm,
    extremes: tuple[float, float, float],
    boundaries: tuple[float, float, float, float],
    mark: bytes,
    bits: bytes,
    slots: int,
    ordinals: Int32,
    tokens: int,
    block: NDArray[Any],
) -> bytes:
    """The row of a published neuron: [R, T] values in their form, no histogram, no gates. `extremes` are maximum, minimum, .99 quantile of excerpts' maxima."""
    wide = bool(ordinals.max(initial=0) > 0xFFFF)
    flags = _SOURCE | (_WIDE_IDS if wide else 0)
    maximum, minimum, q99 = extremes
    return b"".join(
        (
            _HEADER.pack(VERSION, flags, 0, 1, form, slots, tokens, 0),
            np.array([maximum, minimum, np.nan, np.nan, q99, 0, 0], "<f4").tobytes(),
            bytes(4 * _BAND.itemsize),
            np.array(boundaries, "<f8").tobytes(),
            mark,
            bits,
            ordinals.astype("<u4" if wide else "<u2").tobytes(),
            planes.pack(block),
        )
    )


def decode_records(data: bytes) -> Exemplars:
    """The records of a packed row."""
    flags, exponent, _, slots, tokens, at = _open(data)
    rows, excerpts, at = _filled(data, flags, slots, at)
    values, packed = _block(data, flags, len(rows), tokens, at)
    block = values.astype(np.float32)  # [R, T]
    if exponent:
        block = np.ldexp(block, exponent)
    gates: Bool | None = None
    if packed is not None:
        gates = np.unpackbits(packed, axis=1, count=tokens).view(np.bool_)  # [R, T]
    return Exemplars(rows, excerpts, block, gates)


def decode_exact(data: bytes) -> NDArray[np.float64]:
    """The activations of a packed row, [R, T], with the very decimals that were published."""
    flags, exponent, _, slots, tokens, at = _open(data)
    rows, _, at = _filled(data, flags, slots, at)
    values, _ = _block(data, flags, len(rows), tokens, at)
    form = ValueForm(data[_FORM_AT])
    return exact(form, np.ldexp(values.astype(np.float64), exponent) if exponent else values)


def _block(
    data: bytes, flags: int, r: int, tokens: int, at: int
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """(values [R, T] in the row's form, packed gates [R, ceil(T / 8)]) of what comes after the ids."""
    kind, width = TYPES[ValueForm(data[_FORM_AT])], (tokens + 7) // 8
    plain = data[0] == PLAIN
    gates_at = at + r * tokens * kind.itemsize if plain else at
    gates = None
    if flags & _GATED:
        gates = np.frombuffer(data, np.uint8, r * width, gates_at).reshape(r, width)
    if plain:
        values = np.frombuffer(data, kind, r * tokens, at)
    else:
        values = planes.unpack(data, at + (r * width if flags & _GATED else 0), r * tokens, kind)
    return values.reshape(r, tokens), gates


def _filled(data: bytes, flags: int, slots: int, at: int) -> tuple[NDArray[np.intp], Int32, int]:
    """(filled slots [R], excerpt ordinals [R], offset of the block)."""
    filled = np.unpackbits(np.frombuffer(data, np.uint8, (slots + 7) // 8, at), count=slots)
    rows = np.flatnonzero(filled)  # [R]
    at += (slots + 7) // 8
    kind: np.dtype[Any] = np.dtype("<u4" if flags & _WIDE_IDS else "<u2")
    return (
        rows,
        np.frombuffer(data, kind, len(rows), at).astype(np.int32),
        at + len(rows) * kind.itemsize,
    )


def head_bytes(slots: int) -> int:
    """A packed row's first bytes that surely hold its excerpt ordinals."""
    return (
        _HEADER.size
        + 44
        + 4 * _BAND.itemsize
        + 4 * HISTOGRAM_BINS
        + _SOURCE_BYTES
        + (slots + 7) // 8
        + 4 * slots
    )


def kept_excerpts(rows: Sequence[bytes], wanted: Bool) -> tuple[NDArray[np.intp], Int32]:
    """(place of the row [P], excerpt ordinal [P]) of all records in the `wanted` slots [S], by row and slot.

    Of every row its first `head_bytes` or more; rows written before their layer got more slots have the first of them. Rows of one form are one block.
    """
    forms: dict[tuple[bool, int, int], list[int]] = {}
    for i, row in enumerate(rows):
        flags, _, _, slots, _, at = _open(row)
        if slots > len(wanted):
            raise StoreError(
                f"a neuron's row has {slots} slots and its layer {len(wanted)}: collect the model again"
            )
        forms.setdefault((bool(flags & _WIDE_IDS), at, slots), []).append(i)
    owners, found = [np.zeros(0, np.intp)], [np.zeros(0, np.int32)]
    for (wide, at, slots), places in forms.items():
        bits_size = (slots + 7) // 8
        kind: np.dtype[Any] = np.dtype("<u4" if wide else "<u2")
        end = at + bits_size + slots * kind.itemsize
        block = np.frombuffer(b"".join([rows[i][at:end].ljust(end - at, b"\0") for i in places]), np.uint8)
        block = block.reshape(len(places), end - at)
        filled = np.unpackbits(block[:, :bits_size], axis=1, count=slots).view(np.bool_)
        # [N, S]: ids of filled slots come first
        ids = np.ascontiguousarray(block[:, bits_size:]).view(kind)
        row_at, slot = np.nonzero(filled & wanted[:slots])
        owners.append(np.array(places, np.intp)[row_at])
        found.append(ids[row_at, (filled.cumsum(axis=1) - 1)[row_at, slot]].astype(np.int32))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return owner[order], np.concatenate(found)[order]


def decode_source(data: bytes) -> tuple[tuple[float, float, float, float], bytes] | None:
    """(quantile boundaries, mark of the content) of published data; None for a row of our own collecting."""
    flags, _, bins, _, _, at = _open(data)
    if not flags & _SOURCE:
        return None
    start = at - bins * data[4] - _SOURCE_BYTES
    a, b, c, d = np.frombuffer(data, "<f8", 4, start).tolist()
    return (a, b, c, d), data[start + 32 : start + _SOURCE_BYTES]


def decode_particulars(data: bytes) -> Particulars:
    """Everything of a packed row but its records."""
    flags, _, bins, _, _, at = _open(data)
    n_floats = 11 if flags & _SHARES else 7
    floats = [float(x) for x in np.frombuffer(data, "<f4", n_floats, _HEADER.size)]
    width = data[4]
    counts = np.frombuffer(data, _COUNT_TYPES[width], bins, at - bins * width).astype(np.uint32)
    q1, q2, q3, q4 = np.frombuffer(data, _BAND, 4, _HEADER.size + 4 * n_floats).tolist()
    shares = (floats[7], floats[8], floats[9], floats[10]) if flags & _SHARES else None
    return Particulars(
        explain_maximum=floats[0],
        explain_minimum=floats[1],
        token_q99=floats[2],
        token_q01=floats[3],
        excerpt_max_q99=floats[4],
        histogram=Histogram(floats[5], floats[6], counts),
        sign_shares=shares,
        position0=bool(flags & _POSITION0),
        band_excerpts=(q1, q2, q3, q4),
    )


def _open(data: bytes) -> tuple[int, int, int, int, int, int]:
    """(flags, exponent, bins, slots, tokens, offset of the filled bits)."""
    version, flags, exponent, width, _, slots, tokens, bins = _HEADER.unpack_from(data)
    if version not in (VERSION, PLAIN):
        what = "update Neuronarium" if version > VERSION else "collect the model again"
        raise StoreError(f"a neuron's records have form {version}, which this version does not know: {what}")
    at = _HEADER.size + (44 if flags & _SHARES else 28) + 4 * _BAND.itemsize + bins * width
    at += _SOURCE_BYTES if flags & _SOURCE else 0
    return flags, exponent, bins, slots, tokens, at


def _exponents(activations: NDArray[np.floating], filled: Bool) -> NDArray[np.int64]:
    """The power of two of every neuron, [N]."""
    peaks = _largest(activations, filled).astype(np.float64)  # [N]
    if not np.isfinite(peaks).all():
        at = int(np.flatnonzero(~np.isfinite(peaks))[0])
        raise BadInput(f"neuron {at} has an activation that is not a finite number: collect in float32")
    _, exponents = np.frexp(peaks)  # peak = m * 2**e, m in [0.5, 1)
    inside = (peaks == 0) | ((peaks >= SMALLEST) & (peaks <= LARGEST))
    return np.where(inside, 0, exponents - _TOP_EXPONENT).astype(np.int64)


def _largest(activations: NDArray[np.floating], filled: Bool) -> NDArray[np.floating]:
    """The largest |activation| in each neuron's filled slots, [N]; not finite if any of them is not.

    Read as integers with the sign bit off, floats keep their order, infinity and NaN come last, and numpy is 20 times as quick.
    """
    half = activations.dtype == np.float16
    kind, positive = (np.uint16, 0x7FFF) if half else (np.uint32, 0x7FFFFFFF)
    plain = np.ascontiguousarray(activations, np.float16 if half else np.float32)
    words: NDArray[Any] = plain.view(kind)
    bits = (words & kind(positive)).max(axis=2, initial=0)  # [N, S]
    bits = np.where(filled, bits, kind(0)).max(axis=1, initial=0)  # [N]
    largest: NDArray[np.floating] = bits.view(plain.dtype)
    return largest


def _scaled(activations: NDArray[np.floating], exponents: NDArray[np.int64]) -> NDArray[np.float16]:
    """[N, S, T] as float16 after division by each neuron's power of two."""
    with np.errstate(over="ignore"):  # what overflows is replaced just below
        block = activations.astype("<f2")
    outside = np.flatnonzero(exponents)
    if len(outside):
        wide = np.ldexp(activations[outside].astype(np.float64), -exponents[outside, None, None])
        # Rounding up must not lead out of float32, whose largest value is just below 2**128.
        limit = np.where(exponents[outside] == 128 - _TOP_EXPONENT, _BELOW_TOP, np.inf)[:, None, None]
        block[outside] = np.clip(wide, -limit, limit).astype("<f2")
    return block
