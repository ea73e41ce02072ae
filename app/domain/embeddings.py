"""Sentence embeddings as values: who made them, how a text is recognised, and the float16 unit vectors that are kept."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float32

Float16 = NDArray[np.float16]
HASH_BYTES = 16


@dataclass(frozen=True)
class Embedder:
    """What turns texts into vectors. Vectors of two embedders are never compared."""

    name: str  # as people know it: a model, or endpoint and model
    revision: str  # sha256 of the weights, or of what an endpoint is asked for


def text_hash(text: str) -> bytes:
    """What a text is recognised by: it is embedded once, however many neurons it is said of. White space around it is nothing."""
    return hashlib.blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def unit(vectors: NDArray[np.floating]) -> Float32:
    """Rows [N, D] scaled to length 1. ValueError for a row that is not finite or has no direction."""
    wide = np.asarray(vectors, np.float64)
    largest = np.abs(wide).max(axis=1, initial=0.0, keepdims=True)  # [N, 1]; NaN and infinity stay visible
    if not np.isfinite(largest).all() or not (largest > 0).all():
        raise ValueError("a vector has no direction")
    wide = wide / largest  # so that no square overflows or vanishes
    scaled: Float32 = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def pack(vectors: Float32) -> bytes:
    """Unit vectors [N, D] as little-endian float16, 2 * N * D bytes; each value is off by at most 2**-11 of itself or 2**-25."""
    return vectors.astype("<f2").tobytes()


def unpack(data: bytes, dimension: int) -> Float16:
    """The vectors [N, D] of `pack`, read-only. ValueError where the bytes are not of whole vectors."""
    return np.frombuffer(data, "<f2").reshape(-1, dimension)
