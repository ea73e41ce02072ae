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
    """Sampled tokens: S of them."""

    values: Tensor  # float32 [S, N]
    gates: Tensor | None  # bool [S, N]
    explain: Tensor  # bool [S] of the explain split
    at_zero: Tensor  # bool [S] at position 0

    def take(self, rows: Tensor, neurons: Tensor) -> "TokenSample":
        """Some sampled tokens (bool [S]) of some neurons (int64 [n])."""
        gates = None if self.gates is None else self.gates[rows][:, neurons]
        return TokenSample(self.values[rows][:, neurons], gates, self.explain[rows], self.at_zero[rows])


def shape_of(sample: TokenSample, outlier: Tensor, explain_maximum: Tensor) -> Shape:
    """The summary of each neuron; outlier: bool [N], explain_maximum: float32 [N]."""
    shape = _shape(sample, explain_maximum)
    neurons = outlier.nonzero().squeeze(1)
    if len(neurons):
        part = _shape(sample.take(~sample.at_zero, neurons), explain_maximum[neurons])
        for whole, patch in zip(shape, part, strict=True):
            if whole is not None and patch is not None:
                whole[neurons] = patch
    return shape


def _shape(sample: TokenSample, explain_maximum: Tensor) -> Shape:
    x = sample.values  # [S, N]
    count = len(x)
    if not count:
        raise ValueError("no sampled tokens")
    d = x - x.mean(0)  # [S, N]
    square = d * d  # [S, N]
    second = square.mean(0).double()  # [N]
    third = (square * d).mean(0).double()
    fourth = square.square_().mean(0).double()
    varied = second > 0
    safe = torch.where(varied, second, 1.0)
    low, high = x.amin(0), x.amax(0)  # [N]
    dense = (x >= explain_maximum / 10) & (x > 0)
    explain = x[sample.explain].T.contiguous()  # [N, S']
    return Shape(
        skewness=torch.where(varied, third / safe**1.5, 0.0),
        kurtosis=torch.where(varied, fourth / safe.square(), 0.0),
        density=dense.sum(0, dtype=torch.int32) / count,
        token_q99=upper_quantile(explain, TOKEN_QUANTILE),
        token_q01=-upper_quantile(explain.neg_(), TOKEN_QUANTILE),
        histogram_low=low,
        histogram_high=high,
        histogram=_histogram(x, low, high),
        sign_shares=None if sample.gates is None else _sign_shares(x, sample.gates),
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
    """Counts in equal bins between low and high, the last one closed: [S, N] -> int64 [N, B]."""
    width = high - low
    scale = torch.where(width > 0, HISTOGRAM_BINS / width, 0.0)
    bins = ((x - low) * scale).to(torch.int32).clamp_(0, HISTOGRAM_BINS - 1)  # [S, N]
    bins += torch.arange(x.shape[1], dtype=torch.int32) * HISTOGRAM_BINS
    counts = torch.bincount(bins.reshape(-1), minlength=x.shape[1] * HISTOGRAM_BINS)
    return counts.view(x.shape[1], HISTOGRAM_BINS)


def _sign_shares(x: Tensor, gates: Tensor) -> Tensor:
    """Shares of (gate, input) ++ +- -+ -- from the gate's sign and the product's: float32 [N, 4].

    The activation functions in use keep the gate's sign, so the input (what the gate multiplies) has the
    product's sign times the gate's. A product of exactly 0 counts as input not positive.
    """
    count = len(x)
    both = (gates & (x > 0)).sum(0)
    positive = gates.sum(0)
    crossed = (~gates & (x < 0)).sum(0)
    return torch.stack([both, positive - both, crossed, count - positive - crossed], 1) / count
