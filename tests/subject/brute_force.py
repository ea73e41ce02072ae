"""What a collection should find, the slow way: every activation kept, everything sorted, numpy alone."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from app.domain.hashing import priority
from app.domain.neurons import BAND_EDGES, BANDS, Kind, Split
from app.subject.collect import RUN, Collector
from app.subject.families import decoder


class Everything(NamedTuple):
    """All activations of one layer."""

    values: NDArray[np.float32]  # [E, T, N]
    gates: NDArray[np.bool_] | None  # [E, T, N]


def read_all(collector: Collector) -> list[Everything]:
    """Every activation of every layer, by the plainest of hooks, over the same batches."""
    subject, table = collector.subject, collector.excerpts
    caught: list[tuple[list[torch.Tensor], list[torch.Tensor]]] = [([], []) for _ in subject.sites]
    handles = []
    for site, (values, gates) in zip(subject.sites, caught, strict=True):
        handles.append(
            site.output.register_forward_pre_hook(lambda _, a, values=values: values.append(a[0].clone()))
        )
        if site.gate is not None:
            handles.append(
                site.gate.register_forward_hook(lambda _, __, o, gates=gates: gates.append(o.clone()))
            )
    batches = collector.batches()
    with torch.no_grad():
        for batch in batches:
            ids = torch.from_numpy(table.tokens[batch].astype(np.int64))
            if subject.card.bos is not None:
                ids = torch.cat([torch.full((len(ids), 1), subject.card.bos), ids], 1)
            decoder(subject.model)(input_ids=ids, use_cache=False)
    for handle in handles:
        handle.remove()
    back = np.argsort(np.concatenate(batches))
    skip = 0 if subject.card.bos is None else 1
    return [
        Everything(
            torch.cat(values).numpy()[back][:, skip:],
            (torch.cat(gates).numpy()[back][:, skip:] > 0) if gates else None,
        )
        for values, gates in caught
    ]


class Expected(NamedTuple):
    """What one layer's result should hold."""

    position0: NDArray[np.bool_]  # [N]
    excerpts: NDArray[np.int64]  # [N, R]
    bands: NDArray[np.int64]  # [N, 4]
    counted: NDArray[np.float64]  # [E, T, N] with NaN where position 0 does not count


def expect(collector: Collector, layer: int, everything: Everything) -> Expected:
    """Slots by sorting all excerpts of each neuron; ties go to the smaller ordinal."""
    table, profile, seed = collector.excerpts, collector.profile, collector.seed
    values = everything.values
    count, _, neurons = values.shape
    pilot = np.argsort(priority(seed, np.arange(count), np.array(1)), kind="stable")[:RUN]
    magnitude = np.abs(values[pilot])
    position0 = (magnitude[:, 0] > magnitude[:, 1:].max(1)).sum(0) * 2 > len(pilot)
    counted = values.astype(np.float64)
    counted[:, 0, position0] = np.nan
    peaks, troughs = np.nanmax(counted, 1), np.nanmin(counted, 1)  # [E, N]
    edges = np.quantile(peaks[pilot], BAND_EDGES[1:], axis=0).astype(np.float32)  # [3, N]
    band_of = (peaks.astype(np.float32)[:, :, None] > edges.T).sum(2)  # [E, N]
    numbers = layer * neurons + np.arange(neurons)
    ordinals = np.arange(count)
    # The hash's upper half decides the random sample, its lower half the bands, then the smaller ordinal.
    hashes = priority(seed, numbers[:, None], ordinals[None])
    hashes, band_hashes = hashes >> np.uint64(32), hashes & np.uint64(0xFFFFFFFF)
    kinds, splits = profile.slots()
    slots = np.full((neurons, len(kinds)), -1)
    for kind, split in sorted(set(zip(kinds.tolist(), splits.tolist(), strict=True))):
        where = np.flatnonzero((kinds == kind) & (splits == split))
        mine = np.flatnonzero(table.splits == split)
        for n in range(neurons):
            among = mine
            if kind in BANDS:
                among = mine[band_of[mine, n] == BANDS.index(Kind(kind))]
            rank = {Kind.TOP: -peaks[:, n], Kind.BOTTOM: troughs[:, n], Kind.RANDOM: hashes[n]}
            chosen = among[np.argsort(rank.get(Kind(kind), band_hashes[n])[among], kind="stable")]
            if (kind, split) == (Kind.Q4, Split.SCORE):
                top = slots[n, (kinds == Kind.TOP) & (splits == split)]
                chosen = np.concatenate([chosen[~np.isin(chosen, top)], chosen[np.isin(chosen, top)]])
            chosen = chosen[: len(where)]
            slots[n, where[: len(chosen)]] = chosen
    score = band_of[table.splits == Split.SCORE]  # [E', N]
    bands = np.stack([(score == band).sum(0) for band in range(len(BANDS))], 1)
    return Expected(position0, slots, bands, counted)
