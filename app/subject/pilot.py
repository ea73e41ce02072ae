"""What must be known of a layer before records are chosen, from the first run's excerpts (a hash-chosen part).

* A neuron's **position 0 is an outlier** when in more than half of the pilot's excerpts its magnitude there exceeds
  that at every other position. The first token of a text without BOS draws such values in Llama-like models
  (attention sinks); by chance a position is the largest in 1 of 64. The rule has no scale and no order.
* **Band edges** are quantiles of the excerpt's maximum over the pilot. A pilot of 256 tells them only roughly, so
  how many excerpts lie in each band is counted over the whole collection (`layer_shard`).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from app.domain.neurons import BAND_EDGES
from app.subject.capture import LayerBlock


class Pilot(NamedTuple):
    """One layer's findings."""

    outlier: Tensor  # bool [N]
    edges: Tensor  # float32 [3, N] edges between the bands q1..q4


def pilot_of(peak: Tensor, trough: Tensor, first: Tensor) -> Pilot:
    """From the pilot's P excerpts: maximum and minimum over positions 1… and the value at 0, each float32 [P, N]."""
    stands_out = first.abs() > torch.maximum(peak.abs(), trough.abs())  # [P, N]
    outlier = stands_out.sum(0) * 2 > len(peak)  # [N]
    peaks = torch.where(outlier, peak, torch.maximum(peak, first))  # [P, N]
    return Pilot(outlier, quantiles(peaks, BAND_EDGES[1:]))


def quantiles(values: Tensor, at: tuple[float, ...]) -> Tensor:
    """Linear quantiles down the columns: [P, N] -> float32 [len(at), N], as numpy's default."""
    ranked = torch.from_numpy(np.sort(values.T.contiguous().numpy(), 1))  # [N, P], a tenth of torch's time
    place = torch.tensor(at, dtype=torch.float64) * (len(values) - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=len(values) - 1)
    share = (place - low).float()  # [Q]
    return torch.lerp(ranked[:, low], ranked[:, high], share).T.contiguous()


def effective(block: LayerBlock, count: int, outlier: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Maximum, minimum, sum, sum of squares of each excerpt over the positions that count, float32 [C, N]."""
    first = block.first[:count]  # [C, N]
    apart = block.peak[:count], block.trough[:count], block.total[:count], block.square[:count]  # [C, N] each
    peak, trough, total, square = apart
    with_first = (
        torch.maximum(peak, first),
        torch.minimum(trough, first),
        total + first,
        torch.addcmul(square, first, first),
    )
    few = outlier.nonzero().squeeze(1)
    for counted, rest in zip(with_first, apart, strict=True):
        counted[:, few] = rest[:, few]
    return with_first
