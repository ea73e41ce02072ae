"""BILLS' preference by score gap: of two explanations of a neuron that a person rated, was the better-scored one rated higher?"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise
from math import inf
from typing import NamedTuple

from app.domain.report_plan import Preference
from app.domain.study_scores import EDGES


class RatedOnce(NamedTuple):
    """One person's rating of one explanation; ratings of one `block` are of explanations of one neuron, by one person."""

    block: tuple[int, ...]
    explanation: int
    value: int


def preferences(rated: Iterable[RatedOnce], scores: Mapping[int, float]) -> tuple[Preference, ...]:
    """By steps of the gap. Pairs with equal scores or equal ratings decide nothing and are left out, as are explanations without a score."""
    blocks: dict[tuple[int, ...], list[tuple[float, int]]] = defaultdict(list)
    for each in rated:
        if each.explanation in scores:
            blocks[each.block].append((scores[each.explanation], each.value))
    decided = [
        (abs(a - b), (a > b) == (x > y))
        for block in blocks.values()
        for (a, x), (b, y) in combinations(block, 2)
        if a != b and x != y
    ]
    widest = max((gap for gap, _ in decided), default=0.0)
    found: list[Preference] = []
    for low, high in pairwise((*EDGES, inf)):
        mine = [right for gap, right in decided if low <= gap < high]
        if mine:
            found.append(Preference(low, min(high, widest), len(mine), sum(mine)))
    return tuple(found)
