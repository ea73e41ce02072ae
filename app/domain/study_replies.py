"""What a rater answers of one item, checked: what may be said, and what is still missing."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from app.domain.studies import SCALE, StudyDefinition, Task
from app.domain.study_items import ItemKind, StudyItem
from app.domain.study_places import Sitting
from app.domain.written import prose, statement
from app.errors import BadInput

COMMENT = 2_000  # characters
TIE, LEFT, RIGHT = "tie", "left", "right"


class ReplyKind(StrEnum):
    """What a reply is to."""

    RATE = "rate"
    BEST = "best"
    RANK = "rank"
    PAIR = "pair"
    WRITE = "write"
    SIMULATE = "simulate"
    COMMENT = "comment"


class Reply(NamedTuple):
    """One answer. `subject` and `value` by kind:

    rate: a text's number, "1" to "5"; best: "", a text's number; rank: a text's number, its place from "1";
    pair: "LEFT-RIGHT" numbers, "left", "right" or "tie"; write: "", a statement; simulate: a record's number, marked tokens as
    "3,7"; comment: "", words.
    """

    kind: ReplyKind
    subject: str
    value: str


Given = Mapping[tuple[ReplyKind, str], str]  # (kind, subject) -> the newest value


def checked(definition: StudyDefinition, item: StudyItem, sitting: Sitting, reply: Reply) -> Reply:
    """The reply in its stored form. BadInput where nothing like it was asked, or where it is no answer."""
    kind, subject, value = reply
    if kind is ReplyKind.COMMENT:
        return Reply(kind, _nothing(subject), prose(value, "a comment", COMMENT))
    if Task(kind.value) not in definition.tasks and not (
        item.kind is not ItemKind.MAIN and kind is ReplyKind.RATE
    ):
        raise BadInput(f"this study does not ask raters to {kind.value}")
    match kind:
        case ReplyKind.RATE:
            number = _number(value)
            if number not in SCALE:
                raise BadInput(f"a rating is a whole number from {SCALE[0]} to {SCALE[-1]}")
            return Reply(kind, str(_text(sitting, subject)), str(number))
        case ReplyKind.BEST:
            return Reply(kind, _nothing(subject), str(_text(sitting, value)))
        case ReplyKind.RANK:
            place = _number(value)
            if not 1 <= place <= len(sitting.texts):
                raise BadInput(f"a place is a whole number from 1 to {len(sitting.texts)}")
            return Reply(kind, str(_text(sitting, subject)), str(place))
        case ReplyKind.PAIR:
            if subject not in [pair_subject(pair) for pair in sitting.pairs]:
                raise BadInput("these two descriptions are not compared here")
            if value not in (LEFT, RIGHT, TIE):
                raise BadInput(f"of two descriptions the answer is {LEFT}, {RIGHT} or {TIE}")
            return Reply(kind, subject, value)
        case ReplyKind.WRITE:
            return Reply(kind, _nothing(subject), statement(value))
        case ReplyKind.SIMULATE:
            record = _number(subject)
            if not 0 <= record < len(item.records):
                raise BadInput("there is no such text here")
            tokens = sorted({_number(each) for each in value.split(",") if each.strip()})
            if tokens and not 0 <= tokens[0] <= tokens[-1] < len(item.records[record].pieces):
                raise BadInput("there is no such word in this text")
            return Reply(kind, str(record), ",".join(map(str, tokens)))
    raise AssertionError(kind)


def missing(definition: StudyDefinition, item: StudyItem, sitting: Sitting, given: Given) -> list[str]:
    """What is still to be answered, in words for the rater; empty when it is whole."""
    found: list[str] = []
    for task in definition.tasks:
        match task:
            case Task.RATE:
                n = sum((ReplyKind.RATE, str(text)) not in given for text in sitting.texts)
                found += [f"{n} of the ratings"] if n else []
            case Task.BEST:
                found += [] if (ReplyKind.BEST, "") in given else ["which description fits best"]
            case Task.RANK:
                places = [given.get((ReplyKind.RANK, str(text))) for text in sitting.texts]
                if None in places:
                    found.append("the place of every description")
                elif len(set(places)) < len(places):
                    found.append("a place of its own for every description: two have the same")
            case Task.PAIR:
                n = sum((ReplyKind.PAIR, pair_subject(pair)) not in given for pair in sitting.pairs)
                found += [f"{n} of the comparisons"] if n else []
            case Task.WRITE:
                found += [] if (ReplyKind.WRITE, "") in given else ["your description"]
            case Task.SIMULATE:
                n = sum((ReplyKind.SIMULATE, str(i)) not in given for i in range(len(item.records)))
                found += [f"{n} of the texts (mark the words, or say that there are none)"] if n else []
    return found


def passed(item: StudyItem, sitting: Sitting, given: Given) -> bool | None:
    """Whether an item with a known answer was answered rightly; None where nothing was said that tells.

    Ratings: every right description above every wrong one, or, where none is known to be right, no wrong one above the middle of the
    scale. Choice and rank: no wrong description first. All that was asked must hold.
    """
    right = [i for i in sitting.texts if item.texts[i].right is True]
    wrong = [i for i in sitting.texts if item.texts[i].right is False]
    verdicts: list[bool] = []
    ratings = {
        i: int(given[ReplyKind.RATE, str(i)]) for i in sitting.texts if (ReplyKind.RATE, str(i)) in given
    }
    if wrong and all(i in ratings for i in (*right, *wrong)):
        worst = min((ratings[i] for i in right), default=SCALE[len(SCALE) // 2] + 1)
        verdicts.append(all(ratings[i] < worst for i in wrong))
    best = given.get((ReplyKind.BEST, ""))
    if best is not None:
        verdicts.append(int(best) not in wrong)
    first = [i for i in sitting.texts if given.get((ReplyKind.RANK, str(i))) == "1"]
    if first:
        verdicts.append(not set(first) & set(wrong))
    for left, other in sitting.pairs:
        said = given.get((ReplyKind.PAIR, pair_subject((left, other))))
        chosen, left_out = (left, other) if said == LEFT else (other, left)
        if said in (LEFT, RIGHT) and left_out in right:
            verdicts.append(chosen not in wrong)
    return all(verdicts) if verdicts else None


def pair_subject(pair: Sequence[int]) -> str:
    """How a pair is named in a reply."""
    return f"{pair[0]}-{pair[1]}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise BadInput(f"“{text[:30]}” is no whole number")
    return int(text)


def _text(sitting: Sitting, text: str) -> int:
    number = _number(text)
    if number not in sitting.texts:
        raise BadInput("there is no such description here")
    return number


def _nothing(subject: str) -> str:
    if subject:
        raise BadInput("this answer is about the neuron as a whole")
    return ""
