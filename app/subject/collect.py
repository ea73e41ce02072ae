"""Collection: one pass over the excerpts, shard by shard, each leaving a partial that merges with the others.

Excerpts are dealt to shards by hash, so every shard is a sample of the corpus. A shard is read run by run; the first
one's first run is also the pilot, which decides per neuron whether position 0 counts and where the bands lie (`pilot`).
Shards may be run in any order, by several processes, and again after a kill: what is merged is the same.
"""

import gc
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray

from app.domain.collection import ExcerptTable, LayerResult
from app.domain.hashing import priority
from app.domain.neurons import Int32, Profile, Split
from app.errors import BadInput, Conflict, ModelError
from app.subject import partials
from app.subject.capture import Capture
from app.subject.layer_shard import LayerShard, Sampled
from app.subject.load import Subject
from app.subject.merging import merge_layer
from app.subject.partials import LayerPart, LayerPilot, PartialFile, shard_path
from app.subject.pilot import Pilot, pilot_of
from app.subject.selection import Selection

VERSION = 3  # raised when partials of an older version must not be merged with new ones
RUN = 256  # excerpts that are held in memory at once, if they fit
# A collection is cut into about so many shards, of whole runs: each writes records that a later one may push out.
SHARDS = 8
RUNS = 4  # of a shard, at most: a shard is what a kill may cost
SAMPLED_TOKENS = 4096  # at most; and at most 1 in SAMPLED_SHARE, once there are SAMPLED_LEAST
SAMPLED_SHARE = 32
SAMPLED_LEAST = 2048
SAMPLED_EXCERPTS = 1024
BATCH = 16  # excerpts read at once on a CPU; more does not read faster
BATCH_ACCELERATOR = 128
MEMORY_SHARE = 0.4  # of the memory that is free, for a block

Progress = Callable[[int], None]
Cancelled = Callable[[], bool]


class Collector:
    """A collection of some layers of a subject over a table of excerpts."""

    def __init__(
        self,
        subject: Subject,
        excerpts: ExcerptTable,
        profile: Profile,
        layers: Sequence[int],
        seed: int,
        *,
        batch: int | None = None,
        block: int | None = None,
    ) -> None:
        """`batch` and `block` (excerpts read at once, and held in memory) are found when not given.

        Raises BadInput for layers that the model does not have and for an empty table.
        """
        card = subject.card
        unknown = [layer for layer in layers if not 0 <= layer < card.layers]
        if unknown or not layers:
            asked = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
            raise BadInput(f"{card.name} has layers 0 to {card.layers - 1}; asked for {asked or 'none'}.")
        if not len(excerpts.tokens):
            raise BadInput("There are no excerpts to collect over.")
        self.subject, self.excerpts, self.profile, self.seed = subject, excerpts, profile, seed
        self.layers = sorted(set(layers))
        count, tokens = excerpts.tokens.shape
        order = np.argsort(priority(seed, np.arange(count), np.array(1)), kind="stable").astype(np.int32)
        runs: list[Int32] = []  # excerpts, by split
        for first in range(0, count, RUN):
            run = np.sort(order[first : first + RUN])
            runs.append(run[np.argsort(excerpts.splits[run], kind="stable")])
        each = min(max(round(len(runs) / SHARDS), 1), RUNS)
        self._shards = [runs[first : first + each] for first in range(0, len(runs), each)]
        self._layout = (RUN, each)
        wanted = min(max(count * tokens // SAMPLED_SHARE, SAMPLED_LEAST), SAMPLED_TOKENS)
        positions = _smallest(seed + 2, np.arange(count * tokens), wanted)
        explain = np.flatnonzero(excerpts.splits == Split.EXPLAIN)
        self._sampled = Sampled(positions, _smallest(seed + 3, explain, SAMPLED_EXCERPTS))
        sites = subject.sites
        self._capture = Capture(subject.decoder, sites, self.layers, tokens, card.bos)
        self._batch = batch or (BATCH if self._capture.device.type == "cpu" else BATCH_ACCELERATOR)
        self._block = block
        self._folder: Path | None = None
        self._selections: dict[int, Selection] = {}
        self._included: set[int] = set()

    def fingerprint(self) -> str:
        """What partials must share to be merged."""
        card = self.subject.card
        parameters = (VERSION, card.slug, card.revision, card.dtype, card.bos, self.layers, self.seed)
        digest = hashlib.sha256(repr((parameters, self._layout, astuple(self.profile))).encode())
        for array in (self.excerpts.tokens, self.excerpts.splits):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def shards(self) -> int:
        """How many shards there are; each may be run by any process."""
        return len(self._shards)

    def shard_size(self, shard: int) -> int:
        """Excerpts in a shard."""
        return sum(map(len, self._shards[shard]))

    def batches(self) -> list[Int32]:
        """The excerpts of every batch, in the order in which they are read."""
        runs = [run for shard in self._shards for run in shard]
        return [batch for run in runs for block in self._blocks(run, RUN) for batch in block]

    def done(self, folder: Path) -> list[int]:
        """The shards whose partials are there."""
        return [i for i in range(self.shards()) if shard_path(folder, i).exists()]

    def run_shard(self, shard: int, folder: Path, progress: Progress, cancelled: Cancelled) -> bool:
        """Read a shard's excerpts and write its partial; True when it is there, False when cancelled before.

        Does nothing when it is there already. `progress` is told the shard's excerpts read so far, after each
        batch; `cancelled` is asked before each. Raises StoreError, ModelError, Conflict; writes nothing half.
        """
        fingerprint = self.fingerprint()
        path = shard_path(folder, shard)
        if path.exists():
            with partials.opened(path, fingerprint):
                progress(self.shard_size(shard))
                return True
        if self._folder != folder or shard in self._included:
            self._folder, self._selections, self._included = folder, {}, set()
        pilot_path = folder / partials.PILOT
        if shard and not pilot_path.exists() and not self._run_pilot(pilot_path, fingerprint, cancelled):
            return False
        shards = {layer: self._layer_shard(layer) for layer in self.layers}
        pilots = self._read_pilot(pilot_path, fingerprint) if pilot_path.exists() else {}
        done = 0
        for run in self._shards[shard]:
            capacity = self._allocate(len(run))
            if not pilots and capacity < len(run):
                if not self._run_pilot(pilot_path, fingerprint, cancelled):
                    return False
                pilots = self._read_pilot(pilot_path, fingerprint)
            for batches in self._blocks(run, capacity):
                rows = np.concatenate(batches)
                if not self._read(batches, _after(done, progress), cancelled):
                    return False
                done += len(rows)
                if not pilots:
                    pilots = self._write_pilot(pilot_path, fingerprint, len(rows))
                splits = self.excerpts.splits[rows]
                sampled = self._sampled.among(rows, self.excerpts.tokens.shape[1])
                for layer, shard_of_layer in shards.items():
                    block = self._capture.blocks[layer]
                    shard_of_layer.take(block, rows, splits, pilots[layer], sampled)
            for shard_of_layer in shards.values():
                shard_of_layer.end_run()
        layers = {layer: shard_of_layer.part() for layer, shard_of_layer in shards.items()}
        partials.write(path, fingerprint, layers)
        self._selections = {layer: shard_of_layer.selection for layer, shard_of_layer in shards.items()}
        self._included.add(shard)
        return True

    def run(self, folder: Path, progress: Progress, cancelled: Cancelled) -> bool:
        """All shards in turn; `progress` counts excerpts of the whole collection. False when cancelled."""
        before = 0
        for shard in range(self.shards()):
            if not self.run_shard(shard, folder, _after(before, progress), cancelled):
                return False
            before += self.shard_size(shard)
        return True

    def merge(self, folder: Path) -> Iterator[LayerResult]:
        """The layers' results, one in memory at a time. Raises Conflict when shards are missing."""
        self.release()
        missing = sorted(set(range(self.shards())) - set(self.done(folder)))
        if missing:
            raise Conflict(
                f"{len(missing)} of {self.shards()} shards are not collected yet, such as {missing[0]}."
            )
        partials.sweep(folder)
        fingerprint = self.fingerprint()
        pilots = self._read_pilot(folder / partials.PILOT, fingerprint)
        gated = self.subject.card.gated
        with ExitStack() as stack:
            paths = [shard_path(folder, shard) for shard in range(self.shards())]
            files = [stack.enter_context(partials.opened(path, fingerprint)) for path in paths]
            reader = stack.enter_context(
                ThreadPoolExecutor(1)
            )  # reads a layer while the one before is merged
            ahead = reader.submit(_parts, files, self.layers[0])
            for i, layer in enumerate(self.layers):
                parts = ahead.result()
                if i + 1 < len(self.layers):
                    ahead = reader.submit(_parts, files, self.layers[i + 1])
                yield merge_layer(layer, parts, pilots[layer], self.excerpts, self.profile, gated=gated)

    def release(self) -> None:
        """Give up the memory held for running shards."""
        self._capture.blocks.clear()
        self._selections, self._included = {}, set()
        gc.collect()

    def _layer_shard(self, layer: int) -> LayerShard:
        known = self._selections.get(layer)
        selection = (
            known.copy()
            if known
            else Selection(layer, self.subject.card.neurons_per_layer, self.profile, self.seed)
        )
        return LayerShard(layer, selection)

    def _run_pilot(self, path: Path, fingerprint: str, cancelled: Cancelled) -> bool:
        """The pilot alone, when another shard comes first or its block does not fit in memory."""
        run = self._shards[0][0]
        found: dict[int, list[tuple[torch.Tensor, ...]]] = {layer: [] for layer in self.layers}
        for batches in self._blocks(run, self._allocate(len(run))):
            if not self._read(batches, lambda _: None, cancelled):
                return False
            count = sum(map(len, batches))
            for layer, b in self._capture.blocks.items():
                found[layer].append(tuple(t[:count].clone() for t in (b.peak, b.trough, b.first)))
        pilots = {
            layer: pilot_of(*(torch.cat(x) for x in zip(*rows, strict=True))) for layer, rows in found.items()
        }
        self._save_pilot(path, fingerprint, pilots)
        return True

    def _write_pilot(self, path: Path, fingerprint: str, count: int) -> dict[int, Pilot]:
        """The pilot from the blocks that hold all of the first run."""
        pilots = {
            layer: pilot_of(b.peak[:count], b.trough[:count], b.first[:count])
            for layer, b in self._capture.blocks.items()
        }
        self._save_pilot(path, fingerprint, pilots)
        return self._read_pilot(path, fingerprint)

    def _save_pilot(self, path: Path, fingerprint: str, pilots: dict[int, Pilot]) -> None:
        layers = {layer: LayerPilot(p.outlier.numpy(), p.edges.numpy()) for layer, p in pilots.items()}
        partials.write(path, fingerprint, layers, first_wins=True)

    def _read_pilot(self, path: Path, fingerprint: str) -> dict[int, Pilot]:
        with partials.opened(path, fingerprint) as file:
            return {
                layer: Pilot(*(torch.from_numpy(array) for array in file.pilot(layer)))
                for layer in self.layers
            }

    def _allocate(self, wanted: int) -> int:
        """Blocks for `wanted` excerpts or as many as memory allows; how many excerpts that is."""
        capacity = min(wanted, max(self._block or self._fitting(), self._batch))
        self._capture.allocate(capacity)
        return capacity

    def _blocks(self, run: Int32, capacity: int) -> list[list[Int32]]:
        """A run's excerpts as blocks of batches, one split a batch.

        Batches do not depend on the memory there is: a batch's size decides how sums inside the model round.
        """
        blocks: list[list[Int32]] = [[]]
        for split in np.unique(self.excerpts.splits[run]):
            same = run[self.excerpts.splits[run] == split]
            for first in range(0, len(same), self._batch):
                batch = same[first : first + self._batch]
                if sum(map(len, blocks[-1])) + len(batch) > capacity:
                    blocks.append([])
                blocks[-1].append(batch)
        return blocks

    def _fitting(self) -> int:
        """Excerpts whose activations fit: float16 values, a bit for the gate, and room for a layer in float32."""
        card = self.subject.card
        width = len(self.layers) * card.neurons_per_layer
        one = self.excerpts.tokens.shape[1] * width * 2.25 + width * 20
        device = self._capture.device
        free = (
            torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
        )
        return max(self._batch, min(RUN, int(free * MEMORY_SHARE / one)))

    def _read(self, batches: list[Int32], progress: Progress, cancelled: Cancelled) -> bool:
        """Read batches of excerpts into the blocks; False when cancelled. Batches halve when memory runs out."""
        at = 0
        with self._capture.hooked():
            for batch in batches:
                done = 0
                while done < len(batch):
                    if cancelled():
                        return False
                    some = batch[done : done + self._batch]
                    try:
                        self._capture.run(self.excerpts.tokens[some], at + done)
                    except (RuntimeError, MemoryError) as error:
                        self._halve(error)
                        continue
                    done += len(some)
                    progress(at + done)
                at += len(batch)
        return True

    def _halve(self, error: Exception) -> None:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(error).lower()
        if not short:
            raise error
        if self._batch == 1:
            raise ModelError(
                "There is not enough memory to read a single excerpt; close other programs."
            ) from error
        self._batch //= 2
        if self._capture.device.type == "cuda":
            torch.cuda.empty_cache()


def _parts(files: Sequence[PartialFile], layer: int) -> list[LayerPart]:
    return [file.part(layer) for file in files]


def _after(before: int, progress: Progress) -> Progress:
    """`progress` for a part that begins after so many excerpts."""
    return lambda n: progress(before + n)


def _smallest(seed: int, ids: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The `count` ids with the smallest hashes (all when fewer), sorted."""
    if len(ids) > count:
        ids = ids[np.argpartition(priority(seed, ids, np.array(0)), count)[:count]]
    return np.sort(ids).astype(np.int64)
