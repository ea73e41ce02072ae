"""Values of a report as people read them, and a table's cells and blocks as they are shown."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.domain.report_selection import Selection
from app.report.values import Column, Entry, Kind, Table, Value

NOTHING = "–"
MINUS = "−"
_DIGITS = {Kind.SCORE: 3, Kind.SIGNED: 3, Kind.TOKENS: 1, Kind.RATIO: 2}


class Shown(NamedTuple):
    """One cell."""

    text: str
    where: Selection | None
    number: bool


class Block(NamedTuple):
    """Rows under one line of what they share."""

    shared: tuple[tuple[str, str], ...]  # label, value
    rows: tuple[tuple[Shown, ...], ...]


def written(value: Value, kind: Kind) -> str:
    """A value; a dash where there is none."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    match kind:
        case Kind.COUNT:
            return f"{round(value):,}"
        case Kind.SHARE:
            return f"{100 * value:.1f} %"
        case Kind.RANK:
            return f"{value:g}"
        case Kind.P:
            return "< 0.001" if value < 0.001 else f"{value:.3f}"
        case Kind.USD:
            return "$0" if value == 0 else f"${value:,.4f}" if value < 0.1 else f"${value:,.2f}"
        case Kind.SECONDS:
            return _time(value)
    digits = _DIGITS.get(kind, 3)
    text = f"{abs(value):,.{digits}f}"
    if not any(each in text for each in "123456789"):
        return text
    sign = MINUS if value < 0 else "+" if kind is Kind.SIGNED else ""
    return sign + text


def _time(seconds: float) -> str:
    if not seconds:
        return "0 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def heads(table: Table) -> tuple[Column, ...]:
    """The columns that are shown as such."""
    return tuple(column for column in table.columns if not (column.shared or column.joined))


def blocks(table: Table) -> Iterator[Block]:
    """The rows as they are shown, under what neighbours share."""
    shared = [i for i, column in enumerate(table.columns) if column.shared]
    before: tuple[Value, ...] | None = None
    rows: list[tuple[Shown, ...]] = []
    for row in table.rows:
        now = tuple(row[i].value for i in shared)
        if before is not None and now != before:
            yield _block(table, shared, before, rows)
            rows = []
        before = now
        rows.append(tuple(_cells(table.columns, row)))
    if before is not None:
        yield _block(table, shared, before, rows)


def _block(
    table: Table, shared: Sequence[int], values: Sequence[Value], rows: Sequence[tuple[Shown, ...]]
) -> Block:
    said = tuple(
        (table.columns[i].label, written(value, Kind.TEXT)) for i, value in zip(shared, values, strict=True)
    )
    return Block(said, tuple(rows))


def _cells(columns: Sequence[Column], row: Sequence[Entry]) -> Iterator[Shown]:
    cell: Shown | None = None
    for column, entry in zip(columns, row, strict=True):
        if column.shared:
            continue
        if column.joined:
            assert cell is not None
            if entry.value is not None and cell.text != NOTHING:
                cell = cell._replace(text=cell.text + column.joined + written(entry.value, column.kind))
            continue
        if cell is not None:
            yield cell
        nobody = entry.value is None or (column.kind is Kind.COUNT and not entry.value)
        where = None if nobody else entry.where
        cell = Shown(written(entry.value, column.kind), where, column.kind is not Kind.TEXT)
    if cell is not None:
        yield cell
