"""A study while it runs: who is how far, how many answers each item has, and whether the data will be any good. Nothing is unblinded."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from app.domain.neurons import NeuronRef
from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_replies import Given, passed
from app.store import Store, studies, study_answers, study_raters
from app.store.study_rows import Place, RaterRow


class ItemDone(NamedTuple):
    """How many raters have finished one item."""

    item: int  # in the order in which results number items
    neuron: NeuronRef | None
    done: int


class RaterDone(NamedTuple):
    """How far one rater is."""

    rater: RaterRow
    done: int  # items answered whole, practice aside
    of: int  # items that this rater was given
    median_s: float | None  # from opening an item to having answered it; None before the first
    gold_right: int
    gold: int  # items with a known answer that were answered
    comments: int


@dataclass(frozen=True)
class Overview:
    """All of it."""

    raters: tuple[RaterDone, ...]
    items: tuple[ItemDone, ...]
    per_item: int  # answers that every item is to get
    median_s: float | None
    comments: int

    @property
    def by_count(self) -> tuple[tuple[int, int], ...]:
        """(raters who finished an item, how many such items there are), most first."""
        return tuple(sorted(Counter(each.done for each in self.items).items(), reverse=True))


def overview(store: Store, study_id: int) -> Overview:
    """How a study stands. NotFound."""
    with store.reading() as session:
        row = studies.get(session, study_id)
        heads = studies.heads(session, study_id)
        raters = study_raters.of_study(session, study_id)
        places = study_raters.places_of_study(session, study_id)
        gold = [i for i, head in enumerate(heads) if head.kind is ItemKind.GOLD]
        known = {i: studies.item(session, study_id, i) for i in gold}
        given = study_answers.given_of(session, study_id, gold) if gold else {}
        commented = study_answers.commented(session, study_id)
    done = Counter(
        place.sitting.item for place in places if place.done_at is not None and not place.sitting.repeat
    )
    by_rater: dict[int, list[Place]] = {}
    for place in places:
        if not place.practice:
            by_rater.setdefault(place.rater_id, []).append(place)
    lines = tuple(_rater(rater, by_rater.get(rater.id, ()), known, given, commented) for rater in raters)
    return Overview(
        lines,
        tuple(ItemDone(i, h.neuron, done[i]) for i, h in enumerate(heads) if h.kind is ItemKind.MAIN),
        row.definition.per_item,
        _median([place for each in by_rater.values() for place in each]),
        sum(line.comments for line in lines),
    )


def _rater(
    rater: RaterRow,
    places: Sequence[Place],
    known: Mapping[int, StudyItem],
    given: Mapping[int, Given],
    commented: set[int],
) -> RaterDone:
    finished = [place for place in places if place.done_at is not None]
    verdicts = [
        passed(known[place.sitting.item], place.sitting, given.get(place.id, {}))
        for place in finished
        if place.sitting.item in known
    ]
    told = [verdict for verdict in verdicts if verdict is not None]
    return RaterDone(
        rater,
        len(finished),
        len(places),
        _median(finished),
        sum(told),
        len(told),
        sum(place.id in commented for place in places),
    )


def _median(places: Sequence[Place]) -> float | None:
    """Seconds from opening an item to having answered it."""
    took = [
        (place.done_at - place.opened_at).total_seconds()
        for place in places
        if place.done_at is not None and place.opened_at is not None
    ]
    return median(took) if took else None
