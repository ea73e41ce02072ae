"""Keys and values of a prompt's beginning, computed once and read by any number of batches."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from app.errors import ModelError


class Stem(NamedTuple):
    """Keys and values of the first P positions, one pair a layer; nobody writes into them."""

    layers: tuple[tuple[Tensor, Tensor], ...]  # each [1, kv_heads, P, head_dim]

    @property
    def length(self) -> int:
        """P."""
        return int(self.layers[0][0].shape[-2]) if self.layers else 0

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return sum(k.nbytes + v.nbytes for k, v in self.layers)


NO_STEM = Stem(())


class _StemLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # transformers' __init_subclass__
    """One layer's cache that stands on a stem: the stem is spread over the batch as a view, and what a
    forward pass adds is handed to the attention but kept only when `keep` is set. So a batch needs the memory
    of one layer at a time.

    It is a plain layer for sliding-window attention as well: all keys are there, and the model's mask picks
    the window.
    """

    def __init__(self, keys: Tensor, values: Tensor, keep: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stem, self.keep = (keys, values), keep
        self.keys, self.values = keys, values
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        # keys, values: [B, kv_heads, P + L, head_dim]
        keys, values = (
            torch.cat((stem.expand(len(new), -1, -1, -1), new), dim=-2)
            for stem, new in zip(self.stem, (key_states, value_states), strict=True)
        )
        if self.keep:
            self.keys, self.values = keys, values
        return keys, values


def grow(body: Any, stem: Stem, ids: Sequence[int], device: torch.device) -> Stem:
    """The stem with `ids` read on top of it by `body`, the model without its head. `stem` stays as it was."""
    if not ids:
        return stem
    cache = _cache(stem, keep=True)
    _forward(body, torch.tensor([ids], device=device), cache, stem.length)
    layers = []
    for layer in cache.layers:
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        if keys is None or values is None or keys.shape[-2] != stem.length + len(ids):
            raise ModelError(
                "this model does not keep keys and values of every position, so it cannot be a local simulator"
            )
        layers.append((keys, values))
    return Stem(tuple(layers))


def read_on(body: Any, stem: Stem, ids: Tensor) -> Tensor:
    """Hidden states [B, L, width] after the last norm, for rows `ids` int64 [B, L] that each continue `stem`.

    Rows may be padded on the right: attention is causal, so a row's own positions never see its padding.
    """
    return _forward(body, ids, _cache(stem, keep=False), stem.length)


def _cache(stem: Stem, keep: bool) -> Cache:
    if stem.layers:
        return Cache(layers=[_StemLayer(keys, values, keep) for keys, values in stem.layers])
    return Cache(layer_class_to_replicate=DynamicLayer)


def _forward(body: Any, ids: Tensor, cache: Cache, past: int) -> Tensor:
    positions = torch.arange(past, past + ids.shape[1], device=ids.device)[None]  # [1, L]
    out = body(input_ids=ids, position_ids=positions, past_key_values=cache, use_cache=True)
    hidden: Tensor = out.last_hidden_state  # [B, L, width]
    return hidden
