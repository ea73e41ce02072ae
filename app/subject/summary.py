"""Shape of each neuron's distribution from sampled tokens: moments beyond the second, histogram, quantiles, signs.

The sample is the same tokens for every neuron of a model, those with the smallest hash. Where a neuron's position 0
is an outlier its sampled values at position 0 are left out.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from app.domain.neurons import HISTOGRAM_BINS

TOKEN_QUANTILE = 0.99
EXCERPT_QUANTILE = 0.99
CHUNK = 64  # neurons summarised at once, so that their samples stay in the cache


class Shape(NamedTuple):
    """Of N neurons; fields as in LayerResult."""

    skewness: Tensor  # float64 [N], 0 where a neuron is constant
    kurtosis: Tensor  # float64 [N], 0 where a neuron is constant
    density: Tensor  # float32 [N]
    token_q99: Tensor  # float32 [N]
    token_q01: Tensor  # float32 [N]
    histogram_low: Tensor  # float32 [N]
    histogram_high: Tensor  # float32 [N]
    histogram: Tensor  # int64 [N, B]
    sign_shares: Tensor | None  # float32 [N, 4]


class TokenSample(NamedTuple):
    """Sampled tokens: S of them, those of the explain split first."""

    values: Tensor  # [S, N] float16 or float32
    gates: Tensor | None  # uint8 [S, N]: 1 where the gate is above 0
    explain: int  # how many are of the explain split
    at_zero: Tensor  # bool [S] at position 0


def shape_of(sample: TokenSample, outlier: Tensor, explain_maximum: Tensor) -> Shape:
    """The summary of each neuron; outlier: bool [N], explain_maximum: float32 [N].

    Raises ValueError when nothing was sampled.
    """
    if not len(sample.values):
        raise ValueError("no sampled tokens")
    values = sample.values.T.contiguous()  # [N, S]
    signs = None if sample.gates is None else sample.gates.T.contiguous().view(torch.bool)  # [N, S]
    parts: list[Shape] = []
    order: list[Tensor] = []
    for neurons, left_out in ((~outlier).nonzero().squeeze(1), False), (outlier.nonzero().squeeze(1), True):
        for some in torch.split(neurons, CHUNK):
            x, gates = values[some], None if signs is None else signs[some]  # [n, S]
            explain = sample.explain
            if left_out:
                x, gates = x[:, ~sample.at_zero], None if gates is None else gates[:, ~sample.at_zero]
                explain -= int(sample.at_zero[:explain].sum())
            parts.append(_shape(x.float(), gates, explain, explain_maximum[some]))
            order.append(some)
    back = torch.cat(order).argsort()
    shares = [part.sign_shares for part in parts if part.sign_shares is not None]
    plain = [torch.cat(fields)[back] for fields in zip(*(part[:-1] for part in parts), strict=True)]
    return Shape._make([*plain, torch.cat(shares)[back] if shares else None])


def _shape(x: Tensor, gates: Tensor | None, explain: int, explain_maximum: Tensor) -> Shape:
    """Of a chunk of neurons small enough for the cache: x float32 [n, S], gates bool [n, S]."""
    d = x - x.mean(1, keepdim=True)  # [n, S]
    square = d * d  # [n, S]
    second = square.mean(1).double()  # [n]
    third = d.mul_(square).mean(1).double()
    fourth = square.square_().mean(1).double()
    varied = second > 0
    safe = torch.where(varied, second, 1.0)
    low, high = x.amin(1), x.amax(1)  # [n]
    dense = (x >= explain_maximum[:, None] / 10) & (x > 0)  # [n, S]
    inside = x[:, :explain]  # [n, S']
    return Shape(
        skewness=torch.where(varied, third / safe**1.5, 0.0),
        kurtosis=torch.where(varied, fourth / safe.square(), 0.0),
        density=dense.float().mean(1),
        token_q99=upper_quantile(inside, TOKEN_QUANTILE),
        token_q01=-upper_quantile(-inside, TOKEN_QUANTILE),
        histogram_low=low,
        histogram_high=high,
        histogram=_histogram(x, low, high),
        sign_shares=None if gates is None else _sign_shares(x, gates),
    )


def upper_quantile(rows: Tensor, at: float) -> Tensor:
    """Linear quantile (as numpy's default) of each row [N, S] with `at` near 1: [N]; zeros when S is 0."""
    count = rows.shape[1]
    if not count:
        return torch.zeros(len(rows))
    place = at * (count - 1)
    low = int(np.floor(place))
    top = rows.topk(count - low, 1).values  # [N, count - low], largest first
    above = top[:, max(count - low - 2, 0)]
    return torch.lerp(top[:, -1], above, place - low) if count - low > 1 else top[:, -1].clone()


def _histogram(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Counts in equal bins between low and high, the last one closed: [n, S] -> int64 [n, B]."""
    width = high - low
    scale = torch.where(width > 0, HISTOGRAM_BINS / width, 0.0)
    bins = ((x - low[:, None]) * scale[:, None]).to(torch.int32).clamp_(0, HISTOGRAM_BINS - 1)  # [n, S]
    bins += torch.arange(len(x), dtype=torch.int32)[:, None] * HISTOGRAM_BINS
    return torch.bincount(bins.view(-1), minlength=len(x) * HISTOGRAM_BINS).view(len(x), HISTOGRAM_BINS)


def _sign_shares(x: Tensor, gates: Tensor) -> Tensor:
    """Shares of (gate, input) ++ +- -+ -- from the gate's sign and the product's: float32 [n, 4].

    The activation functions in use keep the gate's sign, so the input (what the gate multiplies) has the
    product's sign times the gate's. A product of exactly 0 counts as input not positive.
    """
    both = (gates & (x > 0)).float().mean(1)
    positive = gates.float().mean(1)
    crossed = (~gates & (x < 0)).float().mean(1)
    return torch.stack([both, positive - both, crossed, 1 - positive - crossed], 1)
