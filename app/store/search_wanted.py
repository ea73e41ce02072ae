"""What can be asked of a search: see `search`."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import Bool, Polarity
from app.domain.text_query import TextQuery
from app.store.list_rows import Key

EXPLANATION = "explanation"  # what `has` and `lacks` call any explanation other than token lookup


RATING = "rating"  # what they call ratings by people, in studies that are closed


class SearchSort(StrEnum):
    """What found neurons can be sorted by. Neurons without the value come last either way."""

    INDEX = "index"  # layer and index
    SCORE = "score"
    GAIN = "gain"  # score minus that of token lookup, of explanations other than token lookup
    RELEVANCE = "relevance"  # by meaning, or words and meaning together
    TOKEN = "token"  # noqa: S105 - mean activation on the token, as a share of the neuron's maximum
    TOKEN_MEAN = "token_mean"  # noqa: S105
    DENSITY = "density"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    MEAN = "mean"
    VARIANCE = "variance"
    SKEWNESS = "skewness"
    KURTOSIS = "kurtosis"


class Range(NamedTuple):
    """From `low` to `high`, both included; None leaves a side open. What has no value is in no range with a side."""

    low: float | None = None
    high: float | None = None

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None

    def holds(self, values: NDArray[np.floating]) -> Bool:
        kind = values.dtype.type
        inside: Bool = ~np.isnan(values)
        if self.low is not None:
            inside &= values >= kind(self.low)
        if self.high is not None:
            inside &= values <= kind(self.high)
        return inside


ANY = Range()


@dataclass(frozen=True)
class Wanted:
    """One search: everything that is set must hold."""

    text: TextQuery | None = None
    ranked: tuple[int, ...] | None = (
        None  # ids of explanations by meaning, best first; with `text` both are fused
    )
    token: int | None = None
    layers: frozenset[str] | None = None  # slugs
    protocol: Protocol = Protocol.HELDOUT_FULL
    sample: Sample = Sample.TOP_AND_RANDOM
    metric: Metric = Metric.CORRELATION
    score: Range = ANY
    method: str | None = None
    explainer: str | None = None
    polarity: Polarity | None = None
    density: Range = ANY
    kurtosis: Range = ANY
    has: tuple[str, ...] = ()  # methods, EXPLANATION or RATING
    lacks: tuple[str, ...] = ()
    members: Collection[Key] | None = None  # of a list
    best: bool = False  # `score` is asked of the neuron's best, whichever explanation has it
    sort: SearchSort = SearchSort.INDEX
    descending: bool = False
