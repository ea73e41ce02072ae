"""Merge the shards' parts of one layer into its result."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.domain.collection import ExcerptTable, LayerResult
from app.domain.neurons import Float32, Int32, Kind, Profile, Split, UInt8
from app.subject.partials import Int64, LayerPart, Values
from app.subject.pilot import Pilot
from app.subject.selection import excerpt_of, groups_of, runs_of
from app.subject.summary import EXCERPT_QUANTILE, TokenSample, shape_of, upper_quantile


def merge_layer(
    layer: int,
    parts: Sequence[LayerPart],
    pilot: Pilot,
    excerpts: ExcerptTable,
    profile: Profile,
    *,
    gated: bool,
) -> LayerResult:
    """The result of one layer from the parts of all shards, in any order."""
    count, tokens = excerpts.tokens.shape
    outlier = pilot.outlier
    neurons = len(outlier)
    kinds, splits = profile.slots()
    slots, activations, gates = _records(parts, profile, neurons, tokens, gated=gated)
    sums = np.sum([part.sums for part in parts], axis=0)  # [2, N]
    extremes = np.stack([part.extremes for part in parts])  # [shards, 4, N]
    highest, lowest = extremes.max(0), extremes.min(0)  # [4, N]
    explain_maximum, explain_minimum = _finite(highest[0]), _finite(lowest[1])
    position0 = outlier.numpy()
    n = count * (tokens - position0)  # [N] tokens that count
    mean = sums[0] / n
    sample = _sample(parts, excerpts, neurons, gated=gated)
    shape = shape_of(sample, outlier, torch.from_numpy(explain_maximum))
    peaks = torch.from_numpy(np.concatenate([part.peaks for part in parts]))  # [P, N]
    return LayerResult(
        layer=layer,
        slug=f"{layer}-mlp",
        kinds=kinds,
        splits=splits,
        excerpts=slots,
        activations=activations,
        gates=gates,
        mean=mean,
        variance=np.maximum(sums[1] / n - mean * mean, 0.0),
        skewness=shape.skewness.numpy(),
        kurtosis=shape.kurtosis.numpy(),
        maximum=highest[2],
        minimum=lowest[3],
        density=shape.density.numpy(),
        explain_maximum=explain_maximum,
        explain_minimum=explain_minimum,
        token_q99=shape.token_q99.numpy(),
        token_q01=shape.token_q01.numpy(),
        excerpt_max_q99=upper_quantile(peaks.T.contiguous(), EXCERPT_QUANTILE).numpy(),
        histogram_low=shape.histogram_low.numpy(),
        histogram_high=shape.histogram_high.numpy(),
        histogram=shape.histogram.numpy().astype(np.uint32),
        sign_shares=None if shape.sign_shares is None else shape.sign_shares.numpy(),
        position0=position0,
        band_excerpts=np.sum([part.bands for part in parts], axis=0).T.astype(np.uint32),
        n_tokens=count * tokens,
        n_sampled=len(sample.values),
    )


def _finite(values: Float32) -> Float32:
    """0 where a split had no excerpt."""
    return np.where(np.isfinite(values), values, np.float32(0))


def _records(
    parts: Sequence[LayerPart], profile: Profile, neurons: int, tokens: int, *, gated: bool
) -> tuple[Int32, Values, UInt8 | None]:
    """Excerpts [N, R], values [N, R, T] and gate bits [N, R, T/8] of the slots."""
    groups = groups_of(profile)
    slots = groups[-1].stop
    held = np.array([group.held for group in groups])
    sizes = np.array([group.size for group in groups])
    starts = np.array([group.start for group in groups])
    keys = np.concatenate([part.keys for part in parts])  # [M]
    buckets = np.concatenate(
        [part.neurons.astype(np.int64) * len(groups) + part.groups for part in parts]
    )  # [M]
    falling = torch.from_numpy(keys).argsort(descending=True)
    order = falling[torch.from_numpy(buckets)[falling].argsort(stable=True)].numpy()
    rank = runs_of(buckets[order]).rank
    keep = rank < held[buckets[order] % len(groups)]
    order, rank = order[keep], rank[keep]
    owner, group = buckets[order] // len(groups), buckets[order] % len(groups)  # [M] neuron and group
    ordinals = excerpt_of(torch.from_numpy(keys[order])).numpy()  # [M]
    for position, reserving in enumerate(groups):
        if reserving.reserve:
            top = [g.kind == Kind.TOP and g.split == reserving.split for g in groups]
            rows = np.flatnonzero(group == position)
            rank[rows] = _top_last(rows, np.flatnonzero(np.array(top)[group]), owner, ordinals)
    keep = rank < sizes[group]
    order, rank, owner, group, ordinals = order[keep], rank[keep], owner[keep], group[keep], ordinals[keep]
    # Row of the flattened [N * R] table for each record that is kept.
    place = owner * slots + starts[group] + rank
    excerpts = np.full(neurons * slots, -1, np.int32)
    excerpts[place] = ordinals
    source = np.full(neurons * slots, -1)  # of each row, the record; -1 where there is none
    source[place] = order
    values = _taken([part.values for part in parts], source)  # [N * R, T]
    bits = _taken([part.gates for part in parts], source) if gated else None  # [N * R, T/8]
    return (
        excerpts.reshape(neurons, slots),
        values.reshape(neurons, slots, tokens),
        None if bits is None else bits.reshape(neurons, slots, -1),
    )


def _taken(parts: Sequence[NDArray[Any]], source: Int64) -> NDArray[Any]:
    """Rows `source` of the parts' rows one after another, 0 where it is -1."""
    dtype = np.result_type(*(part.dtype for part in parts))
    taken: NDArray[Any] = np.zeros((len(source), *parts[0].shape[1:]), dtype)
    first = 0
    for part in parts:
        mine = np.flatnonzero((source >= first) & (source < first + len(part)))
        taken[mine] = part[source[mine] - first]
        first += len(part)
    return taken


def _top_last(rows: Int64, top: Int64, owner: Int64, ordinals: Int64) -> Int64:
    """New ranks of records, given by `rows` in order of neuron and rank: those that are among the `top` come last.

    `owner` and `ordinals` [M] are every record's neuron and excerpt.
    """
    pairs = (owner << 32) | ordinals
    strong = np.isin(pairs[rows], pairs[top])
    order = np.lexsort((strong, owner[rows]))  # stable
    ranks = np.empty_like(rows)
    ranks[order] = runs_of(owner[rows][order]).rank
    return ranks


def _sample(parts: Sequence[LayerPart], excerpts: ExcerptTable, neurons: int, *, gated: bool) -> TokenSample:
    tokens = excerpts.tokens.shape[1]
    ids = np.concatenate([part.sample_ids for part in parts])  # [S]
    split = excerpts.splits[ids // tokens]  # [S]
    order = np.lexsort((ids, split != Split.EXPLAIN))  # whatever the order of shards
    values = np.concatenate([part.sample for part in parts])[order]  # [S, N]
    gates: Tensor | None = None
    if gated:
        bits = np.concatenate([part.sample_gates for part in parts])[order]  # [S, N/8]
        gates = torch.from_numpy(np.unpackbits(bits, axis=1, count=neurons))
    ids = ids[order]
    return TokenSample(
        values=torch.from_numpy(values),
        gates=gates,
        explain=int((split == Split.EXPLAIN).sum()),
        at_zero=torch.from_numpy(ids % tokens == 0),
    )
