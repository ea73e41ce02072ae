"""Drawing an experiment's neurons: by hash, so that the same seed draws the same neurons in every store and version."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.experiments import Rule, SampleRule
from app.domain.neurons import Float64, NeuronRef

Indices = NDArray[np.int64]


class LayerPool(NamedTuple):
    """The neurons of one layer that can be drawn."""

    model: str
    layer: str
    ordinal: int
    neurons: Indices  # [N] indices, rising
    scores: Float64  # [N] by the rule's measure; NaN: none


class Drawn(NamedTuple):
    """What a rule gives of one model."""

    neurons: tuple[NeuronRef, ...]  # by layer, then as drawn
    short: tuple[str, ...]  # in words, where there were fewer than asked for


def draw(rule: SampleRule, pools: Sequence[LayerPool]) -> Drawn:
    """The neurons of one model by a rule that draws. Neurons without the score that a rule needs are never drawn."""
    if rule.rule is Rule.RANDOM:
        parts = [_random(rule.seed, pool, pool.neurons, rule.n) for pool in pools]
        return Drawn(_joined(parts), _short(rule, pools, parts))
    if rule.rule is Rule.RANDOM_ABOVE_PER_LAYER:
        parts = [_random(rule.seed, pool, pool.neurons[pool.scores > rule.above], rule.n) for pool in pools]
        return Drawn(_joined(parts), _short(rule, pools, parts))
    if rule.rule is Rule.TOP_PER_LAYER:
        parts = [_best(rule.seed, [pool], rule.n) for pool in pools]
        return Drawn(_joined(parts), _short(rule, pools, parts))
    if rule.rule is Rule.TOP_OVERALL:
        found = _best(rule.seed, pools, rule.n)
    elif rule.rule is Rule.RANDOM_ABOVE:
        there = [
            NeuronRef(pool.model, pool.layer, int(i))
            for pool in pools
            for i in pool.neurons[pool.scores > rule.above]
        ]
        found = sorted(there, key=lambda ref: _order(rule.seed, ref))[: rule.n]
    else:
        raise ValueError(f"{rule.rule} does not draw")
    place = {pool.layer: pool.ordinal for pool in pools}
    found.sort(key=lambda ref: place[ref.layer])
    short = (f"{rule.label}: only {len(found)} of {rule.n} neurons there",) if len(found) < rule.n else ()
    return Drawn(tuple(found), short)


def sample_digest(refs: Sequence[NeuronRef]) -> str:
    """sha256 of `model/layer/index` lines in order, as samples of lists have it."""
    return hashlib.sha256("".join(f"{ref}\n" for ref in refs).encode()).hexdigest()


def _random(seed: int, pool: LayerPool, indices: Indices, n: int) -> list[NeuronRef]:
    refs = [NeuronRef(pool.model, pool.layer, int(i)) for i in indices]
    return sorted(refs, key=lambda ref: _order(seed, ref))[:n]


def _best(seed: int, pools: Sequence[LayerPool], n: int) -> list[NeuronRef]:
    """The n highest scores, best first; equals by hash, so that a low index has no advantage."""
    scored: list[tuple[float, bytes, NeuronRef]] = []
    for pool in pools:
        kept = np.flatnonzero(np.isfinite(pool.scores))
        if len(kept) > n:  # the n-th best and its equals
            edge = np.partition(pool.scores[kept], len(kept) - n)[len(kept) - n]
            kept = kept[pool.scores[kept] >= edge]
        for i in kept:
            ref = NeuronRef(pool.model, pool.layer, int(pool.neurons[i]))
            scored.append((-float(pool.scores[i]), _order(seed, ref), ref))
    scored.sort(key=lambda each: each[:2])
    return [ref for _, _, ref in scored[:n]]


def _order(seed: int, ref: NeuronRef) -> bytes:
    return hashlib.sha256(f"{seed}:{ref}".encode()).digest()


def _joined(parts: Sequence[Sequence[NeuronRef]]) -> tuple[NeuronRef, ...]:
    return tuple(ref for part in parts for ref in part)


def _short(
    rule: SampleRule, pools: Sequence[LayerPool], parts: Sequence[Sequence[NeuronRef]]
) -> tuple[str, ...]:
    few = [pool.layer for pool, part in zip(pools, parts, strict=True) if len(part) < rule.n]
    if not few:
        return ()
    shown = ", ".join(few[:5]) + (" …" if len(few) > 5 else "")
    return (f"{rule.label}: fewer than {rule.n} neurons in {len(few)} layers ({shown})",)
