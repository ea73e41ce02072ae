"""Blocks of numbers as bytes, a seventh smaller than they lie in memory, and back.

A number's highest byte (sign, exponent, first bits of the fraction) takes few values among a neuron's activations, the other
bytes take all. So the bytes of one rank lie together, lowest first, and the highest are deflated by Huffman codes alone:
there are no repetitions to look for. All little-endian.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import StoreError


def pack(block: NDArray[Any]) -> bytes:
    """The numbers of a block of any shape."""
    planes = np.ascontiguousarray(block).reshape(-1).view(np.uint8).reshape(-1, block.itemsize).T  # [W, N]
    deflate = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY, wbits=-zlib.MAX_WBITS)
    return planes[:-1].tobytes() + deflate.compress(planes[-1].tobytes()) + deflate.flush()


def unpack(data: bytes, at: int, n: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """The [n] numbers that lie in `data` from `at` to its end. StoreError where those are not theirs."""
    width, low = kind.itemsize, n * (kind.itemsize - 1)
    numbers = np.empty((n, width), np.uint8)
    try:
        numbers[:, :-1] = np.frombuffer(data, np.uint8, low, at).reshape(width - 1, n).T
        numbers[:, -1] = np.frombuffer(
            zlib.decompress(memoryview(data)[at + low :], -zlib.MAX_WBITS, max(n, 1)), np.uint8
        )
    except (ValueError, zlib.error) as error:
        raise StoreError(
            "a neuron's records in the store are damaged: collect or import them again"
        ) from error
    return numbers.reshape(-1).view(kind)
