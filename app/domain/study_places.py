"""Who sees what in which order: places for raters, drawn by a seed before anybody comes.

A place is what one rater will do, item by item. Items are dealt so that each gets its raters and each rater as many items as the
others, one of each layer where there are as many of a layer as raters; the order of methods within a rater's items follows a
Williams design, so that each stands equally often at each position and after each other one.
"""

import hashlib
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from app.domain.studies import StudyDefinition, Task
from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_williams import williams


class Sitting(NamedTuple):
    """One item in a rater's place."""

    item: int  # index into the study's items
    texts: tuple[int, ...]  # the item's texts in the order in which they are shown
    pairs: tuple[
        tuple[int, int], ...
    ]  # texts to be compared, left and right, in order; empty without the task
    repeat: bool = False  # asked before in this place


def places(definition: StudyDefinition, items: Sequence[StudyItem]) -> list[tuple[Sitting, ...]]:
    """For each rater the sittings in order, practice first. The same for the same seed, definition and items."""
    main = [i for i, item in enumerate(items) if item.kind is ItemKind.MAIN]
    gold = [i for i, item in enumerate(items) if item.kind is ItemKind.GOLD]
    practice = [i for i, item in enumerate(items) if item.kind is ItemKind.PRACTICE]
    dealt = deal(definition, main)
    return [_place(definition, items, k, practice, dealt[k], gold) for k in range(definition.raters)]


def deal(definition: StudyDefinition, main: Sequence[int]) -> list[list[int]]:
    """The main items of each rater: every item in `per_item` places, places differing by one item at most.

    Items go round in the order in which they were drawn, which is by layer, so that a rater gets as even a share of layers as
    can be. Seats are drawn anew whenever an item begins a round, so that the same raters do not share items throughout.
    """
    rng = _random(definition.seed, "deal")
    raters, per_item = definition.raters, definition.per_item
    seats = rng.permutation(raters)
    dealt: list[list[int]] = [[] for _ in range(raters)]
    for at, item in enumerate(main):
        if at and at * per_item % raters == 0:
            seats = rng.permutation(raters)
        for turn in range(per_item):
            dealt[int(seats[(at * per_item + turn) % raters])].append(item)
    return dealt


def _place(
    definition: StudyDefinition,
    items: Sequence[StudyItem],
    k: int,
    practice: Sequence[int],
    main: Sequence[int],
    gold: Sequence[int],
) -> tuple[Sitting, ...]:
    rng = _random(definition.seed, f"place {k}")
    orders = _orders(len(definition.arms), rng)
    order = [main[i] for i in rng.permutation(len(main))]
    sittings = [_sitting(definition, items[i], i, next(orders), rng) for i in order]
    for i in rng.permutation(len(gold)):
        at = int(rng.integers(0, len(sittings) + 1))
        sittings.insert(at, _sitting(definition, items[gold[i]], gold[i], None, rng))
    # Asked again as late as can be, of those that came first, so that an answer is not simply remembered.
    again = order[: max(0, min(definition.repeats, len(order)))]
    for i in again:
        sittings.append(_sitting(definition, items[i], i, next(orders), rng)._replace(repeat=True))
    first = [_sitting(definition, items[i], i, None, rng) for i in practice]
    return (*first, *sittings)


def _sitting(
    definition: StudyDefinition, item: StudyItem, index: int, arms: Sequence[int] | None, rng: Any
) -> Sitting:
    """`arms` is the order of the methods; None, or an item that is not of the arms alone: any order."""
    if arms is None or item.kind is not ItemKind.MAIN:
        texts = tuple(int(i) for i in rng.permutation(len(item.texts)))
    else:
        said = {source.arm: n for n, text in enumerate(item.texts) for source in text.sources}
        texts = tuple(dict.fromkeys(said[arm] for arm in arms if arm in said))
    pairs: list[tuple[int, int]] = []
    if Task.PAIR in definition.tasks:
        every = list(combinations(texts, 2))
        for i in rng.permutation(len(every)):
            a, b = every[i]
            pairs.append((a, b) if rng.random() < 0.5 else (b, a))
    return Sitting(index, texts, tuple(pairs))


def _orders(arms: int, rng: Any) -> Any:
    """Orders of the arms for one rater's items, for good: Williams sequences under names drawn anew each time they are used up."""
    if arms < 2:
        while True:
            yield tuple(range(arms))
    design = williams(arms)
    while True:
        names = rng.permutation(arms)
        for row in rng.permutation(len(design)):
            yield tuple(int(names[treatment]) for treatment in design[row])


def _random(seed: int, what: str) -> np.random.Generator:
    """A generator for one part of the draw: more raters change nothing for those before them."""
    digest = hashlib.sha256(f"{seed}:{what}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
