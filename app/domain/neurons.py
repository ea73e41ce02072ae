"""What a neuron is, and the records that show when it fires."""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXCERPT_TOKENS = 64

Int32 = NDArray[np.int32]
UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NeuronRef:
    """A neuron by its names: model slug, layer slug, index within the layer."""

    model: str
    layer: str
    index: int

    def __str__(self) -> str:
        return f"{self.model}/{self.layer}/{self.index}"


class Polarity(StrEnum):
    """Which sign of the activation an explanation speaks about; `NEGATIVE` means that -a is explained."""

    POSITIVE = "positive"
    NEGATIVE = "negative"

    @property
    def sign(self) -> int:
        return 1 if self is Polarity.POSITIVE else -1


class Split(IntEnum):
    """What a document may be used for. `UNSPLIT` is imported data, which has no documents."""

    EXPLAIN = 0
    DEV = 1
    SCORE = 2
    UNSPLIT = 3


class Kind(IntEnum):
    """Why a record was kept: strongest, most negative, a band of the excerpt's maximum, at random, or because it was given."""

    TOP = 0
    BOTTOM = 1
    Q1 = 2
    Q2 = 3
    Q3 = 4
    Q4 = 5
    RANDOM = 6
    Q5 = 7  # published data alone: above the .999 quantile
    GIVEN = (
        8  # came as an example beside somebody's statement: how it was chosen, and out of what, is not told
    )


BANDS = (Kind.Q1, Kind.Q2, Kind.Q3, Kind.Q4)
PUBLISHED_BANDS = (*BANDS, Kind.Q5)  # as BILLS has them: Q4 ends at .999, where Q5 begins
# Lower edges of the bands as quantiles of the excerpt's maximum. As published (BILLS) but for Q4, which has no upper
# edge: where it would lie cannot be told from a pilot, and above it an excerpt would belong to no band.
BAND_EDGES = (0.0, 0.5, 0.9, 0.99)
BandCounts = tuple[int, int, int, int]  # excerpts in Q1..Q4


class Quota(NamedTuple):
    """Records kept per neuron in one split."""

    top: int
    bottom: int
    per_band: int
    random: int


@dataclass(frozen=True)
class Profile:
    """How many records a collection keeps per neuron, by split (DESIGN section 5)."""

    explain: Quota = Quota(10, 5, 1, 5)  # noqa: RUF009 - immutable
    dev: Quota = Quota(5, 0, 0, 5)  # noqa: RUF009 - immutable
    score: Quota = Quota(8, 2, 2, 12)  # noqa: RUF009 - immutable

    def quota(self, split: Split) -> Quota:
        return {Split.EXPLAIN: self.explain, Split.DEV: self.dev, Split.SCORE: self.score}[split]

    def slots(self) -> tuple[UInt8, UInt8]:
        """(kinds, splits) of the fixed slots of a neuron's row, each uint8 [R], in the stored order."""
        kinds: list[int] = []
        splits: list[int] = []
        for split in (Split.EXPLAIN, Split.DEV, Split.SCORE):
            quota = self.quota(split)
            row = [Kind.TOP] * quota.top + [Kind.BOTTOM] * quota.bottom
            row += [band for band in BANDS for _ in range(quota.per_band)]
            row += [Kind.RANDOM] * quota.random
            kinds += row
            splits += [split] * len(row)
        return np.array(kinds, np.uint8), np.array(splits, np.uint8)


@dataclass(frozen=True, eq=False)
class Records:
    """Activation records of one neuron as parallel arrays. R records of T tokens.

    Order within one (kind, split) is rank: strongest first for `TOP`, most negative first for `BOTTOM`,
    sampling order for bands and `RANDOM`.
    """

    excerpts: Int32  # [R] ordinal of the excerpt in its model's store
    documents: Int32  # [R] ordinal of the document, -1 where imported data has none
    kinds: UInt8  # [R] Kind
    splits: UInt8  # [R] Split
    tokens: Int32  # [R, T] vocabulary ids
    activations: Float32  # [R, T] what the model gave (rounded to float16 by the store), signed
    gates: Bool | None  # [R, T] sign of the gate (True: positive) in gated MLPs

    def __len__(self) -> int:
        return len(self.excerpts)

    def take(self, rows: NDArray[np.intp]) -> "Records":
        """The given rows, in the given order."""
        return replace(
            self,
            excerpts=self.excerpts[rows],
            documents=self.documents[rows],
            kinds=self.kinds[rows],
            splits=self.splits[rows],
            tokens=self.tokens[rows],
            activations=self.activations[rows],
            gates=None if self.gates is None else self.gates[rows],
        )

    def where(
        self, kinds: tuple[Kind, ...] | None = None, splits: tuple[Split, ...] | None = None
    ) -> "Records":
        """The records of these kinds and splits, in stored order."""
        keep = np.ones(len(self), np.bool_)
        if kinds is not None:
            keep &= np.isin(self.kinds, np.array(kinds, np.uint8))
        if splits is not None:
            keep &= np.isin(self.splits, np.array(splits, np.uint8))
        return self.take(np.flatnonzero(keep))


@dataclass(frozen=True)
class Statistics:
    """What is known of one neuron over its corpus. Position-0 outliers are left out (DESIGN section 5)."""

    mean: float
    variance: float
    skewness: float
    kurtosis: float  # excess is NOT subtracted: a normal distribution has 3
    maximum: float
    minimum: float
    density: (
        float  # share of sampled tokens at level 1 or more of the 0-10 scale: a >= maximum(explain) / 10, > 0
    )
    explain_maximum: float  # maximum over the explain split alone
    explain_minimum: float
    token_q99: float  # 0.99 quantile of activations over sampled tokens of the explain split
    token_q01: float  # 0.01 quantile, the cut-off of the negative polarity
    excerpt_max_q99: float  # 0.99 quantile of the excerpt's maximum over the explain split
    n_tokens: int  # tokens behind mean, variance
    n_sampled: int  # tokens behind skewness, kurtosis, density, histogram, quantiles
    sign_shares: tuple[float, float, float, float] | None  # gated: shares of (gate,input) ++ +- -+ --
    position0: bool = False  # position 0 is an outlier: left out above, and of token means and scores
    band_excerpts: BandCounts = (
        0,
        0,
        0,
        0,
    )  # of the score split, counted in full; zeros: not counted (imported)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of activations over the sampled tokens in equal bins between `low` and `high`."""

    low: float
    high: float
    counts: NDArray[np.uint32]  # [BINS]


HISTOGRAM_BINS = 64
