"""From a study's item and a rater's place in it to what its page shows: descriptions by position alone.

Painted texts are kept in memory by study and item: they are frozen, and every rater of an item is shown the same.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from starlette.requests import Request

from app.domain.neurons import Polarity
from app.domain.studies import SCALE, SCALE_WORDS, StudyDefinition, Task
from app.domain.study_items import FrozenRecord, ItemKind, StudyItem
from app.domain.study_places import Sitting
from app.domain.study_replies import Given, ReplyKind, pair_subject, passed
from app.store.study_rows import StudyRow
from app.study.rating import At, Part, Shown
from app.web import sentence_lines
from app.web.heatmap import text_chip
from app.web.rating_contexts import (
    Described,
    Group,
    ItemPage,
    Marked,
    Paired,
    Reviewed,
    ReviewPage,
    ToMark,
)
from app.web.rating_frame import frame, landing

KEPT = 256  # items, some 30 kB each
FIRES_ON = 6  # tokens by which a practice's answer is explained
_TOP = {1: "Texts on which the neuron fires most", -1: "Texts on which the neuron is lowest"}  # by sign
_RANDOM = "Texts drawn at random"
_ANY = "Texts"
_PLACE = "[description]"
_EMPTY = "∅"  # a token without any text must still be something to tick

Key = tuple[int, int]


class Paintings:
    """The texts of items as they are painted, kept as long as there is room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[Group, ...]] = OrderedDict()
        self._lock = Lock()

    def of(self, key: Key, item: StudyItem, sign: int) -> tuple[Group, ...]:
        """An item's texts by kind; `key` is its study and its number there."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = groups(item.records, sign)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made


def groups(records: Sequence[FrozenRecord], sign: int) -> tuple[Group, ...]:
    """Records painted on one scale of colour, each kind under its own title."""
    lines = sentence_lines.painted([(record.pieces, record.values) for record in records], sign)
    titles = {"top": _TOP[sign], "random": _RANDOM}
    kinds = list(dict.fromkeys(record.kind for record in records))
    return tuple(
        Group(
            titles.get(kind, _ANY),
            tuple(line for line, record in zip(lines, records, strict=True) if record.kind == kind),
        )
        for kind in kinds
    )


def address(code: str, number: int, *, practice: bool) -> str:
    """Where the n-th item of a part is."""
    return f"{landing(code)}/practice/{number}" if practice else f"{landing(code)}/{number}"


def next_address(at: At) -> str:
    """Where a rater goes on: the first item that is not done, or the study's first page where there is none."""
    code = at.study.code
    if not at.rater.state.at_work or at.next is None:
        return landing(code)
    if at.part.attempt and at.done == 0 and at.practice[0].opened_at is None:
        return f"{landing(code)}/practice"
    return address(code, at.next, practice=at.part.practice)


def order_of_texts(study: StudyRow, item: int, records: int) -> tuple[int, ...]:
    """The order in which texts that are to be marked stand on the page: by kind it would tell where the neuron fires."""

    def draw(record: int) -> bytes:
        return hashlib.sha256(f"{study.code}:{item}:{record}".encode()).digest()

    return tuple(sorted(range(records), key=draw))


def heading(definition: StudyDefinition, item: StudyItem, number: int, of: int, *, practice: bool) -> str:
    """`3/48`, with layer and index of the neuron only where the study says so (LEE)."""
    if practice:
        return f"Practice {number}/{of}"
    if not definition.name_neuron or item.neuron is None:
        return f"{number}/{of}"
    layer = item.neuron.layer.partition("-")[0]
    return f"{number}/{of} - Neuron {layer if layer.isdigit() else item.neuron.layer}:{item.neuron.index}"


def item_page(
    request: Request,
    paintings: Paintings,
    at: At,
    shown: Shown,
    *,
    given: Given | None = None,
    missing: tuple[str, ...] = (),
    problem: str = "",
) -> ItemPage:
    """The page of one item as a rater has it. `given` is what its form holds, if not what is stored."""
    study = at.study
    return of_sitting(
        request,
        paintings,
        study,
        shown.item,
        shown.place.sitting,
        shown.given if given is None else given,
        number=shown.number,
        of=shown.of,
        done=at.done,
        part=at.part,
        missing=missing,
        problem=problem,
    )


def of_sitting(
    request: Request,
    paintings: Paintings,
    study: StudyRow,
    item: StudyItem,
    sitting: Sitting,
    given: Given,
    *,
    number: int,
    of: int,
    done: int,
    part: Part,
    missing: tuple[str, ...] = (),
    problem: str = "",
    preview: tuple[str, str] | None = None,
) -> ItemPage:
    """The same of any item; a preview has the addresses of the items before and after, and saves nothing."""
    definition = study.definition
    marking = Task.SIMULATE in definition.tasks and item.kind is ItemKind.MAIN
    before, _, after = definition.statement.partition(_PLACE)
    head = heading(definition, item, number, of, practice=part.practice)
    return ItemPage(
        frame=frame(
            request, f"{head} · {definition.title}", "" if preview is not None else landing(study.code)
        ),
        heading=head,
        practice=part.practice,
        attempt=part.attempt or 0,
        address="" if preview is not None else address(study.code, number, practice=part.practice),
        number=number,
        of=of,
        done=done,
        instructions=definition.instructions,
        groups=() if marking else paintings.of((study.id, sitting.item), item, definition.polarity.sign),
        negative=definition.polarity is Polarity.NEGATIVE,
        tasks=frozenset(task.value for task in definition.tasks),
        before=before,
        after=after,
        best_question=definition.best_question,
        scale=tuple((str(value), words) for value, words in zip(SCALE, SCALE_WORDS, strict=True)),
        descriptions=_descriptions(item, sitting, given),
        pairs=_pairs(item, sitting, given),
        to_mark=_to_mark(study, item, sitting, given) if marking else (),
        written=given.get((ReplyKind.WRITE, ""), ""),
        comment=given.get((ReplyKind.COMMENT, ""), ""),
        missing=missing,
        problem=problem,
        leave=f"{landing(study.code)}/leave",
        previous=preview[0] if preview is not None else "",
        next=preview[1] if preview is not None else "",
        preview=preview is not None,
    )


def review_page(request: Request, paintings: Paintings, at: At, practised: Sequence[Shown]) -> ReviewPage:
    """What was right in a practice that failed, and why."""
    definition = at.study.definition
    rules = []
    if Task.RATE in definition.tasks:
        rules.append("Rate the description that fits above every one that does not.")
    if Task.BEST in definition.tasks or Task.RANK in definition.tasks:
        rules.append("Put a description that fits first.")
    if Task.PAIR in definition.tasks:
        rules.append("Of two descriptions prefer the one that fits.")
    home = landing(at.study.code)
    return ReviewPage(
        frame(request, definition.title, home),
        tuple(_reviewed(at.study, paintings, shown) for shown in practised),
        tuple(rules),
        address(at.study.code, 1, practice=True),
        f"{home}/leave",
    )


def _reviewed(study: StudyRow, paintings: Paintings, shown: Shown) -> Reviewed:
    definition = study.definition
    item, sitting, given = shown.item, shown.place.sitting, shown.given
    by_value = sorted(
        ((abs(v), p) for record in item.records for p, v in zip(record.pieces, record.values, strict=True)),
        reverse=True,
    )
    fires_on = list(dict.fromkeys(piece.strip() or piece for value, piece in by_value if value > 0))[
        :FIRES_ON
    ]
    return Reviewed(
        heading(definition, item, shown.number, shown.of, practice=True),
        passed(item, sitting, given) is not False,
        paintings.of((study.id, sitting.item), item, definition.polarity.sign),
        tuple(text_chip(piece) for piece in fires_on),
        tuple(item.texts[i].text for i in sitting.texts if item.texts[i].right is True),
        tuple((item.texts[i].text, _said(given, i)) for i in sitting.texts if item.texts[i].right is False),
    )


def _said(given: Given, text: int) -> str:
    rating = given.get((ReplyKind.RATE, str(text)))
    said = [] if rating is None else [f"you rated it {rating}, {SCALE_WORDS[int(rating) - 1]}"]
    if given.get((ReplyKind.BEST, "")) == str(text):
        said.append("you chose it as the best")
    place = given.get((ReplyKind.RANK, str(text)))
    return ", ".join([*said, *([] if place is None else [f"you put it at place {place}"])])


def _descriptions(item: StudyItem, sitting: Sitting, given: Given) -> tuple[Described, ...]:
    best = given.get((ReplyKind.BEST, ""), "")
    return tuple(
        Described(
            position,
            item.texts[text].text,
            given.get((ReplyKind.RATE, str(text)), ""),
            given.get((ReplyKind.RANK, str(text)), ""),
            best == str(text),
        )
        for position, text in enumerate(sitting.texts, 1)
    )


def _pairs(item: StudyItem, sitting: Sitting, given: Given) -> tuple[Paired, ...]:
    return tuple(
        Paired(
            position,
            item.texts[left].text,
            item.texts[right].text,
            given.get((ReplyKind.PAIR, pair_subject((left, right))), ""),
        )
        for position, (left, right) in enumerate(sitting.pairs, 1)
    )


def _to_mark(study: StudyRow, item: StudyItem, sitting: Sitting, given: Given) -> tuple[ToMark, ...]:
    made = []
    for position, i in enumerate(order_of_texts(study, sitting.item, len(item.records)), 1):
        said = given.get((ReplyKind.SIMULATE, str(i)))
        on = set((said or "").split(","))
        tokens = tuple(_marked(t, piece, str(t) in on) for t, piece in enumerate(item.records[i].pieces))
        made.append(ToMark(position, tokens, said == ""))
    return tuple(made)


def _marked(number: int, piece: str, on: bool) -> Marked:
    """A token to be ticked; blanks before a word are not part of what is ticked, so that lines end between words."""
    body = piece.lstrip(" ") or piece
    return Marked(number, piece[: len(piece) - len(body)], text_chip(body or _EMPTY), on)
