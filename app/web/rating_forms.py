"""What raters' pages send: fields that name descriptions by their position on the page, read as replies of the study.

`rate-2` is the rating of the second description, `best` the position that was chosen, `rank-2` a place, `pair-3` the third
comparison, `mark-4` the words marked in the fourth text (each one a value), `none-4` that there are none, `write` and `comment`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from app.domain.study_places import Sitting
from app.domain.study_replies import Given, Reply, ReplyKind, pair_subject
from app.errors import BadInput

MOST_FIELDS = 4_000
CONTROL = ("go", "try")  # which button, and which try of the practice

Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Form:
    """A form as it was sent."""

    fields: Fields

    def one(self, name: str, default: str = "") -> str:
        """A field's only value. BadInput where it has several."""
        values = self.fields.get(name, (default,))
        if len(values) != 1:
            raise BadInput(f"“{name[:30]}” was answered {len(values)} times at once")
        return values[0]


async def read_form(request: Request) -> Form:
    """The fields of a request's body. BadInput for anything but a form without files."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and kind != "application/x-www-form-urlencoded":
        raise BadInput("Answers are sent as an ordinary form.")
    try:
        return Form(
            parse_qs(
                body.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        )
    except ValueError as error:  # no ASCII, no UTF-8, too many fields
        raise BadInput("What was sent cannot be read: go back and try again.") from error


FormDep = Annotated[Form, Depends(read_form)]


def replies(form: Form, sitting: Sitting, records: Sequence[int]) -> list[Reply]:
    """All answers of a form. `records` are the item's texts in the order of the page. BadInput for fields that the page does not have.

    A place that was not chosen and a text without any mark are no answers.
    """
    found: list[Reply] = []
    for name in form.fields:
        if name in CONTROL:
            continue
        kind, _, at = name.partition("-")
        match kind:
            case "rate":
                found.append(Reply(ReplyKind.RATE, _text(sitting, at), form.one(name)))
            case "best" if not at:
                found.append(Reply(ReplyKind.BEST, "", _text(sitting, form.one(name))))
            case "rank":
                if form.one(name):
                    found.append(Reply(ReplyKind.RANK, _text(sitting, at), form.one(name)))
            case "pair":
                pair = sitting.pairs[_place(at, len(sitting.pairs))]
                found.append(Reply(ReplyKind.PAIR, pair_subject(pair), form.one(name)))
            case "mark":
                record = records[_place(at, len(records))]
                found.append(Reply(ReplyKind.SIMULATE, str(record), ",".join(form.fields[name])))
            case "none":
                record = records[_place(at, len(records))]
                if f"mark-{at}" in form.fields:
                    raise BadInput(f"Text {at}: words are marked, and “none of them” is ticked. Choose one.")
                found.append(Reply(ReplyKind.SIMULATE, str(record), ""))
            case "write" if not at:
                found.append(Reply(ReplyKind.WRITE, "", form.one(name)))
            case "comment" if not at:
                found.append(Reply(ReplyKind.COMMENT, "", form.one(name)))
            case _:
                raise BadInput(f"this page does not ask for “{name[:30]}”")
    return found


def overlaid(given: Given, typed: Sequence[Reply]) -> Given:
    """What is stored, and over it what was sent, so that a form that was refused comes back as it was filled in."""
    return {**given, **{(reply.kind, reply.subject): reply.value for reply in typed}}


def _text(sitting: Sitting, position: str) -> str:
    """The number by which the study knows the description at a position."""
    return str(sitting.texts[_place(position, len(sitting.texts))])


def _place(position: str, of: int) -> int:
    """An index from 0. BadInput for a position that is not on the page."""
    if position.isascii() and position.isdigit() and len(position) < 6 and 1 <= int(position) <= of:
        return int(position) - 1
    raise BadInput("there is nothing at this place of the page")
