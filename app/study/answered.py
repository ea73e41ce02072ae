"""What raters said, out of the store and into the arrays that statistics take.

Only whole items count, and of each question the newest answer. Gold, practice and repeated items are no part of the arrays: they tell of
raters. Raters are numbered as their pseudonyms are, neurons as the study's items, methods as the definition's arms.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from app.domain.study_answers import ABSENT, Blocks, Choices, Outcome, Pairs, Ratings, ranked_blocks
from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_quality import Work
from app.domain.study_replies import LEFT, RIGHT, ReplyKind, pair_subject, passed
from app.store import Session, studies, study_answers, study_raters
from app.store.study_rows import Place, RaterRow, StudyRow


class Answered(NamedTuple):
    """One item as one rater answered it."""

    rater: RaterRow
    place: Place
    item: StudyItem
    given: dict[tuple[ReplyKind, str], str]  # the newest answers
    seconds: (
        float | None
    )  # from the first showing to the moment it was whole; None where the page's opening is not known

    @property
    def counts(self) -> bool:
        """Whether it is part of the results."""
        return self.item.kind is ItemKind.MAIN and not self.place.sitting.repeat


@dataclass(frozen=True)
class Collected:
    """All of a study."""

    study: StudyRow
    items: tuple[StudyItem, ...]
    raters: tuple[RaterRow, ...]
    whole: tuple[Answered, ...]  # items that were answered whole
    started: int  # items that were begun and never finished

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arms."""
        return self.study.definition.arm_labels()

    @cached_property
    def main(self) -> list[Answered]:
        """What is part of the results."""
        return [each for each in self.whole if each.counts]

    @cached_property
    def ratings(self) -> Ratings:
        """Of the task to rate. Empty where it was not asked."""
        return _ratings(self)

    @cached_property
    def choices(self) -> Choices:
        """Of the task to choose the best."""
        return _choices(self)

    @cached_property
    def ranks(self) -> Blocks:
        """Of the task to rank: places with their sign turned, so that higher is better."""
        return _ranks(self)

    @cached_property
    def pairs(self) -> Pairs:
        """Of the task to compare two. Texts that several arms say stand for each of these, an answer being shared among the pairs of arms."""
        return _pairs(self)

    def without(self, raters: Sequence[int]) -> "Collected":
        """All but these raters, by number."""
        return replace(self, whole=tuple(each for each in self.whole if each.rater.number not in raters))


def collect(s: Session, study: StudyRow) -> Collected:
    """Everything that was answered so far."""
    items = tuple(studies.items(s, study.id))
    raters = {rater.id: rater for rater in study_raters.of_study(s, study.id)}
    given: dict[int, dict[tuple[ReplyKind, str], str]] = defaultdict(dict)
    for answer in study_answers.of_study(s, study.id):
        given[answer.place_id][ReplyKind(answer.kind), answer.subject] = answer.value
    whole: list[Answered] = []
    started = 0
    for place in study_raters.places_of_study(s, study.id):
        if place.done_at is None:
            started += bool(given.get(place.id))
            continue
        seconds = None if place.opened_at is None else (place.done_at - place.opened_at).total_seconds()
        item = items[place.sitting.item]
        whole.append(Answered(raters[place.rater_id], place, item, given[place.id], seconds))
    return Collected(study, items, tuple(raters.values()), tuple(whole), started)


def _ratings(found: Collected) -> Ratings:
    rows: list[tuple[int, int, int, int, int, int]] = []
    for each in found.main:
        for position, text in enumerate(each.place.sitting.texts):
            value = each.given.get((ReplyKind.RATE, str(text)))
            if value is not None:
                rows += [
                    (each.rater.number, each.place.sitting.item, source.arm, int(value), position, text)
                    for source in each.item.texts[text].sources
                ]
    columns = np.array(rows, np.int32).reshape(-1, 6).T
    raters, neurons, methods, values, positions, texts = columns
    return Ratings(found.names, raters, neurons, methods, values.astype(np.float64), positions, texts)


def _choices(found: Collected) -> Choices:
    key = ReplyKind.BEST, ""
    said = [(each, int(each.given[key])) for each in found.main if key in each.given]
    groups = np.full((len(said), len(found.names)), ABSENT, np.int32)
    for row, (each, _) in enumerate(said):
        for number, text in enumerate(each.item.texts):
            for source in text.sources:
                groups[row, source.arm] = number
    return Choices(
        found.names,
        np.array([each.rater.number for each, _ in said], np.int32),
        np.array([each.place.sitting.item for each, _ in said], np.int32),
        groups,
        np.array([value for _, value in said], np.int32),
    )


def _ranks(found: Collected) -> Blocks:
    said = [each for each in found.main if any(kind is ReplyKind.RANK for kind, _ in each.given)]
    places = np.full((len(said), len(found.names)), np.nan)
    for row, each in enumerate(said):
        for number, text in enumerate(each.item.texts):
            value = each.given.get((ReplyKind.RANK, str(number)))
            for source in text.sources if value is not None else ():
                places[row, source.arm] = int(value or 0)
    return ranked_blocks(
        found.names,
        np.array([each.rater.number for each in said], np.int32),
        np.array([each.place.sitting.item for each in said], np.int32),
        places,
    )


def _pairs(found: Collected) -> Pairs:
    rows: list[tuple[int, int, int, int, int]] = []
    weights: list[float] = []
    for each in found.main:
        for left, right in each.place.sitting.pairs:
            said = each.given.get((ReplyKind.PAIR, pair_subject((left, right))))
            if said is None:
                continue
            outcome = {LEFT: Outcome.FIRST, RIGHT: Outcome.SECOND}.get(said, Outcome.TIE)
            both = list(product(each.item.texts[left].sources, each.item.texts[right].sources))
            rows += [
                (each.rater.number, each.place.sitting.item, first.arm, second.arm, int(outcome))
                for first, second in both
            ]
            weights += [1 / len(both)] * len(both)
    raters, neurons, first, second, outcomes = np.array(rows, np.int32).reshape(-1, 5).T
    return Pairs(
        found.names, raters, neurons, first, second, outcomes, np.ones(len(rows), np.bool_), np.array(weights)
    )


def work(found: Collected) -> Work:
    """How people worked: gold, repeats and times of all items but those of the practice, in the order in which they were done."""
    done = [each for each in found.whole if not each.place.practice]
    timed = [(each.rater.number, each.seconds) for each in done if each.seconds is not None]
    gold = [
        (each.rater.number, verdict)
        for each in done
        if each.item.kind is ItemKind.GOLD
        and not each.place.sitting.repeat
        and (verdict := passed(each.item, each.place.sitting, each.given)) is not None
    ]
    twice = list(_repeated(done))
    return Work(
        np.array([rater for rater, _ in timed], np.int32),
        np.array([seconds for _, seconds in timed], np.float64),
        np.array([rater for rater, _ in gold], np.int32),
        np.array([right for _, right in gold], np.bool_),
        np.array([rater for rater, _, _ in twice], np.int32),
        np.array([first for _, first, _ in twice], np.float64),
        np.array([again for _, _, again in twice], np.float64),
        found.ratings,
    )


def _repeated(done: Sequence[Answered]) -> Iterator[tuple[int, int, int]]:
    """(rater, the first rating of a text, the second)."""
    before = {
        (each.rater.number, each.place.sitting.item): each for each in done if not each.place.sitting.repeat
    }
    for each in done:
        earlier = before.get((each.rater.number, each.place.sitting.item))
        if not each.place.sitting.repeat or earlier is None:
            continue
        for text in each.place.sitting.texts:
            key = (ReplyKind.RATE, str(text))
            if key in each.given and key in earlier.given:
                yield each.rater.number, int(earlier.given[key]), int(each.given[key])
