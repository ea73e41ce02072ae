"""One layer of a shard as its blocks come in: records chosen, sums, extremes and samples."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from app.domain.neurons import BANDS, Int32, Split, UInt8
from app.subject.capture import LayerBlock
from app.subject.partials import Int64, LayerPart
from app.subject.pilot import Pilot, effective
from app.subject.selection import Chosen, Selection


class Sampled(NamedTuple):
    """What is sampled of the whole collection, sorted."""

    tokens: Int64  # [S] excerpt * T + token
    excerpts: Int64  # [P] of the explain split

    def among(self, excerpts: Int32, tokens: int) -> "Here":
        """What of it is in a block of these excerpts [C], of so many tokens each."""
        ids = (excerpts.astype(np.int64)[:, None] * tokens + np.arange(tokens)).reshape(-1)
        mine = np.flatnonzero(np.isin(ids, self.tokens))
        columns = np.flatnonzero(np.isin(excerpts, self.excerpts))
        return Here(
            torch.from_numpy(mine // tokens),
            torch.from_numpy(mine % tokens),
            ids[mine],
            torch.from_numpy(columns),
            excerpts[columns].astype(np.int64),
        )


class Here(NamedTuple):
    """What is sampled of a block."""

    columns: Tensor  # int64 [S] the block's row of each sampled token
    places: Tensor  # int64 [S] its place in the excerpt
    ids: Int64  # [S] excerpt * T + token
    excerpt_columns: Tensor  # int64 [P] rows of the block
    excerpts: Int64  # [P]


class _Rows(NamedTuple):
    """Records that entered with a block."""

    chosen: Chosen
    values: Tensor  # [M, T]
    gates: Tensor | None  # uint8 [M, T/8]


class LayerShard:
    """Gathers a shard's part of one layer."""

    def __init__(self, layer: int, selection: Selection) -> None:
        self.layer = layer
        self.selection = selection
        neurons = len(selection.keys)
        self._rows: list[_Rows] = []
        self._totals: list[tuple[Tensor, Tensor]] = []  # [C, N] of the run's blocks
        self._sums = torch.zeros(2, neurons, dtype=torch.float64)  # of the runs before
        self._extremes = torch.tensor([[-torch.inf], [torch.inf]] * 2).repeat(1, neurons)  # [4, N]
        self._bands = torch.zeros(len(BANDS), neurons, dtype=torch.int64)  # [4, N]
        self._sample: list[tuple[Tensor, Tensor | None, Int64]] = []
        self._peaks: list[tuple[Tensor, Int64]] = []

    def take(self, block: LayerBlock, excerpts: Int32, splits: UInt8, pilot: Pilot, sampled: Here) -> None:
        """Take in a block: excerpts [C] in its rows, sorted by split [C]."""
        peaks, troughs, totals, squares = effective(block, len(excerpts), pilot.outlier)  # [C, N]
        self._totals.append((totals, squares))
        explain = int(np.searchsorted(splits, Split.EXPLAIN, side="right"))
        if explain:
            self._extend(0, peaks[:explain], troughs[:explain])
        self._extend(2, peaks, troughs)
        first, last = np.searchsorted(splits, [Split.SCORE, Split.SCORE + 1]).tolist()
        self._count(peaks[first:last], pilot.edges)
        chosen = self.selection.update(peaks, troughs, pilot.edges, excerpts, splits)
        self._rows.append(_Rows(chosen, *block.rows(chosen.columns, chosen.neurons)))
        self._sample.append((*block.positions(sampled.columns, sampled.places), sampled.ids))
        self._peaks.append((peaks[sampled.excerpt_columns], sampled.excerpts))

    def _extend(self, at: int, peaks: Tensor, troughs: Tensor) -> None:
        self._extremes[at] = torch.maximum(self._extremes[at], peaks.amax(0))
        self._extremes[at + 1] = torch.minimum(self._extremes[at + 1], troughs.amin(0))

    def _count(self, peaks: Tensor, edges: Tensor) -> None:
        """Add excerpts of the score split, [C, N], to the bands that they lie in."""
        above = torch.stack([(peaks > edge).sum(0, dtype=torch.int32) for edge in edges])  # [3, N]
        self._bands[0] += len(peaks) - above[0]
        self._bands[1:-1] += above[:-1] - above[1:]
        self._bands[-1] += above[-1]

    def end_run(self) -> None:
        """To be called after the blocks of a run: its sums, whatever its blocks' sizes, and what is left of the records."""
        self._sums += torch.stack([torch.cat(x).double().sum(0) for x in zip(*self._totals, strict=True)])
        self._totals = []
        kept: list[_Rows] = []
        for row in self._rows:
            keep = self.selection.still_in(row.chosen)
            if not keep.all():
                chosen = Chosen(*(field[keep] for field in row.chosen))
                row = _Rows(chosen, row.values[keep], None if row.gates is None else row.gates[keep])
            kept.append(row)
        self._rows = kept

    def part(self) -> LayerPart:
        """The shard's part, after its last run; to be called once, for it gives the records' memory back."""
        kept, self._rows = self._rows, []
        values = _joined([row.values for row in kept])
        gates = [row.gates for row in kept if row.gates is not None]
        sample_gates = [gates for _, gates, _ in self._sample if gates is not None]
        sample = _joined([values for values, _, _ in self._sample])
        none = np.zeros((0, 0), np.uint8)
        return LayerPart(
            neurons=torch.cat([row.chosen.neurons for row in kept]).numpy().astype(np.int32),
            groups=torch.cat([row.chosen.groups for row in kept]).numpy(),
            keys=torch.cat([row.chosen.keys for row in kept]).numpy(),
            values=values.numpy(),
            gates=_joined(gates).numpy() if gates else none,
            sums=self._sums.numpy(),
            extremes=self._extremes.numpy(),
            bands=self._bands.numpy(),
            sample=sample.numpy(),
            sample_gates=torch.cat(sample_gates).numpy() if sample_gates else none,
            sample_ids=np.concatenate([ids for _, _, ids in self._sample]),
            peaks=torch.cat([peaks for peaks, _ in self._peaks]).numpy(),
            peak_ids=np.concatenate([ids for _, ids in self._peaks]),
        )


def _joined(parts: list[Tensor]) -> Tensor:
    """One tensor; float32 when any part is."""
    if len(parts) == 1:
        return parts[0]
    wide = any(part.dtype == torch.float32 for part in parts)
    return torch.cat([part.float() if wide else part for part in parts])
