"""How numbers, times and money are written, everywhere the same."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.domain.vocabulary import visible

NOTHING = "–"  # of what is not known
MINUS = "−"  # a real minus sign: as wide as a plus in tabular figures


def signed(value: float, digits: int = 2) -> str:
    """`+8.51`, `−4.51`, `0.00`."""
    if math.isnan(value):
        return NOTHING
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def number(value: float, digits: int = 2) -> str:
    """`0.41`, `−0.02`: a score or a statistic; the sign only where it is negative."""
    if math.isnan(value):
        return NOTHING
    text = f"{abs(value):.{digits}f}"
    return text if value >= 0 or float(text) == 0 else MINUS + text


def short(value: float) -> str:
    """Three significant digits, whatever the size: `0.00123`, `12.3`, `4,560`."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "undefined"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 6:
        return f"{value:.2e}".replace("-", MINUS)
    return f"{value:,.{max(0, 2 - size)}f}".replace("-", MINUS)


def percent(value: float) -> str:
    """A share between 0 and 1 as `1.0 %`, and tiny ones with the digits that matter."""
    if math.isnan(value):
        return NOTHING
    points = value * 100
    if points == 0:
        return "0 %"
    if points < 0.01:
        return "< 0.01 %"
    return f"{points:.2f} %" if points < 0.1 else f"{points:.1f} %"


def count(value: int) -> str:
    """`46,080`."""
    return f"{value:,}"


def usd(value: float) -> str:
    """`free`, `$0.0042`, `$1.20`."""
    if value == 0:
        return "free"
    if value < 0.0001:
        return "under $0.0001"
    return f"${value:.4f}" if value < 0.1 else f"${value:,.2f}"


def seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def moment(value: datetime) -> str:
    """`21 Nov 2026, 10:34` in UTC; a `<time datetime>` beside it keeps the exact one."""
    at = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def plural(n: int, one: str, many: str | None = None) -> str:
    """`1 record`, `12 records`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def words(value: str) -> str:
    """A name from code as people read it: `token_lookup` -> `token lookup`."""
    return value.replace("_", " ")


def shown(text: str) -> str:
    """Foreign words with everything made visible that hides or reorders text. Not HTML-escaped."""
    return visible(text.encode("utf-8", "surrogatepass"))


def statement(text: str) -> str:
    """An explanation as it is shown; a quoted token's leading space stays with it, no line ends between the two."""
    return shown(text).replace("“ ", "“\N{NO-BREAK SPACE}")


def place(value: str) -> str:
    """A path as people name it, by its last two parts; anything else as it is. The API has the whole path."""
    parts = value.replace("\\", "/").rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) > 2 and value.startswith(("/", "~", ".")) else value


FILTERS: dict[str, Callable[..., Any]] = {
    "signed": signed,
    "number": number,
    "short": short,
    "percent": percent,
    "count": count,
    "usd": usd,
    "seconds": seconds,
    "moment": moment,
    "plural": plural,
    "words": words,
    "place": place,
    "shown": shown,
    "statement": statement,
}
