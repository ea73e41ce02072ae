"""all-MiniLM-L6-v2 in numpy: six post-norm BERT layers, mean over all tokens, length 1.

As sentence-transformers computes it, to a few millionths (a test holds both together), without torch, so that `serve` can embed
what somebody types. B texts of T tokens, H = 384 wide, A = 12 heads of 32, F = 1536.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.embeddings import unit
from app.domain.neurons import Float32

DIMENSION = 384
LAYERS = 6
HEADS = 12
LONGEST = 256  # tokens, the two special ones included; what comes after is not read
EPSILON = 1e-12
BATCH_TOKENS = 2048
GELU_ROWS = 64  # 64 x 1536 float32 stay in the processor's cache through all the steps


class _Layer(NamedTuple):
    """Weights of one layer; matrices as x @ w."""

    qkv: Float32  # [H, 3H]
    qkv_bias: Float32
    out: Float32  # [H, H]
    out_bias: Float32
    out_norm: tuple[Float32, Float32]
    up: Float32  # [H, F]
    up_bias: Float32
    down: Float32  # [F, H]
    down_bias: Float32
    down_norm: tuple[Float32, Float32]


class MiniLM:
    """The model in memory (43 MB; the table of its words is read from the file as needed). Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Load `model.safetensors` and `tokenizer.json` from a folder."""
        from safetensors import safe_open
        from tokenizers import Tokenizer

        weights: Any = safe_open(str(folder / "model.safetensors"), framework="np")

        def get(name: str) -> Float32:
            return np.ascontiguousarray(weights.get_tensor(name), np.float32)

        self._words: Any = weights.get_slice("embeddings.word_embeddings.weight")
        # Every text is of segment 0.
        self._positions: Float32 = (
            get("embeddings.position_embeddings.weight")[:LONGEST]
            + get("embeddings.token_type_embeddings.weight")[0]
        )
        self._norm = get("embeddings.LayerNorm.weight"), get("embeddings.LayerNorm.bias")
        self._layers = [_layer(get, f"encoder.layer.{i}") for i in range(LAYERS)]
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)

    def embed(self, texts: Sequence[str], stopped: Callable[[], bool] = lambda: False) -> Float32:
        """Unit vectors [N, H] of the texts. InterruptedError as soon as `stopped` says so."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch([text.strip() for text in texts])]
        found = np.empty((len(ids), DIMENSION), np.float32)
        for rows in _batches([len(one) for one in ids]):
            if stopped():
                raise InterruptedError
            found[rows] = self._forward(np.array([ids[row] for row in rows]))
        return found

    def _forward(self, ids: NDArray[np.integer[Any]]) -> Float32:
        """Unit vectors [B, H] of token ids [B, T]: texts of one length, so nothing is padded or masked."""
        b, t = ids.shape
        words, where = np.unique(ids, return_inverse=True)
        table: Float32 = np.stack([self._words[word] for word in words.tolist()])  # [W, H]
        x: Float32 = table[where.reshape(b, t)] + self._positions[:t]  # [B, T, H]
        x = _normed(x.reshape(b * t, DIMENSION), self._norm)  # [B*T, H]
        for layer in self._layers:
            x = _normed(x + _attention(x, b, t, layer), layer.out_norm)
            h: Float32 = x @ layer.up + layer.up_bias  # [B*T, F]
            _gelu(h)
            down: Float32 = h @ layer.down + layer.down_bias
            x = _normed(x + down, layer.down_norm)
        return unit(x.reshape(b, t, DIMENSION).mean(axis=1))


def _layer(get: Callable[[str], Float32], name: str) -> _Layer:
    own = f"{name}.attention.self"
    parts = [f"{own}.{each}" for each in ("query", "key", "value")]
    return _Layer(
        qkv=np.concatenate([get(f"{part}.weight") for part in parts]).T,
        qkv_bias=np.concatenate([get(f"{part}.bias") for part in parts]),
        out=get(f"{name}.attention.output.dense.weight").T,
        out_bias=get(f"{name}.attention.output.dense.bias"),
        out_norm=_pair(get, f"{name}.attention.output.LayerNorm"),
        up=get(f"{name}.intermediate.dense.weight").T,
        up_bias=get(f"{name}.intermediate.dense.bias"),
        down=get(f"{name}.output.dense.weight").T,
        down_bias=get(f"{name}.output.dense.bias"),
        down_norm=_pair(get, f"{name}.output.LayerNorm"),
    )


def _pair(get: Callable[[str], Float32], name: str) -> tuple[Float32, Float32]:
    return get(f"{name}.weight"), get(f"{name}.bias")


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts of one length, some `BATCH_TOKENS` tokens at a time."""
    by_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        by_length.setdefault(length, []).append(index)
    for length, rows in sorted(by_length.items()):
        size = max(1, BATCH_TOKENS // length)
        for at in range(0, len(rows), size):
            yield rows[at : at + size]


def _attention(x: Float32, b: int, t: int, layer: _Layer) -> Float32:
    qkv = (x @ layer.qkv + layer.qkv_bias).reshape(b, t, 3, HEADS, DIMENSION // HEADS)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # each [B, A, T, 32]
    scores = q @ k.swapaxes(-1, -2)  # [B, A, T, T]
    scores *= np.float32((DIMENSION // HEADS) ** -0.5)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    seen = (scores @ v).swapaxes(1, 2).reshape(b * t, DIMENSION)  # [B*T, H]
    given: Float32 = seen @ layer.out + layer.out_bias
    return given


def _normed(x: Float32, weights: tuple[Float32, Float32]) -> Float32:
    """Layer normalisation over the last axis."""
    x = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("nh,nh->n", x, x)[:, None] / np.float32(DIMENSION)
    x *= weights[0] / np.sqrt(variance + np.float32(EPSILON))
    x += weights[1]
    return x


def _gelu(x: Float32) -> None:
    """x * Phi(x) in place; the error function by formula 7.1.26 of Abramowitz and Stegun, off by at most 1.5e-7."""
    for at in range(0, len(x), GELU_ROWS):
        part = x[at : at + GELU_ROWS]
        z = np.abs(part)
        z *= np.float32(0.5**0.5)
        t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * z)
        tail = t * np.float32(1.061405429)
        for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            tail += np.float32(coefficient)
            tail *= t
        z *= z
        np.negative(z, out=z)
        np.exp(z, out=z)
        tail *= z  # 1 - erf(|x| / sqrt 2)
        half = np.float32(0.5) * part
        tail *= half  # the half of x beyond what is kept, with the sign of x
        np.maximum(part, np.float32(0), out=part)
        part -= np.abs(tail)
