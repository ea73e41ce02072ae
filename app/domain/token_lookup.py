"""`token_lookup`: the explanation that needs no language model, mean activation by token.

It speaks for the positive polarity, with signed means: the correlation of -prediction with -activation is the same
number, so a second statement for the negative polarity would score alike. Means come from stored explain records,
which are top-heavy (and an excerpt kept both as top and at random counts twice): they are no means over all text.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.layer_lookup import TOP_TOKENS, LayerLookup, lookup_layer
from app.domain.layer_scores import STATES, LayerScores
from app.domain.neurons import Float32, Int32, Records, Split
from app.domain.protocols import BILLS_EXPLAIN_TOP

__all__ = [
    "STATES", "TOP_TOKENS", "LayerLookup", "LayerScores", "TokenMeans", "lookup_layer", "lookup_records", "token_means"
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class TokenMeans:
    """Mean activation by token. U distinct tokens."""

    ids: Int32  # [U] ascending; in what `top` gives, strongest first
    means: Float32  # [U] signed
    counts: Int32  # [U] tokens behind each mean
    fallback: float  # mean over all tokens, for a token never seen

    def predict(self, tokens: NDArray[np.integer]) -> Float32:
        """Expected activations of any token array, same shape: in the neuron's own units, signed."""
        if not len(self.ids):
            return np.full(tokens.shape, self.fallback, np.float32)
        place = np.minimum(np.searchsorted(self.ids, tokens), len(self.ids) - 1)
        return np.where(self.ids[place] == tokens, self.means[place], np.float32(self.fallback))

    @property
    def factor(self) -> float:
        """What brings the means to the 0-10 scale: 10 is the largest mean in size. Positive, so that it changes
        neither a correlation nor a calibrated score.
        """
        largest = max(float(np.abs(self.means).max(initial=0.0)), abs(self.fallback))
        return 10.0 / largest if largest > 0 else 1.0

    def on_scale(self, tokens: NDArray[np.integer], sign: int = 1) -> Float32:
        """`predict` in -10..10 for the polarity of this sign: signed means give values below 0."""
        return (self.predict(tokens).astype(np.float64) * (sign * self.factor)).astype(np.float32)

    def top(self, n: int = TOP_TOKENS) -> "TokenMeans":
        """The n tokens with the highest means, strongest first; of equal means the lower id first. Only to show."""
        rows = np.lexsort((self.ids, -self.means))[:n]
        return TokenMeans(self.ids[rows], self.means[rows], self.counts[rows], self.fallback)


def lookup_records(records: Records) -> Records:
    """The records whose means `token_lookup` takes: all of the explain split, or BILLS' explain ranks if imported."""
    if (records.splits == Split.UNSPLIT).any():
        top = np.flatnonzero((records.splits == Split.UNSPLIT) & (records.kinds == 0))
        return records.take(top[[rank for rank in BILLS_EXPLAIN_TOP if rank < len(top)]])
    return records.where(splits=(Split.EXPLAIN,))


def token_means(tokens: NDArray[np.integer], activations: Float32, *, position0: bool = False) -> TokenMeans:
    """Means by token over records [R, T]. `position0` (Statistics.position0) leaves out every first token.

    No record at all gives a fallback of 0 and no token. Raises ValueError for a value that is not finite.
    """
    if tokens.shape != activations.shape:
        raise ValueError(f"tokens {tokens.shape} do not fit activations {activations.shape}")
    if not np.isfinite(activations).all():
        raise ValueError("token means of a value that is not finite")
    first = int(position0)
    flat, values = tokens[:, first:].ravel(), activations[:, first:].ravel().astype(np.float64)
    ids, place, counts = np.unique(flat, return_inverse=True, return_counts=True)
    sums = np.bincount(place, weights=values, minlength=len(ids))
    # bincount adds up in order of text and of ids, here and in `lookup_layer`, so that both give the same bits
    total = float(np.bincount(np.zeros(len(ids), np.intp), weights=sums, minlength=1)[0])
    fallback = float(np.float32(total / len(values))) if len(values) else 0.0
    return TokenMeans(
        ids.astype(np.int32), (sums / counts).astype(np.float32), counts.astype(np.int32), fallback
    )
