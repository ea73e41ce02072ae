"""Several ranked lists of the same things as one."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

K = 60  # Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods"

T = TypeVar("T", bound=Hashable)


def reciprocal_rank(lists: Iterable[Sequence[T]], k: int = K) -> list[tuple[T, float]]:
    """Everything that is in any list with the sum of 1 / (k + rank) over the lists that have it, the largest first.

    Ranks count from 1; of a thing that a list has twice the first place counts. Equal sums keep the order in which things were
    first met. No list, or empty ones, give nothing. Raises ValueError for a `k` below 0.
    """
    if k < 0:
        raise ValueError(f"k is at least 0, not {k}")
    sums: dict[T, float] = {}
    for ranked in lists:
        seen: set[T] = set()
        for rank, thing in enumerate(ranked, 1):
            if thing not in seen:
                seen.add(thing)
                sums[thing] = sums.get(thing, 0.0) + 1 / (k + rank)
    return sorted(sums.items(), key=lambda item: -item[1])
