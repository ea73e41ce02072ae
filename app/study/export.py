"""A study's answers as flat rows: one for each answer and arm, with a dictionary of the columns. Who raters are is in none of them."""

from collections.abc import Iterator
from typing import NamedTuple

from app.domain.study_replies import ReplyKind
from app.report.values import Column, Entry, Kind, Table
from app.study.answered import Answered, Collected

COLUMNS = (
    Column("rater", "rater", Kind.COUNT, about="number of the rater's pseudonym in this study"),
    Column("rater_state", "rater's state", about="done, returned, timed_out, …: see docs/studies.md"),
    Column("excluded", "excluded", Kind.YES_NO, about="whether a registered rule of exclusion leaves the rater out"),
    Column("item", "item", Kind.COUNT, about="number of the item in the study, from 0"),
    Column("item_kind", "kind of item", about="main; gold: its answer is known; practice"),
    Column("repeat", "repeat", Kind.YES_NO, about="the item was asked of this rater before"),
    Column("neuron", "neuron", about="model/layer/index; empty for an invented neuron"),
    Column("order", "order", Kind.COUNT, about="place of the item in the rater's own order, from 1, practice included"),
    Column("task", "task", about="rate, best, rank, pair, write, simulate, comment"),
    Column("text", "text", Kind.COUNT, about="number of the description in its item, from 0; of a pair the left one"),
    Column("position", "position", Kind.COUNT, about="place of the description on the page, from 1"),
    Column("arm", "arm", about="method behind the description, by its label; one row for each where several say the same"),
    Column("explanation", "explanation", Kind.COUNT, about="id of the explanation in the store"),
    Column("shown", "shown text", about="the description as raters read it"),
    Column("raw", "raw text", about="the description as its maker wrote it"),
    Column("other_text", "other text", Kind.COUNT, about="of a pair: number of the right description"),
    Column("other_arm", "other arm", about="of a pair: method behind the right description"),
    Column(
        "value",
        "value",
        about="rate: 1 to 5; best: 1 for the chosen text, else 0; rank: place from 1; pair: left, right or tie; write: words; simulate: numbers"
        " of marked tokens; comment: words",
    ),
    Column("credit", "credit", Kind.SCORE, about="of a choice: 1/m for each of m methods behind the chosen text"),
    Column("seconds", "seconds", Kind.SECONDS, about="from the first showing of the item to the moment when it was whole"),
    Column("done_at", "done at", about="that moment, UTC, ISO 8601"),
)  # fmt: skip


class _Part(NamedTuple):
    """What an answer is about."""

    task: ReplyKind
    value: str
    text: int | None = None
    other: int | None = None


def answers(found: Collected, excluded: frozenset[int]) -> Table:
    """Every answer that counts, the newest of each question, of items that are whole."""
    rows = [row for each in found.whole for row in _rows(each, found.names, each.rater.number in excluded)]
    return Table(
        "answers",
        "Answers",
        "",
        "One row for each answer and arm. Of several answers to one question the newest is here; items that were never finished are not.",
        COLUMNS,
        tuple(tuple(Entry(value) for value in row) for row in rows),
        "Nobody has answered an item yet.",
    )


def dictionary() -> Table:
    """What each column of `answers` is."""
    return Table(
        "dictionary",
        "Data dictionary",
        "",
        "The columns of the table of answers.",
        (Column("column", "column"), Column("kind", "kind"), Column("about", "what it is")),
        tuple(tuple(Entry(value) for value in (each.key, each.kind.value, each.about)) for each in COLUMNS),
    )


def _rows(
    each: Answered, names: tuple[str, ...], excluded: bool
) -> Iterator[tuple[str | int | float | bool | None, ...]]:
    sitting, item, place = each.place.sitting, each.item, each.place
    where = {text: position for position, text in enumerate(sitting.texts, 1)}
    head = (
        each.rater.number,
        each.rater.state.value,
        excluded,
        sitting.item,
        item.kind.value,
        sitting.repeat,
        "" if item.neuron is None else str(item.neuron),
        place.ordinal + 1,
    )
    tail = (
        None if each.seconds is None else round(each.seconds, 3),
        "" if place.done_at is None else place.done_at.isoformat(),
    )
    for part in _parts(each):
        if part.text is None:
            yield (*head, part.task.value, *([None] * 8), part.value, None, *tail)
            continue
        text = item.texts[part.text]
        others = (None,) if part.other is None else item.texts[part.other].sources
        for source in text.sources:
            for other in others:
                chosen = part.task is ReplyKind.BEST and part.value == "1"
                yield (
                    *head,
                    part.task.value,
                    part.text,
                    where.get(part.text),
                    _arm(source.arm, names, text.right),
                    source.explanation_id,
                    text.text,
                    source.raw,
                    part.other,
                    None if other is None else _arm(other.arm, names, None),
                    part.value,
                    text.credit if chosen else 0.0 if part.task is ReplyKind.BEST else None,
                    *tail,
                )


def _parts(each: Answered) -> Iterator[_Part]:
    for (kind, subject), value in sorted(each.given.items()):
        if kind in (ReplyKind.RATE, ReplyKind.RANK):
            yield _Part(kind, value, int(subject))
        elif kind is ReplyKind.BEST:
            for text in each.place.sitting.texts:
                yield _Part(kind, str(int(text == int(value))), text)
        elif kind is ReplyKind.PAIR:
            left, _, right = subject.partition("-")
            yield _Part(kind, value, int(left), int(right))
        elif kind is ReplyKind.SIMULATE:
            yield _Part(kind, f"{subject}: {value}")
        else:
            yield _Part(kind, value)


def _arm(arm: int, names: tuple[str, ...], right: bool | None) -> str:
    if arm >= 0:
        return names[arm]
    return "known to be right" if right else "known to be wrong" if right is False else ""
