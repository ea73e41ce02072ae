"""Hooks that take the neurons of every layer as the model reads, into a block of excerpts held in memory.

Per batch and layer the hooks do what is cheap while the values are in the cache: maximum, minimum and sums of each
excerpt, and a copy as float16. All else happens once per block. Position 0 is kept apart, because whether it counts
is decided per neuron (`pilot`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.domain.neurons import Int32
from app.errors import ModelError
from app.subject.families import MlpSite

FLOAT16_SAFE = 60000.0  # beyond this the largest float16, 65504, is near
FLOAT16_NORMAL = 2.0**-14  # below this float16 loses digits


class LayerBlock:
    """What a block of C excerpts gave in one layer: N neurons, T tokens; filled batch by batch."""

    def __init__(
        self, layer: int, capacity: int, tokens: int, neurons: int, gated: bool, device: torch.device
    ) -> None:
        self.layer = layer
        self.values = torch.empty(capacity, tokens, neurons, dtype=torch.float16, device=device)  # [C, T, N]
        # Whether the gate is above 0, eight neurons a byte, the first in the highest bit (as np.packbits).
        packed = (capacity, tokens, (neurons + 7) // 8)
        self.gates = torch.empty(packed, dtype=torch.uint8, device=device) if gated else None  # [C, T, N/8]
        self.peak = torch.empty(capacity, neurons)  # [C, N] over positions 1..T-1, as the next three
        self.trough = torch.empty(capacity, neurons)  # [C, N]
        self.total = torch.empty(capacity, neurons)  # [C, N]
        self.square = torch.empty(capacity, neurons)  # [C, N]
        self.first = torch.empty(capacity, neurons)  # [C, N] value at position 0

    def put(self, at: int, x: Tensor, ones: Tensor) -> None:
        """Take in a batch at rows `at`…: x [B, T, N] on any device, ones [B, 1, T-1] on the same."""
        stop = at + len(x)
        x = x.float()
        self.values[at:stop] = x  # first: what was just computed is in the caches of both cores
        rest = x[:, 1:]  # [B, T-1, N]
        if x.device.type == "cpu":  # numpy squares and adds in one go
            values = rest.numpy()
            np.einsum("btn,btn->bn", values, values, out=self.square[at:stop].numpy())
        else:
            self.square[at:stop] = torch.bmm(ones, rest.square()).squeeze(1)  # [B, N]
        self.total[at:stop] = torch.bmm(ones, rest).squeeze(1)  # [B, N]
        self.peak[at:stop] = rest.amax(1)  # [B, N]
        self.trough[at:stop] = rest.amin(1)  # [B, N]
        self.first[at:stop] = x[:, 0]  # [B, N]
        if not self._float16_holds(at, stop) and self.values.dtype == torch.float16:
            self.values = self.values.float()
            self.values[at:stop] = x

    def _float16_holds(self, at: int, stop: int) -> bool:
        """Whether float16 is wide and fine enough for these rows. Raises ModelError when they are not finite."""
        peak, trough, first = (t[at:stop].numpy() for t in (self.peak, self.trough, self.first))  # [B, N]
        largest = np.maximum(
            np.maximum(peak.max(0), -trough.min(0)), np.maximum(first.max(0), -first.min(0))
        )  # [N]
        highest = largest.max()
        if not np.isfinite(highest):
            raise ModelError(
                f"Layer {self.layer} of the model gave values that are not finite; load it in float32 or check "
                "its weights."
            )
        return bool(highest <= FLOAT16_SAFE and not ((largest < FLOAT16_NORMAL) & (largest > 0)).any())

    def put_gates(self, at: int, gate: Tensor) -> None:
        """Take in the signs of a batch's gates [B, T, N]."""
        assert self.gates is not None
        stop = at + len(gate)
        if gate.device.type == "cpu":  # numpy takes half of torch's time
            self.gates.numpy()[at:stop] = np.packbits(gate.float().numpy() > 0, axis=-1)
        else:
            self.gates[at:stop] = pack_on_device(gate > 0)

    def rows(self, columns: Tensor, neurons: Tensor) -> tuple[Tensor, Tensor | None]:
        """Values [M, T] and gate bits [M, T/8] of (excerpt of the block, neuron) pairs [M]."""
        order = torch.argsort(columns, stable=True)  # so that an excerpt's values are read while in the cache
        at = columns[order].to(self.values.device)
        which = neurons[order].to(self.values.device)
        values = torch.empty(len(columns), self.values.shape[1], dtype=self.values.dtype)  # [M, T]
        values[order] = self.values[at, :, which].cpu()
        if self.gates is None:
            return values, None
        eights = self.gates[at, :, which // 8]  # [M, T]
        signs = (eights >> (7 - which % 8).to(torch.uint8)[:, None]) & 1  # [M, T]
        bits = torch.empty(len(columns), (signs.shape[1] + 7) // 8, dtype=torch.uint8)  # [M, T/8]
        bits[order] = torch.from_numpy(np.packbits(signs.cpu().numpy(), axis=1))
        return values, bits

    def positions(self, columns: Tensor, places: Tensor) -> tuple[Tensor, Tensor | None]:
        """Values [M, N] and gate bits [M, N/8] of (excerpt of the block, token) pairs [M]."""
        columns, places = columns.to(self.values.device), places.to(self.values.device)
        values = self.values[columns, places].cpu()
        return values, None if self.gates is None else self.gates[columns, places].cpu()


def pack_on_device(bits: Tensor) -> Tensor:
    """np.packbits along the last axis, on any device: bool [..., N] -> uint8 [..., N/8]."""
    bytes_ = F.pad(bits.view(torch.uint8), (0, -bits.shape[-1] % 8))
    eights = bytes_.unflatten(-1, (-1, 8))  # type: ignore[no-untyped-call]  # [..., N/8, 8]
    pairs = torch.add(eights[..., 1::2], eights[..., 0::2], alpha=2)  # [..., N/8, 4]
    fours = torch.add(pairs[..., 1::2], pairs[..., 0::2], alpha=4)  # [..., N/8, 2]
    return torch.add(fours[..., 1], fours[..., 0], alpha=16)  # [..., N/8]


class _Enough(Exception):
    """The last layer that is asked for has given its neurons; what the model would do next is of no use."""


class Capture:
    """A decoder with hooks on the MLPs of some layers, and the blocks that they fill; it is run no further than them."""

    def __init__(
        self,
        decoder: nn.Module,
        sites: Sequence[MlpSite],
        layers: Sequence[int],
        tokens: int,
        bos: int | None,
    ) -> None:
        self.decoder = decoder
        self.sites = {layer: sites[layer] for layer in layers}
        self.tokens = tokens
        self.bos = bos
        self.device = next(decoder.parameters()).device
        self.blocks: dict[int, LayerBlock] = {}
        self._at = 0
        self._ones = torch.empty(0)

    def allocate(self, capacity: int) -> None:
        """Blocks for so many excerpts in every layer, fresh or as good as."""
        for layer, site in self.sites.items():
            block = self.blocks.get(layer)
            if block is None or len(block.values) < capacity or block.values.dtype != torch.float16:
                self.blocks.pop(layer, None)  # given up before the new one is made
                gated = site.gate is not None
                self.blocks[layer] = LayerBlock(
                    layer, capacity, self.tokens, site.neurons, gated, self.device
                )

    def run(self, tokens: Int32, at: int) -> None:
        """Read a batch of excerpts [B, T] and put what they give at rows `at`… of the blocks."""
        ids = torch.from_numpy(tokens.astype(np.int64)).to(self.device)  # [B, T]
        if self.bos is not None:
            ids = F.pad(ids, (1, 0), value=self.bos)  # [B, 1 + T]
        self._at = at
        self._ones = torch.ones(len(tokens), 1, self.tokens - 1, device=self.device)  # [B, 1, T-1]
        with suppress(_Enough):
            self.decoder(input_ids=ids, use_cache=False)

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Hooks in place for the time of the context, gradients off."""
        skip = 0 if self.bos is None else 1
        last = max(self.sites)
        handles = []
        for layer, site in self.sites.items():

            def neurons(_: nn.Module, args: tuple[Tensor, ...], layer: int = layer) -> None:
                self.blocks[layer].put(self._at, args[0][:, skip:], self._ones)
                if layer == last:
                    raise _Enough

            def gate(_: nn.Module, __: tuple[Tensor, ...], output: Tensor, layer: int = layer) -> None:
                self.blocks[layer].put_gates(self._at, output[:, skip:])

            handles.append(site.output.register_forward_pre_hook(neurons))
            if site.gate is not None:
                handles.append(site.gate.register_forward_hook(gate))
        try:
            with torch.inference_mode():
                yield
        finally:
            for handle in handles:
                handle.remove()
